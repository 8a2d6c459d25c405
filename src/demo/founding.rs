//! The demo organisation itself: its locations, its staff, their password.

use super::chart::{Place, World};
use super::names::Country;
use super::shelf::{self, Shelf, fixed_id, opened_at};
use crate::access::{Scope, account, password};
use crate::catalogue::{Device, Product, ProductLot};
use crate::consent::{ConsentKind, ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus};
use crate::credential::Credential;
use crate::db::Pool;
use crate::equip::equip;
use crate::error::Result;
use crate::ledger::Record;
use crate::organisation::{ClearancePolicy, Location, Staff, store};
use crate::page::{Listing, kept, listing};
use crate::protocol::{ProtocolVersion, VersionStatus};
use crate::record::{Address, Stamp};
use crate::vocabulary::StaffRole;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The demo organisation's id, the same in every database: this is how it is found again, whatever its name has become.
pub(super) const ORG: Uuid = Uuid::from_u128(0x018c_c251_f400_7de0_8de0_0000_0000_0001);

/// Of so many patients there are photos.
const PHOTOGRAPHED: u32 = 40;

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

/// A credential of the demo's staff: place in `STAFF`, profession, who keeps the register, where it holds, whether it allows
/// to prescribe. The number is the licence's.
const CREDENTIALS: [(u64, &str, &str, &str, bool); 7] = [
    (1, "physician", "General Medical Council", "United Kingdom", true),
    (4, "physician", "General Medical Council", "United Kingdom", true),
    (5, "nurse", "Nursing and Midwifery Council", "United Kingdom", false),
    (6, "physician", "Ordre des médecins", "France", true),
    (7, "nurse", "Ordre national des infirmiers", "France", false),
    (8, "physician", "New York State Education Department", "New York", true),
    (9, "registered nurse", "New York State Education Department", "New York", false),
];

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

fn location_id(number: u64) -> Uuid {
    fixed_id(1, number)
}

fn staff_id(number: u64) -> Uuid {
    fixed_id(2, number)
}

/// What the charts of a fill have in common; nothing in them is of today or later.
pub(super) fn world(seed: u64, now: DateTime<Utc>, guidance: Guidance) -> World {
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
        end: beginning_of_day(now),
        protocols: guidance.protocols,
        texts: guidance.texts,
        shelf: guidance.shelf,
        photographed: PHOTOGRAPHED,
    }
}

fn beginning_of_day(now: DateTime<Utc>) -> DateTime<Utc> {
    now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc()
}

/// What of the organisation's own the charts go by.
pub(super) struct Guidance {
    pub(super) protocols: Vec<ProtocolVersion>,
    pub(super) texts: Vec<(ConsentKind, ConsentTemplateVersion)>,
    pub(super) shelf: Shelf,
}

/// The ids of the locations.
fn location_ids() -> Vec<Uuid> {
    (0..).zip(&CLINICS).map(|(number, _)| location_id(number)).collect()
}

/// The catalogue as it is founded on a day.
#[cfg(test)]
pub(super) fn shelf(now: DateTime<Utc>) -> Shelf {
    Shelf::new(shelf::devices(&location_ids(), opened_at()), shelf::lots(beginning_of_day(now)))
}

/// Writes what of the catalogue is missing.
async fn stock(scope: &mut Scope) -> Result<()> {
    fn missing<T: Record + Listing>(wanted: Vec<T>, there: &[T]) -> Vec<T> {
        let there: BTreeSet<Uuid> = there.iter().map(Record::id).collect();
        wanted.into_iter().filter(|it| !there.contains(&Record::id(it))).collect()
    }
    fn ids<T: Record>(wanted: &[T]) -> Vec<Uuid> {
        wanted.iter().map(Record::id).collect()
    }
    let wanted = shelf::devices(&location_ids(), opened_at());
    let there: Vec<Device> = listing::by_ids(scope, &ids(&wanted)).await?;
    for device in missing(wanted, &there) {
        kept::add(scope, &device).await?;
    }
    let wanted = shelf::products(opened_at());
    let there: Vec<Product> = listing::by_ids(scope, &ids(&wanted)).await?;
    for product in missing(wanted, &there) {
        kept::add(scope, &product).await?;
    }
    let wanted = shelf::lots(beginning_of_day(crate::ids::now()));
    let there: Vec<ProductLot> = listing::by_ids(scope, &ids(&wanted)).await?;
    let recalled = there.iter().any(|lot| lot.recalled.is_some());
    for mut lot in missing(wanted, &there) {
        lot.recalled = lot.recalled.filter(|_| !recalled);
        kept::add(scope, &lot).await?;
    }
    Ok(())
}

/// What of the organisation's own the charts go by, read back.
pub(super) async fn guidance(pool: &Pool) -> Result<Guidance> {
    let mut scope = Scope::program(pool, ORG).await?;
    let found = read_guidance(&mut scope).await;
    scope.rollback().await;
    found
}

async fn read_guidance(scope: &mut Scope) -> Result<Guidance> {
    let mut protocols: Vec<ProtocolVersion> = listing::all(scope, &Default::default(), Default::default()).await?;
    protocols.retain(|version| version.status == VersionStatus::Published);
    protocols.sort_by_key(|version| (version.stamp.created_at, version.id));
    let templates: Vec<ConsentTemplate> = listing::all(scope, &Default::default(), Default::default()).await?;
    let versions: Vec<ConsentTemplateVersion> = listing::all(scope, &Default::default(), Default::default()).await?;
    let kind_of = |id: Uuid| templates.iter().find(|template| template.id == id).map(|template| template.kind);
    let texts = versions
        .into_iter()
        .filter(|version| version.status == ConsentTemplateVersionStatus::Published)
        .filter_map(|version| Some((kind_of(version.template_id)?, version)))
        .collect();
    let devices: Vec<Device> = listing::all(scope, &Default::default(), Default::default()).await?;
    let lots: Vec<ProductLot> = listing::all(scope, &Default::default(), Default::default()).await?;
    Ok(Guidance { protocols, texts, shelf: Shelf::new(devices, lots) })
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
    stock(scope).await?;
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
                    ends_on: None,
                    location_ids: Vec::new(),
                    invited_at: None,
                    joined_at: None,
                    stamp: Stamp::new(None, opened_at()),
                };
                store::add_staff(scope, member, hash, store::Joining::AtOnce).await?.0
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
    register(scope).await
}

/// Notes the credentials that are missing.
async fn register(scope: &mut Scope) -> Result<()> {
    for (number, profession, body, jurisdiction, prescriber) in CREDENTIALS {
        let id = fixed_id(6, number);
        if !listing::by_ids::<Credential>(scope, &[id]).await?.is_empty() {
            continue;
        }
        let licence = usize::try_from(number).ok().and_then(|at| STAFF.get(at)).and_then(|row| row.3);
        let credential = Credential {
            id,
            staff_id: staff_id(number),
            profession: profession.to_owned(),
            number: licence.unwrap_or_default().split_once(' ').map_or("", |(_, digits)| digits).to_owned(),
            body: body.to_owned(),
            jurisdiction: jurisdiction.to_owned(),
            prescriber,
            modalities: Vec::new(),
            valid_from: None,
            expires_on: None,
            active: true,
            note: None,
            stamp: Stamp::new(None, opened_at()),
        };
        kept::add(scope, &credential).await?;
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
        clearance: ClearancePolicy::None,
        clearance_blocks: false,
        age_of_consent: 18,
        consultation_in_person: false,
        stamp: Stamp::new(None, opened_at()),
    }
}
