//! A picture's bytes: what they are, whether they are whole, without what they say about the person and the place, and
//! a small copy. Nothing here touches a disk or the network; it takes processor time, so it runs off the async threads.

use super::MediaType;
pub use super::clean::PictureFault;
use super::clean::{Cleaned, MOST_OF_PROFILE, MOST_SIDE, clean, without_profile};
use super::turned::{self, Turned};
use crate::record::hex;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits};
use sha2::{Digest, Sha256};
use std::io::{Cursor, Write};

const MIB: u64 = 1024 * 1024;
/// The most pixels: 64 megapixels are 192 MB of memory.
const MOST_PIXELS: u64 = 64_000_000;
/// The most memory for one picture where nobody says how much there is: 64 megapixels of a telephone's JPEG, turned.
const MOST_MEMORY: u64 = 384 * MIB;
/// What a decoder may keep while it reads a picture's head. A PNG's colour profile is packed, up to a thousand to one: it
/// counts with its packed bytes, and a row.
const MOST_OF_HEAD: u64 = MOST_OF_PROFILE as u64;
/// What looking takes beside four times the file: a profile in the decoder, and its copy.
pub const LOOKING: u64 = 2 * MOST_OF_HEAD;
/// What unpacking anything takes: tables, rows, the thumbnail.
const LEAST_MEMORY: u64 = 8 * MIB;
/// The largest file that turning a picture may make, and the memory that writing it takes.
const MOST_WRITTEN: usize = 50 * 1024 * 1024;
const WRITING: u64 = 100 * MIB;
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

/// A picture that was looked at and not unpacked yet.
pub struct Look {
    cleaned: Cleaned,
    media_type: MediaType,
    profile: Option<Vec<u8>>,
    memory: u64,
}

/// What a look tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// SHA-256 of the bytes as they will be kept, hexadecimal; none where they have to be turned, and are written anew.
    pub hash: Option<String>,
    /// How many pixels it has.
    pub pixels: u64,
    /// Bytes of memory that unpacking takes at most, the file's own included.
    pub memory: u64,
}

/// Cleans a file and looks at its head: `TooManyPixels`, `TooDear` or `Lossless` where unpacking could take more memory
/// than this.
pub fn look(bytes: &[u8], most_memory: u64) -> Result<Look, PictureFault> {
    let media_type = match sniff(bytes) {
        Content::Picture(media_type) => media_type,
        Content::Heic => return Err(PictureFault::Heic),
        Content::Other => return Err(PictureFault::NotAPicture),
    };
    let (cleaned, Head { unpacked, profile }) = headed(bytes, media_type)?;
    let turning = match (cleaned.orientation, media_type) {
        (Orientation::NoTransforms, _) => 0,
        (_, MediaType::Jpeg) => WRITING,
        (_, MediaType::Png | MediaType::Webp) => unpacked.saturating_mul(2).saturating_add(WRITING),
    };
    // The file as it came, as it is kept, and as the decoder keeps it.
    let files = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_mul(3);
    // The decoder's and the look's, or the look's and the one that is written.
    let profiles = profile.as_ref().and_then(|it| u64::try_from(it.len()).ok()).unwrap_or(0).saturating_mul(2);
    let parts = [files, unpacked, cleaned.beside, profiles, turning, LEAST_MEMORY];
    let memory = parts.into_iter().fold(0, u64::saturating_add);
    if memory > most_memory {
        return Err(PictureFault::TooDear);
    }
    let memory = memory.saturating_add(cleaned.codes);
    if memory > most_memory {
        return Err(PictureFault::Lossless);
    }
    Ok(Look { cleaned, media_type, profile, memory })
}

/// Checks, cleans and shrinks.
pub fn prepare(bytes: &[u8]) -> Result<Picture, PictureFault> {
    look(bytes, MOST_MEMORY)?.unpack()
}

impl Look {
    /// What it tells.
    pub fn seen(&self) -> Seen {
        let upright = self.cleaned.orientation == Orientation::NoTransforms;
        let hash = upright.then(|| hex::text(&Sha256::digest(&self.cleaned.bytes)));
        Seen { hash, pixels: self.cleaned.pixels, memory: self.memory }
    }

    /// Decodes it to its end, turns it the right way up, and shrinks it.
    pub fn unpack(self) -> Result<Picture, PictureFault> {
        let Self { cleaned, media_type, profile, memory } = self;
        let orientation = cleaned.orientation;
        let mut kept = cleaned.bytes;
        let mut picture = decode(&kept, media_type, memory)?;
        let mut small = if picture.width().max(picture.height()) > THUMBNAIL {
            picture.thumbnail(THUMBNAIL, THUMBNAIL)
        } else {
            picture.clone()
        };
        let (mut width, mut height) = (picture.width(), picture.height());
        if orientation != Orientation::NoTransforms {
            kept = turn(&mut picture, orientation, media_type, profile.as_deref())?;
            small.apply_orientation(orientation);
            if turned::swaps_sides(orientation) {
                (width, height) = (height, width);
            }
        }
        let profile = profile.filter(|profile| profile.len() <= LARGEST_PROFILE && picture.color().has_color());
        Ok(Picture {
            media_type,
            width,
            height,
            hash: hex::text(&Sha256::digest(&kept)),
            thumbnail: thumbnail(&small, profile.as_deref()).map_err(|_| PictureFault::Broken)?,
            bytes: kept,
        })
    }
}

