mod properties;

use super::*;
use crate::catalogue::Device;
use crate::clearance::Clearance;
use crate::consultation::{Candidacy, ConsultationMode};
use crate::health::{HealthEntry, HealthEntryKind};
use crate::health_term::HealthTerm;
use crate::ids;
use crate::organisation::ClearancePolicy;
use crate::protocol::{Rules, defaults};
use crate::record::Stamp;
use crate::session::{CheckRule, SessionStatus};
use crate::vocabulary::{BodyArea, FitzpatrickType, IntradermalUse, Modality, ProductRole, Side};
use chrono::{DateTime, NaiveDate, TimeZone, Utc};
use rust_decimal::Decimal;

fn rules() -> Rules {
    defaults::defaults().expect("defaults").remove(0).rules
}

pub(super) fn day(month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, month, day).expect("a day")
}

pub(super) fn noon(day: NaiveDate) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_hms_opt(12, 0, 0).expect("noon"))
}

/// Facts that nothing speaks against, on 15 June.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) rules: Rules,
    pub(super) areas: Vec<AreaFact>,
    pub(super) device: Option<Device>,
    pub(super) lots: Vec<LotFact>,
    pub(super) cream: Option<CreamFact>,
    pub(super) born: NaiveDate,
    pub(super) skin_type: Option<FitzpatrickType>,
    pub(super) health: Vec<HealthEntry>,
    pub(super) terms: Vec<HealthTerm>,
    pub(super) reviews: Vec<ReviewFact>,
    pub(super) sessions: Vec<OtherSession>,
    pub(super) plan: Option<PlanFact>,
    pub(super) consents: Vec<(Modality, ConsentFact)>,
    pub(super) consultation: Option<ConsultationFact>,
    pub(super) consultation_in_person: bool,
    pub(super) modality: Modality,
    /// Every kind of treatment that the session uses.
    pub(super) uses: Vec<Modality>,
    /// The protocols of the others that it uses.
    pub(super) others: Vec<(Modality, Rules)>,
    /// Whether the session has a protocol; the same rules are one of several published ones where it has none.
    pub(super) named: bool,
    /// What the location asks for, whether a missing one blocks, and what was given.
    pub(super) clearance: Option<(ClearancePolicy, bool, Vec<Clearance>)>,
}

impl Case {
    pub(super) fn fine() -> Self {
        Self {
            rules: rules(),
            areas: vec![AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(15, 1)) }],
            device: None,
            lots: Vec::new(),
            cream: None,
            born: NaiveDate::from_ymd_opt(1990, 1, 1).expect("a day"),
            skin_type: Some(FitzpatrickType::Iii),
            health: Vec::new(),
            terms: Vec::new(),
            reviews: vec![ReviewFact::none_known(day(6, 15), noon(day(6, 15)))],
            sessions: Vec::new(),
            plan: None,
            consents: vec![(Modality::Microneedling, ConsentFact::InForce(ids::new_id()))],
            consultation_in_person: false,
            consultation: Some(ConsultationFact {
                id: ids::new_id(),
                held_on: day(5, 1),
                valid_until: None,
                candidacy: Some(Candidacy::Suitable),
                signed: true,
                about: vec![Tissue::Skin],
                mode: ConsultationMode::InPerson,
            }),
            modality: Modality::Microneedling,
            uses: vec![Modality::Microneedling],
            others: Vec::new(),
            named: true,
            clearance: Some((
                ClearancePolicy::AnyMode,
                false,
                vec![Clearance { modalities: Modality::ALL.to_vec(), ..given() }],
            )),
        }
    }

    pub(super) fn checks(&self) -> Vec<KeptCheck> {
        let (version, modality) = (Uuid::from_u128(1), Modality::Microneedling);
        let own = Held { version, modality, rules: &self.rules, only: self.named };
        let others = self.others.iter().zip(3_u128..);
        let others = others.map(|((modality, rules), i)| Held {
            version: Uuid::from_u128(i),
            modality: *modality,
            rules,
            only: true,
        });
        let others: Vec<Held<'_>> = others.chain((!self.named).then_some(own)).collect();
        checks(&Facts {
            own: self.named.then_some(own),
            others: &others,
            modality: self.modality,
            uses: &self.uses,
            started_at: noon(day(6, 15)),
            day: day(6, 15),
            areas: &self.areas,
            device: self.device.as_ref(),
            lots: &self.lots,
            cream: self.cream.clone(),
            skin_type: self.skin_type,
            patient: Uuid::from_u128(2),
            born: self.born,
            health: &self.health,
            terms: &self.terms,
            reviews: &self.reviews,
            sessions: &self.sessions,
            plan: self.plan.as_ref(),
            consents: &self.consents,
            consultation: self.consultation.as_ref(),
            consultation_in_person: self.consultation_in_person,
            clearance: self.clearance.as_ref().map(|(policy, blocks, given)| ClearanceFact {
                policy: *policy,
                blocks: *blocks,
                given,
            }),
        })
    }

    /// The rules that do not pass, each with its strictest answer.
    pub(super) fn against(&self) -> Vec<(CheckRule, CheckVerdict)> {
        let mut found: Vec<_> = self.checks().into_iter().map(|it| (it.rule, it.verdict)).collect();
        found.retain(|it| it.1 != CheckVerdict::Pass);
        found
    }
}

