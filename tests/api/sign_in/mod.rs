//! Who somebody is: second factor, passwords, proving it again before signing, one's own sign-ins, the cookie.

mod cookie;
mod own;
mod passwords;
mod second_factor;
mod signing;

use crate::support::*;
use totp_rs::{Builder, Secret, Totp};

const NEW: &str = "another one for the tests";

async fn outcome_of_me(who: &Caller) -> String {
    who.graphql("{ me { id } }", json!({})).await.outcome()
}

/// Whether a token opens anything but what it read just now: one that was replaced changes nothing.
async fn outcome_of_a_change(who: &Caller) -> String {
    who.graphql("mutation { regenerateRecoveryCodes { recoveryCodes } }", json!({})).await.outcome()
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

/// An authenticator app.
struct App(Totp);

impl App {
    fn of(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).expect("base 32");
        Self(Builder::new().with_secret(secret).build().expect("an app"))
    }

    fn at(&self, step: i64) -> String {
        self.0.generate(u64::try_from(step * 30).expect("after 1970")).to_string()
    }

    /// What it shows now.
    fn now(&self) -> String {
        self.at(chrono::Utc::now().timestamp() / 30)
    }

    /// The code that was used last.
    async fn used(&self, sql: &Sql) -> String {
        self.at(last_step(sql).await)
    }

    /// The first one after it that is taken now.
    async fn next(&self, sql: &Sql) -> String {
        self.at((last_step(sql).await + 1).max(chrono::Utc::now().timestamp() / 30))
    }
}

async fn last_step(sql: &Sql) -> i64 {
    let step = sql.one("SELECT totp_last_step FROM account WHERE totp_confirmed_at IS NOT NULL").await;
    step.parse().expect("a number")
}

/// Lets the codes of now be used again, as if time had passed.
async fn later(sql: &Sql) {
    sql.run("UPDATE account SET totp_last_step = totp_last_step - 10").await;
}

/// Keeps the throttle out of a test that is about something else.
async fn calm(sql: &Sql) {
    sql.run(
        "CREATE FUNCTION calm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.failures := 0; \
         NEW.blocked_until := NEW.last_failed_at - interval '1 s'; RETURN NEW; END $$",
    )
    .await;
    sql.run("CREATE TRIGGER calm BEFORE INSERT OR UPDATE ON sign_in_failure FOR EACH ROW EXECUTE FUNCTION calm()")
        .await;
}

/// Somebody with a second factor: their app, their recovery codes, and their sign-in under its new token.
async fn with_second_factor(clinic: &Clinic, who: &SignedIn) -> (App, Vec<String>, SignedIn) {
    let begun = who.ask("mutation { beginSecondFactor { secret uri qrCode } }").await["beginSecondFactor"].clone();
    let app = App::of(begun["secret"].as_str().expect("a secret"));
    let input = json!({"code": app.now()});
    let confirmed = who.does("confirmSecondFactor", input, "recoveryCodes token").await.ok();
    let confirmed = &confirmed["confirmSecondFactor"];
    let codes = confirmed["recoveryCodes"].as_array().expect("codes").iter().map(text).collect();
    let mut member = who.member.clone();
    member.token = text(&confirmed["token"]);
    (app, codes, SignedIn::new(&clinic.anonymous(), &clinic.north, member))
}

async fn events(sql: &Sql) -> Vec<String> {
    sql.column("SELECT event FROM access_log ORDER BY org_id, seq").await
}
