//! TLS and mail.

use super::Secret;
use clap::Args;
use std::path::PathBuf;

/// TLS of the service's own.
#[derive(Debug, Clone, Args)]
pub struct TlsSettings {
    /// PEM file of the TLS certificate and its chain, reloaded when it changes and on SIGHUP; plain HTTP when absent
    #[arg(long, env = "CLINIC_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,

    /// PEM file of the private key of that certificate
    #[arg(long, env = "CLINIC_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Allow plain HTTP on an address that other machines can reach, with no proxy in front: patients' data is open to
    /// the network
    #[arg(long, env = "CLINIC_ALLOW_PLAIN_HTTP")]
    pub allow_plain_http: bool,
}

/// How mail is sent.
#[derive(Debug, Clone, Default, Args)]
pub struct MailSettings {
    /// Mail server that notifies admins of emergency access and of disabled webhooks, such as `smtps://user:password@mail.example.com`; without
    /// it nobody is notified by mail
    #[arg(long, env = "CLINIC_SMTP_URL", hide_env_values = true, value_name = "URL")]
    pub smtp_url: Option<Secret>,

    /// Sender of those mails, such as `clinic@example.com`
    #[arg(long, env = "CLINIC_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,
}

impl MailSettings {
    /// Settings that contradict each other, as one line.
    pub fn check(&self) -> Result<(), String> {
        if self.smtp_url.is_some() != self.mail_from.is_some() {
            return Err("--smtp-url and --mail-from go together".to_owned());
        }
        let wrong = "--smtp-url is not an address such as smtps://user:password@mail.example.com";
        match &self.smtp_url {
            Some(address)
                if !url::Url::parse(address.expose()).is_ok_and(|it| matches!(it.scheme(), "smtp" | "smtps")) =>
            {
                Err(wrong.to_owned())
            }
            _ => Ok(()),
        }
    }
}