/// A clearance of 1 June for needles on any area.
pub(super) fn given() -> Clearance {
    Clearance {
        id: ids::new_id(),
        patient_id: ids::new_id(),
        prescriber_id: ids::new_id(),
        modalities: vec![Modality::Microneedling],
        areas: Vec::new(),
        in_person: true,
        given_at: noon(day(6, 1)),
        valid_until: None,
        note: None,
        revoked_at: None,
        revoked_by: None,
        revoke_reason: None,
        entered_in_error: false,
        stamp: Stamp::new(None, noon(day(6, 1))),
    }
}

pub(super) fn session(on: NaiveDate, area: BodyArea, side: Side) -> OtherSession {
    OtherSession {
        by_device: None,
        id: ids::new_id(),
        started_at: noon(on),
        day: on,
        status: SessionStatus::Completed,
        modality: Modality::Microneedling,
        areas: vec![(area, side)],
        interval_min_days: None,
        plan: None,
        signed: false,
    }
}

pub(super) fn entry(code: &str) -> HealthEntry {
    let stamp = Stamp::new(None, ids::now());
    let said = HealthEntry::saying(ids::new_id(), HealthEntryKind::Condition, Some(code), code, stamp);
    HealthEntry { id: ids::new_id(), ..said }
}

#[test]
fn where_nothing_speaks_against_it_every_rule_passes_once() {
    let found = Case::fine().checks();
    assert!(found.iter().all(|it| it.verdict == CheckVerdict::Pass && !it.cause.is_empty()), "{found:#?}");
    let rules: Vec<CheckRule> = found.iter().map(|it| it.rule).collect();
    assert_eq!(rules.len(), CheckRule::ALL.len());
    assert!(CheckRule::ALL.iter().all(|rule| rules.contains(rule)));
}

pub(super) fn pen(most: i64) -> Device {
    Device {
        id: ids::new_id(),
        model: "Pen".to_owned(),
        manufacturer: None,
        serial: None,
        kind: crate::vocabulary::DeviceKind::MotorisedPen,
        depth_min_mm: None,
        depth_max_mm: Some(Decimal::new(most, 2)),
        depth_step_mm: None,
        location_id: None,
        active: true,
        recalled: None,
        note: None,
        stamp: Stamp::new(None, ids::now()),
    }
}

/// Whether everything that was settled in one case stays settled in another.
fn stays(seen: &Case, later: &Case) -> bool {
    let done = Override { reason: "Wanted".to_owned(), by: ids::new_id(), supervisor_id: None, at: ids::now() };
    let mut before = seen.checks();
    for check in before.iter_mut().filter(|it| it.verdict != CheckVerdict::Pass) {
        check.overridden = Some(done.clone());
    }
    let now = keep_overrides(&before, later.checks(), ids::new_id());
    let mut against = now.iter().filter(|it| it.verdict != CheckVerdict::Pass).peekable();
    assert!(against.peek().is_some(), "{now:#?}");
    against.all(|it| it.overridden.as_ref() == Some(&done))
}