fn format(media_type: MediaType) -> ImageFormat {
    match media_type {
        MediaType::Jpeg => ImageFormat::Jpeg,
        MediaType::Png => ImageFormat::Png,
        MediaType::Webp => ImageFormat::WebP,
    }
}

fn reader(bytes: &[u8], media_type: MediaType, most: u64) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format(media_type));
    let mut limits = Limits::default();
    limits.max_alloc = Some(most);
    reader.limits(limits);
    reader
}

fn fault_of(error: &image::ImageError) -> PictureFault {
    match error {
        image::ImageError::Limits(_) => PictureFault::TooDear,
        _ => PictureFault::Broken,
    }
}

/// What a picture's decoder says of it before it unpacks any pixel.
struct Head {
    /// The bytes of its pixels.
    unpacked: u64,
    /// Its colour profile.
    profile: Option<Vec<u8>>,
}

fn read_head(bytes: &[u8], media_type: MediaType) -> Result<Head, PictureFault> {
    let mut decoder = reader(bytes, media_type, MOST_OF_HEAD).into_decoder().map_err(|error| fault_of(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS || width.max(height) > MOST_SIDE {
        return Err(PictureFault::TooManyPixels);
    }
    // A profile of four inks does not fit the three colours that a decoded CMYK picture has.
    let inks = decoder.original_color_type() == ExtendedColorType::Cmyk8;
    let profile = decoder.icc_profile().ok().flatten().filter(|_| !inks);
    Ok(Head { unpacked: decoder.total_bytes(), profile })
}

/// A file cleaned, and its head. A packed profile that is larger than any, or broken, goes: nothing tries to unpack it
/// again, and no more of it was unpacked than a decoder may keep.
fn headed(bytes: &[u8], media_type: MediaType) -> Result<(Cleaned, Head), PictureFault> {
    let cleaned = clean(bytes, media_type)?;
    if cleaned.pixels > MOST_PIXELS {
        return Err(PictureFault::TooManyPixels);
    }
    let head = read_head(&cleaned.bytes, media_type);
    let packed = media_type == MediaType::Png && cleaned.profile > 0;
    if !packed || head.as_ref().is_ok_and(|head| head.profile.is_some()) {
        return Ok((cleaned, head?));
    }
    drop(cleaned);
    let cleaned = without_profile(bytes, media_type)?;
    let head = read_head(&cleaned.bytes, media_type)?;
    Ok((cleaned, head))
}

fn decode(bytes: &[u8], media_type: MediaType, memory: u64) -> Result<DynamicImage, PictureFault> {
    reader(bytes, media_type, memory).decode().map_err(|error| fault_of(&error))
}

/// The file of a picture turned the right way up. A JPEG is read in the other order as it is written: no second picture
/// lies in memory.
fn turn(
    picture: &mut DynamicImage,
    orientation: Orientation,
    media_type: MediaType,
    profile: Option<&[u8]>,
) -> Result<Vec<u8>, PictureFault> {
    let mut written = Written(Vec::new());
    let jpeg = |written| {
        let mut encoder = JpegEncoder::new_with_quality(written, TURNED_QUALITY);
        if let Some(profile) = profile {
            let _ = encoder.set_icc_profile(profile.to_vec());
        }
        encoder
    };
    let done = match (media_type, &*picture) {
        (MediaType::Jpeg, DynamicImage::ImageRgb8(pixels)) => {
            jpeg(&mut written).encode_image(&Turned { pixels, orientation })
        }
        (MediaType::Jpeg, DynamicImage::ImageLuma8(pixels)) => {
            jpeg(&mut written).encode_image(&Turned { pixels, orientation })
        }
        _ => {
            picture.apply_orientation(orientation);
            encode(picture, media_type, profile, &mut written)
        }
    };
    done.map_err(|error| if written.is_full() { PictureFault::TooDear } else { fault_of(&error) })?;
    Ok(written.0)
}

/// A file as it is written, of a bounded size.
struct Written(Vec<u8>);

impl Written {
    fn is_full(&self) -> bool {
        self.0.len() >= MOST_WRITTEN
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = MOST_WRITTEN.saturating_sub(self.0.len());
        if room == 0 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let count = bytes.len().min(room);
        self.0.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn encode(
    picture: &DynamicImage,
    media_type: MediaType,
    profile: Option<&[u8]>,
    to: impl Write,
) -> Result<(), image::ImageError> {
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
    match media_type {
        MediaType::Jpeg => write(picture, JpegEncoder::new_with_quality(to, TURNED_QUALITY), profile),
        MediaType::Png => write(picture, PngEncoder::new(to), profile),
        MediaType::Webp => write(picture, WebPEncoder::new_lossless(to), profile),
    }
}

/// The file of the small copy, on white where the picture is transparent.
fn thumbnail(small: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, image::ImageError> {
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

#[cfg(test)]
mod tests {
    use super::*;
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
        assert!((11_000_000..13_000_000).contains(&seen.memory), "{seen:?}");
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
    fn a_small_profile_is_in_the_picture_its_thumbnail_and_the_turned_one() {
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
        for (chunks, size) in [(Vec::new(), (60, 40)), (chunk(b"eXIf", exif), (40, 60))] {
            let picture = prepare(&png_with(&[packed_profile(2048), chunks])).expect("a picture");
            assert_eq!((picture.width, picture.height), size);
            assert!(holds(&picture.bytes, b"iCCP") && holds(&picture.thumbnail, b"ICC_PROFILE"));
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
