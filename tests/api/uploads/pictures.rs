//! Pictures that are small as files and large in memory.

use image::{ImageFormat, Rgb, RgbImage};
use std::io::Cursor;

/// A picture of its own colours.
pub(super) fn picture(seed: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(640, 480, |x, y| Rgb([(x / 3) as u8 ^ seed, (y / 2) as u8, seed]));
    picture.write_to(&mut bytes, ImageFormat::Jpeg).expect("a picture");
    bytes.into_inner()
}

/// The same, which its EXIF says is to be turned: what is kept is not what was sent.
pub(super) fn turned(seed: u8) -> Vec<u8> {
    let plain = picture(seed);
    let exif = b"\xFF\xE1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    [&plain[..2], exif, &plain[2..]].concat()
}

/// Bits as deflate packs them.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    fn put(&mut self, bits: &str) {
        for bit in bits.bytes() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= (bit - b'0') << (self.count % 8);
            self.count += 1;
        }
    }
}

/// A black PNG: megabytes as a file, and in memory a hundred times as much.
pub(super) fn black_png(width: u32, height: u32, depth: u8, channels: u8) -> Vec<u8> {
    let kind = [0, 0, 4, 2, 6][usize::from(channels)];
    let row = u64::from(width) * u64::from(depth / 8) * u64::from(channels) + 1;
    let total = row * u64::from(height);
    let mut bits = Bits::default();
    // The last block, of fixed codes: a zero, then 258 more of it as often as it goes.
    bits.put("110");
    bits.put("00110000");
    for _ in 0..(total - 1) / 258 {
        bits.put("1100010100000");
    }
    for _ in 0..(total - 1) % 258 {
        bits.put("00110000");
    }
    bits.put("0000000");
    let adler = ((total % 65521) as u32) << 16 | 1;
    let data = [&b"\x78\xDA"[..], &bits.bytes, &adler.to_be_bytes()].concat();
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([depth, kind, 0, 0, 0]);
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let named = [name, content].concat();
        [&u32::try_from(content.len()).unwrap().to_be_bytes()[..], &named, &crc32(&named).to_be_bytes()].concat()
    };
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &head), &chunk(b"IDAT", &data), &chunk(b"IEND", b"")].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// A WebP without loss, 8 by 8 pixels, of so many bytes: all of them may be codes.
pub(super) fn lossless_webp(length: u32) -> Vec<u8> {
    let mut file = [&b"RIFF"[..], &(length - 8).to_le_bytes(), b"WEBPVP8L", &(length - 20).to_le_bytes()].concat();
    file.extend([0x2F, 7, 0xC0, 1, 0]);
    file.resize(length as usize, 0);
    file
}

/// A small picture with this packed colour profile, as a part of a PNG.
pub(super) fn profiled(seed: u8, profile: &[u8]) -> Vec<u8> {
    let mut plain = Cursor::new(Vec::new());
    RgbImage::from_pixel(8, 8, Rgb([seed, 1, 2])).write_to(&mut plain, ImageFormat::Png).expect("a picture");
    let plain = plain.into_inner();
    let length = u32::try_from(profile.len() - 4).unwrap().to_be_bytes();
    [&plain[..33], &length[..], profile, &crc32(profile).to_be_bytes(), &plain[33..]].concat()
}

/// A colour profile of 240 MiB, packed to a thousandth: the packed pixels of a black picture, 3,840 rows of 65,535 and one
/// byte.
pub(super) fn packed_profile() -> Vec<u8> {
    let black = black_png(65_535, 3_840, 8, 1);
    [&b"iCCPp\0\0"[..], &black[41..black.len() - 16]].concat()
}
