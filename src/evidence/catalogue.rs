//! What the tables of the evidence are, as the migrations made them. A policy, a rule, a trigger or a function can make one
//! query see other rows than another: then nothing that a walk reads says what the service shows.

use super::failed;
use std::collections::BTreeMap;
use tokio_postgres::{Client, SimpleQueryMessage};

/// What a policy asks that holds rows to their organisation.
macro_rules! of_the_organisation {
    ($lead:literal) => {
        concat!($lead, " (org_id = ( SELECT public.current_org() AS current_org))")
    };
}

const READ: &str = of_the_organisation!("permissive r to everybody using");
const APPEND: &str = of_the_organisation!("permissive a to everybody check");
const HEAD: &str = of_the_organisation!("permissive * to everybody using");

/// A month of a chain: how many there are is not fixed.
const PARTITION: &str = "r heap partition secured forced";

/// How much of what is not as it was made is told: a trigger stands on every month.
const TOLD: usize = 12;

/// Everything that stands on these tables, as `ASK` writes it; of the functions that the policies call, the MD5 of the
/// whole. `tests/api/evidence/planted.rs` holds it to a database that was just migrated and tells what is to be written here.
const MADE: &[(&str, &str)] = &[
    ("table public.access_log", "p secured forced"),
    ("table public.access_log_head", "r heap secured forced"),
    ("table public.access_log_patient", "p secured forced"),
    ("table public.ledger", "p secured forced"),
    ("table public.ledger_head", "r heap secured forced"),
    ("policy tenant on public.access_log_head", HEAD),
    ("policy tenant on public.ledger_head", HEAD),
    ("policy tenant_append on public.access_log", APPEND),
    ("policy tenant_append on public.access_log_patient", APPEND),
    ("policy tenant_append on public.ledger", APPEND),
    ("policy tenant_read on public.access_log", READ),
    ("policy tenant_read on public.access_log_patient", READ),
    ("policy tenant_read on public.ledger", READ),
    (
        "policy erased on public.ledger",
        "permissive w to the owner using ((org_id = ( SELECT public.current_org() AS current_org)) AND \
         (( SELECT public.erasing_patients() AS erasing_patients) IS NOT NULL)) check ((org_id = ( SELECT \
         public.current_org() AS current_org)) AND (content IS NULL) AND (packed IS NULL) AND (salt IS NULL))",
    ),
    (
        "policy only_patients on public.ledger",
        "restrictive r to everybody using ((COALESCE(( SELECT current_setting('app.only_patients'::text, true) AS \
         current_setting), ''::text) = ''::text) OR (patient_id IS NULL) OR (((record_kind = ANY \
         (ARRAY['patient'::text, 'recall'::text, 'emergency_access'::text])) OR (patient_id = ANY (( SELECT \
         public.only_patients() AS only_patients)::uuid[]))) AND (seq <> ALL (( SELECT public.strayed_entries() AS \
         strayed_entries)::bigint[]))))",
    ),
    (
        "policy open_patients on public.ledger",
        "restrictive r to everybody using ((( SELECT current_setting('app.opened'::text, true) AS current_setting) = \
         'all'::text) OR (patient_id IS NULL) OR ((patient_id <> ALL (( SELECT public.closed_patients() AS \
         closed_patients)::uuid[])) AND (seq <> ALL (( SELECT public.closed_entries() AS closed_entries)::bigint[]))))",
    ),
    ("function public.closed_but_for(text)", "090546c7e00ae2a4a89840862056ae18"),
    ("function public.closed_entries()", "751b79e95b1d172108151fb0a6640dd9"),
    ("function public.closed_patients()", "552c88be9a072cad8b584a78b426713a"),
    ("function public.current_org()", "6895dcb0895f6f1001c2f5db53010c48"),
    ("function public.erasing_patients()", "7b25e13b636def9ded5ba79ab3c8207f"),
    ("function public.merge_span(public.patient_merge)", "ae84b56a099ac3d8c6d57f36fd990a3a"),
    ("function public.merges_around(uuid[])", "d27dd0e3b869c41d68e1c049ff6f1549"),
    ("function public.only_patients()", "c51764bcfade5ce453e165d7441a4f5c"),
    ("function public.strayed_entries()", "69e59e6f11808029cdc2820002b3870f"),
];

