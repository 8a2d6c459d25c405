//! The SQL of a search: whom a text finds, and how well each fits it.

use crate::access::Scope;
use crate::db::Sql;
use crate::error::Result;
use crate::patient::Patient;
use crate::patient::search::{self, Names, Query, Way, alike};
use crate::vocabulary::RecordKind;
use diesel::sql_types as st;
use diesel_async::RunQueryDsl;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Names that are like one that is sought: the most that are looked at.
const ALIKE: i64 = 300;
/// A text of one word is the start of so many rows at most: whoever types `a` looks at the first of them. With another
/// condition, or another word, all of them count.
const STARTS: i64 = 2_000;
/// The last character of Unicode: behind every row that begins with a text.
const LAST: char = '\u{10ffff}';

/// A query that is ready to be asked: each word with the rows that it may be.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    whole: Way,
    words: Vec<Way>,
    /// Whether rows that begin with the only word are counted up to a number.
    bounded: bool,
}

impl Ready {
    /// The rows that are a word, or begin with it.
    pub(super) fn exact(query: &Query, bounded: bool) -> Self {
        let words: Vec<Way> = query.words.iter().map(|word| word.exact.clone()).collect();
        Self { whole: query.whole.clone(), bounded: bounded && words.len() == 1, words }
    }

    /// The same, with the names that are like the ones sought.
    pub(super) async fn all(scope: &mut Scope, query: &Query, bounded: bool) -> Result<Self> {
        let mut ready = Self::exact(query, bounded);
        let known = names_like(scope, query).await?;
        for (i, (word, way)) in query.words.iter().zip(&mut ready.words).enumerate() {
            way.ranges.extend(word.loose.ranges.iter().cloned());
            way.rows.extend(word.loose.rows.iter().cloned());
            for (_, name) in known.iter().filter(|(of, _)| usize::try_from(*of) == Ok(i)) {
                let best = word.names.iter().filter_map(|sought| alike(sought, name)).max();
                if let Some(quality) = best {
                    way.rows.push((search::Kind::Name.key(name), quality));
                    way.rows.push((search::Kind::OtherName.key(name), quality));
                }
            }
        }
        Ok(ready)
    }
}

/// The names of patients that share pieces with those sought, each with the place of the word.
async fn names_like(scope: &mut Scope, query: &Query) -> Result<Vec<(i32, String)>> {
    let sought = query.words.iter().enumerate().flat_map(|(i, word)| word.names.iter().map(move |name| (i, name)));
    names_sharing(scope, sought.filter_map(|(i, name)| Some((i, Names::like(name)?))).collect()).await
}

/// The names of patients that share enough pieces with those sought, each with the place that came with them.
async fn names_sharing(scope: &mut Scope, sought: Vec<(usize, Names)>) -> Result<Vec<(i32, String)>> {
    if sought.is_empty() {
        return Ok(Vec::new());
    }
    let door = scope.read(RecordKind::Patient)?;
    let mut sql = Sql::<(st::Integer, st::Text)>::new("");
    for (n, (i, names)) in sought.into_iter().enumerate() {
        let union = if n == 0 { "(" } else { " UNION (" };
        sql.push(format!("{union}SELECT {i}, word FROM name_piece WHERE org_id = "))
            .push_bind(door.org)
            .push(" AND piece = ANY (")
            .push_bind(names.pieces.iter().chain(&names.inner).copied().collect::<Vec<i32>>())
            .push(") GROUP BY word HAVING count(*) FILTER (WHERE piece = ANY (")
            .push_bind(names.pieces)
            .push(")) >= ")
            .push_bind(names.enough)
            .push(" OR count(*) FILTER (WHERE piece = ANY (")
            .push_bind(names.inner.clone())
            .push(")) = ")
            .push_bind(i64::try_from(names.inner.len()).unwrap_or(i64::MAX))
            .push(" ORDER BY count(*) DESC, word LIMIT ")
            .push_bind(ALIKE)
            .push(")");
    }
    Ok(sql.load(door.connection).await?)
}

/// The rows of what is searched that are names like somebody's own: the same, or a little misspelt.
pub async fn names_alike(scope: &mut Scope, patient: &Patient) -> Result<Vec<String>> {
    let name = &patient.legal_name;
    let texts = [Some(name.given.as_str()), name.family.as_deref(), patient.preferred_name.as_deref()];
    let own: BTreeSet<String> = texts.into_iter().flatten().flat_map(search::name_words).collect();
    let sought: Vec<(usize, Names)> = own.iter().filter_map(|name| Some((0, Names::like(name)?))).collect();
    let known = names_sharing(scope, sought).await?;
    let alike =
        known.iter().map(|(_, name)| name).filter(|name| own.iter().any(|sought| alike(sought, name).is_some()));
    let words: BTreeSet<&String> = alike.chain(&own).collect();
    Ok(words.into_iter().flat_map(|word| [search::Kind::Name.key(word), search::Kind::OtherName.key(word)]).collect())
}

