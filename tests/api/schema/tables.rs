//! Keys, policies and rights of the tables.

use super::{migrated, of_a_tenant};
use crate::support::{PLAIN, difference};

#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_key_has_an_index_that_leads_with_its_columns() {
    let (_database, sql) = migrated().await;
    // An index of the rows with a value there serves as well: a foreign key of a NULL refers to nothing.
    let without = sql.column("
        SELECT conrelid::regclass || ' ' || pg_get_constraintdef(o.oid) FROM pg_constraint o
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid AND indisvalid
            AND (SELECT array_agg(k ORDER BY k) FROM unnest((indkey::int2[])[0:cardinality(conkey) - 1]) k)
                = (SELECT array_agg(k ORDER BY k) FROM unnest(conkey) k)
            AND (indpred IS NULL OR pg_get_expr(indpred, indrelid) IN (
                SELECT format('(%I IS NOT NULL)', attname) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))))").await;
    assert_eq!(without, [""; 0]);
    let all = sql.one("SELECT count(*) FROM pg_constraint WHERE contype = 'f'").await;
    assert!(all.parse::<u32>().expect("a number") >= 25, "only {all} foreign keys were looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_references_stay_in_the_tenant() {
    let (_database, sql) = migrated().await;
    let primary = sql
        .column(&format!(
            "
        SELECT relname FROM pg_class c WHERE {} AND NOT EXISTS (
            SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
            WHERE indrelid = c.oid AND indisprimary AND attname = 'org_id')",
            of_a_tenant()
        ))
        .await;
    assert_eq!(primary, [""; 0], "tables whose primary key does not begin with org_id");
    // An account belongs to no organisation, so a reference to one can't name any.
    let across = sql.column(&format!("
        SELECT relname || ' ' || pg_get_constraintdef(o.oid) FROM pg_constraint o JOIN pg_class c ON c.oid = conrelid
        WHERE {} AND contype IN ('p', 'u', 'x', 'f') AND NOT (contype = 'f' AND confrelid = 'account'::regclass) AND NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey) AND attname = 'org_id')", of_a_tenant())).await;
    assert_eq!(across, [""; 0], "keys without org_id");
    let deletes = sql.column("SELECT conrelid::regclass || ' ' || conname FROM pg_constraint WHERE contype = 'f' AND (confdeltype <> 'a' OR confupdtype <> 'a')").await;
    assert_eq!(deletes, [""; 0], "references that change rows by themselves");
}

/// Policies of that name that are permissive, or of some commands only, or that ask for something else than the first of
/// them does. The ledger's knows kinds.
const ONLY_PATIENTS: &str = "
    SELECT polrelid::regclass || ' ' || pg_get_expr(polqual, polrelid) FROM pg_policy
    WHERE polname = 'only_patients' AND polrelid <> 'ledger'::regclass
    AND (polpermissive OR polcmd <> '*' OR pg_get_expr(polqual, polrelid) IS DISTINCT FROM (
        SELECT pg_get_expr(polqual, polrelid) FROM pg_policy
        WHERE polname = 'only_patients' AND polrelid = 'consultation'::regclass))";

