//! A believable clinic, made by the program: for trying the service out and for measuring it.
//!
//! The same seed gives the same patients with the same names, histories, sessions and notes, in every run: everything is
//! drawn from dice of the seed and the patient's number. What moves is the time: dates are counted back from the
//! beginning of the current day (UTC), so that the newest sessions are of yesterday, and with them the time stamps
//! that are part of every id. The salts of the ledger are true chance.

mod aftercare;
mod bulk;
mod call_backs;
mod chart;
mod complaint;
mod consents;
mod copy;
mod course;
mod dice;
mod drawing;
mod events;
mod founding;
mod history;
mod names;
mod person;
mod photos;
mod plans;
mod progress;
mod protocols;
mod result;
mod seal;
mod shelf;
mod tables;
#[cfg(test)]
mod tests;
mod treatment;
mod write;

use crate::access::password;
use crate::db::Database;
use crate::ids;
use crate::objects::Objects;
use chart::World;
use chrono::{Months, TimeDelta};
use std::sync::Arc;
use tokio_postgres::Client;
use write::plain;

/// Patients of a demo that was asked for without a number.
const FEW: u32 = 40;
/// The seed of such a demo.
const SEED: u64 = 1;

/// The tables that a fill writes, but for the ledger.
const RECORDS: &str = "organisation, location, staff, credential, account, account_membership, chart_counter, patient, patient_search, name_piece, \
                       health_entry, health_review, consultation, treatment_session, session_area, product_use, session_check, aftercare_note, addendum, device, product, \
                       product_lot, treatment_plan, consent, photo, outcome_assessment, adverse_event, recall";

/// The demo organisation.
pub struct Demo {
    /// Password of its accounts.
    pub password: String,
}

/// Makes sure there is a demo organisation with some patients, and sets its accounts' password: the given one, or one
/// that is made. Accounts that have the password already keep their sign-ins.
pub async fn ensure(database: &Database, objects: &Objects, password: Option<String>) -> Result<Demo, String> {
    fill(database, objects, FEW, SEED, password).await
}

/// Fills the demo organisation up to so many patients, founding it if need be, and sets its accounts' password. What is
/// there already stays; a fill that was cut off goes on where it was, but for one of many patients into an empty record:
/// it is one transaction and begins again.
pub async fn fill(
    database: &Database,
    objects: &Objects,
    patients: u32,
    seed: u64,
    password: Option<String>,
) -> Result<Demo, String> {
    let password = password.unwrap_or_else(password::generate);
    if let Some(fault) = password::fault(&password, &[]) {
        return Err(format!("the password of the demo accounts {fault}"));
    }
    let pool = database.small_pool()?;
    founding::found(&pool, &password).await.map_err(|error| error.operator_message())?;
    let guidance = founding::guidance(&pool).await.map_err(|error| error.operator_message())?;
    let world = founding::world(seed, ids::now(), guidance);
    let mut client = crate::db::connect(&database.application).await?;
    let present = patients_present(&mut client, &world).await?;
    if present < patients {
        ensure_months(&client, &world).await?;
        let (owner, world) = (&database.owner, Arc::new(world));
        let at_once = present == 0 && patients >= bulk::LEAST && bulk::write(owner, objects, &world, patients).await?;
        if !at_once {
            write::write(owner, objects, Arc::clone(&world), present..patients).await?;
        }
        let transaction = write::begin(&mut client, &world).await?;
        crate::server::refold::names(&transaction, world.org).await?;
        transaction.commit().await.map_err(plain)?;
        tidy(database).await?;
    }
    Ok(Demo { password })
}

/// How many patients there are: the dice of the next ones go on from there.
async fn patients_present(client: &mut Client, world: &World) -> Result<u32, String> {
    let transaction = write::begin(client, world).await?;
    let count = format!("SELECT count(*) FROM patient WHERE org_id = '{}'", world.org);
    let count: i64 = transaction.query_one(&count, &[]).await.map_err(plain)?.get(0);
    transaction.commit().await.map_err(plain)?;
    u32::try_from(count).map_err(|_| "the demo clinic has more patients than can be counted".to_owned())
}

/// The ledger's partitions for the months that the histories lie in.
async fn ensure_months(client: &Client, world: &World) -> Result<(), String> {
    let last = world.end.date_naive();
    let first = last - TimeDelta::days(shelf::DAYS) - Months::new(2);
    client
        .execute(
            "SELECT ensure_month_partitions($1::text::date, $2::text::date)",
            &[&first.to_string(), &last.to_string()],
        )
        .await
        .map_err(plain)?;
    Ok(())
}

/// As the owner: what the planner must know of the new rows, and the space of the drafts that were signed.
async fn tidy(database: &Database) -> Result<(), String> {
    let records = async {
        let owner = crate::db::connect(&database.owner).await?;
        owner.batch_execute(&format!("VACUUM (ANALYZE) {RECORDS}")).await.map_err(plain)
    };
    let ledger = async {
        let owner = crate::db::connect(&database.owner).await?;
        // Its contents are never searched: leaving them out saves the reading of them.
        owner.batch_execute("VACUUM ledger").await.map_err(plain)?;
        owner.batch_execute("ANALYZE ledger (org_id, seq, at, record_id, patient_id)").await.map_err(plain)
    };
    futures::try_join!(records, ledger).map(|_| ())
}
