//! A picture's file without what is not the picture; and, from its headers alone, how large it is and what unpacking it
//! takes. Nothing but a packed colour profile is unpacked here, and nothing is believed that the decoders would not read the same way.

mod cleaned;
mod frame;
mod huffman;
mod jpeg;
mod png;
mod profile;
mod webp;
mod whole;

pub use cleaned::{Cleaned, JpegKind, MOST_OF_PROFILE, MOST_SIDE, PictureFault};
pub use jpeg::adobe_of_jpeg;
pub use png::colours_of_png;
pub use profile::own_profile;
pub use whole::jpeg_is_whole;

use super::MediaType;
use jpeg::clean_jpeg;
use png::clean_png;
use webp::clean_webp;

/// Takes out of a file what is not the picture.
pub fn clean(bytes: &[u8], media_type: MediaType) -> Result<Cleaned, PictureFault> {
    let cleaned = clean_with(bytes, media_type, true)?;
    if cleaned.profile <= MOST_OF_PROFILE {
        return Ok(cleaned);
    }
    drop(cleaned);
    without_profile(bytes, media_type)
}

/// The same, and its colour profile too.
pub fn without_profile(bytes: &[u8], media_type: MediaType) -> Result<Cleaned, PictureFault> {
    clean_with(bytes, media_type, false)
}

