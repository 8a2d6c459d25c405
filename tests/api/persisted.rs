//! Persisted documents: named by their ids or hashes, and nothing else where that is the setting.

use crate::support::*;
use reqwest::Method;
use reqwest::header::ACCEPT;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

const NEW: &str = "application/graphql-response+json";
const PAGE: &str = "query Page($first: Int = 2) { patients(first: $first) { nodes { displayName } } }";
const ME: &str = "query Me { me { id } }";
const SIGN_IN: &str = "mutation SignIn($input: SignInInput!) { signIn(input: $input) { token } }";
const NO: &str = "PERSISTED_DOCUMENT_REQUIRED";

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(folder: &tempfile::TempDir, name: &str, content: &Value) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

async fn post(by: &Caller, body: Value) -> Answer {
    Answer::to(by.request(Method::POST, "/graphql").header(ACCEPT, NEW).json(&body)).await
}

async fn get(by: &Caller, pairs: &[(&str, &str)]) -> Answer {
    Answer::to(by.request(Method::GET, "/graphql").header(ACCEPT, NEW).query(pairs)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_named_as_relay_and_apollo_name_them() {
    let folder = tempfile::tempdir().unwrap();
    // relay-compiler's file: ids are the MD5 or SHA-256 of the text, as it is set up.
    let map = file(&folder, "map.json", &json!({hash(PAGE): PAGE, "3be4abb81fa595e25eb725b2c6a87508": ME}));
    let manifest = json!({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [
        {"id": hash(PAGE), "name": "Page", "type": "query", "body": PAGE},
        {"id": "3be4abb81fa595e25eb725b2c6a87508", "name": "Me", "type": "query", "body": ME}]});
    let manifest = file(&folder, "manifest.json", &manifest);
    let mut clinic = Clinic::with(&["--persisted-documents", map.to_str().unwrap()]).await;
    clinic.practitioner().patient("Zoë", "Ramírez").await;
    for again in [false, true] {
        if again {
            clinic.restart(&["--persisted-documents", manifest.to_str().unwrap()]).await;
        }
        let anna = clinic.practitioner();
        let hash = hash(PAGE);
        let expected = json!({"patients": {"nodes": [{"displayName": "Zoë Ramírez"}]}});
        let apollo = json!({"persistedQuery": {"version": 1, "sha256Hash": hash}});
        let prefixed = format!("sha256:{hash}");
        for body in [
            json!({"documentId": prefixed}),
            json!({"documentId": hash, "variables": {"first": 1}, "operationName": "Page"}),
            json!({"documentId": hash, "query": ""}),
            json!({"documentId": hash, "query": null}),
            json!({"extensions": apollo, "variables": {"first": 1}, "operationName": "Page"}),
            json!({"extensions": apollo, "query": PAGE}),
            json!({"query": PAGE}),
        ] {
            assert_eq!(post(&anna, body.clone()).await.ok(), expected, "{body}");
        }
        assert_eq!(get(&anna, &[("documentId", &prefixed)]).await.ok(), expected);
        let extensions = apollo.to_string();
        let pairs = [("extensions", extensions.as_str()), ("variables", "{\"first\":1}"), ("operationName", "Page")];
        assert_eq!(get(&anna, &pairs).await.ok(), expected, "Apollo's useGETForHashedQueries");
        let opaque = post(&anna, json!({"documentId": "3be4abb81fa595e25eb725b2c6a87508"})).await.ok();
        assert_eq!(opaque["me"]["id"], json!(anna.id()));
        // A wrong one is told as Apollo's protocol has it; nothing is registered by sending the text.
        let other = "{ organisation { id } }";
        let unknown = json!({"persistedQuery": {"version": 1, "sha256Hash": self::hash(other)}});
        for body in
            [json!({"extensions": unknown}), json!({"documentId": "nothing"}), json!({"documentId": "sha256:00"})]
        {
            let answer = post(&anna, body).await;
            assert_eq!((answer.code(), answer.status.as_u16()), ("PERSISTED_QUERY_NOT_FOUND", 400));
            assert_eq!(answer.errors[0]["message"], "PersistedQueryNotFound");
        }
        post(&anna, json!({"extensions": unknown, "query": other})).await.ok();
        assert_eq!(post(&anna, json!({"extensions": unknown})).await.code(), "PERSISTED_QUERY_NOT_FOUND");
        for wrong in [
            json!({"documentId": hash, "query": ME}),
            json!({"documentId": 7}),
            json!({"extensions": apollo, "query": ME}),
            json!({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": hash}}}),
            json!({"extensions": {"persistedQuery": true}}),
            json!({"documentId": ""}),
        ] {
            assert_eq!(post(&anna, wrong.clone()).await.code(), "BAD_REQUEST", "{wrong}");
        }
        // Rights are as ever.
        assert_eq!(post(&clinic.anonymous(), json!({"documentId": hash})).await.code(), "UNAUTHENTICATED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_taken_where_that_is_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    let map = file(&folder, "map.json", &json!({hash(PAGE): PAGE, hash(SIGN_IN): SIGN_IN}));
    let clinic = Clinic::with(&["--persisted-documents", map.to_str().unwrap(), "--only-persisted-documents"]).await;
    let (anna, nobody) = (clinic.practitioner(), clinic.anonymous());
    post(&anna, json!({"documentId": hash(PAGE)})).await.ok();
    let named = json!({"persistedQuery": {"version": 1, "sha256Hash": hash(PAGE)}});
    for body in [
        json!({"query": ME}),
        json!({"query": PAGE}),
        json!({"query": "{ __typename }"}),
        json!({"query": "{ __schema { queryType { name } } }"}),
        json!({"query": "{"}),
        json!({"query": PAGE, "extensions": named}),
    ] {
        let answer = post(&anna, body.clone()).await;
        assert_eq!((answer.code(), answer.status.as_u16()), (NO, 400), "{body}");
    }
    assert_eq!(get(&anna, &[("query", PAGE)]).await.code(), NO);
    let batch = post(&anna, json!([{"query": ME}, {"documentId": hash(PAGE)}, {"documentId": "no"}])).await;
    let answers: Vec<Value> = serde_json::from_str(&batch.text).unwrap();
    let code = |i: usize| answers[i].pointer("/errors/0/extensions/code").cloned();
    assert_eq!((code(0), code(1), code(2)), (Some(json!(NO)), None, Some(json!("PERSISTED_QUERY_NOT_FOUND"))));
    // A mutation by its id: by POST, as ever.
    let input = json!({"input": {"email": "admin@north.example", "password": PASSWORD}});
    post(&nobody, json!({"documentId": hash(SIGN_IN), "variables": input})).await.ok();
    let by_get = get(&nobody, &[("documentId", &hash(SIGN_IN)), ("variables", &input.to_string())]).await;
    assert_eq!((by_get.code(), by_get.status.as_u16()), ("METHOD_NOT_ALLOWED", 405));
    // The explorer could ask nothing.
    let page = nobody.request(Method::GET, "/graphql").header(ACCEPT, "text/html").send().await.unwrap();
    assert_eq!(page.status().as_u16(), 404);
}
