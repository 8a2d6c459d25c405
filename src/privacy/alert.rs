//! Admins are told by mail of emergency access. What was not told is told later; told twice is better than never.

use super::{EmergencyAccess, EmergencyAccessOrder, EmergencyCondition, store};
use crate::access::{Scope, account};
use crate::characters::shown;
use crate::error::Result;
use crate::ids;
use crate::operation::Service;
use crate::organisation::{Staff, store as people};
use crate::page::{kept, listing};
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, SecondsFormat, Utc};
use uuid::Uuid;

const SUBJECT: &str = "Emergency access was begun";

/// Tells the admins of every organisation of what they were not told of. How many were told.
pub async fn send_due(service: &Service) -> Result<usize> {
    let Some(mailer) = &service.mailer else { return Ok(0) };
    let _turn = mailer.turn.lock().await;
    let pool = service.doorkeeper.pool();
    let mut told = 0;
    for org in account::organisations(pool).await? {
        let mut scope = Scope::program(pool, org).await?;
        let due = due(&mut scope).await;
        scope.rollback().await;
        let Some((admins, due)) = due? else { continue };
        for (access, text) in due {
            if !mailer.tell(&admins, SUBJECT, &text).await {
                continue;
            }
            let mut scope = Scope::program(pool, org).await?;
            match note(&mut scope, access).await {
                Ok(()) => scope.commit().await.map(|_| told += 1)?,
                Err(error) => {
                    scope.rollback().await;
                    return Err(error);
                }
            }
        }
    }
    Ok(told)
}

/// The e-mails of an organisation's active admins, and what they were not told of; none if there is nothing.
async fn due(scope: &mut Scope) -> Result<Option<(Vec<String>, Vec<(Uuid, String)>)>> {
    let order = EmergencyAccessOrder::default();
    let untold: Vec<EmergencyAccess> = listing::all(scope, &EmergencyCondition::untold(), order).await?;
    if untold.is_empty() {
        return Ok(None);
    }
    let (admins, everybody) = (people::admin_mails(scope).await?, people::all_staff(scope).await?);
    let mut due = Vec::with_capacity(untold.len());
    for access in &untold {
        let chart = store::chart_number(scope, access.patient_id).await?;
        let who = everybody.iter().find(|it| it.id == access.staff_id);
        due.push((access.id, text(access, who, chart.as_deref().unwrap_or("erased since"))));
    }
    Ok(Some((admins, due)))
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Who, when, until when, whose chart by its number, and where to review it. Nothing clinical, no patient's name.
fn text(access: &EmergencyAccess, who: Option<&Staff>, chart: &str) -> String {
    let (name, role) =
        who.map_or(("somebody", String::new()), |it| (&it.display_name, format!(" ({})", it.role.words())));
    // A line of a mail is as easily forged as one of a terminal.
    let (name, chart) = (shown(name), shown(chart));
    format!(
        "{name}{role} has begun emergency access to the record of one patient.\n\n\
         Chart number: {chart}\nBegun: {}\nEnds at the latest: {}\nId: {}\n\n\
         Please review it: the query emergencyAccesses(filter: {{reviewed: false}}) shows why it was begun, the patient's\n\
         accessLog what was looked at, and reviewEmergencyAccess notes what you found.\n",
        time(access.begun_at),
        time(access.ends_at),
        ids::show(RecordKind::EmergencyAccess, access.id),
    )
}

async fn note(scope: &mut Scope, id: Uuid) -> Result<()> {
    let mut access = store::held(scope, Action::Update, id, None).await?;
    let expected = access.stamp.version;
    access.alerted_at = Some(ids::now());
    access.stamp = access.stamp.changed(None, ids::now());
    kept::save(scope, Action::Update, &access, expected).await
}
