//! Colour profiles: what thumbnails look like by them, and what they say of a screen.

use super::*;
use moxcms::ColorProfile;

const INKS: &[u8] = include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_cmyk");

/// A JPEG with this profile, in as many segments as it takes.
fn with_profile(jpeg: &[u8], profile: &[u8]) -> Vec<u8> {
    let parts = profile.chunks(60_000);
    let count = u8::try_from(parts.len()).expect("few");
    let segments = parts.zip(1..).map(|(part, turn)| {
        let content = [&b"ICC_PROFILE\0"[..], &[turn, count], part].concat();
        [&[0xFF, 0xE2], &u16::try_from(content.len() + 2).expect("short").to_be_bytes()[..], &content].concat()
    });
    [&jpeg[..2], &segments.collect::<Vec<_>>().concat(), &jpeg[2..]].concat()
}

fn one_colour(colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = DynamicImage::ImageRgb8(image::RgbImage::from_pixel(32, 32, image::Rgb(colour)));
    encode(&picture, MediaType::Jpeg, None, &mut bytes).expect("encodes");
    bytes
}

fn shown(picture: &Picture) -> [u8; 3] {
    decode(&picture.thumbnail, MediaType::Jpeg, MOST_MEMORY).expect("a thumbnail").into_rgb8().get_pixel(9, 9).0
}

fn near(found: [u8; 3], expected: [u8; 3]) {
    let far = found.iter().zip(expected).map(|(one, other)| one.abs_diff(other)).max();
    assert!(far < Some(5), "{found:?} for {expected:?}");
}

#[test]
fn a_thumbnail_has_the_colours_of_the_profile_however_large_that_is() {
    let p3 = ColorProfile::new_display_p3().encode().expect("a profile");
    // A skin tone, by colour.js: color(display-p3 0.784 0.588 0.471) is rgb(209.4, 148.3, 114.9).
    let plain = one_colour([200, 150, 120]);
    near(shown(&prepare(&plain).expect("a picture")), [200, 150, 120]);
    for longer in [0, 200_000] {
        let long = [&p3[..], &vec![0; longer]].concat();
        let picture = prepare(&with_profile(&plain, &long)).expect("a picture");
        near(shown(&picture), [209, 148, 115]);
        assert!(holds(&picture.bytes, b"ICC_PROFILE") && !holds(&picture.thumbnail, b"ICC_PROFILE"));
    }
    let broken = [&p3[..140], &[0xFF; 400]].concat();
    near(shown(&prepare(&with_profile(&plain, &broken)).expect("a picture")), [200, 150, 120]);
}

#[test]
fn a_grey_picture_is_shown_by_its_own_curve() {
    let mut bytes = Vec::new();
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(32, 32, image::Luma([128])));
    let linear = ColorProfile::new_gray_with_gamma(1.0).encode().expect("a profile");
    encode(&grey, MediaType::Jpeg, Some(&linear), &mut bytes).expect("encodes");
    // Half of the light is 188 in sRGB (IEC 61966-2-1).
    near(shown(&prepare(&bytes).expect("a picture")), [188; 3]);
}