/// The rows of `patient_search` that are texts of a way: `patient_id`, `q`.
fn push_rows<R>(sql: &mut Sql<R>, org: Uuid, way: &Way, bounded: bool) {
    let (words, qualities): (Vec<String>, Vec<i32>) = way.rows.iter().cloned().unzip();
    sql.push("SELECT s.patient_id, w.q FROM unnest(")
        .push_bind(words)
        .push("::text[], ")
        .push_bind(qualities)
        .push("::int4[]) AS w(word, q) JOIN patient_search s ON s.org_id = ")
        .push_bind(org)
        .push(" AND s.word = w.word COLLATE \"C\"");
    for range in &way.ranges {
        sql.push(" UNION ALL (SELECT s.patient_id, ");
        match range.with_zeros {
            Some(zeros) => {
                sql.push("CASE rtrim(s.word, '0') WHEN rtrim(").push_bind(range.start.clone());
                sql.push(", '0') THEN ").push_bind(zeros).push(" ELSE ").push_bind(range.quality).push(" END");
            }
            None => _ = sql.push_bind(range.quality).push("::int4"),
        }
        sql.push(" FROM patient_search s WHERE s.org_id = ").push_bind(org);
        sql.push(" AND s.word >= ").push_bind(range.start.clone());
        sql.push(" AND s.word < ").push_bind(format!("{}{LAST}", range.start));
        if !range.longer {
            sql.push(" AND rtrim(s.word, '0') = rtrim(").push_bind(range.start.clone()).push(", '0')");
        }
        if bounded {
            sql.push(" ORDER BY s.word LIMIT ").push_bind(STARTS);
        }
        sql.push(")");
    }
}

/// ` JOIN (…) AS found ON …`: whom a query finds, each with a score. Who was merged into another is found as that one,
/// unless `themselves`.
///
/// The score is how well the worst word is answered, and then how well all are.
pub(super) fn push_search<R>(sql: &mut Sql<R>, org: Uuid, query: &Ready, themselves: bool) {
    sql.push(if themselves {
        " JOIN (SELECT f.patient_id, max(f.score) AS score FROM ("
    } else {
        " JOIN (SELECT coalesce(m.merged_into, f.patient_id) AS patient_id, max(f.score) AS score FROM ("
    });
    let each: Vec<String> = (0..query.words.len()).map(|i| format!("w{i}.q")).collect();
    // A patient may answer a word by several rows, and the best counts. Of one word or two the end sees to that, in half the
    // time; of more, the rows of each would multiply.
    let each_once = query.words.len() > 2;
    sql.push(format!(
        "SELECT w0.patient_id, (least({}) * 1000 + ({}) / {})::int8 AS score FROM ",
        each.join(", "),
        each.join(" + "),
        each.len()
    ));
    for (i, way) in query.words.iter().enumerate() {
        sql.push(if i == 0 { "(" } else { " JOIN (" });
        if each_once {
            sql.push("SELECT patient_id, max(q) AS q FROM (");
        }
        push_rows(sql, org, way, query.bounded);
        if each_once {
            sql.push(") AS each GROUP BY patient_id");
        }
        sql.push(format!(") AS w{i}"));
        if i > 0 {
            sql.push(format!(" ON w{i}.patient_id = w0.patient_id"));
        }
    }
    if !query.whole.rows.is_empty() {
        sql.push(" UNION ALL SELECT patient_id, q::int8 * 1001 FROM (");
        push_rows(sql, org, &query.whole, false);
        sql.push(") AS whole");
    }
    sql.push(") AS f");
    if !themselves {
        // Merged charts are few and have an index: they are read once, and not each chart that is found.
        sql.push(" LEFT JOIN (SELECT id, merged_into FROM patient WHERE merged_into IS NOT NULL AND org_id = ")
            .push_bind(org)
            .push(") AS m ON m.id = f.patient_id");
    }
    // Sorted here, a list by relevance takes its page from the top and looks at no other patient: a common family name among a
    // million patients is found in a third of the time.
    sql.push(" GROUP BY 1 ORDER BY 2 DESC, 1 DESC) AS found ON found.patient_id = patient.id");
}
