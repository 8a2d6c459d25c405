//! Bringing later defaults to an organisation: what the program published is replaced, what the clinic did is left alone.

use crate::access::Scope;
use crate::consent::defaults::DefaultText;
use crate::consent::{ConsentTemplate, ConsentTemplateVersion, ConsentTemplateVersionStatus, hash_of};
use crate::error::Result;
use crate::page::{kept, listing};
use crate::protocol::defaults::Default as DefaultProtocol;
use crate::protocol::{Protocol, ProtocolVersion, VersionStatus};
use crate::record::Stamp;
use crate::vocabulary::Action;
use crate::{consent, ids, protocol};
use serde_json::Value;
use std::collections::BTreeMap;

/// What comes of a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is there as it is now.
    Current,
    /// There is none of its name: it is added, published.
    Added,
    /// The version that the program published is replaced by the one of this number.
    Replaced(i32),
    /// The clinic published a version of its own: it stays.
    Yours,
    /// The clinic took it out of use: it stays so.
    OutOfUse,
}

/// A default, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `protocol` or `consent text`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// What comes of it.
    pub step: Step,
    /// What differs from the version that is in force, a short sentence each.
    pub changes: Vec<String>,
}

/// The version in force, as a step is decided by it.
struct InForce {
    last_number: i32,
    by_program: bool,
    same: bool,
}

/// What comes of a default whose template is there or not, is in use or not, and has a version in force or not.
fn step(there: Option<bool>, in_force: Option<&InForce>) -> Step {
    match (there, in_force) {
        (None, _) => Step::Added,
        (Some(false), _) | (Some(true), None) => Step::OutOfUse,
        (Some(true), Some(it)) if it.same => Step::Current,
        (Some(true), Some(it)) if it.by_program => Step::Replaced(it.last_number + 1),
        (Some(true), Some(_)) => Step::Yours,
    }
}

/// Brings the defaults of this program to the organisation of the scope, or only tells what it would do.
pub async fn update(scope: &mut Scope, dry_run: bool) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let known: Vec<Protocol> = listing::all(scope, &Default::default(), Default::default()).await?;
    for default in protocol::defaults::defaults()? {
        lines.push(update_protocol(scope, &known, default, dry_run).await?);
    }
    let known: Vec<ConsentTemplate> = listing::all(scope, &Default::default(), Default::default()).await?;
    for text in consent::defaults::texts()? {
        lines.push(update_text(scope, &known, text, dry_run).await?);
    }
    Ok(lines)
}

async fn update_protocol(
    scope: &mut Scope,
    known: &[Protocol],
    default: DefaultProtocol,
    dry_run: bool,
) -> Result<Line> {
    let found = known.iter().find(|it| it.name == default.name);
    let versions: Vec<ProtocolVersion> = match found {
        Some(found) => listing::all_under(scope, "protocol_id", &[found.id]).await?,
        None => Vec::new(),
    };
    let published = versions.iter().find(|it| it.status == VersionStatus::Published);
    let in_force = published.map(|it| InForce {
        last_number: versions.iter().map(|it| it.number).max().unwrap_or(it.number),
        by_program: it.published_by.is_none(),
        same: (it.modality, &it.indications, &it.rules) == (default.modality, &default.indications, &default.rules),
    });
    let step = step(found.map(|it| it.active), in_force.as_ref());
    let changes = match published {
        Some(it) => differences(&serde_json::to_value(&it.rules)?, &serde_json::to_value(&default.rules)?),
        None => Vec::new(),
    };
    let line = Line { what: "protocol", name: default.name.clone(), step, changes };
    if dry_run {
        return Ok(line);
    }
    match (step, found, published) {
        (Step::Added, ..) => protocol::defaults::add(scope, default).await?,
        (Step::Replaced(number), Some(found), Some(published)) => {
            let now = ids::now();
            let retired = ProtocolVersion {
                status: VersionStatus::Retired,
                stamp: published.stamp.changed(None, now),
                ..published.clone()
            };
            kept::save(scope, Action::Update, &retired, published.stamp.version).await?;
            let version = ProtocolVersion {
                change_note: Some("Later defaults of the program".to_owned()),
                ..default.version(found.id, number, None)
            };
            kept::add(scope, &version).await?;
        }
        _ => {}
    }
    Ok(line)
}

