//! The device: recalled, out of use, or for another kind of treatment.

use super::answers::{Answers, verdict};
use crate::session::{CheckCode, CheckRule, CheckVerdict};
use crate::vocabulary::RecordKind;

pub(super) fn device(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    if let Some(device) = facts.device {
        let record = Some((RecordKind::Device, device.id));
        if let Some(recall) = &device.recalled {
            let cause = format!("{} is recalled by its maker: {}", device.model, recall.reason);
            let reason = CheckCode::DeviceRecalled.says(cause).with("device", &device.model);
            let reason = reason.with("reason", &recall.reason);
            answers.add(CheckRule::Device, verdict(facts.blocks(|it| it.lot_recalled)), reason, record);
        }
        if !device.active {
            let reason = CheckCode::DeviceOutOfUse.says(format!("{} is out of use", device.model));
            answers.add(CheckRule::Device, CheckVerdict::Warn, reason.with("device", &device.model), record);
        }
    }
    if let Some(own) = facts.own.filter(|own| own.modality != facts.modality) {
        let cause = format!("the protocol is for {}, the session is {}", own.modality.words(), facts.modality.words());
        let reason = CheckCode::ProtocolOfOtherModality.says(cause);
        let reason = reason.with_word("protocolModality", own.modality.as_str());
        let reason = reason.with_word("modality", facts.modality.as_str());
        answers.add(CheckRule::Device, CheckVerdict::Warn, reason, None);
    }
    answers.pass(CheckRule::Device, "nothing speaks against the device");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, day, noon, pen};
    use super::*;
    use crate::catalogue::{Device, MakerRecall};
    use crate::vocabulary::Modality;

    #[test]
    fn a_device_that_is_recalled_or_out_of_use_warns() {
        let recalled = MakerRecall { at: noon(day(6, 1)), reason: "Motor".to_owned(), reference: None };
        for (device, expected) in [
            (pen(250), 0),
            (Device { active: false, ..pen(250) }, 1),
            (Device { recalled: Some(recalled), active: false, ..pen(250) }, 2),
        ] {
            let found = Case { device: Some(device), ..Case::fine() }.against();
            assert_eq!(found, vec![(CheckRule::Device, CheckVerdict::Warn); expected]);
        }
        let other = Case { modality: Modality::Prp, ..Case::fine() }.against();
        assert_eq!(other, [(CheckRule::Device, CheckVerdict::Warn)], "a protocol for another kind of treatment");
    }
}
