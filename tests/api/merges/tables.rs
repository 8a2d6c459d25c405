//! The tables of patients, and the functions of the database that move their rows.

use crate::ledger::enter;
use crate::support::*;
use std::collections::BTreeSet;
use uuid::Uuid;

/// The tables that the catalog says have a patient's rows.
async fn tables_of_patients(sql: &Sql) -> BTreeSet<String> {
    let tables = "SELECT relname FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE attname = 'patient_id' AND relkind IN ('r', 'p') \
        AND NOT relispartition AND relnamespace = 'public'::regnamespace";
    // The ledger's entries stay where they were made, an erasure is of nobody, and what is searched for is the patient's
    // own: the erasing function names it.
    // The access log keeps whom it was about, of who was erased too.
    let apart = ["ledger", "patient_erasure", "patient_search", "patient_identifier", "access_log_patient"];
    sql.column(tables).await.into_iter().filter(|table| !apart.contains(&table.as_str())).collect()
}

/// What moving and erasing would forget: tables, parts of them, links between them.
async fn forgotten(sql: &Sql) -> Vec<String> {
    let known: BTreeSet<String> = sql.column("SELECT name FROM patient_tables()").await.into_iter().collect();
    let mut missing: Vec<String> = tables_of_patients(sql).await.symmetric_difference(&known).cloned().collect();
    let references = sql
        .rows(
            "SELECT f.relname, t.relname, (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[array_length(conkey, 1)]) \
            FROM pg_constraint o JOIN pg_class f ON f.oid = conrelid JOIN pg_class t ON t.oid = confrelid WHERE contype = 'f'",
        )
        .await;
    let linked = sql.column("SELECT name || '.' || unnest(hangs_on) FROM patient_tables() UNION SELECT name || '.' || by_column FROM patient_parts()").await;
    for row in references {
        let [Some(child), Some(parent), Some(column)] = row.as_slice() else { panic!("{row:?}") };
        let link = format!("{child}.{column}");
        if known.contains(parent) && !linked.contains(&link) {
            missing.push(link);
        }
    }
    missing
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_of_patients_is_forgotten() {
    let database = Database::copy().await;
    let sql = database.superuser().await;
    assert_eq!(forgotten(&sql).await, [""; 0], "give them a row in patient_tables() or patient_parts()");
    assert!(tables_of_patients(&sql).await.len() >= 12);
    sql.run("CREATE TABLE tattoo (org_id uuid, id uuid, patient_id uuid, PRIMARY KEY (org_id, id))").await;
    sql.run("CREATE TABLE ink (org_id uuid, id uuid, session_id uuid, FOREIGN KEY (org_id, session_id) REFERENCES treatment_session (org_id, id))").await;
    assert_eq!(forgotten(&sql).await, ["tattoo", "ink.session_id"], "a forgotten table is noticed");
    // Parents before children, else erasing can't work.
    let order = sql.column("SELECT name FROM patient_tables() ORDER BY place").await;
    let references = sql
        .rows("SELECT DISTINCT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE contype = 'f'")
        .await;
    let place = |name: &Option<String>| order.iter().position(|table| Some(table) == name.as_ref());
    for row in references {
        if let (Some(child), Some(parent)) = (place(&row[0]), place(&row[1])) {
            assert!(parent < child, "{row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_two_functions_are_the_applications_and_keep_to_its_organisation() {
    let clinic = Clinic::start().await;
    let anna = clinic.practitioner();
    let (from, into) = (anna.patient("Zoë", "Ramírez").await, anna.patient("Zoë", "Ramírez").await);
    let foreign = clinic.stranger().patient("Zoë", "Ramírez").await;
    anna.signed_session(&from).await;
    let [from, into, foreign] = [&from, &into, &foreign].map(|patient| uuid_of(&patient.id));
    // Whatever it enters in its own ledger, an organisation moves and erases nothing of another.
    for (org, sides) in [(clinic.south.uuid, (from, into)), (clinic.north.uuid, (from, foreign))] {
        let app = clinic.database.app(Some(org)).await;
        app.run("SET app.opened = 'all'; BEGIN").await;
        let content =
            json!({"from_id": sides.0, "into_id": sides.1, "merged_at": "2026-11-30T10:00:00Z", "undone_at": null});
        let entry = enter(&app, org, ("merge", "patient_merge", Uuid::now_v7()), Some(sides.1), &content).await;
        let refused = app.try_run(&format!("SELECT move_patient_records({entry}, {entry})")).await;
        assert!(refused.expect_err("another organisation's").starts_with("P0001 no merge of two patients"));
        app.run("ROLLBACK; BEGIN").await;
        let content = json!({"erased_id": foreign, "counts": {}, "objects": [], "emptied": []});
        let erased = if org == clinic.south.uuid { json!({"erased_id": from}) } else { content.clone() };
        let entry = enter(&app, org, ("erase", "patient_erasure", Uuid::now_v7()), None, &erased).await;
        let refused = app.try_run(&format!("SELECT erase_patient_records({entry})")).await;
        assert_eq!(refused.expect_err("another organisation's"), "P0001 no such patient");
        app.run("ROLLBACK").await;
    }
    let app = clinic.database.app(None).await;
    for call in ["move_patient_records(1, 1)", "erase_patient_records(1)"] {
        let refused = app.try_run(&format!("SELECT {call}")).await.expect_err("of no organisation");
        assert!(refused.starts_with("P0001"), "{call}: {refused}");
    }
    let app = clinic.database.app(Some(clinic.north.uuid)).await;
    // The setting that opens the policies is of no use to anybody but the functions.
    app.run(&format!("SET app.moving_patient = '{from}'; SET app.erasing_patients = '{from}'")).await;
    assert_eq!(app.run(&format!("UPDATE treatment_session SET patient_id = '{into}'")).await, 0);
    assert!(app.try_run("DELETE FROM treatment_session").await.expect_err("no right").starts_with("42501"));
    assert!(
        app.try_run("UPDATE ledger SET content = NULL, salt = NULL").await.expect_err("no right").starts_with("42501")
    );
}

/// An entry that a test makes: what was done, to what kind of record, to which, whose it is then, and what it says.
type Told = (&'static str, &'static str, Uuid, Uuid, Value);

/// What moving says after these entries: whose the session is then, or why not. All of it is taken back.
async fn attempt(app: &Sql, org: Uuid, session: Uuid, entries: &[Told], merge: &Told) -> String {
    app.run("BEGIN").await;
    let mut first = None;
    for (action, kind, record, patient, content) in entries.iter().chain([merge]) {
        let seq = enter(app, org, (*action, *kind, *record), Some(*patient), content).await;
        first = first.or(Some(seq));
    }
    let last = first.expect("an entry") + i64::try_from(entries.len()).expect("a number");
    let done = app.try_run(&format!("SELECT move_patient_records({}, {last})", first.expect("an entry"))).await;
    let owner = match done {
        Ok(_) => app.one(&format!("SELECT patient_id FROM treatment_session WHERE id = '{session}'")).await,
        Err(why) => why,
    };
    app.run("ROLLBACK").await;
    owner
}

/// What a transaction before this one entered is of no use.
async fn earlier_entries_are_of_no_use(app: &Sql, org: Uuid, [session, note]: &[Told; 2], merge: &Told) {
    let into = merge.3;
    app.run("BEGIN").await;
    let first = enter(app, org, ("merge", "treatment_session", session.2), Some(into), &session.4).await;
    enter(app, org, ("merge", "aftercare_note", note.2), Some(into), &note.4).await;
    app.run("COMMIT; BEGIN").await;
    let last = enter(app, org, ("merge", "patient_merge", merge.2), Some(into), &merge.4).await;
    let refused = app.try_run(&format!("SELECT move_patient_records({first}, {last})")).await;
    assert!(refused.as_ref().is_err_and(|why| why.starts_with("P0001 entries of this")), "{refused:?}");
    app.run("ROLLBACK; BEGIN").await;
    let last = enter(app, org, ("merge", "patient_merge", merge.2), Some(into), &merge.4).await;
    app.run("COMMIT").await;
    let refused = app.try_run(&format!("SELECT move_patient_records({last}, {last})")).await;
    assert!(refused.is_err_and(|why| why.starts_with("P0001 no merge of two")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_but_what_the_ledger_was_told_in_the_same_transaction() {
    let clinic = Clinic::start().await;
    let (anna, org) = (clinic.practitioner(), clinic.north.uuid);
    let patient = async || anna.patient("Zoë", "Ramírez").await;
    let (from, into, other) = (patient().await, patient().await, patient().await);
    let [session, note] = {
        let session = anna.signed_session(&from).await;
        let note = anna.signed_note(&session).await;
        [session, note].map(|it| uuid_of(&it.id))
    };
    let foreign = uuid_of(&anna.signed_session(&other).await.id);
    let [from, into, other] = [&from, &into, &other].map(|it| uuid_of(&it.id));
    let app = clinic.database.app(Some(org)).await;
    app.run("SET app.opened = 'all'").await;
    let moment = "2026-11-30T10:00:00Z";
    let content = json!({"patient_id": into, "updated_at": moment, "updated_by": from});
    let of = |kind: &'static str, record: Uuid| -> Told { ("merge", kind, record, into, content.clone()) };
    let whole = [of("treatment_session", session), of("aftercare_note", note)];
    let with = |at: usize, change: &dyn Fn(&mut Told)| {
        let mut entries = whole.to_vec();
        change(&mut entries[at]);
        entries
    };
    let content = json!({"from_id": from, "into_id": into, "merged_at": moment, "merged_by": from, "undone_at": null});
    let merge: Told = ("merge", "patient_merge", Uuid::now_v7(), into, content);
    let merge_of = |more: Value| {
        let mut merge = merge.clone();
        merge.4.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        merge
    };
    assert_eq!(attempt(&app, org, session, &whole, &merge).await, into.to_string(), "as it should be");
    let wrong: Vec<(&str, Vec<Told>, Told)> = vec![
        ("no entry of the record", vec![], merge.clone()),
        ("one is left behind", whole[..1].to_vec(), merge.clone()),
        ("a record of somebody else", [whole.to_vec(), vec![of("treatment_session", foreign)]].concat(), merge.clone()),
        ("another kind", with(0, &|it| it.1 = "consultation"), merge.clone()),
        ("another action", with(0, &|it| it.0 = "update"), merge.clone()),
        ("another owner", with(0, &|it| it.3 = other), merge.clone()),
        ("another owner in the content", with(0, &|it| it.4["patient_id"] = json!(other)), merge.clone()),
        ("a stamp of before", with(0, &|it| it.4["updated_at"] = json!("2026-11-29T10:00:00Z")), merge.clone()),
        ("the stamp of another person", with(0, &|it| it.4["updated_by"] = json!(other)), merge.clone()),
        ("no stamp", with(0, &|it| it.4 = json!({"patient_id": into})), merge.clone()),
        ("no time", whole.to_vec(), merge_of(json!({"merged_at": null}))),
        ("a kind that has no table", with(0, &|it| it.1 = "staff"), merge.clone()),
        ("another merge", whole.to_vec(), merge_of(json!({"from_id": other}))),
        ("the other way round", whole.to_vec(), merge_of(json!({"undone_at": "2026-01-01T00:00:00Z"}))),
        ("into itself", whole.to_vec(), merge_of(json!({"into_id": from}))),
        ("an update of a merge", whole.to_vec(), ("update", merge.1, merge.2, merge.3, merge.4.clone())),
    ];
    for (what, entries, merge) in wrong {
        let refused = attempt(&app, org, session, &entries, &merge).await;
        assert!(refused.starts_with("P0001"), "{what}: {refused}");
    }
    earlier_entries_are_of_no_use(&app, org, &whole, &merge).await;
}
