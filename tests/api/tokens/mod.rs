//! A token's life: why one that is refused is refused, what one reads still whose place a newer one took, and when a sign-in
//! ends.

mod clock;
mod refused;
mod replaced;

use crate::support::*;
use std::time::{Duration, Instant};

const ME: &str = "{ me { id } }";

/// What a token looks like that nobody was given.
const NOBODYS: &str = "clinic_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The code and the reason of an answer's one error.
fn why(answer: &Answer) -> (String, String) {
    let reason = answer.errors[0]["extensions"]["reason"].as_str().unwrap_or("no reason").to_owned();
    (answer.code().to_owned(), reason)
}

fn because(reason: &str) -> (String, String) {
    ("UNAUTHENTICATED".to_owned(), reason.to_owned())
}

async fn why_not(who: &Caller) -> (String, String) {
    why(&who.graphql(ME, json!({})).await)
}

/// Somebody who has just signed in.
async fn fresh(clinic: &Clinic) -> SignedIn {
    clinic.sign_in_again(&clinic.north, Role::Practitioner).await
}

/// A request with the cookie, as a browser's page sends it.
async fn browse(who: &Caller, token: &str, headers: &[(&str, &str)]) -> Answer {
    let request = who.prepare(ME, json!({})).header("cookie", format!("__Host-clinic={token}"));
    Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// The token of the cookie that a sign-in sets.
async fn cookie_token(door: &Caller, email: &str) -> String {
    let input = json!({"email": email, "password": PASSWORD, "cookie": true});
    let answer = door.does("signIn", input, "expiresAt").await;
    let set = answer.headers["set-cookie"].to_str().expect("text").to_owned();
    answer.ok();
    set.strip_prefix("__Host-clinic=").and_then(|rest| rest.split(';').next()).expect("a token").to_owned()
}

// --- When it ends ----------------------------------------------------------------------------------------------------

/// Asks until the answer is as wanted: for what the service does beside a request.
async fn until(sql: &Sql, question: &str, wanted: &str) {
    let start = Instant::now();
    while sql.one(question).await != wanted {
        assert!(start.elapsed() < Duration::from_secs(20), "{question} is not {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
