//! Needle depth: the device and the protocol.

use super::answers::{Answers, verdict};
use super::facts::place;
use crate::session::{CheckCode, CheckRule, Reason};
use crate::vocabulary::RecordKind;

pub(super) fn depth(answers: &mut Answers<'_>) {
    let facts = answers.facts;
    for area in facts.areas {
        let Some(depth) = area.depth_mm else { continue };
        let place = place(area.area, area.side);
        let here = |reason: Reason| {
            let reason = reason.with_word("area", area.area.as_str()).with_word("side", area.side.as_str());
            reason.with("depthMm", depth.normalize())
        };
        if let Some((device, most)) = facts.device.and_then(|it| Some((it, it.depth_max_mm?))).filter(|it| depth > it.1)
        {
            let cause = format!("{place}: {depth} mm is deeper than {} can be set to, {most} mm", device.model);
            let record = Some((RecordKind::Device, device.id));
            let reason = here(CheckCode::DepthOverDevice.says(cause));
            let reason = reason.with("maxMm", most.normalize()).with("device", &device.model);
            answers.add(CheckRule::Depth, verdict(facts.blocks(|it| it.device_range)), reason, record);
        }
        let limits = facts.figures().flat_map(|held| held.rules.depth_limits.iter().map(|it| (held.version, it)));
        let exceeded = limits.filter(|(_, it)| it.is_for(area.area, facts.skin_type) && depth > it.max_mm.0);
        if let Some((version, limit)) = exceeded.min_by_key(|(_, it)| it.max_mm.0) {
            let source = limit.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
            let cause = format!("{place}: {depth} mm is deeper than the protocol's {} mm{source}", limit.max_mm.0);
            let reason = here(CheckCode::DepthOverProtocol.says(cause)).with("maxMm", limit.max_mm.0.normalize());
            answers.add_of(version, CheckRule::Depth, verdict(facts.blocks(|it| it.depth_limit)), reason, None);
        }
    }
    answers.pass_by_protocol(CheckRule::Depth, "no depth goes beyond the device or the protocol");
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Case, pen};
    use crate::care::checks::facts::AreaFact;
    use crate::protocol::DepthLimit;
    use crate::scalars;
    use crate::session::{CheckRule, CheckVerdict};
    use crate::vocabulary::{BodyArea, FitzpatrickType, Side};
    use rust_decimal::Decimal;

    #[test]
    fn depth_is_held_to_the_device_and_to_the_protocol() {
        use CheckVerdict::{Block, Warn};
        // (depth in hundredths, the device's deepest, what comes of it); the protocol's limit on the cheek is 1.5 mm.
        let table: [(i64, Option<i64>, &[CheckVerdict]); 6] = [
            (150, None, &[]),
            (151, None, &[Warn]),
            (150, Some(150), &[]),
            (150, Some(125), &[Block]),
            (175, Some(150), &[Block, Warn]),
            (0, Some(100), &[]),
        ];
        for (depth, deepest, expected) in table {
            let area = AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(depth, 2)) };
            let case = Case { areas: vec![area], device: deepest.map(pen), ..Case::fine() };
            let found: Vec<CheckVerdict> = case.against().into_iter().map(|it| it.1).collect();
            assert_eq!(found, expected, "{depth} {deepest:?}");
        }
        let mut dark = Case::fine();
        let strict = DepthLimit {
            area: BodyArea::Cheek,
            max_mm: scalars::Decimal(Decimal::new(25, 2)),
            skin_types: vec![FitzpatrickType::V, FitzpatrickType::Vi],
            source: None,
        };
        dark.rules.depth_limits.push(strict);
        assert!(dark.against().is_empty(), "its limit is for others");
        dark.skin_type = None;
        assert!(dark.checks().iter().all(|it| it.rule != CheckRule::Depth || it.verdict == CheckVerdict::Pass));
        dark.skin_type = Some(FitzpatrickType::Vi);
        assert!(dark.against().contains(&(CheckRule::Depth, Warn)), "{:?}", dark.against());
        let elsewhere = AreaFact { area: BodyArea::Other, side: Side::Left, depth_mm: Some(Decimal::new(250, 2)) };
        assert!(Case { areas: vec![elsewhere], ..Case::fine() }.against().is_empty(), "no limit for that area");
    }
}