/// From here on nothing can be put on the tables; what can be then is seen by what is asked next.
const HOLD: &str = "LOCK TABLE public.ledger, public.ledger_head, public.access_log, public.access_log_head, \
                    public.access_log_patient IN ACCESS SHARE MODE";

/// What there is: its name, and how it is. Every name is in full, as `begin` leaves only `pg_catalog` on the path.
const ASK: &str = "
WITH RECURSIVE t AS (
    SELECT c.oid, 'table' AS kind FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    AND c.relname IN ('ledger', 'ledger_head', 'access_log', 'access_log_head', 'access_log_patient')
    UNION ALL SELECT i.inhrelid, 'partition' FROM t JOIN pg_inherits i ON i.inhparent = t.oid
), c AS (SELECT t.kind, c.* FROM t JOIN pg_class c ON c.oid = t.oid)
SELECT c.kind || ' ' || c.oid::regclass, concat_ws(' ', c.relkind, (SELECT a.amname FROM pg_am a WHERE a.oid = c.relam),
    CASE WHEN c.relispartition THEN 'partition' END, CASE WHEN c.relrowsecurity THEN 'secured' END,
    CASE WHEN c.relforcerowsecurity THEN 'forced' END) FROM c
UNION ALL SELECT 'policy ' || quote_ident(p.polname) || ' on ' || c.oid::regclass, concat_ws(' ',
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd, 'to',
    (SELECT string_agg(CASE r WHEN 0 THEN 'everybody' WHEN c.relowner THEN 'the owner' ELSE r::regrole::text END, ', ')
        FROM unnest(p.polroles) AS r),
    'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
    FROM c JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL SELECT 'trigger ' || quote_ident(g.tgname) || ' on ' || c.oid::regclass, pg_get_triggerdef(g.oid)
    FROM c JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal
UNION ALL SELECT 'rule ' || quote_ident(w.rulename) || ' on ' || c.oid::regclass, pg_get_ruledef(w.oid)
    FROM c JOIN pg_rewrite w ON w.ev_class = c.oid
UNION ALL SELECT 'function ' || f.oid::regprocedure, md5(pg_get_functiondef(f.oid)) FROM pg_proc f
    WHERE f.pronamespace = 'public'::regnamespace AND f.proname IN ('closed_but_for', 'closed_entries', 'closed_patients',
    'current_org', 'erasing_patients', 'merge_span', 'merges_around', 'only_patients', 'strayed_entries')";

/// Refuses tables of the evidence that are not as the migrations made them, and keeps them so until the transaction that
/// `begin` opened on the connection ends. To be called before anything is read in it.
pub async fn hold_catalogue(client: &Client) -> Result<(), String> {
    client.batch_execute(HOLD).await.map_err(|error| failed("held to what was made", &error))?;
    let answer = client.simple_query(ASK).await.map_err(|error| failed("held to what was made", &error))?;
    let found = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1).unwrap_or_default())),
        _ => None,
    });
    let told = faults(&found.collect());
    if told.is_empty() {
        return Ok(());
    }
    let more = if told.len() > TOLD { format!("; and {} more", told.len() - TOLD) } else { String::new() };
    Err(format!(
        "the tables of the evidence are not as the migrations made them, so that this database may answer one query with \
         other rows than another, and nothing was verified: {}{more}",
        told.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("; ")
    ))
}

/// What is there and was not made so, and what was made and is not there.
fn faults(found: &BTreeMap<&str, &str>) -> Vec<String> {
    let made: BTreeMap<&str, &str> = MADE.iter().copied().collect();
    let mut faults = Vec::new();
    for (what, how) in found {
        let expected = if what.starts_with("partition ") { Some(PARTITION) } else { made.get(what).copied() };
        let fault = match expected {
            Some(expected) if expected == *how => continue,
            Some(_) => format!("{what} is another ({how})"),
            None => format!("{what} is not ours ({how})"),
        };
        // A rule is written in several lines, and this is told in one.
        faults.push(fault.replace(char::is_control, " "));
    }
    faults.extend(made.keys().filter(|what| !found.contains_key(*what)).map(|what| format!("{what} is missing")));
    faults
}
