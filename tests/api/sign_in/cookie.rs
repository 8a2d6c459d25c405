//! The cookie of a browser.

use super::outcome_of_me;
use crate::support::*;
use reqwest::Method;

const COOKIE: &str = "__Host-clinic";

/// A request as a browser's page sends it.
async fn browse(who: &Caller, token: &str, query: &str, headers: &[(&str, &str)]) -> Answer {
    let request = who.prepare(query, json!({})).header("cookie", format!("other=1; {COOKIE}={token}"));
    Answer::to(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

fn cookies(answer: &Answer) -> Vec<String> {
    let set = answer.headers.get_all("set-cookie").iter();
    set.map(|cookie| cookie.to_str().expect("text").to_owned()).collect()
}

fn token_of(cookie: &str) -> String {
    let token =
        cookie.strip_prefix(&format!("{COOKIE}=")).expect("ours").split(';').next().expect("a token").to_owned();
    assert_eq!(cookie, format!("{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict"));
    token
}

const ME: &str = "{ me { id signIns { byCookie current } } }";

/// What a page of somebody else can make a browser send.
const FORGED: [&[(&str, &str)]; 7] = [
    &[],
    &[("origin", "https://evil.example")],
    &[("clinic-csrf", "1"), ("origin", "https://evil.example")],
    &[("clinic-csrf", "1"), ("origin", "null")],
    &[("clinic-csrf", "1"), ("origin", "https://app.example.com.evil.example")],
    &[("clinic-csrf", "1"), ("sec-fetch-site", "cross-site")],
    &[("clinic-csrf", "1"), ("origin", "https://app.example.com"), ("sec-fetch-site", "cross-site")],
];

/// None of it does anything.
async fn nothing_forged_counts(door: &Caller, token: &str) {
    for headers in FORGED {
        for query in [ME, "mutation { signOut { signedOut } }"] {
            let answer = browse(door, token, query, headers).await;
            assert_eq!(
                (answer.outcome().as_str(), answer.status.as_u16()),
                ("UNAUTHENTICATED", 401),
                "{headers:?} {query}"
            );
        }
    }
    let cookie = format!("{COOKIE}={token}");
    let got = door
        .request(Method::GET, "/graphql?query=%7Bme%7Bid%7D%7D")
        .header("cookie", &cookie)
        .header("clinic-csrf", "1");
    assert_eq!(
        Answer::to(got.header("accept", "application/graphql-response+json")).await.outcome(),
        "UNAUTHENTICATED",
        "GET"
    );
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"] {
        let form =
            door.request(Method::POST, "/graphql").header("cookie", &cookie).header("content-type", content_type);
        let answer = Answer::to(form.body(r#"{"query": "mutation { signOut { signedOut } }"}"#)).await;
        assert_eq!(answer.status.as_u16(), 415, "{content_type}");
    }
    let ask = door.request(Method::OPTIONS, "/graphql").header("origin", "https://evil.example");
    let ask =
        ask.header("access-control-request-method", "POST").header("access-control-request-headers", "clinic-csrf");
    assert!(!Answer::to(ask).await.headers.contains_key("access-control-allow-origin"));
    assert_eq!(browse(door, token, ME, &[("clinic-csrf", "1")]).await.outcome(), "ok", "none of it did anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_by_cookie() {
    let clinic = Clinic::with(&["--allowed-origins", "https://app.example.com"]).await;
    let door = clinic.anonymous();
    let email = "practitioner@north.example";
    let sign_in = json!({"email": email, "password": PASSWORD, "cookie": true});
    let answer = door.does("signIn", sign_in, "token expiresAt staff { id }").await;
    let set = cookies(&answer);
    let token = token_of(&set[0]);
    assert_eq!((set.len(), &answer.clone().ok()["signIn"]["token"]), (1, &Value::Null));
    assert!(!answer.text.contains(&token), "no script gets to see it");
    let found = browse(&door, &token, ME, &[("clinic-csrf", "1")]).await.ok();
    assert_eq!(found["me"]["signIns"][0], json!({"byCookie": true, "current": true}));
    let own = clinic.url("");
    for origin in ["https://app.example.com", own.as_str()] {
        let headers = [("clinic-csrf", "1"), ("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(browse(&door, &token, ME, &headers).await.outcome(), "ok", "{origin}");
    }
    nothing_forged_counts(&door, &token).await;

    // A cookie's token is none for the header, and the other way round; with both the header counts.
    assert_eq!(outcome_of_me(&door.with_token(&token)).await, "UNAUTHENTICATED");
    let bearer = clinic.practitioner();
    assert_eq!(browse(&door, &bearer.member.token, ME, &[("clinic-csrf", "1")]).await.outcome(), "UNAUTHENTICATED");
    let found = browse(&bearer, &token, ME, &[("clinic-csrf", "1")]).await.ok();
    let current = found["me"]["signIns"].as_array().expect("a list").iter().find(|it| it["current"] == true);
    assert_eq!(current.expect("one")["byCookie"], false);

    // A new token is a new cookie; signing out takes it away.
    let confirm = format!("mutation {{ confirmIdentity(input: {{password: \"{PASSWORD}\"}}) {{ token }} }}");
    let renewed = browse(&door, &token, &confirm, &[("clinic-csrf", "1")]).await;
    let new = token_of(&cookies(&renewed)[0]);
    assert_eq!(renewed.ok()["confirmIdentity"]["token"], Value::Null);
    assert_ne!(new, token);
    let old = browse(&door, &token, "mutation { signOut { signedOut } }", &[("clinic-csrf", "1")]).await;
    assert_eq!((old.outcome().as_str(), cookies(&old).len()), ("UNAUTHENTICATED", 0), "the old cookie changes nothing");
    let out = browse(&door, &new, "mutation { signOut { signedOut } }", &[("clinic-csrf", "1")]).await;
    assert_eq!(cookies(&out), [format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")]);
    out.ok();
    assert_eq!(browse(&door, &new, ME, &[("clinic-csrf", "1")]).await.outcome(), "UNAUTHENTICATED");
    // A left-over cookie keeps nobody from signing in.
    let again = format!(
        "mutation {{ signIn(input: {{email: \"{email}\", password: \"{PASSWORD}\", cookie: true}}) {{ staff {{ id }} }} }}"
    );
    let again = browse(&door, &new, &again, &[]).await;
    token_of(&cookies(&again)[0]);
    again.ok();
    // Nothing sets a cookie that was not asked for.
    assert!(cookies(&door.sign_in(email, PASSWORD).await).is_empty());
}
