//! Products under needles: what is not approved for use within the skin. Serums that needles carry into the dermis have
//! left granulomas (JAMA Dermatol 2014;150:68).

use super::answers::Answers;
use crate::session::{CheckCode, CheckRule, CheckVerdict};
use crate::vocabulary::{IntradermalUse, Modality, ProductRole, RecordKind};

pub(super) fn products(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    let needles = |it: &Modality| matches!(it, Modality::Microneedling | Modality::RfMicroneedling | Modality::Prp);
    if !facts.uses.iter().any(needles) {
        return answers.pass(CheckRule::Product, "no needles are used");
    }
    // A cartridge is the needle itself, and a cream is taken off before.
    let carried = |role| !matches!(role, None | Some(ProductRole::Cartridge | ProductRole::Anaesthetic));
    let unfit = |role, intradermal| carried(role) && intradermal == IntradermalUse::No;
    for used in facts.lots.iter().filter(|it| unfit(it.role, it.intradermal_use)) {
        let cause = format!("{} is not approved for use within the skin, and needles carry it there", used.product);
        let record = used.known.as_ref().map(|lot| (RecordKind::ProductLot, lot.id));
        let reason = CheckCode::ProductNotIntradermal.says(cause).with("product", &used.product);
        answers.add(CheckRule::Product, CheckVerdict::Warn, reason, record);
    }
    answers.pass(CheckRule::Product, "no product is known to be unfit for use within the skin");
}

#[cfg(test)]
mod tests {
    use super::super::tests::Case;
    use super::*;
    use crate::care::checks::facts::LotFact;

    #[test]
    fn what_is_not_for_use_within_the_skin_warns_under_needles() {
        let used = |role, intradermal_use| LotFact {
            role: Some(role),
            product: "Vitamin C 20 %".to_owned(),
            intradermal_use,
            lot: None,
            expires_on: None,
            known: None,
        };
        let table = [
            ("a serum that is not", used(ProductRole::Serum, IntradermalUse::No), Modality::Microneedling, 1),
            ("a serum that is", used(ProductRole::Serum, IntradermalUse::Yes), Modality::Microneedling, 0),
            ("nobody knows", used(ProductRole::Serum, IntradermalUse::Unknown), Modality::Microneedling, 0),
            ("a cartridge", used(ProductRole::Cartridge, IntradermalUse::No), Modality::Microneedling, 0),
            ("a cream", used(ProductRole::Anaesthetic, IntradermalUse::No), Modality::Microneedling, 0),
            ("under light", used(ProductRole::Serum, IntradermalUse::No), Modality::LedLightTherapy, 0),
        ];
        for (name, lot, uses, expected) in table {
            let found = Case { lots: vec![lot], uses: vec![uses], ..Case::fine() }.against();
            assert_eq!(found, vec![(CheckRule::Product, CheckVerdict::Warn); expected], "{name}");
        }
    }
}
