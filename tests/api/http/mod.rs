//! GraphQL over HTTP: media types, status codes, methods, batches, headers; and what is refused before it is run.

mod answers;
mod costs;
mod requests;

use crate::support::*;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};

const NEW: &str = "application/graphql-response+json";
const OLD: &str = "application/json";

fn post(by: &Caller, accept: &str, body: Value) -> RequestBuilder {
    by.request(Method::POST, "/graphql").header(ACCEPT, accept).json(&body)
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A plain client, that unpacks nothing.
fn plain_client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().no_gzip().build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_explorer_and_its_introspection_can_be_had_or_not() {
    let mut clinic = Clinic::start().await;
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let page = async |clinic: &Clinic| {
        Answer::to(clinic.anonymous().request(Method::GET, "/graphql").header(ACCEPT, html)).await
    };
    let answer = page(&clinic).await;
    assert_eq!((answer.status.as_u16(), header(&answer, "content-type")), (200, "text/html; charset=utf-8"));
    assert!(header(&answer, "content-security-policy").contains("default-src 'none'"));
    let data = clinic.anonymous().ask(INTROSPECTION).await;
    let types = data["__schema"]["types"].as_array().unwrap();
    assert!(types.iter().any(|kind| kind["name"] == "TreatmentSession") && types.len() > 100);
    let root = plain_client().get(clinic.url("/")).header(ACCEPT, html);
    assert_eq!(Answer::to(root).await.status.as_u16(), 200, "/ leads to it");
    // By role: anybody, who is signed in, admins, nobody.
    let queries = [
        INTROSPECTION,
        "{ __type(name: \"Patient\") { name } }",
        "query ($no: Boolean!) { ...f } fragment f on Query { x: __schema @skip(if: $no) { queryType { name } } }",
        "{ __typename me { id } __schema { queryType { name } } }",
    ];
    let asked = async |clinic: &Clinic, wanted: [&str; 3]| {
        let (admin, anna, nobody) = (clinic.admin(), clinic.practitioner(), clinic.anonymous());
        for (who, wanted) in [(&*admin, wanted[0]), (&*anna, wanted[1]), (&*nobody, wanted[2])] {
            for (i, query) in queries.iter().enumerate() {
                let answer = who.graphql(query, json!({"no": false})).await;
                let wanted = if i == 3 && wanted == "ok" && answer.status == 401 { "UNAUTHENTICATED" } else { wanted };
                assert_eq!(answer.outcome(), wanted, "{query} {:.300}", answer.text);
                assert!(wanted == "ok" || (answer.text.len() < 500 && answer.data.is_null()), "{}", answer.text);
            }
            assert_eq!(who.graphql("{ __typename }", json!({})).await.outcome(), "ok");
        }
    };
    asked(&clinic, ["ok", "ok", "ok"]).await;
    clinic.restart(&["--introspection", "staff"]).await;
    asked(&clinic, ["ok", "ok", "UNAUTHENTICATED"]).await;
    clinic.restart(&["--introspection", "admin"]).await;
    asked(&clinic, ["ok", "FORBIDDEN", "UNAUTHENTICATED"]).await;
    let sql = clinic.database.superuser().await;
    assert_eq!(sql.one("SELECT count(*) > 0 FROM access_log WHERE event = 'refused'").await, "t");
    let answer = page(&clinic).await;
    assert!(answer.status == 200 && answer.text.contains("Sign in to see the schema"));
    clinic.restart(&["--introspection", "none"]).await;
    asked(&clinic, ["INTROSPECTION_DISABLED"; 3]).await;
    assert_eq!(page(&clinic).await.status.as_u16(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_to_anybody() {
    let clinic = Clinic::start().await;
    for (path, status) in [("/health/live", "live"), ("/health/ready", "ready")] {
        let answer = clinic.anonymous().request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"status": status}));
    }
    let content = clinic.anonymous().request(Method::POST, "/health/ready").header(CONTENT_TYPE, OLD);
    assert!(!Answer::to(content).await.status.is_success());
}

/// The introspection query that GraphiQL sends, with everything it can ask for that this schema's engine knows.
const INTROSPECTION: &str = "query IntrospectionQuery {
  __schema {
    description queryType { name } mutationType { name } subscriptionType { name } types { ...FullType }
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description specifiedByURL
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
}";
