use super::*;
use crate::photo::MediaType;
use crate::photo::clean::clean;

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).expect("short").to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}

/// A table of one code, a 0 bit, for this symbol.
fn one_code(place: u8, symbol: u8) -> Vec<u8> {
    let mut table = vec![place, 1];
    table.extend([0; 15]);
    table.push(symbol);
    segment(0xC4, &table)
}

fn scan(band: [u8; 3], data: &[u8]) -> Vec<u8> {
    [segment(0xDA, &[&[1, 1, 0], &band[..]].concat()), data.to_vec()].concat()
}

/// A grey JPEG of 32 by 16 pixels, 8 blocks, with these parts behind its frame.
fn grey(marker: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let frame = segment(marker, &[8, 0, 16, 0, 32, 1, 1, 0x11, 0]);
    [vec![0xFF, 0xD8], frame, parts.concat(), vec![0xFF, 0xD9]].concat()
}

/// Blocks of two bits: no difference, and no other coefficient.
fn sequential_with(restarts: u16, data: &[u8]) -> Outcome<()> {
    let tables = [one_code(0, 0), one_code(0x10, 0), segment(0xDD, &restarts.to_be_bytes())];
    jpeg_is_whole(&grey(0xC0, &[tables.concat(), scan([0, 63, 0], data)]))
}

#[test]
fn a_scan_holds_as_many_blocks_as_the_picture_and_ends() {
    assert_eq!(sequential_with(0, &[0, 0]), Ok(()));
    assert_eq!(sequential_with(0, &[0, 0, 0xFF]), Ok(()), "0xFF before a marker");
    for short_or_long in [&[][..], &[0], &[0, 0, 0], &[0, 0, 0x20], &[0, 0, 0xFF, 0]] {
        assert_eq!(sequential_with(0, short_or_long), Err(PictureFault::Broken), "{short_or_long:?}");
    }
}

#[test]
fn restarts_come_in_their_turn_where_there_are_any() {
    let whole = [0, 0xFF, 0xD0, 0];
    assert_eq!(sequential_with(4, &whole), Ok(()));
    assert_eq!(sequential_with(4, &[0, 0xFF, 0xFF, 0xD0, 0, 0xFF, 0xD1]), Ok(()), "and behind the last block");
    assert_eq!(sequential_with(0, &whole), Err(PictureFault::Broken), "none were told");
    for wrong in
        [&[0, 0xFF, 0xD1, 0][..], &[0, 0], &[0, 0xFF, 0xD0], &[0, 0xFF, 0xD0, 0, 0], &[0, 0xFF, 0xD0, 0, 0xFF, 0xD2]]
    {
        assert_eq!(sequential_with(4, wrong), Err(PictureFault::Broken), "{wrong:x?}");
    }
}

#[test]
fn what_begins_in_a_progressive_jpeg_comes_with_all_of_its_bits() {
    let first = || [one_code(0, 0), scan([0, 0, 1], &[0])].concat();
    let refined = || scan([0, 0, 0x10], &[0xA5]);
    // One run of eight blocks that end: a code and three bits, 2^3 + 0.
    let band = |bits: u8| [one_code(0x10, 0x30), scan([1, 63, bits], &[0x0F])].concat();
    let all = |parts: &[Vec<u8>]| jpeg_is_whole(&grey(0xC2, parts));
    assert_eq!(all(&[first(), refined()]), Ok(()));
    assert_eq!(all(&[first(), refined(), band(0)]), Ok(()));
    assert_eq!(all(&[first()]), Err(PictureFault::Broken), "a low bit is missing");
    assert_eq!(all(&[first(), refined(), band(1)]), Err(PictureFault::Broken), "of the others");
    assert_eq!(all(&[first(), refined(), band(1), band(0x10)]), Ok(()));
    assert_eq!(all(&[refined(), first()]), Err(PictureFault::Broken), "in the wrong order");
    assert_eq!(all(&[first(), refined(), refined()]), Err(PictureFault::Broken), "once more");
    assert_eq!(all(&[band(0)]), Err(PictureFault::Broken), "without what it stands on");
    assert_eq!(all(&[]), Err(PictureFault::Broken));
}

/// Files of 48 by 40 pixels as Pillow writes them.
const WRITTEN: [(&str, &[u8]); 6] = [
    ("baseline", include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_baseline")),
    ("progressive", include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_progressive")),
    ("restarts", include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_restarts")),
    ("progressive with restarts", include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_progressive_restarts")),
    ("four inks", include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_cmyk")),
    ("grey", include_bytes!("../../../../fuzz/corpus/photo_header/jpeg_grey")),
];

fn looked_at(bytes: &[u8]) -> Outcome<()> {
    jpeg_is_whole(&clean(bytes, MediaType::Jpeg)?.bytes)
}

#[test]
fn what_encoders_write_is_whole_and_what_is_damaged_is_not() {
    for (name, bytes) in WRITTEN {
        assert_eq!(looked_at(bytes), Ok(()), "{name}");
        let cleaned = clean(bytes, MediaType::Jpeg).expect("clean");
        assert_eq!(cleaned.bytes, bytes, "{name}: as it was sent");
        let begin = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).expect("a scan") + 14;
        let scans = bytes.len() - begin - 2;
        for tenths in 0..10 {
            let cut = begin + scans * tenths / 10;
            let ended = [&bytes[..cut], &[0xFF, 0xD9]].concat();
            assert_eq!(looked_at(&ended), Err(PictureFault::Broken), "{name}: {tenths} tenths");
        }
        for third in [1, 2] {
            let mut stray = bytes.to_vec();
            let place = begin + scans * third / 3;
            stray[place..place + 2].copy_from_slice(&[0xFF, 0x9F]);
            assert_eq!(looked_at(&stray), Err(PictureFault::Broken), "{name}: {third} thirds in");
        }
        let between = [&bytes[..bytes.len() - 2], &[0], &bytes[bytes.len() - 2..]].concat();
        assert_eq!(looked_at(&between), Err(PictureFault::Broken), "{name}: a byte before its end");
    }
}

#[test]
fn only_what_belongs_there_follows_a_scan() {
    let bytes = WRITTEN[0].1;
    let (body, end) = bytes.split_at(bytes.len() - 2);
    let with = |segment: Vec<u8>| looked_at(&[body, &segment, end].concat());
    assert_eq!(with(segment(0xFE, b"a remark")), Ok(()));
    assert_eq!(with(segment(0xE1, b"Exif\0\0")), Ok(()));
    assert_eq!(with(segment(0xDC, &[0, 40])), Ok(()), "the height that was told");
    for (marker, content) in
        [(0xDC, &[0, 41][..]), (0xC0, &[8, 0, 40, 0, 48, 1, 1, 0x11, 0]), (0x9F, b"damage"), (0xF0, b"")]
    {
        assert_eq!(with(segment(marker, content)), Err(PictureFault::Broken), "{marker:x}");
    }
    assert_eq!(with(vec![0xFF, 0xD8]), Err(PictureFault::Broken), "another picture");
    assert_eq!(with(vec![0xFF, 0xD3]), Err(PictureFault::Broken), "a restart");
}
