//! The organisation (the tenant), its locations and its staff.

pub mod filter;
pub mod loader;
pub mod store;

use crate::ids;
use crate::ledger::Record;
use crate::record::{Address, Stamp};
use crate::vocabulary::{RecordKind, StaffRole, vocabulary};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A clinic group: everything belongs to one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Organisation {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The roles that must sign in with a second factor.
    #[serde(default)]
    pub second_factor_roles: Vec<StaffRole>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

vocabulary! {
    /// Whether a location asks for a prescriber's clearance before a treatment.
    ClearancePolicy {
        /// No clearance is needed.
        None = "none",
        /// A clearance is needed that was given face to face.
        InPerson = "in_person",
        /// A clearance is needed, given face to face or remotely.
        AnyMode = "any_mode",
    }
}

fn no_clearance() -> ClearancePolicy {
    ClearancePolicy::None
}

/// The age from which somebody decides alone where a location says nothing else, in years: 18 in every country that the
/// defaults are for (Convention on the Rights of the Child, Art. 1).
pub const AGE_OF_MAJORITY: i16 = 18;

fn of_age() -> i16 {
    AGE_OF_MAJORITY
}

/// A clinic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Location {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique in the organisation.
    pub name: String,
    /// IANA time zone: windows of care are computed in it.
    pub time_zone: String,
    /// The address.
    pub address: Option<Address>,
    /// E.164.
    pub phone: Option<String>,
    /// Whether new records may name it.
    pub active: bool,
    /// Whether it asks for a prescriber's clearance.
    #[serde(default = "no_clearance")]
    pub clearance: ClearancePolicy,
    /// Whether a missing clearance blocks a session; otherwise it warns.
    #[serde(default)]
    pub clearance_blocks: bool,
    /// From which age patients decide alone, in years.
    #[serde(default = "of_age")]
    pub age_of_consent: i16,
    /// Whether the consultation before a treatment must have been held face to face.
    #[serde(default)]
    pub consultation_in_person: bool,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

/// A staff member: the membership of an account in the organisation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Staff {
    /// Its id.
    pub id: Uuid,
    /// The account they sign in with.
    pub account_id: Uuid,
    /// The e-mail they sign in with.
    pub email: String,
    /// What they may do.
    pub role: StaffRole,
    /// The name others see.
    pub display_name: String,
    /// Professional licence.
    pub licence_number: Option<String>,
    /// Whether they may sign in.
    pub active: bool,
    /// The last day on which they work here; none: it has no end.
    #[serde(default)]
    pub ends_on: Option<NaiveDate>,
    /// The clinics that they work at, each once; empty for all.
    #[serde(default)]
    pub location_ids: Vec<Uuid>,
    /// When they were last invited.
    #[serde(default)]
    pub invited_at: Option<DateTime<Utc>>,
    /// When the owner of the account accepted: it has its place here from then on.
    #[serde(default)]
    pub joined_at: Option<DateTime<Utc>>,
    /// Version, and who created and changed the record when.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl Staff {
    /// Whether they work here now: active, their invitation accepted, and their place not ended.
    pub fn works(&self) -> bool {
        self.active && self.joined_at.is_some() && !self.ended(ids::now().date_naive())
    }

    /// Whether their place has ended by a day.
    pub fn ended(&self, on: NaiveDate) -> bool {
        self.ends_on.is_some_and(|last| last < on)
    }

    /// Whether their place is at this clinic too.
    pub fn works_at(&self, location: Uuid) -> bool {
        self.location_ids.is_empty() || self.location_ids.contains(&location)
    }
}

/// Why a member can't be newly named as somebody who did something, in the role if one is asked for; none if they can.
/// `member` is what the id given in the input found.
pub fn unfit(member: Option<&Staff>, role: Option<StaffRole>) -> Option<&'static str> {
    match (member, role) {
        (None, _) => Some("is nobody who works here"),
        (Some(member), _) if member.active && member.joined_at.is_none() => {
            Some("has not accepted their invitation yet")
        }
        (Some(member), _) if member.active && !member.works() => {
            Some("does not work here any more: their place has ended")
        }
        (Some(member), _) if member.active && role.is_none_or(|role| role == member.role) => None,
        (Some(_), Some(StaffRole::Practitioner)) => Some("must be an active practitioner"),
        (Some(_), _) => Some("must be an active staff member"),
    }
}

macro_rules! record {
    ($type:ty, $kind:ident) => {
        impl Record for $type {
            const KIND: RecordKind = RecordKind::$kind;
            fn id(&self) -> Uuid {
                self.id
            }
            fn version(&self) -> i32 {
                self.stamp.version
            }
            fn patient_id(&self) -> Option<Uuid> {
                None
            }
        }
    };
}
record!(Organisation, Organisation);
record!(Location, Location);
record!(Staff, Staff);

/// Whether a text names an IANA time zone.
pub fn is_time_zone(name: &str) -> bool {
    name.parse::<chrono_tz::Tz>().is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_zones_are_iana_s() {
        assert!(super::is_time_zone("Europe/Madrid"));
        assert!(!super::is_time_zone("Madrid") && !super::is_time_zone(""));
    }
}