fn clean_with(bytes: &[u8], media_type: MediaType, profiled: bool) -> Result<Cleaned, PictureFault> {
    match media_type {
        MediaType::Jpeg => clean_jpeg(bytes, profiled),
        MediaType::Png => clean_png(bytes, profiled),
        MediaType::Webp => clean_webp(bytes, profiled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::metadata::Orientation;

    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).expect("short").to_be_bytes();
        [&[0xFF, marker], &length[..], content].concat()
    }

    /// A JPEG of 5,000 by 4,000 pixels with three components at these samplings, and so many scans of these components.
    fn jpeg(marker: u8, samples: [u8; 3], scans: usize, components: u8) -> Vec<u8> {
        let mut frame = vec![8, 0x0F, 0xA0, 0x13, 0x88, 3];
        frame.extend(samples.iter().zip(1..).flat_map(|(sample, id)| [id, *sample, 0]));
        let head = (0..components).flat_map(|id| [id + 1, 0]).collect::<Vec<_>>();
        let scan = segment(0xDA, &[&[components], &head[..], &[0, 63, 0]].concat());
        [vec![0xFF, 0xD8], segment(marker, &frame), scan.repeat(scans), vec![0xFF, 0xD9]].concat()
    }

    #[test]
    fn what_a_jpeg_keeps_beside_its_pixels_is_known_from_its_head() {
        let beside = |bytes: &[u8]| clean(bytes, MediaType::Jpeg).map(|cleaned| cleaned.beside);
        let blocks = |across: u64, down: u64| 5000_u64.div_ceil(across) * 4000_u64.div_ceil(down) * 128;
        assert_eq!(beside(&jpeg(0xC0, [0x22, 0x11, 0x11], 1, 3)), Ok(0), "a row at a time");
        assert_eq!(beside(&jpeg(0xC2, [0x22, 0x11, 0x11], 1, 3)), Ok(6 * blocks(16, 16)), "progressive");
        assert_eq!(beside(&jpeg(0xC0, [0x11, 0x11, 0x11], 3, 1)), Ok(3 * blocks(8, 8)), "one component after another");
        assert_eq!(clean(&jpeg(0xC0, [0x11; 3], 1, 3), MediaType::Jpeg).map(|it| it.pixels), Ok(20_000_000));
    }

    #[test]
    fn a_jpeg_of_too_many_scans_or_two_frames_is_refused() {
        let scans = |count| clean(&jpeg(0xC2, [0x22, 0x11, 0x11], count, 3), MediaType::Jpeg).map(|_| ());
        assert_eq!(scans(10), Ok(()));
        assert_eq!(scans(32), Ok(()));
        assert_eq!(scans(33), Err(PictureFault::TooDear));
        let (one, other) = (jpeg(0xC0, [0x11; 3], 1, 3), jpeg(0xC0, [0x44; 3], 1, 3));
        let both = [&one[..one.len() - 2], &other[2..]].concat();
        assert_eq!(clean(&both, MediaType::Jpeg).err(), Some(PictureFault::Broken));
        assert_eq!(clean(&jpeg(0xC0, [0x11, 0x01, 0x11], 1, 3), MediaType::Jpeg).err(), Some(PictureFault::Broken));
    }

    /// A JPEG whose profile lies in so many full segments.
    fn profiled_jpeg(segments: usize) -> Vec<u8> {
        let plain = jpeg(0xC0, [0x11; 3], 1, 3);
        let profile = segment(0xE2, &[&b"ICC_PROFILE\0\x01\x01"[..], &[7; 65_500]].concat());
        [&plain[..2], &profile.repeat(segments), &plain[2..]].concat()
    }

    #[test]
    fn a_profile_that_is_not_packed_is_taken_out_where_it_is_larger_than_any_is() {
        let kept = clean(&profiled_jpeg(32), MediaType::Jpeg).expect("clean");
        assert_eq!((kept.profile, kept.bytes.len()), (32 * 65_514, profiled_jpeg(32).len()));
        let plain = clean(&jpeg(0xC0, [0x11; 3], 1, 3), MediaType::Jpeg).expect("clean");
        assert_eq!(clean(&profiled_jpeg(65), MediaType::Jpeg).expect("clean"), plain);
        let (mut canvas, small, large) = ([0_u8; 10], vec![7; 2_000_000], vec![7; 2_200_000]);
        canvas[0] = 0x20;
        let kept = clean(&webp(&[(b"VP8X", &canvas), (b"ICCP", &small)]), MediaType::Webp).expect("clean");
        assert_eq!((kept.profile, kept.bytes.len(), kept.bytes[20]), (2_000_000, 30 + 8 + 2_000_000, 0x20));
        let twice = webp(&[(b"VP8X", &canvas), (b"ICCP", &large), (b"ICCP", &large)]);
        let kept = clean(&twice, MediaType::Webp).expect("clean");
        assert_eq!((kept.profile, kept.bytes.len(), kept.bytes[20]), (0, 30, 0));
    }

    #[test]
    fn a_webp_is_turned_by_the_first_exif_of_one_that_may_have_any() {
        let exif = |orientation: u8| {
            let head = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
            [&head[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
        };
        let (canvas, lossless) = ([8_u8, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0x2F, 0, 0, 0, 0, 0]);
        let way_up = |chunks: &[_]| clean(&webp(chunks), MediaType::Webp).map(|it| it.orientation);
        let both = [(b"VP8X", &canvas[..]), (b"EXIF", &exif(6)), (b"EXIF", &exif(3))];
        assert_eq!(way_up(&both), Ok(Orientation::Rotate90));
        assert_eq!(way_up(&[(b"VP8L", &lossless), (b"EXIF", &exif(6))]), Ok(Orientation::NoTransforms));
    }

    fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut body = b"WEBP".to_vec();
        for (name, content) in chunks {
            body.extend_from_slice(*name);
            body.extend_from_slice(&u32::try_from(content.len()).expect("short").to_le_bytes());
            body.extend_from_slice(content);
        }
        [&b"RIFF"[..], &u32::try_from(body.len()).expect("short").to_le_bytes(), &body].concat()
    }

    #[test]
    fn what_is_packed_without_loss_is_weighed_by_its_length() {
        fn codes(chunks: &[(&[u8; 4], &[u8])]) -> Result<u64, PictureFault> {
            clean(&webp(chunks), MediaType::Webp).map(|it| it.codes)
        }
        let (canvas, frame) = ([0_u8; 10], [0, 0, 0, 0x9D, 0x01, 0x2A, 8, 0, 8, 0]);
        let long = |head: &[u8]| [head, &vec![0; 40_000 - head.len()]].concat();
        let (lossy, lossless) = (long(&frame), long(&[0x2F, 0, 0, 0, 0]));
        assert_eq!(codes(&[(b"VP8L", &lossless)]), Ok(40_000 * 10_240));
        assert_eq!(codes(&[(b"VP8 ", &lossy)]), Ok(0));
        // Transparency: as it is, filtered or not, and packed.
        for (head, expected) in [(0, 0), (4, 0), (1, 40_000 * 10_240), (0x1D, 40_000 * 10_240), (3, 40_000 * 10_240)] {
            let alpha = long(&[head]);
            let found = codes(&[(b"VP8X", &canvas[..]), (b"ALPH", &alpha[..]), (b"VP8 ", &lossy[..])]);
            assert_eq!(found, Ok(expected), "{head}");
        }
        let both = [(b"VP8X", &canvas[..]), (b"VP8L", &lossless), (b"VP8L", &lossless)];
        assert_eq!(codes(&both), Ok(80_000 * 10_240), "whichever is read");
    }

    #[test]
    fn a_webp_is_as_large_as_the_largest_of_its_headers_says() {
        let canvas = [0_u8; 10];
        let frame = [0, 0, 0, 0x9D, 0x01, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F];
        let small = clean(&webp(&[(b"VP8X", &canvas)]), MediaType::Webp).expect("clean");
        assert_eq!(small.pixels, 1);
        let large = clean(&webp(&[(b"VP8X", &canvas), (b"VP8 ", &frame)]), MediaType::Webp).expect("clean");
        assert_eq!((large.pixels, large.beside), (16_383 * 16_383, 3 * 16_383 * 16_383));
        let lossless = [0x2F, 0xFF, 0xFF, 0xFF, 0x0F, 0];
        let large = clean(&webp(&[(b"VP8L", &lossless)]), MediaType::Webp).expect("clean");
        assert_eq!((large.pixels, large.beside), (16_384 * 16_384, 5 * 16_384 * 16_384));
        assert_eq!(clean(&webp(&[(b"ANIM", b"      ")]), MediaType::Webp).err(), Some(PictureFault::Animated));
    }
}
