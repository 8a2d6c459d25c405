//! A patient's whole chart, with the ledger entries that the service would have written on the way.

use super::dice::Dice;
use super::names::Country;
use super::shelf::Shelf;
use crate::adverse_event::AdverseEvent;
use crate::aftercare::AftercareNote;
use crate::call_back::CallBack;
use crate::catalogue::ProductLot;
use crate::consent::{Consent, ConsentTemplateVersion};
use crate::consultation::Consultation;
use crate::error::Result;
use crate::health::HealthEntry;
use crate::health_review::HealthReview;
use crate::ids;
use crate::ledger::Record;
use crate::outcome::OutcomeAssessment;
use crate::patient::Patient;
use crate::photo::Photo;
use crate::photo::picture::Picture;
use crate::plan::TreatmentPlan;
use crate::protocol::ProtocolVersion;
use crate::record::Stamp;
use crate::session::{Content, Parts, SessionStatus, TreatmentSession};
use crate::signing::{self, Addendum, Given};
use crate::vocabulary::{Action, RecordKind};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, TimeZone, Utc, Weekday};
use chrono_tz::Tz;
use serde::Serialize;
use uuid::Uuid;

/// A location, and who works there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: Uuid,
    pub(super) zone: Tz,
    pub(super) country: Country,
    pub(super) practitioners: [Uuid; 3],
}

/// What the charts of a fill have in common.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) org: Uuid,
    /// Where most patients go, and where so many of 1,000 go instead.
    pub(super) home: Place,
    pub(super) elsewhere: [(usize, Place); 2],
    pub(super) front_desk: Uuid,
    pub(super) admin: Uuid,
    /// Nothing happens at or after it: the beginning of the current day, UTC.
    pub(super) end: DateTime<Utc>,
    /// The published protocols.
    pub(super) protocols: Vec<ProtocolVersion>,
    /// The published texts of consents, each with its kind.
    pub(super) texts: Vec<(crate::consent::ConsentKind, ConsentTemplateVersion)>,
    pub(super) shelf: Shelf,
    /// Of how many patients, from the first, there are photos.
    pub(super) photographed: u32,
}

/// An entry for the ledger, not yet chained.
pub(super) struct Entry {
    pub(super) at: DateTime<Utc>,
    pub(super) actor: Uuid,
    pub(super) request_id: String,
    pub(super) action: Action,
    pub(super) kind: RecordKind,
    pub(super) record_id: Uuid,
    pub(super) patient_id: Option<Uuid>,
    pub(super) version: i32,
    pub(super) content: String,
}

/// A patient with everything about them, each record at its newest version.
pub(super) struct Chart {
    pub(super) patient: Patient,
    pub(super) health: Vec<HealthEntry>,
    pub(super) reviews: Vec<HealthReview>,
    pub(super) consultations: Vec<Consultation>,
    pub(super) sessions: Vec<(TreatmentSession, Parts)>,
    pub(super) notes: Vec<AftercareNote>,
    pub(super) addenda: Vec<Addendum>,
    pub(super) plans: Vec<TreatmentPlan>,
    pub(super) consents: Vec<Consent>,
    pub(super) photos: Vec<(Photo, Picture)>,
    pub(super) outcomes: Vec<OutcomeAssessment>,
    pub(super) events: Vec<AdverseEvent>,
    pub(super) recalls: Vec<CallBack>,
    /// Every version of every record.
    pub(super) entries: Vec<Entry>,
}

/// Who writes a chart, record after record.
pub(super) struct Scribe<'w> {
    pub(super) world: &'w World,
    pub(super) dice: Dice,
    /// Dice of their own for what came to the demo later: the rest stays as it was.
    pub(super) more: Dice,
    pub(super) place: Place,
    pub(super) chart: Chart,
    pub(super) index: u32,
}

