//! Why an address does not do what was asked of it.

use crate::error::Error;
use crate::photo::MOST_BYTES;
use crate::photo::intake::Busy;
use crate::photo::picture::{JpegKind, PictureFault};

/// Why an address does not do what was asked of it, for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// A stable word.
    pub code: &'static str,
    /// What is wrong and what would be valid.
    pub message: String,
    /// Seconds after which another try makes sense.
    pub retry_after: Option<u64>,
}

impl Refused {
    /// A refusal.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: (status == 503).then_some(1) }
    }

    pub(super) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    pub(super) fn unknown() -> Self {
        Self::new(404, "NOT_FOUND", "this is not an address that this service gave out")
    }

    /// The body is too long.
    pub fn too_large() -> Self {
        Self::new(
            413,
            "PHOTO_TOO_LARGE",
            format!("the picture is larger than 25 MiB ({MOST_BYTES} bytes): send a smaller one"),
        )
    }

    /// The body broke off.
    pub fn cut() -> Self {
        Self::new(400, "UPLOAD_CUT", "the upload broke off before its end; nothing was kept: send it again")
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if let Error::Internal(cause) = &error {
            tracing::error!(cause, "a photo's bytes");
        }
        let (status, message) = match &error {
            Error::Unauthenticated(..) | Error::Forbidden(_) | Error::SecondFactorMissing | Error::ReasonRequired => {
                (403, error.public_message())
            }
            Error::NotFound(_) => (404, error.public_message()),
            Error::Conflict { .. } => (409, error.public_message()),
            Error::Unavailable => (503, error.public_message()),
            Error::RateLimited { .. } => (429, error.public_message()),
            Error::Internal(_) => (500, error.public_message()),
            _ => (400, error.public_message()),
        };
        let refused = Self::new(status, error.code(), message);
        match error {
            Error::RateLimited { retry_after } => refused.after(retry_after),
            _ => refused,
        }
    }
}

impl From<Busy> for Refused {
    fn from(busy: Busy) -> Self {
        match busy {
            Busy::Address => Self::new(
                409,
                "UPLOAD_UNDER_WAY",
                "another upload to this address is under way: let it end, or try again in some seconds",
            ),
            Busy::Others => {
                Self::new(503, "UNAVAILABLE", "many pictures are being uploaded: try again in some seconds")
            }
        }
        .after(5)
    }
}

impl From<PictureFault> for Refused {
    fn from(fault: PictureFault) -> Self {
        let (status, code, message) = match fault {
            PictureFault::NotAPicture => {
                (415, "NOT_A_PHOTO", "this is no picture that is taken: send a JPEG, PNG, WebP or HEIC")
            }
            PictureFault::Heic => (
                415,
                "HEIC_NOT_TAKEN",
                "this HEIC or AVIF can't be read: AVIF, films and pictures with high dynamic range are not taken. Send a JPEG \
                 (iPhone: Settings, Camera, Formats, Most Compatible; or share the picture as JPEG)",
            ),
            PictureFault::Multipart => (
                415,
                "NOT_A_PHOTO",
                "this is a form (multipart): send the bytes of the file itself as the body of the PUT, with nothing around \
                 them, as fetch(url, {method: \"PUT\", body: file}) and curl --upload-file do",
            ),
            PictureFault::Encoded => (
                415,
                "NOT_A_PHOTO",
                "this is text (base64, a data URL or JSON): send the bytes of the file itself as the body of the PUT, not \
                 encoded",
            ),
            PictureFault::JpegKind(kind) => (415, "JPEG_NOT_TAKEN", jpeg_kind(kind)),
            PictureFault::Animated => (415, "NOT_A_PHOTO", "this picture moves: send a still JPEG, PNG or WebP"),
            PictureFault::Broken => {
                (400, "PHOTO_BROKEN", "the picture can't be read to its end, it may have been cut: send it again")
            }
            PictureFault::TooManyPixels => {
                (413, "PHOTO_TOO_LARGE", "the picture has more than 64 megapixels: send a smaller one")
            }
            PictureFault::TooDear => (
                413,
                "PHOTO_TOO_LARGE",
                "unpacking the picture takes more memory than there is for one, or too long: send a smaller one, with 8 \
                 bits a channel, or a plain JPEG",
            ),
            PictureFault::Lossless => (
                413,
                "PHOTO_TOO_LARGE",
                "a WebP of this size that is packed without loss, or whose transparency is, may take more memory than there \
                 is for one picture: send it as a JPEG, as a PNG, or as a lossy WebP without transparency",
            ),
        };
        Self::new(status, code, message)
    }
}

fn jpeg_kind(kind: JpegKind) -> &'static str {
    match kind {
        JpegKind::Lossless => {
            "this JPEG is packed without loss (JPEG lossless or JPEG-LS), which browsers do not show: save it as a usual JPEG, \
             or without loss as a PNG"
        }
        JpegKind::Hierarchical => {
            "this JPEG is hierarchical, which browsers do not show: save it as a usual (baseline or progressive) JPEG"
        }
        JpegKind::Arithmetic => {
            "this JPEG has arithmetic coding, which browsers do not show: save it as a usual JPEG, with Huffman coding"
        }
        JpegKind::Bits => {
            "this JPEG has more than 8 bits a channel, which browsers do not show: save it with 8 bits, or as a PNG with 16"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_place_or_memory_in_time_is_told_when_to_come_again() {
        let told = |busy| {
            let refused = Refused::from(busy);
            (refused.status, refused.code, refused.retry_after)
        };
        assert_eq!(told(Busy::Others), (503, "UNAVAILABLE", Some(5)));
        assert_eq!(told(Busy::Address), (409, "UPLOAD_UNDER_WAY", Some(5)));
        let limited = Refused::from(Error::RateLimited { retry_after: 42 });
        assert_eq!((limited.status, limited.retry_after), (429, Some(42)));
        assert_eq!(Refused::from(Error::Unavailable).retry_after, Some(1));
        assert_eq!(Refused::cut().retry_after, None);
    }

    #[test]
    fn what_would_fail_again_is_not_asked_for_again() {
        use JpegKind::{Arithmetic, Bits, Hierarchical, Lossless};
        for kind in [Lossless, Hierarchical, Arithmetic, Bits] {
            let refused = Refused::from(PictureFault::JpegKind(kind));
            assert_eq!((refused.status, refused.code), (415, "JPEG_NOT_TAKEN"));
            assert!(!refused.message.contains("again") && refused.message.contains("save it"), "{}", refused.message);
        }
        for fault in [PictureFault::Multipart, PictureFault::Encoded] {
            let refused = Refused::from(fault);
            assert_eq!((refused.status, refused.code), (415, "NOT_A_PHOTO"));
            assert!(
                refused.message.contains("the bytes of the file itself as the body of the PUT"),
                "{}",
                refused.message
            );
        }
    }
}