/// A profile of four inks, all of which look like this Lab colour (ICC.1:2001-04, 6.5.8: two points of each ink, three
/// numbers of a byte).
fn inks_that_look(lab: [u8; 3]) -> Vec<u8> {
    let line: Vec<u8> = (0..=255).collect();
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for number in [1, 0, 0, 0, 1, 0, 0, 0, 1_u32] {
        table.extend((number << 16).to_be_bytes());
    }
    table.extend(line.repeat(4));
    table.extend(lab.repeat(16));
    table.extend(line.repeat(3));
    let mut profile = vec![0; 128];
    profile[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    profile[12..24].copy_from_slice(b"prtrCMYKLab ");
    profile[24..36].copy_from_slice(&[7, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    profile[36..40].copy_from_slice(b"acsp");
    profile[68..80].copy_from_slice(&[0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
    profile.extend(1_u32.to_be_bytes());
    profile.extend(b"A2B0");
    profile.extend(144_u32.to_be_bytes());
    profile.extend(u32::try_from(table.len()).expect("short").to_be_bytes());
    profile.extend(table);
    let length = u32::try_from(profile.len()).expect("short").to_be_bytes();
    profile[..4].copy_from_slice(&length);
    profile
}

#[test]
fn four_inks_look_as_their_profile_says() {
    let plain = shown(&prepare(INKS).expect("a picture"));
    // Half of the way to white, no hue: 119 in sRGB.
    let sent = with_profile(INKS, &inks_that_look([128, 128, 128]));
    let picture = prepare(&sent).expect("a picture");
    assert_eq!(picture.bytes, sent, "kept as it was sent");
    near(shown(&picture), [119; 3]);
    assert!(plain != [119; 3]);
    // A turned one is three colours, and those that its inks looked like.
    let exif = with_exif(6);
    let exif = &exif[2..2 + 2 + usize::from(u16::from_be_bytes([exif[4], exif[5]]))];
    let turned = prepare(&[&sent[..2], exif, &sent[2..]].concat()).expect("a picture");
    assert_eq!((turned.width, turned.height), (40, 48));
    near(
        decode(&turned.bytes, MediaType::Jpeg, MOST_MEMORY).expect("a picture").into_rgb8().get_pixel(3, 3).0,
        [119; 3],
    );
    assert!(!holds(&turned.bytes, b"ICC_PROFILE"));
}

/// Display P3, with what a Mac says of its screen.
fn of_a_mac() -> Vec<u8> {
    let plain = ColorProfile::new_display_p3().encode().expect("a profile");
    let count = u32::from_be_bytes(plain[128..132].try_into().expect("four"));
    let (mut entries, tag) = (plain[132..132 + 12 * count as usize].to_vec(), b"mmod\0\0\0\0SERIAL-4711.....");
    for entry in entries.chunks_exact_mut(12) {
        let start = u32::from_be_bytes(entry[4..8].try_into().expect("four")) + 12;
        entry[4..8].copy_from_slice(&start.to_be_bytes());
    }
    entries.extend(b"mmod");
    entries.extend(u32::try_from(plain.len() + 12).expect("short").to_be_bytes());
    entries.extend(u32::try_from(tag.len()).expect("short").to_be_bytes());
    let rest = &plain[132 + 12 * count as usize..];
    let mut mac = [&plain[..128], &(count + 1).to_be_bytes(), &entries, rest, tag].concat();
    let length = u32::try_from(mac.len()).expect("short").to_be_bytes();
    mac[..4].copy_from_slice(&length);
    mac
}

#[test]
fn no_file_says_which_screen_its_profile_is_of() {
    let mac = of_a_mac();
    let picture = DynamicImage::ImageRgb8(image::RgbImage::from_pixel(32, 32, image::Rgb([200, 150, 120])));
    for media_type in [MediaType::Jpeg, MediaType::Png, MediaType::Webp] {
        let mut sent = Vec::new();
        encode(&picture, media_type, Some(&mac), &mut sent).expect("encodes");
        let told = |bytes: &[u8]| read_head(bytes, media_type).expect("a head").profile.expect("a profile");
        assert!(holds(&told(&sent), b"SERIAL"), "{media_type:?}");
        let kept = prepare(&sent).expect("a picture");
        let own = told(&kept.bytes);
        assert!(!holds(&own, b"SERIAL") && !holds(&kept.bytes, b"SERIAL"), "{media_type:?}");
        assert!(ColorProfile::new_from_slice(&own).is_ok_and(|own| own.red_trc.is_some()), "{media_type:?}");
        near(shown(&kept), [209, 148, 115]);
        let pixels = |bytes: &[u8]| decode(bytes, media_type, MOST_MEMORY).expect("decodes");
        assert_eq!(pixels(&sent), pixels(&kept.bytes), "{media_type:?}");
        assert!(prepare(&kept.bytes).expect("a picture").bytes == kept.bytes, "{media_type:?}: no more to take out");
    }
}
