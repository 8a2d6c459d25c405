//! Entries that seem to say the same: the one allergy entered twice.

use super::{HealthEntry, codes};
use crate::folding::fold;
use crate::health_term::HealthTerm;
use chrono::NaiveDate;

/// Whether two entries of one kind that hold on a day seem to say the same: a code that both are about, by the list and the
/// clinic's own terms, the same code, or the same words but for case, accents and punctuation.
pub fn are_alike(one: &HealthEntry, other: &HealthEntry, day: NaiveDate, terms: &[HealthTerm]) -> bool {
    if one.id == other.id || one.kind != other.kind || !one.in_force_on(day) || !other.in_force_on(day) {
        return false;
    }
    let code = |it: &HealthEntry| it.code.as_deref().map(fold);
    let same_code = code(one).is_some() && code(one) == code(other);
    let about =
        |it: &HealthEntry| codes::matched(it, terms).into_iter().map(|it| it.code.code.clone()).collect::<Vec<_>>();
    let (ours, theirs) = (about(one), about(other));
    same_code || fold(&one.text) == fold(&other.text) || ours.iter().any(|it| theirs.contains(it))
}

#[cfg(test)]
mod tests {
    use super::super::HealthEntryKind::{Allergy, Medication};
    use super::*;
    use crate::ids;
    use crate::record::Stamp;

    #[test]
    fn the_same_allergy_is_known_by_its_code_its_words_and_another_name() {
        let day = ids::now().date_naive();
        let entry = |kind, code: Option<&str>, text: &str| {
            let said = HealthEntry::saying(ids::new_id(), kind, code, text, Stamp::new(None, ids::now()));
            HealthEntry { id: ids::new_id(), ..said }
        };
        let lidocaine = entry(Allergy, None, "Lidocaine: hives");
        let error = HealthEntry { entered_in_error: true, ..entry(Allergy, None, "Lidocaine") };
        let over = HealthEntry { ended_on: day.pred_opt(), ..entry(Medication, None, "Apixaban") };
        for (name, one, other, alike) in [
            ("itself", lidocaine.clone(), lidocaine.clone(), false),
            ("by another name", lidocaine.clone(), entry(Allergy, Some("lignocaine"), "Local anaesthetic"), true),
            ("by its words", entry(Allergy, None, "Zzyzx!"), entry(Allergy, None, "zzyzx"), true),
            ("by a code that nobody knows", entry(Allergy, Some("Z-1"), "a"), entry(Allergy, Some("z 1"), "b"), true),
            ("another one", lidocaine.clone(), entry(Allergy, None, "Latex"), false),
            ("two that nobody knows", entry(Allergy, None, "Zzyzx"), entry(Allergy, None, "Xyzzy"), false),
            ("of another kind", lidocaine.clone(), entry(Medication, None, "Lidocaine: hives"), false),
            ("in error", lidocaine, error, false),
            ("over", over, entry(Medication, None, "Apixaban"), false),
        ] {
            assert_eq!(are_alike(&one, &other, day, &[]), alike, "{name}");
            assert_eq!(are_alike(&other, &one, day, &[]), alike, "{name}, turned round");
        }
    }
}
