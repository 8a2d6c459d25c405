//! Admins are told by mail that a webhook was disabled. What was not told is told later; told twice is better than never.
//! And old rows of the log are deleted.

use super::{Webhook, log};
use crate::access::Scope;
use crate::access::lease::{self, Whose};
use crate::characters::shown;
use crate::error::{Error, Result};
use crate::ids;
use crate::operation::Service;
use crate::organisation::store as people;
use crate::page::listing;
use crate::vocabulary::RecordKind;
use chrono::SecondsFormat;

const SUBJECT: &str = "A webhook was disabled";

/// Tells the admins of each webhook that was disabled, if they were not told; how many were told of.
pub async fn send_due(service: &Service) -> Result<usize> {
    let Some(mailer) = &service.mailer else { return Ok(0) };
    let pool = service.doorkeeper.pool();
    let _turn = mailer.turn.lock().await;
    let untold: Vec<Whose> = lease::all(pool).await?.into_iter().filter(|it| it.untold).map(|it| it.whose).collect();
    let mut told = 0;
    for (org, id) in untold {
        let mut scope = Scope::program(pool, org).await?;
        let due = async {
            let webhook: Webhook = listing::one(&mut scope, id).await?;
            Ok::<_, Error>((people::admin_mails(&mut scope).await?, text(&webhook)))
        };
        let due = due.await;
        scope.rollback().await;
        let (admins, text) = due?;
        if !mailer.tell(&admins, SUBJECT, &text).await {
            continue;
        }
        let mut scope = Scope::program(pool, org).await?;
        match lease::told(&mut scope, id).await {
            Ok(()) => scope.commit().await.map(|_| told += 1)?,
            Err(error) => {
                scope.rollback().await;
                return Err(error);
            }
        }
    }
    Ok(told)
}

/// Which, since when, why, and what to do.
fn text(webhook: &Webhook) -> String {
    // A line of a mail is as easily forged as one of a terminal.
    let (what, url) = (webhook.description.as_deref().map(shown), shown(&webhook.url));
    format!(
        "A webhook was disabled. Its receiver is told of no changes until the webhook is resumed; then it goes on where it\n\
         stopped, and nothing is lost.\n\n\
         Id: {}\nReceiver: {url}\nWhat for: {}\nSince: {}\nWhy: {}\n\n\
         The query webhook(id:) shows what was tried (deliveries), testWebhook sends a test, resumeWebhook goes on.\n",
        ids::show(RecordKind::Webhook, webhook.id),
        what.as_deref().unwrap_or("not said"),
        webhook.status_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        webhook.reason.map_or_else(|| "not known".to_owned(), |reason| reason.words()),
    )
}

/// Deletes rows of the log that are older than is kept; how many.
pub async fn sweep(service: &Service) -> Result<usize> {
    let pool = service.doorkeeper.pool();
    let mut gone = 0;
    for org in lease::organisations(pool).await? {
        let mut scope = Scope::program(pool, org).await?;
        match log::sweep(&mut scope).await {
            Ok(swept) => scope.commit().await.map(|_| gone += swept)?,
            Err(error) => {
                scope.rollback().await;
                return Err(error);
            }
        }
    }
    Ok(gone)
}
