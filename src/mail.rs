//! Sending mail. What is sent names no patient and holds nothing clinical.

use crate::config::MailSettings;
use crate::error::{Error, Result};
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;
use tokio::sync::Mutex;

/// How long one step of talking to the mail server may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sends mail over one SMTP server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// Held by who goes through what is to be sent, so that nothing is sent twice at a time.
    pub turn: Mutex<()>,
}

impl Mailer {
    /// One for the settings; none if they name no server.
    pub fn open(settings: &MailSettings) -> std::result::Result<Option<Self>, String> {
        let (Some(url), Some(from)) = (&settings.smtp_url, &settings.mail_from) else { return Ok(None) };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
            .map_err(|_| "--smtp-url is not an address such as smtps://user:password@mail.example.com".to_owned())?
            .timeout(Some(PATIENCE))
            .build();
        let from =
            from.parse().map_err(|_| format!("--mail-from: {from:?} is not an address such as clinic@example.com"))?;
        Ok(Some(Self { transport, from, turn: Mutex::new(()) }))
    }

    /// Sends a text to somebody; `Ok` when the server has taken it. UNAVAILABLE if it can't be sent now.
    pub async fn send(&self, to: &str, subject: &str, text: String) -> Result<()> {
        let to: Mailbox = to.parse().map_err(|_| Error::Internal("an e-mail that mail can't be sent to".to_owned()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .body(text)
            .map_err(|error| Error::Internal(format!("a mail that can't be written: {error}")))?;
        self.transport.send(message).await.map_err(|error| {
            tracing::warn!(%error, "a mail was not sent");
            Error::Unavailable
        })?;
        Ok(())
    }

    /// Sends a text to each of these people, one mail each, so that none reads the others' addresses: whether any of them
    /// was told.
    pub async fn tell(&self, people: &[String], subject: &str, text: &str) -> bool {
        let mut told = false;
        for to in people {
            match self.send(to, subject, text.to_owned()).await {
                Ok(()) => told = true,
                Err(error) => tracing::warn!(?error, subject, "an admin was not told"),
            }
        }
        told
    }
}
