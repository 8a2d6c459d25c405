//! What the fuzz targets run: each takes any bytes, gives nothing back and must not panic. `tests/api/corpora.rs` runs the
//! kept inputs through the same functions. No part of the API.

use crate::api;
use crate::backup;
use crate::evidence::{Checkpoint, KeyRing};
use crate::gate::{DocumentCache, DocumentLimits};
use crate::http;
use crate::ids;
use crate::keys;
use crate::page::fuzz_cursor;
use crate::photo;
use async_graphql::Variables;
use std::path::Path;
use std::sync::LazyLock;

/// A target: its name, which is that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("request_gate", request_gate),
    ("request_parameters", request_parameters),
    ("cursor", cursor),
    ("id", id),
    ("photo_header", photo_header),
    ("heic", heic),
    ("files", files),
];

static SCHEMA: LazyLock<api::Schema> = LazyLock::new(api::never_run);
static GATE: LazyLock<Option<DocumentCache>> =
    LazyLock::new(|| DocumentCache::new(DocumentLimits::default(), &SCHEMA.sdl()).ok());

/// A document, and after a NUL, if there is one, its variables as JSON: through the gate, and what passes through what the
/// engine looks at before it runs.
pub fn request_gate(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let Some(text) = parts.next().and_then(|text| std::str::from_utf8(text).ok()) else { return };
    let json = parts.next().and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_default();
    let variables = Variables::from_json(json);
    let Some(gate) = GATE.as_ref() else { return };
    if let Ok(admitted) = gate.admit(text, None, &variables) {
        let _ = (admitted.kind(), admitted.name(), admitted.is_public(), admitted.root_field(), admitted.cost());
        let request = admitted.request(variables);
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() {
            runtime.block_on(SCHEMA.execute(request));
        }
    }
}

/// A request's body, its query string, and its headers.
pub fn request_parameters(bytes: &[u8]) {
    http::request::fuzz(bytes);
}

/// A cursor as it comes from a client.
pub fn cursor(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        fuzz_cursor(text);
    }
}

/// A typed id as it comes from a client: one that is read is shown as it came.
pub fn id(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some((kind, id)) = ids::parse_any(text) {
        assert_eq!(ids::show(kind, id), text);
        assert_eq!(ids::parse(kind, text), Ok(id));
    }
}

/// An uploaded file: told, looked at, cleaned, decoded. A picture that is taken is taken again.
pub fn photo_header(bytes: &[u8]) {
    if let Ok(picture) = photo::picture::prepare(bytes) {
        // One that is turned is kept without loss, and may be longer for it than what is taken without loss.
        let again = photo::picture::prepare(&picture.bytes);
        assert!(matches!(again, Ok(_) | Err(photo::picture::PictureFault::Lossless)));
    }
}

/// A HEIC: its head, its pieces, and the JPEG that is kept of it.
pub fn heic(bytes: &[u8]) {
    if photo::picture::sniff(bytes) == photo::picture::Content::Heic
        && let Ok(picture) = photo::picture::prepare(bytes)
    {
        assert!(photo::picture::prepare(&picture.bytes).is_ok());
    }
}

/// The bytes of each file that is taken in: persisted documents, keys and certificates, checkpoints, a backup.
pub fn files(bytes: &[u8]) {
    let file = Path::new("file");
    let _ = (keys::of_bytes(file, bytes), http::tls::of_bytes((file, bytes), (file, bytes)));
    backup::fuzz(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(ring) = KeyRing::parse(text) {
        assert!(ring.pem().is_ok_and(|pem| KeyRing::parse(&pem).is_ok()));
    }
    let _ = Checkpoint::parse("file", text);
    if let Some(gate) = GATE.as_ref() {
        api::persisted::fuzz(text, gate);
    }
}