#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_is_forced_on_every_tenant_table_and_partition() {
    let (_database, sql) = migrated().await;
    let open = sql.column(&format!("
        SELECT relname FROM pg_class c WHERE ({} OR (relispartition AND relkind = 'r')) AND NOT (relrowsecurity AND relforcerowsecurity)",
        of_a_tenant())).await;
    assert_eq!(open, [""; 0], "tables without forced row-level security");
    let bare = sql
        .column(&format!(
            "SELECT relname FROM pg_class c WHERE {} AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)",
            of_a_tenant()
        ))
        .await;
    assert_eq!(bare, [""; 0], "tables without a policy");
    // A policy of an INSERT has a check and no condition; every other needs the condition, and a check too if it has one.
    let loose = sql
        .column(
            "
        SELECT polrelid::regclass || ' ' || polname FROM pg_policy
        WHERE NOT coalesce(pg_get_expr(polqual, polrelid), 'current_org') ~ 'current_org'
           OR NOT coalesce(pg_get_expr(polwithcheck, polrelid), 'current_org') ~ 'current_org'
           OR (polqual IS NULL AND polwithcheck IS NULL)",
        )
        .await;
    let (narrowing, loose): (Vec<String>, Vec<String>) =
        loose.into_iter().partition(|policy| policy.ends_with(" open_patients") || policy.ends_with(" only_patients"));
    assert_eq!(loose, [""; 0], "policies that do not ask for the tenant");
    // Those two narrow what the others let through, on everything that is some patient's.
    let restrictive = sql
        .column("SELECT polrelid::regclass || ' ' || polname FROM pg_policy WHERE NOT polpermissive ORDER BY 1")
        .await;
    assert!(narrowing.iter().all(|policy| restrictive.contains(policy)), "{narrowing:?} widen");
    let owned = sql
        .column(
            "SELECT name FROM patient_tables() WHERE name NOT IN ('patient_restriction', 'emergency_access') \
             UNION SELECT unnest(ARRAY['patient', 'ledger'])",
        )
        .await;
    for table in owned {
        assert!(
            restrictive.contains(&format!("{table} open_patients")),
            "{table} shows restricted patients: its migration makes no `open_patients` (its text is in ARCHITECTURE.md)"
        );
    }
    // Emergency access bounds what is clinical, and nothing else, to the patients of the access.
    let bounded = restrictive.iter().filter_map(|policy| policy.strip_suffix(" only_patients"));
    let clinical = clinic::kinds::KINDS.iter().filter(|row| row.in_emergency).map(|row| row.kind.as_str());
    let advice = "tables with `only_patients` (its text is in ARCHITECTURE.md), against the kinds of src/kinds.rs that \
        emergency access shows, and the ledger:";
    let wrong = difference(clinical.chain(["ledger"]), bounded, advice);
    assert!(wrong.is_empty(), "{wrong}");
    let other = sql.column(ONLY_PATIENTS).await;
    assert_eq!(other, [""; 0], "`only_patients` with another condition than the one in ARCHITECTURE.md");
    let partitions = sql.one("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'").await;
    assert!(partitions.parse::<u32>().expect("a number") >= 8, "{partitions} partitions");
    let granted =
        sql.column("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relacl IS NOT NULL").await;
    assert_eq!(granted, [""; 0], "partitions that somebody may reach past their parent");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_trigger_and_no_rule() {
    let (_database, sql) = migrated().await;
    assert_eq!(
        sql.column("SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal").await,
        [""; 0]
    );
    assert_eq!(sql.column("SELECT evtname FROM pg_event_trigger").await, [""; 0]);
    let rules = "SELECT ev_class::regclass || ' ' || rulename FROM pg_rewrite JOIN pg_class c ON c.oid = ev_class WHERE relnamespace = 'public'::regnamespace";
    assert_eq!(sql.column(rules).await, [""; 0]);
}

