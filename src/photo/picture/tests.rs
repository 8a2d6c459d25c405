mod colours;
#[cfg(feature = "heic")]
mod heic;
mod turned;

use super::read::read_head;
use super::write::encode;
use super::*;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder};
use proptest::prelude::*;

fn plain(media_type: MediaType) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8 * 4, y as u8 * 6, 90]));
    let mut bytes = Vec::new();
    encode(&DynamicImage::ImageRgb8(picture), media_type, None, &mut bytes).expect("encodes");
    bytes
}

/// A JPEG with an EXIF segment that has an orientation and a word that must go.
fn with_exif(orientation: u8) -> Vec<u8> {
    let plain = plain(MediaType::Jpeg);
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend_from_slice(b"SECRET-GPS");
    let mut bytes = plain[..2].to_vec();
    bytes.extend_from_slice(&[0xFF, 0xE1]);
    bytes.extend_from_slice(&u16::try_from(exif.len() + 2).expect("short").to_be_bytes());
    bytes.extend_from_slice(&exif);
    bytes.extend_from_slice(&[0xFF, 0xFE, 0, 8]);
    bytes.extend_from_slice(b"REMARK");
    bytes.extend_from_slice(&plain[2..]);
    bytes.extend_from_slice(b"TRAILER with a film in it");
    bytes
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[test]
fn a_jpeg_loses_its_metadata_and_not_a_pixel() {
    let bytes = with_exif(1);
    let picture = prepare(&bytes).expect("a picture");
    for word in [&b"SECRET-GPS"[..], b"Exif", b"REMARK", b"TRAILER"] {
        assert!(holds(&bytes, word) && !holds(&picture.bytes, word));
    }
    let pixels = |bytes: &[u8]| decode(bytes, MediaType::Jpeg, MOST_MEMORY).expect("decodes").into_rgb8();
    assert_eq!(pixels(&bytes), pixels(&picture.bytes));
    assert_eq!((picture.width, picture.height), (60, 40));
    assert_eq!(picture.bytes, prepare(&picture.bytes).expect("a picture").bytes, "cleaning twice changes nothing");
}

#[test]
fn a_picture_is_turned_the_right_way_up() {
    let picture = prepare(&with_exif(6)).expect("a picture");
    assert_eq!((picture.width, picture.height), (40, 60));
    assert!(!holds(&picture.bytes, b"Exif"));
}

#[test]
fn png_and_webp_lose_what_is_not_the_picture() {
    let mut png = plain(MediaType::Png);
    let end = png.len() - 12;
    png.splice(end..end, b"\0\0\0\x05tEXtHello....".iter().copied());
    assert!(!holds(&prepare(&png).expect("a picture").bytes, b"Hello"));
    let mut webp = plain(MediaType::Webp);
    webp.extend_from_slice(b"EXIF\x04\0\0\0GPS!");
    let size = u32::try_from(webp.len() - 8).expect("short").to_le_bytes();
    webp.splice(4..8, size);
    assert!(!holds(&prepare(&webp).expect("a picture").bytes, b"GPS!"));
}

#[test]
fn a_cut_picture_is_refused() {
    for media_type in [MediaType::Jpeg, MediaType::Png, MediaType::Webp] {
        let whole = plain(media_type);
        assert!(prepare(&whole).is_ok());
        for cut in [13, whole.len() / 2, whole.len() - 2] {
            assert_eq!(prepare(&whole[..cut]).err(), Some(PictureFault::Broken), "{media_type:?} cut at {cut}");
        }
    }
}

#[test]
fn a_picture_larger_than_memory_is_refused_before_it_is_decoded() {
    let mut png = plain(MediaType::Png);
    png.splice(16..24, [0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let crc = crc32(&png[12..29]).to_be_bytes();
    png.splice(29..33, crc);
    assert_eq!(prepare(&png).err(), Some(PictureFault::TooManyPixels));
}

/// The head of a PNG, and no more of it than its decoder asks for.
fn png_of(width: u32, height: u32, depth: u8, kind: u8) -> Vec<u8> {
    let mut png = plain(MediaType::Png);
    png.splice(16..24, [width.to_be_bytes(), height.to_be_bytes()].concat());
    (png[24], png[25]) = (depth, kind);
    let crc = crc32(&png[12..29]).to_be_bytes();
    png.splice(29..33, crc);
    png
}

#[test]
fn a_picture_is_weighed_by_its_head() {
    let fault = |width, height, depth, kind| look(&png_of(width, height, depth, kind), MOST_MEMORY).err();
    assert_eq!(fault(7900, 8000, 8, 2), None, "190 MB");
    assert_eq!(fault(7900, 8000, 16, 6), Some(PictureFault::TooDear), "506 MB");
    assert_eq!(fault(6000, 6000, 16, 6), None, "288 MB");
    assert_eq!(fault(8001, 8000, 8, 0), Some(PictureFault::TooManyPixels));
    assert_eq!(fault(65_536, 1, 8, 0), Some(PictureFault::TooManyPixels), "a row is kept apart");
    let seen = look(&png_of(1000, 1000, 8, 2), MOST_MEMORY).expect("a look").seen();
    assert_eq!(seen.pixels, 1_000_000);
    assert!((22_000_000..24_000_000).contains(&seen.memory), "{seen:?}");
    let least = seen.memory;
    assert!(look(&png_of(1000, 1000, 8, 2), least).is_ok());
    assert_eq!(look(&png_of(1000, 1000, 8, 2), least - 1).err(), Some(PictureFault::TooDear));
}

/// A WebP of one chunk of so many bytes, whose picture is 8 by 8.
fn webp_of(name: &[u8; 4], head: &[u8], length: usize) -> Vec<u8> {
    let mut chunk = head.to_vec();
    chunk.resize(length, 0);
    let size = |length: usize| u32::try_from(length).expect("short").to_le_bytes();
    [&b"RIFF"[..], &size(length + 12), b"WEBP", name, &size(length), &chunk].concat()
}

#[test]
fn a_long_lossless_webp_is_refused_by_its_head() {
    let lossless = |length| webp_of(b"VP8L", &[0x2F, 7, 0xC0, 1, 0], length);
    let fault = |file: &[u8], memory| look(file, memory).err();
    assert_eq!(fault(&lossless(38_000), MOST_MEMORY), None, "380 MB");
    assert_eq!(fault(&lossless(40_000), MOST_MEMORY), Some(PictureFault::Lossless), "400 MB");
    assert_eq!(fault(&lossless(9_000), 64 * MIB), Some(PictureFault::Lossless), "as much as there is");
    assert_eq!(prepare(&lossless(42_140)).err(), Some(PictureFault::Lossless));
    let seen = look(&lossless(10_000), MOST_MEMORY).expect("a look").seen();
    assert!((110_000_000..112_000_000).contains(&seen.memory), "{seen:?}");
    let lossy = webp_of(b"VP8 ", &[0x10, 0, 0, 0x9D, 0x01, 0x2A, 8, 0, 8, 0], 1_000_000);
    let seen = look(&lossy, MOST_MEMORY).expect("a look").seen();
    assert!(seen.memory < 12 * MIB, "{seen:?}");
    let seen = look(&plain(MediaType::Webp), MOST_MEMORY).expect("a look").seen();
    assert!(seen.memory < 64 * MIB, "what is small is taken: {seen:?}");
}

/// So many bytes of nothing, packed: the pixels of a black picture are.
fn packed(length: usize) -> Vec<u8> {
    use image::codecs::png::{CompressionType, FilterType};
    let (width, height) = (1023, u32::try_from(length / 1024).expect("a height"));
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::NoFilter)
        .write_image(&vec![0; 1023 * (length / 1024)], width, height, ExtendedColorType::L8)
        .expect("encodes");
    let (mut chunks, mut data) = (&png[8..], Vec::new());
    while !chunks.is_empty() {
        let length = u32::from_be_bytes(chunks[..4].try_into().expect("four")) as usize;
        if &chunks[4..8] == b"IDAT" {
            data.extend_from_slice(&chunks[8..8 + length]);
        }
        chunks = &chunks[12 + length..];
    }
    data
}

fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [name, content].concat();
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    [&length[..], &named, &crc32(&named).to_be_bytes()].concat()
}

/// A PNG with these chunks after its head.
fn png_with(chunks: &[Vec<u8>]) -> Vec<u8> {
    let plain = plain(MediaType::Png);
    [&plain[..33], &chunks.concat(), &plain[33..]].concat()
}

fn packed_profile(length: usize) -> Vec<u8> {
    chunk(b"iCCP", &[&b"p\0\0"[..], &packed(length)].concat())
}

#[test]
fn no_more_of_a_packed_profile_is_unpacked_than_any_has() {
    const MIB: usize = 1024 * 1024;
    let plain_file = plain(MediaType::Png);
    let profile = |length| {
        let (cleaned, head) = headed(&png_with(&[packed_profile(length)]), MediaType::Png).expect("a head");
        let unpacked = head.profile.map(|it| it.len());
        assert_eq!(unpacked.is_some(), holds(&cleaned.bytes, b"iCCP"), "what is not told is not kept");
        assert!(unpacked.is_some() || cleaned.bytes == plain_file);
        unpacked
    };
    assert_eq!(profile(3 * MIB), Some(3 * MIB), "larger than real ones");
    for length in [4 * MIB + 1024, 60 * MIB, 64 * MIB] {
        assert_eq!(profile(length), None, "{length}");
    }
    let bomb = png_with(&[packed_profile(60 * MIB)]);
    assert!(bomb.len() < MIB, "{}", bomb.len());
    assert!(look(&bomb, MOST_MEMORY).expect("a look").seen().memory < 12 * MIB as u64);
    let picture = prepare(&bomb).expect("a picture");
    assert!(picture.bytes == plain_file && !holds(&picture.thumbnail, b"ICC_PROFILE"));
    let weight = |file: &[u8]| look(file, MOST_MEMORY).expect("a look").seen().memory;
    assert!(weight(&png_with(&[packed_profile(3 * MIB)])) > weight(&plain_file) + 6 * MIB as u64);
}

#[test]
fn of_several_profiles_one_is_kept_and_packed_text_is_not_unpacked() {
    let (small, bomb) = (packed_profile(2048), packed_profile(60 << 20));
    let first = prepare(&png_with(&[small.clone(), bomb.clone()])).expect("a picture");
    assert!(first.bytes == png_with(std::slice::from_ref(&small)), "the second goes");
    let second = prepare(&png_with(&[bomb, small.clone()])).expect("a picture");
    assert!(second.bytes == plain(MediaType::Png), "a decoder reads the first, or none");
    let content = [&b"XML:com.adobe.xmp\0\x01\0\0\0"[..], &packed(60 << 20)].concat();
    let texts = [chunk(b"iTXt", &content), chunk(b"zTXt", &[&b"p\0\0"[..], &packed(60 << 20)].concat())];
    let long = chunk(b"tEXt", &[&b"p\0"[..], &vec![b'x'; 9 << 20]].concat());
    let texts = png_with(&[texts.concat(), long]);
    assert!(prepare(&texts).expect("a picture").bytes == plain(MediaType::Png), "however long it is");
}

#[test]
fn a_profile_is_in_the_picture_and_the_turned_one_and_not_in_the_thumbnail() {
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    for (chunks, size) in [(Vec::new(), (60, 40)), (chunk(b"eXIf", exif), (40, 60))] {
        let picture = prepare(&png_with(&[packed_profile(2048), chunks])).expect("a picture");
        assert_eq!((picture.width, picture.height), size);
        assert!(holds(&picture.bytes, b"iCCP") && !holds(&picture.thumbnail, b"ICC_PROFILE"));
        assert!(!holds(&picture.bytes, b"eXIf"));
        assert_eq!(read_head(&picture.bytes, MediaType::Png).expect("a head").profile, Some(vec![0; 2048]));
    }
}

#[test]
fn what_is_kept_is_hashed_before_it_is_unpacked_unless_it_is_turned() {
    for (bytes, upright) in [(with_exif(1), true), (plain(MediaType::Png), true), (with_exif(6), false)] {
        let seen = look(&bytes, MOST_MEMORY).expect("a look").seen();
        assert_eq!(seen.hash.is_some(), upright);
        assert_eq!(
            seen.hash.unwrap_or(prepare(&bytes).expect("a picture").hash.clone()),
            prepare(&bytes).expect("a picture").hash
        );
    }
}

#[test]
fn a_jpeg_is_turned_as_if_it_had_been_copied() {
    for exif in 2..=8 {
        let bytes = with_exif(exif);
        let orientation = Orientation::from_exif(exif).expect("an orientation");
        let mut copied = decode(&bytes, MediaType::Jpeg, MOST_MEMORY).expect("a picture");
        copied.apply_orientation(orientation);
        let mut file = Vec::new();
        encode(&copied, MediaType::Jpeg, None, &mut file).expect("a file");
        let picture = prepare(&bytes).expect("a picture");
        assert!(picture.bytes == file, "{orientation:?}");
        assert_eq!((picture.width, picture.height), (copied.width(), copied.height()));
        let small = decode(&picture.thumbnail, MediaType::Jpeg, MOST_MEMORY).expect("a thumbnail");
        assert_eq!((small.width(), small.height()), (copied.width(), copied.height()));
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn damage_gives_a_fault_or_a_picture_and_no_panic(
        kind in 0_usize..3, damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)
    ) {
        let media_type = [MediaType::Jpeg, MediaType::Png, MediaType::Webp][kind];
        let mut bytes = plain(media_type);
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = prepare(&bytes);
    }
}
