#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_url_is_read_back_as_it_was_meant() {
    let dir = "/srv/my clinic/ä%/run";
    let url = url_of("clinic_owner", "00ff", "clinic", Path::new(dir));
    assert_eq!(url, "postgres://clinic_owner:00ff@/clinic?host=%2Fsrv%2Fmy%20clinic%2F%C3%A4%25%2Frun");
    let config: tokio_postgres::Config = url.parse().unwrap();
    assert_eq!(config.get_hosts(), [tokio_postgres::config::Host::Unix(dir.into())]);
    assert_eq!((config.get_user(), config.get_dbname()), (Some("clinic_owner"), Some("clinic")));
}

#[test]
fn an_error_is_one_line() {
    assert_eq!(StartError::new("first\n  second").to_string(), "first; second");
}

fn options(dir: &tempfile::TempDir) -> Options {
    Options { data_dir: dir.path().to_owned(), postgres_bin: None, durable: false }
}

async fn ask(url: &str, sql: &str) -> Option<String> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

#[tokio::test]
async fn data_survives_a_stop_and_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut postgres = EmbeddedPostgres::start(options(&dir)).await.unwrap();
    let url = postgres.owner_url().to_owned();
    ask(&url, "CREATE TABLE kept (what text); INSERT INTO kept VALUES ('Zoë')").await;

    let refused = EmbeddedPostgres::start(options(&dir)).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.starts_with("another clinic service is using the data folder /"), "{refused}");

    postgres.stop().await;
    drop(postgres);
    let postgres = EmbeddedPostgres::start(options(&dir)).await.unwrap();
    assert_eq!(ask(&url, "SELECT upper(what) FROM kept").await.as_deref(), Some("ZOË"));

    let pid_file = dir.path().join("postgres/data/postmaster.pid");
    let pid = std::fs::read_to_string(&pid_file).unwrap().lines().next().unwrap().to_owned();
    assert!(
        std::process::Command::new("/bin/sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap().success()
    );
    drop(postgres);
    let mut postgres = EmbeddedPostgres::start(options(&dir)).await.unwrap();
    assert_eq!(ask(&url, "SELECT what FROM kept").await.as_deref(), Some("Zoë"));
    let rights = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^clinic_' \
        AND NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)";
    assert_eq!(ask(&url, rights).await.as_deref(), Some("clinic_app clinic_owner"));
    postgres.stop().await;
}
