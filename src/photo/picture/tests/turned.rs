//! Pictures that are written anew because they are turned.

use super::*;

const EXIF: &[u8] = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
const LOSSY: &[u8] = include_bytes!("../../../../fuzz/corpus/photo_header/webp_lossy_turned");
const TRANSPARENT: &[u8] = include_bytes!("../../../../fuzz/corpus/photo_header/webp_alpha_turned");

#[test]
fn a_webp_is_turned_by_exif_that_begins_as_in_a_jpeg() {
    assert!(holds(LOSSY, b"Exif\0\0MM"));
    let picture = prepare(LOSSY).expect("a picture");
    assert_eq!((picture.width, picture.height), (48, 64));
    assert!(holds(LOSSY, b"SECRET") && !holds(&picture.bytes, b"SECRET") && !holds(&picture.bytes, b"Exif"));
}

#[test]
fn a_turned_webp_of_a_photo_becomes_a_jpeg_and_what_is_transparent_stays() {
    let picture = prepare(LOSSY).expect("a picture");
    assert_eq!((picture.media_type, sniff(&picture.bytes)), (MediaType::Jpeg, Content::Picture(MediaType::Jpeg)));
    let mut before = decode(LOSSY, MediaType::Webp, MOST_MEMORY).expect("a picture");
    before.apply_orientation(Orientation::Rotate90);
    let after = decode(&picture.bytes, MediaType::Jpeg, MOST_MEMORY).expect("a picture").into_rgb8();
    assert_eq!(after.dimensions(), (before.width(), before.height()));
    let far = before.into_rgb8().iter().zip(after.iter()).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(far < Some(24), "{far:?}");
    let picture = prepare(TRANSPARENT).expect("a picture");
    assert_eq!((picture.media_type, picture.width), (MediaType::Webp, 48));
    let after = decode(&picture.bytes, MediaType::Webp, MOST_MEMORY).expect("a picture");
    assert!(after.to_rgba8().pixels().any(|pixel| pixel.0[3] < 128));
}

#[test]
fn a_turned_png_keeps_what_says_its_colours() {
    let colours = [
        chunk(b"cICP", &[12, 13, 0, 1]),
        chunk(b"sRGB", &[0]),
        chunk(b"gAMA", &45_455_u32.to_be_bytes()),
        chunk(b"cHRM", &[7; 32]),
        packed_profile(2048),
    ];
    let about = [chunk(b"tEXt", b"Author\0SECRET"), chunk(b"eXIf", EXIF)];
    let turned = prepare(&png_with(&[colours.concat(), about.concat()])).expect("a picture");
    assert_eq!((turned.media_type, turned.width, turned.height), (MediaType::Png, 40, 60));
    for chunk in &colours {
        assert_eq!(turned.bytes.windows(chunk.len()).filter(|window| window == chunk).count(), 1, "{:?}", &chunk[4..8]);
    }
    assert!(!holds(&turned.bytes, b"SECRET") && !holds(&turned.bytes, b"eXIf"));
    assert!(prepare(&turned.bytes).expect("a picture").bytes == turned.bytes, "it is what is kept of it");
    // With what EXIF begins with in a JPEG.
    let odd = prepare(&png_with(&[chunk(b"eXIf", &[b"Exif\0\0", EXIF].concat())])).expect("a picture");
    assert_eq!((odd.width, odd.height), (40, 60));
}