/// What the application role may do with each table. DELETE is for parts of drafts and for bookkeeping, never for a
/// record; what is append-only has no UPDATE. A table without a row here fails the test; a plain kind's is never deleted from.
const GRANTS: &[(&str, &str)] = &[
    ("access_log", "INSERT SELECT"),
    ("access_log_head", "INSERT SELECT UPDATE"),
    ("access_log_patient", "INSERT SELECT"),
    ("account", "INSERT SELECT UPDATE"),
    ("account_membership", "INSERT SELECT"),
    ("addendum", "INSERT SELECT"),
    ("adverse_event", "INSERT SELECT UPDATE"),
    ("aftercare_note", "INSERT SELECT UPDATE"),
    ("api_key", "INSERT SELECT UPDATE"),
    ("api_key_use", "INSERT SELECT UPDATE"),
    ("chart_counter", "INSERT SELECT UPDATE"),
    ("chart_review", "INSERT SELECT UPDATE"),
    ("consent", "INSERT SELECT UPDATE"),
    ("consent_signature", "INSERT SELECT"),
    ("consent_template", "INSERT SELECT UPDATE"),
    ("consent_template_version", "INSERT SELECT UPDATE"),
    ("consultation", "INSERT SELECT UPDATE"),
    ("countersignature", "INSERT SELECT"),
    ("credential", "INSERT SELECT UPDATE"),
    ("device", "INSERT SELECT UPDATE"),
    ("emergency_access", "INSERT SELECT UPDATE"),
    ("health_entry", "INSERT SELECT UPDATE"),
    ("health_term", "INSERT SELECT UPDATE"),
    ("idempotency", "DELETE INSERT SELECT UPDATE"),
    ("ledger", "INSERT SELECT"),
    ("ledger_head", "INSERT SELECT UPDATE"),
    ("legal_hold", "INSERT SELECT UPDATE"),
    ("location", "INSERT SELECT UPDATE"),
    ("name_piece", "DELETE INSERT SELECT"),
    ("one_time_token", "DELETE INSERT SELECT UPDATE"),
    ("organisation", "INSERT SELECT UPDATE"),
    ("patient", "INSERT SELECT UPDATE"),
    ("patient_erasure", "INSERT SELECT UPDATE"),
    ("patient_identifier", "DELETE INSERT SELECT"),
    ("patient_merge", "INSERT SELECT UPDATE"),
    ("patient_restriction", "INSERT SELECT UPDATE"),
    ("patient_search", "DELETE INSERT SELECT"),
    ("photo", "INSERT SELECT UPDATE"),
    ("product", "INSERT SELECT UPDATE"),
    ("product_lot", "INSERT SELECT UPDATE"),
    ("product_use", "DELETE INSERT SELECT"),
    ("protocol", "INSERT SELECT UPDATE"),
    ("protocol_version", "INSERT SELECT UPDATE"),
    ("rate_budget", "DELETE INSERT SELECT UPDATE"),
    ("recall", "INSERT SELECT UPDATE"),
    ("recovery_code", "DELETE INSERT SELECT UPDATE"),
    ("refused_sign_in", "DELETE INSERT SELECT UPDATE"),
    ("replaced_token", "DELETE INSERT SELECT UPDATE"),
    ("retraction", "INSERT SELECT"),
    ("service_account", "INSERT SELECT UPDATE"),
    ("session_area", "DELETE INSERT SELECT"),
    ("session_check", "DELETE INSERT SELECT"),
    ("sign_in", "INSERT SELECT UPDATE"),
    ("sign_in_failure", "DELETE INSERT SELECT UPDATE"),
    ("staff", "INSERT SELECT UPDATE"),
    ("supervision_agreement", "INSERT SELECT UPDATE"),
    ("treatment_plan", "INSERT SELECT UPDATE"),
    ("treatment_session", "INSERT SELECT UPDATE"),
    ("webhook", "INSERT SELECT UPDATE"),
    ("webhook_delivery", "DELETE INSERT SELECT"),
    ("webhook_place", "INSERT SELECT UPDATE"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_application_role_owns_nothing_and_has_these_rights_only() {
    let (_database, sql) = migrated().await;
    let role = sql.rows("SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication, rolinherit, rolcanlogin FROM pg_roles WHERE rolname = 'clinic_app'").await;
    assert_eq!(role, [["f", "f", "f", "f", "f", "f", "t"].map(|it| Some(it.to_owned())).to_vec()]);
    assert_eq!(sql.one("SELECT count(*) FROM pg_auth_members WHERE member = 'clinic_app'::regrole").await, "0");
    assert_eq!(
        sql.one("SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = 'clinic_app'::regrole").await,
        "0"
    );
    assert_eq!(sql.one("SELECT has_schema_privilege('clinic_app', 'public', 'CREATE')").await, "f");
    let rights = sql.rows("
        SELECT relname, coalesce(string_agg(privilege, ' ' ORDER BY privilege) FILTER (WHERE has_table_privilege('clinic_app', c.oid, privilege)), '')
        FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') AND NOT relispartition
        AND relname <> '__diesel_schema_migrations' GROUP BY relname ORDER BY relname").await;
    let rights: Vec<(String, String)> =
        rights.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())).collect();
    let plain = PLAIN.iter().map(|kind| (kind.table, "INSERT SELECT UPDATE"));
    let expected = GRANTS.iter().copied().chain(plain).map(|(table, rights)| (table.to_owned(), rights.to_owned()));
    let advice = "what clinic_app may do, against GRANTS of tests/api/schema/tables.rs (tests/api/support/kinds.rs for a \
        plain kind):";
    let wrong = difference(rights, expected, advice);
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(
        sql.one(
            "SELECT has_table_privilege('clinic_app', '__diesel_schema_migrations', 'SELECT, INSERT, UPDATE, DELETE')"
        )
        .await,
        "f"
    );
}
