//! A picture's bytes: what they are, whether they are whole, without what they say about the person and the place, and
//! a small copy. Nothing here touches a disk or the network; it takes processor time, so it runs off the async threads.

use super::MediaType;
use crate::record::hex;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};
use sha2::{Digest, Sha256};
use std::io::Cursor;

/// The most pixels: 64 megapixels are 192 MB of memory.
const MOST_PIXELS: u64 = 64_000_000;
/// The most bytes of a decoded picture: 64 megapixels of 8 bytes.
const MOST_DECODED: u64 = 512 * 1024 * 1024;
/// The longest side of a thumbnail, pixels.
const THUMBNAIL: u32 = 400;
/// JPEG quality of a thumbnail, and of a picture that had to be turned.
const THUMBNAIL_QUALITY: u8 = 80;
const TURNED_QUALITY: u8 = 95;
/// Larger colour profiles are not copied into thumbnails.
const LARGEST_PROFILE: usize = 64 * 1024;

/// What the first bytes of a file say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A picture that is taken.
    Picture(MediaType),
    /// HEIC, HEIF or AVIF: what telephones write.
    Heic,
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
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
            if [b"hei", b"hev", b"mif", b"msf", b"avi"].iter().any(|known| brand.starts_with(*known)) =>
        {
            Content::Heic
        }
        _ => Content::Other,
    }
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFault {
    /// No picture that is taken.
    NotAPicture,
    /// HEIC.
    Heic,
    /// It moves.
    Animated,
    /// It can't be decoded to its end.
    Broken,
    /// It has too many pixels.
    TooManyPixels,
}

/// A picture as it is kept.
pub struct Picture {
    /// Its bytes, without position, EXIF, XMP and remarks.
    pub bytes: Vec<u8>,
    /// What they are.
    pub media_type: MediaType,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// SHA-256 of the bytes, hexadecimal.
    pub hash: String,
    /// The small copy, a JPEG.
    pub thumbnail: Vec<u8>,
}

/// Checks, cleans and shrinks.
pub fn prepare(bytes: &[u8]) -> Result<Picture, PictureFault> {
    let media_type = match sniff(bytes) {
        Content::Picture(media_type) => media_type,
        Content::Heic => return Err(PictureFault::Heic),
        Content::Other => return Err(PictureFault::NotAPicture),
    };
    let (orientation, profile) = look(bytes, media_type)?;
    let mut kept = match media_type {
        MediaType::Jpeg => clean_jpeg(bytes),
        MediaType::Png => clean_png(bytes),
        MediaType::Webp => clean_webp(bytes),
    }?;
    let mut picture = decode(&kept, media_type)?;
    if orientation != Orientation::NoTransforms {
        picture.apply_orientation(orientation);
        kept = encode(&picture, media_type, profile.as_deref()).map_err(|_| PictureFault::Broken)?;
    }
    let profile = profile.filter(|profile| profile.len() <= LARGEST_PROFILE && picture.color().has_color());
    Ok(Picture {
        media_type,
        width: picture.width(),
        height: picture.height(),
        hash: hex::text(&Sha256::digest(&kept)),
        thumbnail: thumbnail(&picture, profile.as_deref()).map_err(|_| PictureFault::Broken)?,
        bytes: kept,
    })
}

fn format(media_type: MediaType) -> ImageFormat {
    match media_type {
        MediaType::Jpeg => ImageFormat::Jpeg,
        MediaType::Png => ImageFormat::Png,
        MediaType::Webp => ImageFormat::WebP,
    }
}

fn reader(bytes: &[u8], media_type: MediaType) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format(media_type));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_DECODED);
    reader.limits(limits);
    reader
}