async fn update_text(
    scope: &mut Scope,
    known: &[ConsentTemplate],
    default: DefaultText,
    dry_run: bool,
) -> Result<Line> {
    let found = known.iter().find(|it| it.name == default.name);
    let versions: Vec<ConsentTemplateVersion> = match found {
        Some(found) => listing::all_under(scope, "template_id", &[found.id]).await?,
        None => Vec::new(),
    };
    let published = versions.iter().find(|it| it.status == ConsentTemplateVersionStatus::Published);
    let words = default.words();
    let in_force = published.map(|it| InForce {
        last_number: versions.iter().map(|it| it.number).max().unwrap_or(it.number),
        by_program: it.published_by.is_none(),
        same: it.text_hash == hash_of(words.as_bytes())
            && (&it.modalities, it.valid_days, &it.language)
                == (&default.modalities, default.valid_days, &default.language),
    });
    let step = step(found.map(|it| it.active), in_force.as_ref());
    let changes = published.map(|it| words_differ(&it.text, &words)).unwrap_or_default();
    let line = Line { what: "consent text", name: default.name.clone(), step, changes };
    if dry_run {
        return Ok(line);
    }
    match (step, found, published) {
        (Step::Added, ..) => consent::defaults::add(scope, default).await?,
        (Step::Replaced(number), Some(found), Some(published)) => {
            let now = ids::now();
            let retired = ConsentTemplateVersion {
                status: ConsentTemplateVersionStatus::Retired,
                stamp: published.stamp.changed(None, now),
                ..published.clone()
            };
            kept::save(scope, Action::Update, &retired, published.stamp.version).await?;
            kept::add(scope, &default.version(found.id, number, Stamp::new(None, now))).await?;
        }
        _ => {}
    }
    Ok(line)
}

fn words_differ(before: &str, after: &str) -> Vec<String> {
    let paragraphs = |text: &str| text.split("\n\n").map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (paragraphs(before), paragraphs(after));
    let new = after.iter().filter(|it| !before.contains(it)).count();
    let gone = before.iter().filter(|it| !after.contains(it)).count();
    if new + gone == 0 { Vec::new() } else { vec![format!("{new} paragraphs are new or changed, {gone} gone")] }
}

/// What differs between two sets of rules: a figure with both values, a list with what came, went and changed in it.
fn differences(before: &Value, after: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let fields = |it: &'_ Value| it.as_object().cloned().unwrap_or_else(|| empty.clone());
    let (before, after) = (fields(before), fields(after));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let (old, new) = (before.get(name).unwrap_or(&Value::Null), after.get(name).unwrap_or(&Value::Null));
        if old == new {
            continue;
        }
        let words = name.replace('_', " ");
        match (entries(old), entries(new)) {
            (Some(old), Some(new)) => found.push(format!("{words}: {}", of_lists(&old, &new))),
            _ if old.is_object() || new.is_object() || name == "expectations" => {
                found.push(format!("{words}: changed"))
            }
            _ => found.push(format!("{words}: {} -> {}", shown(old), shown(new))),
        }
    }
    found
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The entries of a list of lines by what each is about: its code with what it applies to, its area; none for other values.
fn entries(value: &Value) -> Option<BTreeMap<String, &Value>> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        Value::Null => &[],
        _ => return None,
    };
    let key = |it: &Value| {
        let part = |name: &str| it.get(name).map(shown).unwrap_or_default();
        match it.as_str() {
            Some(word) => word.to_owned(),
            None => {
                ["code", "area", "symptom", "severity", "applies_to", "skin_types", "from_hours"].map(part).join(" ")
            }
        }
    };
    (value.is_array() || value.is_null()).then(|| list.iter().map(|it| (key(it), it)).collect())
}

fn of_lists(old: &BTreeMap<String, &Value>, new: &BTreeMap<String, &Value>) -> String {
    let added = new.keys().filter(|it| !old.contains_key(*it)).count();
    let removed = old.keys().filter(|it| !new.contains_key(*it)).count();
    let changed = new.iter().filter(|(key, it)| old.get(*key).is_some_and(|other| other != *it)).count();
    let parts = [(added, "added"), (removed, "removed"), (changed, "changed")];
    let told: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if told.is_empty() { "in another order".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_the_program_published_and_is_in_use_is_replaced() {
        let in_force = |by_program, same| InForce { last_number: 3, by_program, same };
        for (there, version, expected) in [
            (None, None, Step::Added),
            (Some(true), Some(in_force(true, true)), Step::Current),
            (Some(true), Some(in_force(false, true)), Step::Current),
            (Some(true), Some(in_force(true, false)), Step::Replaced(4)),
            (Some(true), Some(in_force(false, false)), Step::Yours),
            (Some(false), Some(in_force(true, false)), Step::OutOfUse),
            (Some(true), None, Step::OutOfUse),
        ] {
            assert_eq!(step(there, version.as_ref()), expected, "{there:?}");
        }
    }

    #[test]
    fn differences_are_told_by_field_and_by_line() {
        let line = |code: &str, days: i64| json!({"code": code, "look_back_days": days});
        let before = json!({"interval_min_days": 21, "contraindications": [line("a", 0), line("b", 7), line("c", 0)],
            "blocks": {}, "skin_types": ["1"]});
        let after = json!({"interval_min_days": 7, "contraindications": [line("b", 14), line("c", 0), line("d", 0)],
            "blocks": {"age": true}, "skin_types": ["1"], "age_min": 18});
        assert_eq!(
            differences(&before, &after),
            [
                "age min: none -> 18",
                "blocks: changed",
                "contraindications: 1 added, 1 removed, 1 changed",
                "interval min days: 21 -> 7",
            ]
        );
        assert!(differences(&before, &before).is_empty());
        assert_eq!(words_differ("a\n\nb", "a\n\nc\n\nd"), ["2 paragraphs are new or changed, 1 gone"]);
    }
}
