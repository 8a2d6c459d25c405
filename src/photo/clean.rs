//! A picture's file without what is not the picture; and, from its headers alone, how large it is and what unpacking it
//! takes. Nothing is unpacked here, and nothing is believed that the decoders would not read the same way.

use super::MediaType;
use image::metadata::Orientation;

/// The most bytes of a colour profile, unpacked: real ones are below 2 MiB. A larger one is taken out.
pub const MOST_OF_PROFILE: usize = 4 * 1024 * 1024;
/// Bytes of memory that the prefix codes of a WebP packed without loss may take for each byte of its chunk. image-webp
/// 0.2.4 builds the tables of every group of codes that is told, used or not, and has no limit of its own (`lossless.rs`,
/// `read_huffman_codes`). The dearest group is 82 bits long: 2,048 greens of 11 bits, told in 66, and four codes of one
/// symbol. It takes 4,096 nodes of 16 bytes and 1,024 entries of 4 (`huffman.rs`, `build_implicit`), 6.8 KB for each of its
/// bytes; 7.8 were measured: 327 MB for a file of 42,140 bytes. This is more than either.
const CODES_OF_BYTE: u64 = 10 * 1024;
/// The most pixels of a side: what a JPEG can have. Decoders keep a row or two apart.
pub const MOST_SIDE: u32 = 65_535;

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
    /// Unpacking it takes too much memory, or too long.
    TooDear,
    /// Packed without loss as a WebP, it could take too much memory.
    Lossless,
}

/// A file without what is not the picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its pixels, by the largest size that any of its headers says.
    pub pixels: u64,
    /// Bytes of memory that unpacking takes beside the pixels themselves.
    pub beside: u64,
    /// Bytes of memory that the prefix codes of a WebP may take: how many there are is not known from its head.
    pub codes: u64,
    /// Bytes of its colour profile, as they lie in the file: a PNG's is packed.
    pub profile: usize,
    /// Which way up it is, by the EXIF that was taken out.
    pub orientation: Orientation,
}

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

