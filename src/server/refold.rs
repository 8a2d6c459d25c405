//! Writes anew what patients are found and sorted by, when a newer program folds names otherwise.

use crate::db::{Address, connect};
use crate::folding;
use crate::patient::search::{FoundBy, keys_of, pieces_of_word};
use crate::patient::{PatientDetails, PersonName};
use tokio_postgres::{Client, GenericClient, Row, Transaction};
use uuid::Uuid;

/// Patients that are written at a time.
const BATCH: i64 = 2_000;
/// Words whose pieces are written at a time.
const WORDS: usize = 5_000;

/// The comment on `patient_search` says by which version of the folding it was written.
fn mark() -> String {
    format!("folded {}", folding::VERSION)
}

fn plain(error: tokio_postgres::Error) -> String {
    let message = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
    format!("what patients are found by can't be written anew: {message}")
}

async fn is_of_today(client: &impl GenericClient) -> Result<bool, String> {
    let told = "SELECT obj_description('public.patient_search'::regclass, 'pg_class')";
    let comment: Option<String> = client.query_one(told, &[]).await.map_err(plain)?.get(0);
    Ok(comment == Some(mark()))
}

/// Writes it anew if another version of the folding wrote it, as the owner of the tables. A program that runs beside it waits.
pub async fn ensure(owner: &Address) -> Result<(), String> {
    let mut client = connect(owner).await?;
    if is_of_today(&client).await? {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(plain)?;
    let take = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; SET LOCAL search_path = pg_catalog, pg_temp; \
                LOCK TABLE public.patient, public.patient_search, public.name_piece IN ACCESS EXCLUSIVE MODE";
    transaction.batch_execute(take).await.map_err(plain)?;
    if is_of_today(&transaction).await? {
        return Ok(());
    }
    // Under forced row-level security the owner sees one organisation.
    force(&transaction, "NO FORCE").await?;
    transaction.batch_execute("TRUNCATE public.patient_search, public.name_piece").await.map_err(plain)?;
    let written = patients(&transaction).await?;
    let organisations = transaction.query("SELECT DISTINCT org_id FROM public.patient", &[]).await.map_err(plain)?;
    for organisation in organisations {
        names(&transaction, organisation.get(0)).await?;
    }
    force(&transaction, "FORCE").await?;
    let marked = format!("COMMENT ON TABLE public.patient_search IS '{}'", mark());
    transaction.batch_execute(&marked).await.map_err(plain)?;
    transaction.commit().await.map_err(plain)?;
    if written > 0 {
        tracing::info!(patients = written, "what patients are found by is written anew");
        vacuum(&client).await?;
    }
    Ok(())
}

async fn force(transaction: &Transaction<'_>, how: &str) -> Result<(), String> {
    let tables = ["patient", "patient_search", "name_piece"];
    let alter = tables.map(|table| format!("ALTER TABLE public.{table} {how} ROW LEVEL SECURITY")).join("; ");
    transaction.batch_execute(&alter).await.map_err(plain)
}

async fn vacuum(client: &Client) -> Result<(), String> {
    client.batch_execute("VACUUM (ANALYZE) patient_search, name_piece").await.map_err(plain)
}

/// Writes the rows of every patient, and what they are sorted by; how many patients there are.
async fn patients(transaction: &Transaction<'_>) -> Result<u64, String> {
    let select = "SELECT org_id, id, chart_number, given_name, middle_name, family_name, preferred_name, email, phone, \
                  details::text, name_key FROM public.patient WHERE (org_id, id) > ($1, $2) ORDER BY org_id, id LIMIT $3";
    let (mut after, mut written) = ((Uuid::nil(), Uuid::nil()), 0);
    loop {
        let rows = transaction.query(select, &[&after.0, &after.1, &BATCH]).await.map_err(plain)?;
        let Some(last) = rows.last() else { return Ok(written) };
        after = (last.get(0), last.get(1));
        batch(transaction, &rows).await?;
        written += u64::try_from(rows.len()).unwrap_or_default();
        if rows.len() == usize::try_from(BATCH).unwrap_or_default() {
            tracing::info!(patients = written, "writing anew what patients are found by");
        }
    }
}

async fn batch(transaction: &Transaction<'_>, rows: &[Row]) -> Result<(), String> {
    let (mut orgs, mut ids, mut keys) = (Vec::<Uuid>::new(), Vec::<Uuid>::new(), Vec::<String>::new());
    let (mut sorted_orgs, mut sorted, mut sorted_by) = (Vec::<Uuid>::new(), Vec::<Uuid>::new(), Vec::<String>::new());
    for row in rows {
        let (org, id): (Uuid, Uuid) = (row.get(0), row.get(1));
        let legal_name = PersonName { given: row.get(3), middle: row.get(4), family: row.get(5) };
        let details: PatientDetails = serde_json::from_str(row.get(9))
            .map_err(|error| format!("the details of the patient {id} can't be read: {error}"))?;
        let (preferred_name, email, phone): (Option<String>, Option<String>, Option<String>) =
            (row.get(6), row.get(7), row.get(8));
        let found_by = FoundBy {
            legal_name: &legal_name,
            preferred_name: preferred_name.as_deref(),
            email: email.as_deref(),
            phone: phone.as_deref(),
            chart_number: row.get(2),
            details: &details,
        };
        for key in keys_of(&found_by) {
            orgs.push(org);
            ids.push(id);
            keys.push(key);
        }
        let key = legal_name.key();
        if key != row.get::<_, String>(10) {
            sorted_orgs.push(org);
            sorted.push(id);
            sorted_by.push(key);
        }
    }
    let insert = "INSERT INTO public.patient_search (org_id, word, patient_id) \
                  SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[])";
    transaction.execute(insert, &[&orgs, &keys, &ids]).await.map_err(plain)?;
    let sort = "UPDATE public.patient p SET name_key = v.key FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS v(org, id, key) \
                WHERE p.org_id = v.org AND p.id = v.id";
    transaction.execute(sort, &[&sorted_orgs, &sorted, &sorted_by]).await.map_err(plain)?;
    Ok(())
}

/// Cuts every name of an organisation's patients in pieces that is not cut yet. The transaction sees the organisation.
pub async fn names(transaction: &Transaction<'_>, org: Uuid) -> Result<(), String> {
    let select = "SELECT DISTINCT substr(word, 2) FROM public.patient_search \
                  WHERE org_id = $1 AND (word >= 'n' AND word < 'p')";
    let words: Vec<String> =
        transaction.query(select, &[&org]).await.map_err(plain)?.into_iter().map(|row| row.get(0)).collect();
    for words in words.chunks(WORDS) {
        let pieces = words.iter().flat_map(|word| pieces_of_word(word).into_iter().map(move |piece| (piece, word)));
        let (pieces, words): (Vec<i32>, Vec<&String>) = pieces.unzip();
        let insert = "INSERT INTO public.name_piece (org_id, piece, word) SELECT $1, * FROM unnest($2::int4[], $3::text[]) \
                      ON CONFLICT DO NOTHING";
        transaction.execute(insert, &[&org, &pieces, &words]).await.map_err(plain)?;
    }
    Ok(())
}