impl<'w> Scribe<'w> {
    /// Begins the chart of patient `index` of the seed with their registration.
    pub(super) fn register(world: &'w World, dice: Dice, place: Place, index: u32, patient: Patient) -> Result<Self> {
        let chart = Chart {
            patient: patient.clone(),
            health: Vec::new(),
            reviews: Vec::new(),
            consultations: Vec::new(),
            sessions: Vec::new(),
            notes: Vec::new(),
            addenda: Vec::new(),
            plans: Vec::new(),
            consents: Vec::new(),
            photos: Vec::new(),
            outcomes: Vec::new(),
            events: Vec::new(),
            recalls: Vec::new(),
            entries: Vec::new(),
        };
        let more = Dice::new(world.seed ^ 0x6d6f_7265, u64::from(index));
        let mut scribe = Self { world, dice, more, place, chart, index };
        scribe.record(Action::Create, &patient, &patient, world.front_desk, patient.stamp.created_at)?;
        Ok(scribe)
    }

    /// A fresh id as if made at `at`.
    pub(super) fn id(&mut self, at: DateTime<Utc>) -> Uuid {
        ids::id_at(at, self.dice.bytes())
    }

    /// Somebody who treats patients at this patient's location.
    pub(super) fn practitioner(&mut self) -> Uuid {
        self.dice.pick(&self.place.practitioners).copied().unwrap_or_default()
    }

    /// A moment in working hours of a day at this patient's location: nine to half past five, never on a Sunday.
    pub(super) fn visit(&mut self, day: NaiveDate) -> DateTime<Utc> {
        visit(&mut self.dice, self.place.zone, day)
    }

    /// Whether something of that moment has happened yet.
    pub(super) fn has_come(&self, at: DateTime<Utc>) -> bool {
        at < self.world.end
    }

    /// An id of what came to the demo later.
    pub(super) fn new_id(&mut self, at: DateTime<Utc>) -> Uuid {
        ids::id_at(at, self.more.bytes())
    }

    /// Writes a version of a record that is kept whole.
    pub(super) fn note<R: Record + Serialize>(
        &mut self,
        action: Action,
        record: &R,
        by: Uuid,
        at: DateTime<Utc>,
    ) -> Result<()> {
        self.record(action, record, record, by, at)
    }

    fn record<R: Record>(
        &mut self,
        action: Action,
        record: &R,
        content: &impl Serialize,
        actor: Uuid,
        at: DateTime<Utc>,
    ) -> Result<()> {
        self.chart.entries.push(Entry {
            at,
            actor,
            request_id: format!("demo-{}-{}", self.index, self.chart.entries.len()),
            action,
            kind: R::KIND,
            record_id: record.id(),
            patient_id: record.patient_id(),
            version: record.version(),
            content: serde_json::to_string(content)?,
        });
        Ok(())
    }

    /// The patient's entry after a change.
    pub(super) fn change_patient(
        &mut self,
        action: Action,
        by: Uuid,
        at: DateTime<Utc>,
        change: impl FnOnce(&mut Patient),
    ) -> Result<()> {
        let mut after = self.chart.patient.clone();
        change(&mut after);
        after.stamp = after.stamp.changed(Some(by), at);
        self.record(action, &after, &after, by, at)?;
        self.chart.patient = after;
        Ok(())
    }

    /// Adds an entry of the health history.
    pub(super) fn add_health(&mut self, entry: HealthEntry, by: Uuid) -> Result<()> {
        self.record(Action::Create, &entry, &entry, by, entry.stamp.created_at)?;
        self.chart.health.push(entry);
        Ok(())
    }

    /// Adds a consultation, and signs it at a moment.
    pub(super) fn add_consultation(&mut self, mut new: Consultation, sign_at: Option<DateTime<Utc>>) -> Result<()> {
        let by = new.practitioner_id;
        self.record(Action::Create, &new, &new, by, new.stamp.created_at)?;
        if let Some(at) = sign_at.filter(|at| self.has_come(*at)) {
            new.stamp = new.stamp.changed(Some(by), at);
            new.signature = Some(signing::sign(&new, by, at, Given::author())?);
            self.record(Action::Sign, &new, &new, by, at)?;
        }
        self.chart.consultations.push(new);
        Ok(())
    }

