//! Lots that are expired or recalled.

use super::answers::{Answers, before, verdict};
use crate::session::{CheckCode, CheckRule, Reason};
use crate::vocabulary::RecordKind;

pub(super) fn lots(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    for used in facts.lots {
        let named = |reason: Reason| reason.with("product", &used.product).with_some("lot", used.lot.as_ref());
        let number = used.lot.as_deref().unwrap_or("without a number");
        let record = used.known.as_ref().map(|lot| (RecordKind::ProductLot, lot.id));
        if let Some(recall) = used.known.as_ref().and_then(|lot| lot.recalled.as_ref()) {
            let cause = format!("{}, lot {number}, is recalled by its maker: {}", used.product, recall.reason);
            let reason = named(CheckCode::LotRecalled.says(cause)).with("reason", &recall.reason);
            answers.add(CheckRule::Lot, verdict(facts.blocks(|it| it.lot_recalled)), reason, record);
        }
        let expired = match &used.known {
            Some(lot) if lot.expires_on.is_some() => lot.is_expired_on(facts.day),
            _ => used.expires_on.is_some_and(|last| facts.day > last),
        };
        if expired {
            let last = used.known.as_ref().and_then(|lot| lot.expires_on).or(used.expires_on);
            let when = last.map(|last| format!(" on {last}{}", before(facts.day, last))).unwrap_or_default();
            let cause = format!("{}, lot {number}, expired{when}", used.product);
            let reason = named(CheckCode::LotExpired.says(cause)).with_some("expiresOn", last);
            answers.add(CheckRule::Lot, verdict(facts.blocks(|it| it.lot_expired)), reason, record);
        }
    }
    answers.pass(CheckRule::Lot, "no lot is expired or recalled");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, noon};
    use super::*;
    use crate::care::checks::facts::LotFact;
    use crate::catalogue::{MakerRecall, ProductLot};
    use crate::ids;
    use crate::record::Stamp;
    use crate::session::CheckVerdict;
    use crate::vocabulary::{IntradermalUse, ProductRole};

    #[test]
    fn lots_that_are_expired_or_recalled_warn() {
        let known = |expires_on, recalled: bool| ProductLot {
            id: ids::new_id(),
            product_id: ids::new_id(),
            lot: "A1".to_owned(),
            expires_on,
            received_on: None,
            recalled: recalled.then(|| MakerRecall {
                at: noon(day(6, 1)),
                reason: "Mould".to_owned(),
                reference: None,
            }),
            note: None,
            stamp: Stamp::new(None, ids::now()),
        };
        let used = |expires_on, known| LotFact {
            role: Some(ProductRole::Serum),
            product: "Serum".to_owned(),
            intradermal_use: IntradermalUse::Unknown,
            lot: Some("A1".to_owned()),
            expires_on,
            known,
        };
        let table = [
            ("nothing known", used(None, None), 0),
            ("written, its last day", used(Some(day(6, 15)), None), 0),
            ("written, a day late", used(Some(day(6, 14)), None), 1),
            ("the catalogue knows better", used(Some(day(6, 14)), Some(known(Some(day(7, 1)), false))), 0),
            ("recalled", used(None, Some(known(Some(day(7, 1)), true))), 1),
            ("recalled and expired", used(None, Some(known(Some(day(6, 1)), true))), 2),
        ];
        for (name, lot, expected) in table {
            let found = Case { lots: vec![lot], ..Case::fine() }.against();
            assert_eq!(found, vec![(CheckRule::Lot, CheckVerdict::Warn); expected], "{name}");
        }
    }
}