/// Which way up a picture is. Read here: the decoders are given no EXIF, XMP or text.
fn upright_by(exif: Option<&[u8]>) -> Orientation {
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
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

/// The most scans of a progressive JPEG, and the most pixels that all of them together go over. Encoders write ten; each
/// scan is a walk over the whole picture, and can be a hundred bytes.
const MOST_SCANS: u64 = 32;
const MOST_SCANNED: u64 = 640_000_000;

/// What a JPEG's frame header says.
struct Frame {
    width: u64,
    height: u64,
    progressive: bool,
    /// How often each component is sampled in a unit, across and down.
    samples: Vec<(u64, u64)>,
}

impl Frame {
    fn read(marker: u8, content: &[u8]) -> Result<Self, PictureFault> {
        let mut rest = Bytes(content);
        let [_precision] = rest.array()?;
        let (height, width) = (u16::from_be_bytes(rest.array()?), u16::from_be_bytes(rest.array()?));
        let [count] = rest.array()?;
        let samples = (0..count).map(|_| {
            let [_, factors, _] = rest.array()?;
            Ok((u64::from(factors >> 4), u64::from(factors & 15)))
        });
        let samples = samples.collect::<Result<Vec<_>, _>>()?;
        if samples.is_empty() || samples.iter().any(|(across, down)| *across == 0 || *down == 0) {
            return Err(PictureFault::Broken);
        }
        Ok(Self { width: width.into(), height: height.into(), progressive: marker == 0xC2, samples })
    }

    /// The coefficients of the whole picture, two bytes each: kept where its parts come in several scans.
    fn coefficients(&self) -> u64 {
        let most = |side: fn(&(u64, u64)) -> u64| self.samples.iter().map(side).max().unwrap_or(1) * 8;
        let units = self.width.div_ceil(most(|it| it.0)) * self.height.div_ceil(most(|it| it.1));
        units * 64 * 2 * self.samples.iter().map(|(across, down)| across * down).sum::<u64>()
    }
}

const JPEG_PROFILE: &[u8] = b"ICC_PROFILE\0";

/// What is kept of a JPEG's segment.
fn jpeg_kept(marker: u8, content: &[u8], profiled: bool) -> Option<Vec<u8>> {
    match marker {
        // Version, unit and densities; its own thumbnail goes.
        0xE0 if content.starts_with(b"JFIF\0") => content.get(..12).map(|jfif| [jfif, &[0, 0]].concat()),
        0xE2 if content.starts_with(JPEG_PROFILE) => profiled.then(|| content.to_vec()),
        0xEE if content.starts_with(b"Adobe") => content.get(..12).map(<[u8]>::to_vec),
        0xE0..=0xEF | 0xFE => None,
        _ => Some(content.to_vec()),
    }
}

/// A JPEG without its application segments and remarks, its scans untouched. What shows it right stays: density (JFIF),
/// the colour profile and Adobe's colour transform. What follows the end (second pictures, films, trailers) goes.
fn clean_jpeg(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
    let mut rest = Bytes(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut frame, mut scans, mut in_parts) = (None::<Frame>, 0, false);
    let (mut profile, mut exif) = (0_usize, None);
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
                let frame = frame.ok_or(PictureFault::Broken)?;
                let pixels = frame.width * frame.height;
                if scans > MOST_SCANS || (scans > 4 && scans * pixels > MOST_SCANNED) {
                    return Err(PictureFault::TooDear);
                }
                let beside = if in_parts || frame.progressive { frame.coefficients() } else { 0 };
                return Ok(Cleaned { bytes: kept, pixels, beside, codes: 0, profile, orientation: upright_by(exif) });
            }
            0x00 | 0x01 | 0xD0..=0xD8 => continue,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(rest.array()?));
        let content = rest.take(length.checked_sub(2).ok_or(PictureFault::Broken)?)?;
        if matches!(marker, 0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC))
            && frame.replace(Frame::read(marker, content)?).is_some()
        {
            return Err(PictureFault::Broken);
        }
        if marker == 0xE1 && scans == 0 {
            exif = content.strip_prefix(b"Exif\0\0").or(exif);
        }
        let content = jpeg_kept(marker, content, profiled);
        if marker == 0xE2 {
            profile += content.as_ref().map_or(0, Vec::len);
        }
        if let Some(content) = &content {
            let length = u16::try_from(content.len() + 2).map_err(|_| PictureFault::Broken)?;
            kept.extend_from_slice(&[0xFF, marker]);
            kept.extend_from_slice(&length.to_be_bytes());
            kept.extend_from_slice(content);
        }
        if marker == 0xDA {
            let components = content.as_deref().and_then(|content| content.first()).copied().unwrap_or(0);
            in_parts |= frame.as_ref().is_none_or(|frame| usize::from(components) != frame.samples.len());
            scans += 1;
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

/// The chunks of a PNG that show it, its colour profile apart: all that is critical, transparency and colour. Text, time,
/// EXIF and frames go.
const PNG_CHUNKS: [&[u8; 4]; 11] =
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"cICP", b"pHYs"];

