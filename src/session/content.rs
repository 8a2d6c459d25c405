//! What the ledger keeps of a session, and what its signature seals.

use super::{Parts, TreatmentSession};
use crate::record::Stamp;
use serde::ser::{Error, Serialize, SerializeMap, Serializer};

/// A session with its parts: all of it.
///
/// A signature is the hash of this as text, so the names of the fields and their order stay as they are, wherever the
/// database keeps them.
#[derive(Debug)]
pub struct Content<'a> {
    /// The session.
    pub session: &'a TreatmentSession,
    /// Its areas, products and checks.
    pub parts: &'a Parts,
}

/// Writes each of these variables as a field of its own name.
macro_rules! fields {
    ($content:ident: $($field:ident),+ $(,)?) => {
        $($content.serialize_entry(stringify!($field), $field)?;)+
    };
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // All fields by name: a new one is not forgotten here.
        let TreatmentSession {
            id,
            patient_id,
            practitioner_id,
            supervisor_id,
            location_id,
            status,
            started_at,
            ended_at,
            modality,
            device,
            skin_preparation,
            glide,
            anaesthetic,
            pain_score,
            immediate_reaction,
            note,
            stop_reason,
            plan_id,
            protocol_version_id,
            device_id,
            stamp: Stamp { version, created_at, created_by, updated_at, updated_by },
            signature,
            kept_parts: _,
        } = self.session;
        let Parts { areas, products, checks } = self.parts;
        let mut content = serializer.serialize_map(None)?;
        fields!(content: id, patient_id, practitioner_id, supervisor_id, location_id, status, started_at, ended_at);
        fields!(content: modality, device, skin_preparation, glide, anaesthetic, pain_score, immediate_reaction, note);
        fields!(content: stop_reason, plan_id, protocol_version_id, device_id, checks);
        fields!(content: version, created_at, created_by, updated_at, updated_by, signature, areas, products);
        content.end()
    }
}

impl Serialize for TreatmentSession {
    /// Only one that has its parts with it has a content.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.kept_parts {
            Some(parts) => Content { session: self, parts }.serialize(serializer),
            None => Err(S::Error::custom("a session without its areas, products and checks is no whole record")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::content_hash;
    use crate::record::hex;

    /// A session that was signed while its checks were one JSON column of its row, as the ledger has had it since: with its
    /// signature, and without it, as it was hashed.
    const SIGNED: &str = include_str!("signed.json");

    #[test]
    fn a_content_is_the_text_that_was_signed_before() {
        let mut session: TreatmentSession = serde_json::from_str(SIGNED.trim_end()).expect("a session");
        let parts = session.kept_parts.take().expect("its parts");
        assert_eq!((parts.areas.len(), parts.checks.len()), (2, 9));
        assert!(parts.checks.iter().any(|it| it.overridden.is_some()), "{:?}", parts.checks);
        let whole = serde_json::to_string(&Content { session: &session, parts: &parts }).expect("JSON");
        assert_eq!(whole, SIGNED.trim_end());
        let signature = session.signature.take().expect("a signature");
        let sealed = content_hash(&Content { session: &session, parts: &parts }).expect("a hash");
        assert_eq!(hex::text(&sealed), hex::text(&signature.content_hash));
        // Without its parts it is not taken for the whole.
        assert!(serde_json::to_string(&session).is_err());
    }
}
