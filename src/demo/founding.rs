//! The demo organisation itself: its locations, its staff, their password.

use super::chart::{Place, World};
use super::dice::Dice;
use super::names::Country;
use crate::access::{Scope, account, password};
use crate::db::Pool;
use crate::equip::equip;
use crate::error::Result;
use crate::ids;
use crate::organisation::{Location, Staff, store};
use crate::record::{Address, Stamp};
use crate::vocabulary::StaffRole;
use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The demo organisation's id, the same in every database: this is how it is found again, whatever its name has become.
pub(super) const ORG: Uuid = Uuid::from_u128(0x018c_c251_f400_7de0_8de0_0000_0000_0001);

const NAME: &str = "Demo Clinic";

struct Clinic {
    name: &'static str,
    zone: Tz,
    country: Country,
    address: (&'static str, &'static str, Option<&'static str>, &'static str, &'static str),
    phone: &'static str,
    /// Places in `STAFF` of those who treat here.
    practitioners: [u64; 3],
}

const CLINICS: [Clinic; 3] = [
    Clinic {
        name: "London Marylebone",
        zone: Tz::Europe__London,
        country: Country::Britain,
        address: ("41 Larkspur Gardens", "London", None, "NW1 4PQ", "GB"),
        phone: "+442079460114",
        practitioners: [1, 4, 5],
    },
    Clinic {
        name: "Paris Batignolles",
        zone: Tz::Europe__Paris,
        country: Country::France,
        address: ("12 rue des Tilleuls", "Paris", None, "75017", "FR"),
        phone: "+33199001207",
        practitioners: [6, 7, 6],
    },
    Clinic {
        name: "New York Gramercy",
        zone: Tz::America__New_York,
        country: Country::America,
        address: ("218 Linden Street", "New York", Some("NY"), "10003", "US"),
        phone: "+12125550142",
        practitioners: [8, 9, 8],
    },
];

const FRONT_DESK: u64 = 2;
const ADMIN: u64 = 0;

/// E-mail (before the @), role, name, licence.
const STAFF: [(&str, StaffRole, &str, Option<&str>); 10] = [
    ("admin", StaffRole::Admin, "Margaret Ellison", None),
    ("practitioner", StaffRole::Practitioner, "Dr Elena Marchetti", Some("GMC 7000141")),
    ("frontdesk", StaffRole::FrontDesk, "Tom Whitaker", None),
    ("auditor", StaffRole::Auditor, "Ingrid Solberg", None),
    ("priya.raman", StaffRole::Practitioner, "Dr Priya Raman", Some("GMC 7000268")),
    ("hannah.osei", StaffRole::Practitioner, "Hannah Osei", Some("NMC 98A0417E")),
    ("camille.aubert", StaffRole::Practitioner, "Dr Camille Aubert", Some("RPPS 10000000417")),
    ("lucas.ferreira", StaffRole::Practitioner, "Lucas Ferreira", Some("RPPS 10000000582")),
    ("rachel.stein", StaffRole::Practitioner, "Dr Rachel Stein", Some("NY 000417-1")),
    ("mateo.alvarez", StaffRole::Practitioner, "Mateo Alvarez", Some("NY 000583-1")),
];

/// Since when everything is said to be there.
fn opened_at() -> DateTime<Utc> {
    Utc.timestamp_opt(1_704_067_200, 0).single().unwrap_or_default()
}

/// Ids of the demo's own places and people, the same in every database.
fn fixed_id(kind: u64, number: u64) -> Uuid {
    ids::id_at(opened_at(), Dice::new(0xde40 + kind, number).bytes())
}

fn location_id(number: u64) -> Uuid {
    fixed_id(1, number)
}

fn staff_id(number: u64) -> Uuid {
    fixed_id(2, number)
}

/// What the charts of a fill have in common; nothing in them is of today or later.
pub(super) fn world(seed: u64, now: DateTime<Utc>) -> World {
    let place = |clinic: &Clinic, number| Place {
        id: location_id(number),
        zone: clinic.zone,
        country: clinic.country,
        practitioners: clinic.practitioners.map(staff_id),
    };
    let [london, paris, new_york] = &CLINICS;
    World {
        seed,
        org: ORG,
        home: place(london, 0),
        elsewhere: [(300, place(paris, 1)), (270, place(new_york, 2))],
        front_desk: staff_id(FRONT_DESK),
        admin: staff_id(ADMIN),
        end: now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc(),
    }
}

/// Founds what of the organisation is missing and gives its accounts the password, all in one transaction. An account
/// that has this password already is left alone, so that its sign-ins hold.
pub(super) async fn found(pool: &Pool, password: &str) -> Result<()> {
    let hash = password::hash(password.to_owned()).await?;
    let mut scope = Scope::program(pool, ORG).await?;
    let done = found_in(&mut scope, password, &hash).await;
    match done {
        Ok(()) => scope.commit().await.map(drop),
        Err(error) => {
            scope.rollback().await;
            Err(error)
        }
    }
}

async fn found_in(scope: &mut Scope, password: &str, hash: &str) -> Result<()> {
    match store::organisation(scope).await {
        Ok(_) => {}
        Err(crate::error::Error::NotFound(_)) => drop(store::found(scope, NAME).await?),
        Err(error) => return Err(error),
    }
    equip(scope).await?;
    for (number, clinic) in (0..).zip(&CLINICS) {
        if store::locations(scope, &[location_id(number)]).await?.is_empty() {
            store::add_location(scope, &location(number, clinic)).await?;
        }
    }
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    for (number, (name, role, display_name, licence)) in (0..).zip(STAFF) {
        let found = store::staff(scope, &[staff_id(number)]).await?.into_iter().next();
        let member = match found {
            Some(member) => member,
            None => {
                let member = Staff {
                    id: staff_id(number),
                    account_id: Uuid::nil(),
                    email: format!("{name}@demo.clinic"),
                    role,
                    display_name: display_name.to_owned(),
                    licence_number: licence.map(str::to_owned),
                    active: true,
                    stamp: Stamp::new(None, opened_at()),
                };
                store::add_staff(scope, member, hash).await?
            }
        };
        let email = member.email.clone();
        let door = scope.read(crate::vocabulary::RecordKind::Staff)?;
        let has =
            account::find(door.connection, &email).await?.map(|account| account.password_hash).unwrap_or_default();
        let fits = match known.get(&has) {
            Some(fits) => *fits,
            None => has == hash || password::verify(password.to_owned(), Some(has.clone())).await?,
        };
        known.insert(has, fits);
        if !fits {
            store::set_password(scope, &member, hash).await?;
        }
    }
    Ok(())
}

fn location(number: u64, clinic: &Clinic) -> Location {
    let (line, city, region, postal_code, country) = clinic.address;
    Location {
        id: location_id(number),
        name: clinic.name.to_owned(),
        time_zone: clinic.zone.name().to_owned(),
        address: Some(Address {
            lines: vec![line.to_owned()],
            city: Some(city.to_owned()),
            region: region.map(str::to_owned),
            postal_code: Some(postal_code.to_owned()),
            country: country.to_owned(),
        }),
        phone: Some(clinic.phone.to_owned()),
        active: true,
        stamp: Stamp::new(None, opened_at()),
    }
}
