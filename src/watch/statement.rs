//! What a trace calls a statement: its verb and its table. The text itself may hold more than one should tell.

/// The statement's verb and the table that it is about. Where it is made of several, a write counts before a read.
pub(super) fn name_of(text: &str) -> (&'static str, Option<&str>) {
    // What follows is what was bound: the text of a statement as diesel shows it ends with it.
    let text = text.split_once("-- binds").map_or(text, |(text, _)| text);
    let words: Vec<&str> = text.split_inclusive('(').flat_map(in_words).collect();
    let is = |place: usize, word: &str| words.get(place).is_some_and(|it| it.eq_ignore_ascii_case(word));
    for verb in ["BEGIN", "COMMIT", "ROLLBACK", "SET"] {
        if is(0, verb) {
            return (verb, None);
        }
    }
    // Each place where a word stands, with the table after it; a word before a bracket may be a function.
    let after = |word: &'static str| {
        let places = (0..words.len()).filter(move |place| is(*place, word));
        places.filter_map(|place| Some((place, table(words.get(place + 1)?)?)))
    };
    let has = |word: &str| (0..words.len()).any(|place| is(place, word));
    if let Some((_, table)) = after("INTO").next().filter(|_| has("INSERT")) {
        return ("INSERT", Some(table));
    }
    if let Some((_, table)) = after("FROM").find(|(place, _)| *place > 0 && is(place - 1, "DELETE")) {
        return ("DELETE", Some(table));
    }
    // `FOR UPDATE` locks, and `FOR NO KEY UPDATE`.
    let locks = |place: usize| place > 0 && (is(place - 1, "FOR") || is(place - 1, "KEY"));
    if let Some((_, table)) = after("UPDATE").find(|(place, _)| !locks(*place)) {
        return ("UPDATE", Some(table));
    }
    match after("FROM").find(|(place, _)| !is(place + 2, "(")) {
        Some((_, table)) => ("SELECT", Some(table)),
        None => (if has("SELECT") { "SELECT" } else { "OTHER" }, None),
    }
}

/// The words of a piece of text that may end with a bracket, which is a word too.
fn in_words(piece: &str) -> impl Iterator<Item = &str> {
    let (words, bracket) = piece.strip_suffix('(').map_or((piece, None), |words| (words, Some("(")));
    let between = |c: char| c.is_whitespace() || "),;".contains(c);
    words.split(between).filter(|word| !word.is_empty()).chain(bracket)
}

/// A word that can be a table's: with `public.` or in quotes or without.
fn table(word: &str) -> Option<&str> {
    let word = word.strip_prefix("public.").unwrap_or(word).trim_matches('"');
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    (!word.is_empty() && word.len() <= 63 && word.chars().all(plain)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_statement_is_called_by_verb_and_table() {
        let cases = [
            ("BEGIN; SET LOCAL app.org_id = '0190'", ("BEGIN", None)),
            ("COMMIT", ("COMMIT", None)),
            ("SELECT p.id FROM patient p WHERE p.org_id = $1 FOR UPDATE", ("SELECT", Some("patient"))),
            ("SELECT \"patient\".\"id\" FROM \"patient\" WHERE 1 -- binds: [FROM secret]", ("SELECT", Some("patient"))),
            ("select set_config('app.opened', $1, true)", ("SELECT", None)),
            (
                "INSERT INTO public.patient AS p (id) VALUES ($1) ON CONFLICT DO UPDATE SET x = 1",
                ("INSERT", Some("patient")),
            ),
            (
                "WITH owner AS MATERIALIZED (SELECT id FROM patient FOR KEY SHARE), head AS (UPDATE ledger_head SET seq = 1) \
                 INSERT INTO ledger (org_id) SELECT 1",
                ("INSERT", Some("ledger")),
            ),
            ("UPDATE session SET version = $1", ("UPDATE", Some("session"))),
            ("SELECT seq FROM ledger_head FOR NO KEY UPDATE", ("SELECT", Some("ledger_head"))),
            ("DELETE FROM rate_budget WHERE window_start < $1", ("DELETE", Some("rate_budget"))),
            ("SELECT x FROM (SELECT 1) AS q", ("SELECT", None)),
            (
                "SELECT k.n, r.* FROM unnest($1::uuid[]) AS k (id) CROSS JOIN LATERAL (SELECT * FROM session s) AS r",
                ("SELECT", Some("session")),
            ),
            ("SELECT x FROM 'Zoë'", ("SELECT", None)),
            ("-- binds: [\"Zoë\"]", ("OTHER", None)),
            ("", ("OTHER", None)),
        ];
        for (text, expected) in cases {
            assert_eq!(name_of(text), expected, "{text}");
        }
    }
}