/// Which way up it is, and its colour profile; refuses too large ones before anything is decoded.
fn look(bytes: &[u8], media_type: MediaType) -> Result<(Orientation, Option<Vec<u8>>), PictureFault> {
    let mut decoder = reader(bytes, media_type).into_decoder().map_err(|_| PictureFault::Broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_DECODED {
        return Err(PictureFault::TooManyPixels);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    // A profile of four inks does not fit the three colours that a decoded CMYK picture has.
    let inks = decoder.original_color_type() == ExtendedColorType::Cmyk8;
    let profile = decoder.icc_profile().ok().flatten().filter(|_| !inks);
    Ok((orientation, profile))
}

fn decode(bytes: &[u8], media_type: MediaType) -> Result<DynamicImage, PictureFault> {
    reader(bytes, media_type).decode().map_err(|error| match error {
        image::ImageError::Limits(_) => PictureFault::TooManyPixels,
        _ => PictureFault::Broken,
    })
}

fn encode(picture: &DynamicImage, media_type: MediaType, profile: Option<&[u8]>) -> Result<Vec<u8>, image::ImageError> {
    fn write(
        picture: &DynamicImage,
        mut encoder: impl ImageEncoder,
        profile: Option<&[u8]>,
    ) -> Result<(), image::ImageError> {
        if let Some(profile) = profile {
            let _ = encoder.set_icc_profile(profile.to_vec());
        }
        picture.write_with_encoder(encoder)
    }
    let mut bytes = Vec::new();
    match media_type {
        MediaType::Jpeg => write(picture, JpegEncoder::new_with_quality(&mut bytes, TURNED_QUALITY), profile)?,
        MediaType::Png => write(picture, PngEncoder::new(&mut bytes), profile)?,
        MediaType::Webp => write(picture, WebPEncoder::new_lossless(&mut bytes), profile)?,
    }
    Ok(bytes)
}

/// The small copy, on white where the picture is transparent.
fn thumbnail(picture: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, image::ImageError> {
    let small = if picture.width().max(picture.height()) > THUMBNAIL {
        picture.thumbnail(THUMBNAIL, THUMBNAIL)
    } else {
        picture.clone()
    };
    let mut opaque = image::RgbImage::new(small.width(), small.height());
    for (to, from) in opaque.pixels_mut().zip(small.to_rgba8().pixels()) {
        let [red, green, blue, alpha] = from.0;
        let on_white = |colour: u8| {
            let (colour, alpha) = (u16::from(colour), u16::from(alpha));
            u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        to.0 = [on_white(red), on_white(green), on_white(blue)];
    }
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, THUMBNAIL_QUALITY);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    opaque.write_with_encoder(encoder)?;
    Ok(bytes)
}

/// Reads bytes from front to back; the end too early is `Broken`.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], PictureFault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PictureFault::Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PictureFault> {
        self.take(N)?.try_into().map_err(|_| PictureFault::Broken)
    }
}

/// A JPEG without its application segments and remarks, its scans untouched. What shows it right stays: density (JFIF),
/// the colour profile and Adobe's colour transform. What follows the end (second pictures, films, trailers) goes.
fn clean_jpeg(bytes: &[u8]) -> Result<Vec<u8>, PictureFault> {
    let mut rest = Bytes(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(rest.take(2)?);
    loop {
        let [mut marker] = rest.array()?;
        if marker != 0xFF {
            continue; // stray bytes between segments
        }
        while marker == 0xFF {
            [marker] = rest.array()?;
        }
        match marker {
            0xD9 => {
                kept.extend_from_slice(&[0xFF, 0xD9]);
                return Ok(kept);
            }
            0x00 | 0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(rest.array()?));
        let content = rest.take(length.checked_sub(2).ok_or(PictureFault::Broken)?)?;
        let content: Option<Vec<u8>> = match marker {
            // Version, unit and densities; its own thumbnail goes.
            0xE0 if content.starts_with(b"JFIF\0") => content.get(..12).map(|jfif| [jfif, &[0, 0]].concat()),
            0xE2 if content.starts_with(b"ICC_PROFILE\0") => Some(content.to_vec()),
            0xEE if content.starts_with(b"Adobe") => content.get(..12).map(<[u8]>::to_vec),
            0xE0..=0xEF | 0xFE => None,
            _ => Some(content.to_vec()),
        };
        if let Some(content) = content {
            let length = u16::try_from(content.len() + 2).map_err(|_| PictureFault::Broken)?;
            kept.extend_from_slice(&[0xFF, marker]);
            kept.extend_from_slice(&length.to_be_bytes());
            kept.extend_from_slice(&content);
        }
        if marker == 0xDA {
            let scan = scan_length(rest.0)?;
            kept.extend_from_slice(rest.take(scan)?);
        }
    }
}

/// The length of a scan's data: up to the next marker that is neither a stuffed byte nor a restart.
fn scan_length(bytes: &[u8]) -> Result<usize, PictureFault> {
    let ends = |pair: &[u8]| matches!(pair, [0xFF, next] if !matches!(next, 0x00 | 0xD0..=0xD7 | 0xFF));
    bytes.windows(2).position(ends).ok_or(PictureFault::Broken)
}

/// The chunks of a PNG that show it: all that is critical, transparency and colour. Text, time, EXIF and frames go.
const PNG_CHUNKS: [&[u8; 4]; 12] =
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"pHYs"];

fn clean_png(bytes: &[u8]) -> Result<Vec<u8>, PictureFault> {
    let mut rest = Bytes(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(rest.take(8)?);
    loop {
        let whole = rest.0;
        let length = usize::try_from(u32::from_be_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
        let name: [u8; 4] = rest.array()?;
        rest.take(length)?;
        rest.take(4)?;
        if &name == b"acTL" {
            return Err(PictureFault::Animated);
        }
        if PNG_CHUNKS.contains(&&name) {
            kept.extend_from_slice(whole.get(..length + 12).ok_or(PictureFault::Broken)?);
        }
        if &name == b"IEND" {
            return Ok(kept);
        }
    }
}

fn clean_webp(bytes: &[u8]) -> Result<Vec<u8>, PictureFault> {
    let mut rest = Bytes(bytes);
    rest.take(4)?;
    let size = usize::try_from(u32::from_le_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
    let mut chunks = Bytes(Bytes(rest.0).take(size)?);
    chunks.take(4)?;
    let mut kept = b"RIFF\0\0\0\0WEBP".to_vec();
    while !chunks.0.is_empty() {
        let name: [u8; 4] = chunks.array()?;
        let length = usize::try_from(u32::from_le_bytes(chunks.array()?)).map_err(|_| PictureFault::Broken)?;
        let mut content = chunks.take(length)?.to_vec();
        if length % 2 == 1 && !chunks.0.is_empty() {
            chunks.take(1)?;
        }
        match &name {
            b"ANIM" | b"ANMF" => return Err(PictureFault::Animated),
            // Its flags say that EXIF (8) and XMP (4) follow: no more.
            b"VP8X" => content.first_mut().ok_or(PictureFault::Broken).map(|flags| *flags &= !0x0C)?,
            b"VP8 " | b"VP8L" | b"ALPH" | b"ICCP" => {}
            _ => continue,
        }
        kept.extend_from_slice(&name);
        kept.extend_from_slice(&u32::try_from(length).map_err(|_| PictureFault::Broken)?.to_le_bytes());
        kept.append(&mut content);
        if length % 2 == 1 {
            kept.push(0);
        }
    }
    let size = u32::try_from(kept.len() - 8).map_err(|_| PictureFault::Broken)?;
    kept.splice(4..8, size.to_le_bytes());
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(media_type: MediaType) -> Vec<u8> {
        let picture = image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8 * 4, y as u8 * 6, 90]));
        encode(&DynamicImage::ImageRgb8(picture), media_type, None).expect("encodes")
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
        let pixels = |bytes: &[u8]| decode(bytes, MediaType::Jpeg).expect("decodes").into_rgb8();
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

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    #[test]
    fn a_file_is_told_by_its_content() {
        assert_eq!(sniff(b"\0\0\0\x18ftypheic\0\0"), Content::Heic);
        assert_eq!(sniff(b"GIF89a"), Content::Other);
        assert_eq!(sniff(b""), Content::Other);
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
}