/// A case with a change.
fn but(case: &Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut other = case.clone();
    change(&mut other);
    other
}

#[test]
fn an_override_settles_the_cause_that_was_seen_and_nothing_else() {
    let soon = Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() };
    assert!(stays(&soon, &soon));
    let moved = but(&soon, |it| {
        it.sessions = it.sessions.iter().cloned().map(|one| OtherSession { day: day(6, 12), ..one }).collect();
    });
    let second_area = but(&soon, |it| {
        let both = vec![(BodyArea::Cheek, Side::Left), (BodyArea::Nose, Side::Midline)];
        for one in &mut it.sessions {
            one.areas.clone_from(&both);
        }
        it.areas.push(AreaFact { area: BodyArea::Nose, side: Side::Midline, depth_mm: None });
    });
    let table = [
        ("a stricter answer", soon.clone(), but(&soon, |it| it.rules.blocks.interval = true)),
        (
            "another session",
            soon.clone(),
            but(&soon, |it| it.sessions = vec![session(day(6, 10), BodyArea::Cheek, Side::Left)]),
        ),
        ("two days closer", soon.clone(), moved),
        ("a second area", soon.clone(), second_area),
    ];
    for (what, seen, later) in table {
        assert!(!stays(&seen, &later), "{what}");
    }
    let deep = |area, side, depth| Case { areas: vec![AreaFact { area, side, depth_mm: Some(depth) }], ..Case::fine() };
    let cheek = deep(BodyArea::Cheek, Side::Left, Decimal::new(36, 1));
    assert!(stays(&cheek, &cheek));
    for other in [
        deep(BodyArea::Cheek, Side::Left, Decimal::new(70, 1)),
        deep(BodyArea::Cheek, Side::Right, Decimal::new(36, 1)),
        deep(BodyArea::Periorbital, Side::Left, Decimal::new(36, 1)),
    ] {
        assert!(!stays(&cheek, &other), "{:?}", other.areas);
    }
}

#[test]
fn what_depends_on_the_days_since_is_settled_for_those_days() {
    let pill = |code: &str, on| HealthEntry { last_dose_on: Some(on), ..entry(code) };
    let taken = HealthEntry { ended_on: Some(day(5, 1)), ..pill("isotretinoin", day(5, 1)) };
    let first = Case { health: vec![taken.clone()], ..Case::fine() };
    let later = but(&first, |it| it.health = vec![HealthEntry { last_dose_on: Some(day(6, 10)), ..taken.clone() }]);
    assert!(stays(&first, &first) && !stays(&first, &later));
    let expired = |on| {
        let lot = LotFact {
            role: Some(ProductRole::Serum),
            product: "Serum".to_owned(),
            intradermal_use: IntradermalUse::Unknown,
            lot: Some("S-1".to_owned()),
            expires_on: Some(on),
            known: None,
        };
        Case { lots: vec![lot], ..Case::fine() }
    };
    assert!(stays(&expired(day(6, 1)), &expired(day(6, 1))) && !stays(&expired(day(6, 1)), &expired(day(3, 1))));
    let ended = |on| (Modality::Microneedling, ConsentFact::Ended(Uuid::from_u128(9), Some(on)));
    let withdrawn = |on| Case { consents: vec![ended(on)], ..Case::fine() };
    assert!(!stays(&withdrawn(day(6, 1)), &withdrawn(day(6, 2))));
}

#[test]
fn who_becomes_the_practitioner_loses_what_they_signed_off() {
    let mut case = Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() };
    case.rules.blocks.interval = true;
    let (prescriber, other) = (ids::new_id(), ids::new_id());
    let mut before = case.checks();
    for check in before.iter_mut().filter(|it| it.verdict == CheckVerdict::Block) {
        let at = ids::now();
        check.overridden =
            Some(Override { reason: "Agreed".to_owned(), by: prescriber, supervisor_id: Some(prescriber), at });
    }
    let settled = |practitioner| keep_overrides(&before, case.checks(), practitioner).iter().all(KeptCheck::is_settled);
    assert!(settled(other) && !settled(prescriber));
}

