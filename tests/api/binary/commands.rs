//! The command line.

use super::{Service, add, program, run, run_with, verify};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn staff_are_managed_at_the_command_line() {
    let database = Database::empty().await;
    let url = database.url();
    let place = ["--database-url", url.as_str()];
    let staff = async |command: &[&str], input: &str| run(&[&["staff"], &place[..], command].concat(), input).await;
    // What is refused without looking at a database.
    for (email, role, password, why) in [
        ("a@x.example", "admin", "elevenchars\n", "the password must have at least 12 characters"),
        ("a@x.example", "admin", "", "the password must have at least 12 characters"),
        ("a@x.example", "owner", "long enough to do\n", "--role owner"),
        ("nobody", "admin", "long enough to do\n", "--email nobody"),
        ("a\u{1b}[2K@x.example", "admin", "long enough to do\n", "--email has U+001B as character 2"),
    ] {
        let ended = run(&add(&["--database-url", "postgres://u@127.0.0.1:1/x"], email, role), password).await;
        assert!(ended.complaint().contains(why), "{ended:?}");
        assert!(password.is_empty() || !ended.err.contains(password.trim()), "{ended:?}");
    }
    let mut argument = add(&place, "a@x.example", "admin");
    argument.extend(["--password", "never as an argument"]);
    let ended = run(&argument, "").await;
    assert!(!ended.success && ended.err.contains("unexpected argument"), "{ended:?}");

    for (email, role) in
        [("Admin@X.example", "admin"), ("anna@x.example", "practitioner"), ("desk@x.example", "front_desk")]
    {
        let said = run(&add(&place, email, role), "long enough to do\nand no more\n").await.ok();
        assert!(said.contains(&email.to_lowercase()) && !said.contains("long enough"), "{said}");
    }
    let twice = run(&add(&place, "anna@x.example", "admin"), "long enough to do\n").await;
    assert!(twice.complaint().contains("works here already"), "{twice:?}");
    let listed = staff(&["list"], "").await.ok();
    let mut lines: Vec<_> = listed.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Clinic\tadmin@x.example\tadmin\tactive\tSomebody",
            "Clinic\tanna@x.example\tpractitioner\tactive\tSomebody",
            "Clinic\tdesk@x.example\tfront_desk\tactive\tSomebody",
        ]
    );

    let service = Service::start(&["--database-url", &url, "--pool-size", "4"]).await;
    let sign_in = async |password: &str| service.door().sign_in("anna@x.example", password).await;
    let anna = sign_in("long enough to do").await.ok();
    let anna = service.door().with_token(anna["signIn"]["token"].as_str().unwrap());
    anna.ask("{ me { id } }").await;
    let short = staff(&["reset-password", "--email", "anna@x.example"], "short\n").await;
    assert!(short.complaint().contains("at least 12 characters"));
    staff(&["reset-password", "--email", "ANNA@x.example"], "another long one\r\n").await.ok();
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.code(), "UNAUTHENTICATED", "every sign-in has ended");
    assert_eq!(sign_in("long enough to do").await.code(), "UNAUTHENTICATED");
    let anna = sign_in("another long one").await.ok();
    let anna = service.door().with_token(anna["signIn"]["token"].as_str().unwrap());
    let said = staff(&["disable", "--email", "anna@x.example"], "").await.ok();
    assert!(said.contains("can't sign in to Clinic any more"), "{said}");
    assert_eq!(anna.graphql("{ me { id } }", json!({})).await.code(), "UNAUTHENTICATED", "from the next request on");
    assert_eq!(sign_in("another long one").await.code(), "UNAUTHENTICATED");
    assert!(staff(&["list"], "").await.ok().contains("anna@x.example\tpractitioner\tdisabled"));
    for (command, why) in [
        (&["disable", "--email", "anna@x.example"][..], "nobody active signs in with anna@x.example"),
        (&["disable", "--email", "nobody@x.example"], "nobody active"),
        (&["disable", "--email", "admin@x.example"], "last active admin"),
        (&["reset-password", "--email", "nobody@x.example"], "nobody signs in with nobody@x.example"),
    ] {
        let ended = staff(command, "long enough to do\n").await;
        assert!(ended.complaint().contains(why), "{ended:?}");
    }
    let said = run(&[&["audit"], &place[..], &["verify"]].concat(), "").await.ok();
    assert!(said.contains("Clinic: the ledger is whole\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_bends_what_a_command_prints() {
    const BENT: &str =
        "Dr\u{1b}]0;bent\u{7}\u{1b}[1A\u{1b}[2K\nOther Clinic\tforged@x.example\tadmin\tactive\u{202e}Nobody";
    let clinic = Clinic::start().await;
    // Rows of before names were looked at.
    let sql = clinic.database.superuser().await;
    for change in ["UPDATE staff SET display_name = $$BENT$$", "UPDATE organisation SET name = $$BENT$$ || org_id"] {
        sql.run(&change.replace("BENT", BENT)).await;
    }
    let url = clinic.database.url();
    let listed = run(&["staff", "--database-url", &url, "list"], "").await;
    let verified = run(&["audit", "--database-url", &url, "verify"], "").await;
    for (ended, lines) in [(listed, 8), (verified, 0)] {
        let text = format!("{}{}", ended.out, ended.err);
        let bent = text.chars().find(|it| it.is_control() && !"\n\t".contains(*it) || *it == '\u{202e}');
        assert_eq!(bent, None, "{text}");
        assert!(!text.lines().any(|line| line.starts_with("Other Clinic")), "{text}");
        assert!(lines == 0 || ended.out.lines().all(|line| line.matches('\t').count() == 4), "{text}");
        assert!(text.contains("\\u{1b}[2K\\n"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_ledger_is_told() {
    let clinic = Clinic::start().await;
    clinic.practitioner().patient("Ada", "Lovelace").await;
    let url = clinic.database.url();
    verify(&url).await;
    let sql = clinic.database.superuser().await;
    sql.plain_ledger("record_kind = 'patient'").await;
    verify(&url).await;
    sql.run("UPDATE ledger SET content = replace(content, 'Lovelace', 'Byron') WHERE record_kind = 'patient'").await;
    let ended = run(&["audit", "--database-url", &url, "verify"], "").await;
    assert!(!ended.success && ended.out.contains("is broken: its content is not what was sealed"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_can_be_run_again() {
    let database = Database::empty().await;
    for _ in 0..2 {
        assert_eq!(run(&["migrate", "--database-url", &database.url()], "").await.ok(), "the database is up to date\n");
    }
    let tables = database
        .superuser()
        .await
        .one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'patient'")
        .await;
    assert_eq!(tables, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_its_help() {
    let commands = [
        "",
        "serve",
        "migrate",
        "schema",
        "staff",
        "staff add",
        "staff list",
        "staff disable",
        "staff remove-second-factor",
        "staff reset-password",
        "demo",
        "audit",
        "audit verify",
        "documents",
        "documents check",
        "audit key",
        "audit export",
        "backup",
        "restore",
        "export",
    ];
    for command in commands {
        let mut help = program(&command.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
        help.arg("--help")
            .env("DATABASE_URL", "postgres://u:s3cret@h/d")
            .env("CLINIC_DEMO_PASSWORD", "s3cret")
            .env("CLINIC_APP_DATABASE_URL", "s3cret");
        let ended = run_with(help, "").await;
        assert!(ended.success && ended.out.contains("Usage: clinic"), "{command}: {ended:?}");
        assert!(!ended.out.contains("s3cret"), "{command} shows a secret");
    }
    assert!(run(&["--version"], "").await.ok().starts_with("clinic "));
    assert!(run(&["schema"], "").await.ok().contains("type Query {"));
    for wrong in [&[][..], &["dance"], &["serve", "--pool-size", "0"], &["serve", "--listen", "here"]] {
        assert!(!run(wrong, "").await.success, "{wrong:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn persisted_documents_are_checked_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("documents.json");
    let path = file.to_str().unwrap();
    std::fs::write(&file, json!({"one": "{ me { id } }", "two": "query Q { staff { totalCount } }"}).to_string())
        .unwrap();
    assert_eq!(run(&["documents", "check", path], "").await.ok(), "2 documents fit this schema\n");
    std::fs::write(&file, json!({"one": "{ me { nothing } }", "two": "{", "three": "{ me { id } }"}).to_string())
        .unwrap();
    let ended = run(&["documents", "check", path], "").await;
    assert!(
        !ended.success && ended.err.contains("\"one\" is refused: type `Staff` does not have a field `nothing`"),
        "{ended:?}"
    );
    assert!(ended.err.contains("\"two\" is refused") && ended.err.contains("2 faults"), "{ended:?}");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()];
    let ended = run(&[&serve[..], &["--persisted-documents", path]].concat(), "").await;
    assert!(ended.complaint().contains("the entry \"one\""), "{ended:?}");
    let ended = run(&[&serve[..], &["--persisted-documents", "/nowhere.json"]].concat(), "").await;
    assert!(ended.complaint().contains("/nowhere.json can't be read"), "{ended:?}");
    let ended = run(&[&serve[..], &["--only-persisted-documents"]].concat(), "").await;
    assert!(ended.complaint().contains("goes with --persisted-documents"), "{ended:?}");
    assert!(!folder.path().join("postgres").exists(), "no database was started for it");
}
