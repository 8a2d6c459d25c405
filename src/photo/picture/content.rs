//! What the first bytes of a file say it is.

use crate::photo::MediaType;
use crate::photo::clean::PictureFault;

/// What the first bytes of a file say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A picture that is kept as it is.
    Picture(MediaType),
    /// HEIC or HEIF: what iPhones write. It is kept as a JPEG.
    Heic,
    /// AVIF.
    Avif,
    /// A form, with a picture in it perhaps.
    Multipart,
    /// Text, with a picture in it perhaps: base64, a data URL, JSON.
    Encoded,
    /// Anything else.
    Other,
}

/// How many bytes `sniff` needs.
pub const HEAD: usize = 12;

/// Tells a file by its first bytes, whatever its name and the request say.
pub fn sniff(head: &[u8]) -> Content {
    match head {
        [0xFF, 0xD8, 0xFF, ..] => Content::Picture(MediaType::Jpeg),
        [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Content::Picture(MediaType::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Content::Picture(MediaType::Webp),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => Content::Avif,
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
            if [b"hei", b"hev", b"mif", b"msf"].iter().any(|known| brand.starts_with(*known)) =>
        {
            Content::Heic
        }
        [b'-', b'-', ..] => Content::Multipart,
        _ if is_encoded(head) => Content::Encoded,
        _ => Content::Other,
    }
}

/// Whether text begins as base64 of a JPEG, PNG, WebP or HEIC does, as a data URL, or as JSON.
fn is_encoded(head: &[u8]) -> bool {
    let known: [&[u8]; 10] =
        [b"/9j/", b"iVBORw0KGgo", b"UklGR", b"data:", b"{\"", b"{ ", b"{\n", b"{\r", b"\"", b"[\""];
    // Of a HEIC: its length, below 64 KiB, then "ftyp".
    let heic = head.starts_with(b"AAA") && head.get(6..11) == Some(b"Z0eXB");
    heic || known.iter().any(|known| head.starts_with(known))
}

impl Content {
    /// Why it is not taken; none where it is.
    pub fn fault(self) -> Option<PictureFault> {
        match self {
            Self::Picture(_) => None,
            Self::Heic if cfg!(feature = "heic") => None,
            Self::Heic | Self::Avif => Some(PictureFault::Heic),
            Self::Multipart => Some(PictureFault::Multipart),
            Self::Encoded => Some(PictureFault::Encoded),
            Self::Other => Some(PictureFault::NotAPicture),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_content() {
        assert_eq!(sniff(b"\0\0\0\x18ftypheic\0\0"), Content::Heic);
        assert_eq!(sniff(b"\0\0\0\x1Cftypavif"), Content::Avif);
        assert_eq!(sniff(b"GIF89a"), Content::Other);
        assert_eq!(sniff(b""), Content::Other);
    }

    #[test]
    fn what_lies_around_a_picture_is_told_from_what_is_none() {
        use base64::Engine;
        let webp = b"RIFF\x24\0\0\0WEBP".to_vec();
        for file in [b"\xFF\xD8\xFF\xE0\0\x10JFIF\0".to_vec(), b"\x89PNG\r\n\x1A\n\0\0\0\x0D".to_vec(), webp] {
            let text = base64::prelude::BASE64_STANDARD.encode(&file);
            assert_eq!(sniff(text.as_bytes()), Content::Encoded, "{text}");
        }
        for length in [0x18, 0x1C, 0x20, 0x24, 0x2C, 0x34] {
            let heic = [&[0, 0, 0, length], &b"ftypheic"[..]].concat();
            let text = base64::prelude::BASE64_STANDARD.encode(&heic);
            assert_eq!(sniff(text.as_bytes()), Content::Encoded, "{text}");
        }
        assert_eq!(sniff(b"data:image/jpeg;base64,"), Content::Encoded);
        assert_eq!(sniff(br#"{"photo": "/9j/"}"#), Content::Encoded);
        assert_eq!(sniff(b"------WebKitFormBoundary7MA4"), Content::Multipart);
        assert_eq!(sniff(b"<html>"), Content::Other);
    }
}