fn clean_png(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
    let mut rest = Bytes(bytes);
    let (mut pixels, mut profile, mut exif, mut in_data) = (0, 0, None, false);
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(rest.take(8)?);
    loop {
        let whole = rest.0;
        let length = usize::try_from(u32::from_be_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
        let name: [u8; 4] = rest.array()?;
        let content = rest.take(length)?;
        rest.take(4)?;
        let chunk = whole.get(..length + 12).ok_or(PictureFault::Broken)?;
        match &name {
            b"IHDR" => {
                let mut size = Bytes(content);
                let (width, height) = (u32::from_be_bytes(size.array()?), u32::from_be_bytes(size.array()?));
                if width.max(height) > MOST_SIDE {
                    return Err(PictureFault::TooManyPixels);
                }
                pixels = pixels.max(u64::from(width) * u64::from(height));
            }
            b"acTL" => return Err(PictureFault::Animated),
            b"IDAT" => in_data = true,
            b"eXIf" if !in_data => exif = exif.or(Some(content)),
            // One, and before the pixels: decoders read no other.
            b"iCCP" if profiled && !in_data && profile == 0 => {
                profile = chunk.len();
                kept.extend_from_slice(chunk);
            }
            _ => {}
        }
        if PNG_CHUNKS.contains(&&name) {
            kept.extend_from_slice(chunk);
        }
        if &name == b"IEND" {
            return Ok(Cleaned { bytes: kept, pixels, beside: 0, codes: 0, profile, orientation: upright_by(exif) });
        }
    }
}

/// The size that a chunk of a WebP says, and how many bytes a pixel its decoder takes beside the result.
fn webp_size(name: &[u8; 4], content: &[u8]) -> Result<(u64, u64), PictureFault> {
    let mut rest = Bytes(content);
    Ok(match name {
        b"VP8X" => {
            rest.take(4)?;
            let mut side = || rest.array().map(|[a, b, c]: [u8; 3]| u64::from(u32::from_le_bytes([a, b, c, 0])) + 1);
            (side()? * side()?, 0)
        }
        b"VP8 " => {
            rest.take(6)?;
            let mut side = || rest.array().map(|side| u64::from(u16::from_le_bytes(side) & 0x3FFF));
            // Luma and chroma are 1.5, and what is noted of each block.
            (side()? * side()?, 3)
        }
        b"VP8L" => {
            rest.take(1)?;
            let header = u64::from(u32::from_le_bytes(rest.array()?));
            // All four channels, and what is told of each block.
            (((header & 0x3FFF) + 1) * (((header >> 14) & 0x3FFF) + 1), 5)
        }
        // It is unpacked as a picture of its own.
        b"ALPH" => (0, 6),
        _ => (0, 0),
    })
}

/// What the prefix codes of a chunk may take, all of whose bytes may tell such; 0 where it has none.
fn webp_codes(name: &[u8; 4], content: &[u8]) -> u64 {
    let lossless = match name {
        b"VP8L" => true,
        // The two lowest bits are its method: 0 is one byte a pixel, 1 is packed as a VP8L is.
        b"ALPH" => content.first().is_some_and(|head| head & 3 != 0),
        _ => false,
    };
    if lossless { u64::try_from(content.len()).unwrap_or(u64::MAX).saturating_mul(CODES_OF_BYTE) } else { 0 }
}

fn clean_webp(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
    let (mut pixels, mut beside, mut codes, mut profile, mut orientation) = (0, 0, 0_u64, 0_usize, None);
    let mut rest = Bytes(bytes);
    rest.take(4)?;
    let size = usize::try_from(u32::from_le_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
    let mut chunks = Bytes(Bytes(rest.0).take(size)?);
    chunks.take(4)?;
    let extended = chunks.0.starts_with(b"VP8X");
    let mut kept = b"RIFF\0\0\0\0WEBP".to_vec();
    while !chunks.0.is_empty() {
        let name: [u8; 4] = chunks.array()?;
        let length = usize::try_from(u32::from_le_bytes(chunks.array()?)).map_err(|_| PictureFault::Broken)?;
        let mut content = chunks.take(length)?.to_vec();
        if length % 2 == 1 && !chunks.0.is_empty() {
            chunks.take(1)?;
        }
        let (size, more) = webp_size(&name, &content)?;
        (pixels, beside) = (size.max(pixels), beside + more);
        codes = codes.saturating_add(webp_codes(&name, &content));
        match &name {
            b"ANIM" | b"ANMF" => return Err(PictureFault::Animated),
            // Its flags say that EXIF (8), XMP (4) and a profile (32) follow: no more.
            b"VP8X" => {
                let gone = if profiled { 0x0C } else { 0x2C };
                content.first_mut().ok_or(PictureFault::Broken).map(|flags| *flags &= !gone)?;
            }
            b"VP8 " | b"VP8L" | b"ALPH" => {}
            b"ICCP" if profiled => profile += length,
            b"EXIF" if extended => {
                orientation.get_or_insert_with(|| upright_by(Some(&content)));
                continue;
            }
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
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(Cleaned { bytes: kept, pixels, beside: pixels.saturating_mul(beside), codes, profile, orientation })
}

#[cfg(test)]
mod tests {
    use super::*;

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