    /// Adds a session, and signs it at a moment. One that was completed was logged afterwards, in one call; any other
    /// was started, and ended by a change.
    pub(super) fn add_session(
        &mut self,
        mut new: TreatmentSession,
        parts: Parts,
        sign_at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let by = new.practitioner_id;
        if matches!(new.status, SessionStatus::Stopped | SessionStatus::NotDone | SessionStatus::EnteredInError) {
            let logged_at = new.stamp.created_at;
            let started = TreatmentSession {
                status: if new.status == SessionStatus::NotDone {
                    SessionStatus::Preparation
                } else {
                    SessionStatus::InProgress
                },
                ended_at: None,
                pain_score: None,
                immediate_reaction: None,
                note: None,
                stop_reason: None,
                stamp: Stamp::new(Some(by), new.started_at),
                ..new.clone()
            };
            new.stamp = started.stamp.changed(Some(by), logged_at);
            self.record_session(Action::Create, &started, &parts, started.stamp.created_at)?;
            self.record_session(Action::Update, &new, &parts, logged_at)?;
        } else {
            self.record_session(Action::Create, &new, &parts, new.stamp.created_at)?;
        }
        if let Some(at) = sign_at.filter(|at| self.has_come(*at)) {
            new.stamp = new.stamp.changed(Some(by), at);
            let content = Content { session: &new, parts: &parts };
            new.signature = Some(signing::sign(&content, by, at, Given::author())?);
            self.record_session(Action::Sign, &new, &parts, at)?;
        }
        self.chart.sessions.push((new, parts));
        Ok(())
    }

    fn record_session(
        &mut self,
        action: Action,
        session: &TreatmentSession,
        parts: &Parts,
        at: DateTime<Utc>,
    ) -> Result<()> {
        self.record(action, session, &Content { session, parts }, session.practitioner_id, at)
    }

    /// Adds an aftercare note, and signs it at a moment.
    pub(super) fn add_note(&mut self, mut new: AftercareNote, sign_at: Option<DateTime<Utc>>) -> Result<()> {
        let by = new.author_id;
        self.record(Action::Create, &new, &new, by, new.stamp.created_at)?;
        if let Some(at) = sign_at.filter(|at| self.has_come(*at)) {
            new.stamp = new.stamp.changed(Some(by), at);
            new.signature = Some(signing::sign(&new, by, at, Given::author())?);
            self.record(Action::Sign, &new, &new, by, at)?;
        }
        self.chart.notes.push(new);
        Ok(())
    }

    /// Adds an addendum.
    pub(super) fn add_addendum(&mut self, new: Addendum) -> Result<()> {
        self.record(Action::Create, &new, &new, new.author_id, new.added_at)?;
        self.chart.addenda.push(new);
        Ok(())
    }
}

/// A moment in working hours of a day: see `Scribe::visit`.
pub(super) fn visit(dice: &mut Dice, zone: Tz, day: NaiveDate) -> DateTime<Utc> {
    let day = if day.weekday() == Weekday::Sun { day + TimeDelta::days(1) } else { day };
    let minutes = 9 * 60 + dice.between(0, 34) * 15;
    let local = day.and_time(chrono::NaiveTime::MIN) + TimeDelta::minutes(minutes);
    zone.from_local_datetime(&local).earliest().map_or_else(|| local.and_utc(), |at| at.with_timezone(&Utc))
}

impl World {
    /// What was known of a lot at a moment.
    pub(super) fn known_lot(&self, number: &str, at: DateTime<Utc>) -> Option<ProductLot> {
        let mut lot = self.shelf.lot(number)?.clone();
        lot.recalled = lot.recalled.filter(|recall| recall.at <= at);
        Some(lot)
    }
}