#[test]
fn a_session_is_held_to_every_kind_of_treatment_that_it_uses() {
    let of = |modality| {
        defaults::defaults()
            .expect("defaults")
            .into_iter()
            .find(|it| it.modality == modality)
            .expect("a protocol")
            .rules
    };
    let with = |modality: Modality, change: &dyn Fn(&mut Case)| {
        let mut case = Case {
            uses: vec![Modality::Microneedling, modality],
            others: vec![(modality, of(modality))],
            skin_type: Some(FitzpatrickType::Ii),
            ..Case::fine()
        };
        case.areas[0].depth_mm = Some(Decimal::ONE);
        change(&mut case);
        case
    };
    let (rf, prp) = (Modality::RfMicroneedling, Modality::Prp);
    let block = [(CheckRule::Contraindication, CheckVerdict::Block)];
    // The pen's protocol has nothing against either.
    let pacemaker = with(rf, &|it| it.health = vec![entry("pacemaker")]);
    assert_eq!(pacemaker.against(), block, "radiofrequency under a pen's protocol");
    assert_eq!(
        with(prp, &|it| it.health = vec![entry("thrombocytopenia")]).against(),
        block,
        "platelets under needles"
    );
    let found = pacemaker.checks().into_iter().find(|it| it.verdict == CheckVerdict::Block).expect("a block");
    assert_eq!(found.protocol_version_id, Some(Uuid::from_u128(3)), "by the other protocol");
    let soon = with(rf, &|it| it.sessions = vec![session(day(5, 24), BodyArea::Cheek, Side::Left)]);
    assert_eq!(soon.against(), [(CheckRule::Interval, CheckVerdict::Warn)], "22 days; radiofrequency asks for 28");
    let dark = with(rf, &|it| it.skin_type = Some(FitzpatrickType::Vi));
    assert_eq!(dark.against(), [(CheckRule::SkinType, CheckVerdict::Warn)]);
}

#[test]
fn each_answer_has_its_reason_for_programs_too() {
    let told = |case: Case, rule| {
        let found = case.checks().into_iter().find(|it| it.rule == rule).expect("an answer");
        let params: Vec<String> = found.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", found.code.expect("a code").as_str(), params.join(" "))
    };
    let deep = AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(360, 2)) };
    for (case, rule, expected) in [
        (
            Case { sessions: vec![session(day(6, 10), BodyArea::Cheek, Side::Left)], ..Case::fine() },
            CheckRule::Interval,
            "treated_too_soon askedBy=THIS_SESSION days=5 from=2026-07-01 minDays=21 on=2026-06-10 places=left cheek",
        ),
        (
            Case { areas: vec![deep], ..Case::fine() },
            CheckRule::Depth,
            "depth_over_protocol area=CHEEK depthMm=3.6 maxMm=1.5 side=LEFT",
        ),
        (
            Case { health: vec![entry("keloid_tendency")], ..Case::fine() },
            CheckRule::Contraindication,
            "contraindicated contraindication=keloid_tendency entry=keloid_tendency label=Keloids or hypertrophic scars in the past readFrom=CODE \
             severity=RELATIVE",
        ),
        (Case::fine(), CheckRule::Consent, "passed "),
    ] {
        assert_eq!(told(case, rule), expected);
    }
}

#[test]
fn no_answer_is_given_twice_and_each_has_an_id_of_its_own() {
    let area = AreaFact { area: BodyArea::Cheek, side: Side::Left, depth_mm: Some(Decimal::new(36, 1)) };
    let found = Case { areas: vec![area, area], ..Case::fine() }.checks();
    let session = ids::new_id();
    let ids: std::collections::BTreeSet<String> = found.iter().map(|it| it.id(session)).collect();
    assert_eq!(ids.len(), found.len());
    assert!(found.iter().all(|it| it.id(session) == it.clone().id(session) && it.id(session) != it.id(Uuid::nil())));
}
