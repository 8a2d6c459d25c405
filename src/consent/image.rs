//! What a drawn signature is, by its bytes.

/// The media type of an image, told by its content: a whole PNG or JPEG file.
pub fn image_type(bytes: &[u8]) -> Option<&'static str> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const PNG_END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";
    if bytes.starts_with(PNG) && bytes.ends_with(PNG_END) && bytes.len() > 45 {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") && bytes.ends_with(b"\xff\xd9") && bytes.len() > 100 {
        Some("image/jpeg")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_by_its_content() {
        let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0; 30], b"\0\0\0\0IEND\xaeB`\x82"].concat();
        let jpeg = [b"\xff\xd8\xff\xe0".as_slice(), &[0; 100], b"\xff\xd9"].concat();
        assert_eq!((image_type(&png), image_type(&jpeg)), (Some("image/png"), Some("image/jpeg")));
        for wrong in [&png[..png.len() - 1], &jpeg[1..], b"<svg></svg>", b""] {
            assert_eq!(image_type(wrong), None);
        }
    }
}
