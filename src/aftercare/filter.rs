//! What lists of aftercare notes can be filtered and sorted by.

use super::{AftercareNote, AftercareNoteKind};
use crate::page::{self, Key};

page::list_filter! {
    /// Filter for a list of aftercare notes.
    #[graphql(name = "AftercareNoteFilter")]
    Filter => Condition {
        /// Of this patient.
        patient_id: id(Patient) "aftercare_note.patient_id",
        /// After this session.
        session_id: id(TreatmentSession) "aftercare_note.session_id",
        /// By this author.
        author_id: id(Staff) "aftercare_note.author_id",
        /// Of these kinds.
        kind: any_of(AftercareNoteKind) "aftercare_note.kind",
        /// True: only notes that a practitioner must look at. False: only the others.
        escalate: flag "aftercare_note.escalate",
        /// About this moment or a later one.
        noted_from: from "aftercare_note.noted_at",
        /// About a time before this moment.
        noted_before: before "aftercare_note.noted_at",
        /// True: signed ones only. False: drafts only.
        signed: present "aftercare_note.signed_at",
        /// Added or changed at or after this moment.
        updated_since: from "aftercare_note.updated_at",
    }
    record: "session_id";
}

page::list_order! {
    /// The order of a list of aftercare notes.
    #[graphql(name = "AftercareNoteOrder")]
    OrderBy /
    /// What lists of aftercare notes can be sorted by.
    #[graphql(name = "AftercareNoteOrderField")]
    OrderField of AftercareNote, id "aftercare_note.id", first Desc {
        /// The moment they tell of.
        NotedAt "notedAt" "aftercare_note.noted_at" as Key::Time(0) => |it| Key::time(it.noted_at),
        /// When they were added.
        CreatedAt "createdAt" "aftercare_note.created_at" as Key::Time(0) => |it| Key::time(it.stamp.created_at),
        /// When they were last changed.
        UpdatedAt "updatedAt" "aftercare_note.updated_at" as Key::Time(0) => |it| Key::time(it.stamp.updated_at),
    }
}
