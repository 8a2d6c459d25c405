//! HEIC, as Pillow writes it with x265, and a grid as the decoder's own encoder does.

use super::*;
use crate::photo::clean::PictureFault::{Broken, Heic, TooDear, TooManyPixels};

macro_rules! sample {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../fuzz/corpus/heic/", $name))[..]
    };
}

fn colour(picture: &Picture, x: u32, y: u32) -> [u8; 3] {
    decode(&picture.bytes, MediaType::Jpeg, MOST_MEMORY).expect("a JPEG").into_rgb8().get_pixel(x, y).0
}

fn near(found: [u8; 3], expected: [u8; 3]) {
    let far = found.iter().zip(expected).map(|(one, other)| one.abs_diff(other)).max();
    assert!(far < Some(16), "{found:?} for {expected:?}");
}

#[test]
fn a_heic_is_kept_as_a_jpeg_and_nothing_of_it_but_the_picture() {
    let picture = prepare(sample!("plain")).expect("a picture");
    assert_eq!((picture.media_type, picture.width, picture.height), (MediaType::Jpeg, 64, 48));
    near(colour(&picture, 2, 2), [8, 10, 60]);
    near(colour(&picture, 60, 2), [239, 10, 60]);
    near(colour(&picture, 60, 45), [239, 239, 60]);
    assert!(
        holds(sample!("turned"), b"SECRET") && !holds(&prepare(sample!("turned")).expect("a picture").bytes, b"SECRET")
    );
    assert_eq!(prepare(&picture.bytes).expect("a picture").bytes, picture.bytes, "kept again as it is");
    let seen = look(sample!("plain"), MOST_MEMORY).expect("a look").seen();
    assert_eq!((seen.hash, seen.slow, seen.pixels), (None, true, 64 * 64), "coded in blocks of 64");
}

#[test]
fn it_is_shown_as_its_container_says() {
    let turned = prepare(sample!("turned")).expect("a picture");
    near(colour(&turned, 60, 2), [4, 4, 60]);
    near(colour(&turned, 2, 2), [4, 251, 60]);
    let part = prepare(sample!("part")).expect("a picture");
    assert_eq!((part.width, part.height), (97, 61), "without what only fills its blocks");
    let grid = prepare(sample!("grid")).expect("a picture");
    assert_eq!((grid.width, grid.height), (600, 520));
    for (x, y, expected) in
        [(100, 100, [200, 60, 40]), (580, 100, [40, 60, 180]), (100, 516, [40, 160, 60]), (590, 516, [220, 220, 210])]
    {
        near(colour(&grid, x, y), expected);
    }
    let small = decode(&grid.thumbnail, MediaType::Jpeg, MOST_MEMORY).expect("a thumbnail");
    assert_eq!((small.width(), small.height()), (400, 347));
    for (name, file) in
        [("grey", sample!("grey")), ("alpha", sample!("alpha")), ("full chroma", sample!("full_chroma"))]
    {
        assert!(prepare(file).is_ok(), "{name}");
    }
}

#[test]
fn it_is_weighed_by_its_head_and_holds_what_it_says() {
    assert_eq!(prepare(sample!("huge")).err(), Some(TooManyPixels));
    assert_eq!(prepare(sample!("larger_than_it_is")).err(), Some(Broken));
    assert_eq!(look(sample!("larger_than_it_is"), 200 * MIB).err(), Some(TooDear), "as much as it says");
    let whole = sample!("grid");
    for cut in [12, 40, 200, whole.len() / 2, whole.len() - 1] {
        assert_eq!(prepare(&whole[..cut]).err(), Some(Broken), "cut at {cut}");
    }
    assert_eq!(prepare(sample!("cut")).err(), Some(Broken));
    assert_eq!(prepare(sample!("avif")).err(), Some(Heic));
}

#[test]
fn turns_and_mirrors_follow_one_another() {
    // The rotation of the file is told by one byte behind its name; the picture is the same, whatever it says.
    let file = sample!("turned");
    let place = file.windows(4).position(|window| window == b"irot").expect("a rotation") + 4;
    let with = |kind: &[u8; 4], value: u8| {
        let mut file = file.to_vec();
        file[place - 4..place].copy_from_slice(kind);
        file[place] = value;
        prepare(&file).expect("a picture")
    };
    let corners = |picture: &Picture| {
        [(2, 2), (60, 2), (2, 60), (60, 60)]
            .map(|(x, y)| colour(picture, x, y).map(|it| it > 127))
            .map(|[red, green, _]| (red, green))
    };
    let (dark, red, green, both) = ((false, false), (true, false), (false, true), (true, true));
    assert_eq!(corners(&with(b"irot", 0)), [dark, red, green, both]);
    assert_eq!(corners(&with(b"irot", 1)), [red, both, dark, green], "anticlockwise");
    assert_eq!(corners(&with(b"irot", 2)), [both, green, red, dark]);
    assert_eq!(corners(&with(b"irot", 3)), [green, dark, both, red]);
    assert_eq!(corners(&with(b"imir", 0)), [green, both, dark, red], "top and bottom");
    assert_eq!(corners(&with(b"imir", 1)), [red, dark, both, green], "left and right");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn damage_to_a_heic_gives_a_fault_or_a_picture(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = sample!("turned").to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = prepare(&bytes);
    }
}
