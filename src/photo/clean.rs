//! A picture's file without what is not the picture; and, from its headers alone, how large it is and what unpacking it
//! takes. Nothing is unpacked here, and nothing is believed that the decoders would not read the same way.

use super::MediaType;

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
}

/// Takes out of a file what is not the picture.
pub fn clean(bytes: &[u8], media_type: MediaType) -> Result<Cleaned, PictureFault> {
    match media_type {
        MediaType::Jpeg => clean_jpeg(bytes),
        MediaType::Png => clean_png(bytes),
        MediaType::Webp => clean_webp(bytes),
    }
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

/// A JPEG without its application segments and remarks, its scans untouched. What shows it right stays: density (JFIF),
/// the colour profile and Adobe's colour transform. What follows the end (second pictures, films, trailers) goes.
fn clean_jpeg(bytes: &[u8]) -> Result<Cleaned, PictureFault> {
    let mut rest = Bytes(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut frame, mut scans, mut in_parts) = (None::<Frame>, 0, false);
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
                return Ok(Cleaned { bytes: kept, pixels, beside });
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
        let content: Option<Vec<u8>> = match marker {
            // Version, unit and densities; its own thumbnail goes.
            0xE0 if content.starts_with(b"JFIF\0") => content.get(..12).map(|jfif| [jfif, &[0, 0]].concat()),
            0xE2 if content.starts_with(b"ICC_PROFILE\0") => Some(content.to_vec()),
            0xEE if content.starts_with(b"Adobe") => content.get(..12).map(<[u8]>::to_vec),
            0xE0..=0xEF | 0xFE => None,
            _ => Some(content.to_vec()),
        };
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

/// The chunks of a PNG that show it: all that is critical, transparency and colour. Text, time, EXIF and frames go.
const PNG_CHUNKS: [&[u8; 4]; 12] =
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"pHYs"];

fn clean_png(bytes: &[u8]) -> Result<Cleaned, PictureFault> {
    let mut rest = Bytes(bytes);
    let mut pixels = 0;
    let mut kept = Vec::with_capacity(bytes.len());
    kept.extend_from_slice(rest.take(8)?);
    loop {
        let whole = rest.0;
        let length = usize::try_from(u32::from_be_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
        let name: [u8; 4] = rest.array()?;
        let content = rest.take(length)?;
        rest.take(4)?;
        if &name == b"IHDR" {
            let mut size = Bytes(content);
            let (width, height) = (u32::from_be_bytes(size.array()?), u32::from_be_bytes(size.array()?));
            pixels = pixels.max(u64::from(width) * u64::from(height));
        }
        if &name == b"acTL" {
            return Err(PictureFault::Animated);
        }
        if PNG_CHUNKS.contains(&&name) {
            kept.extend_from_slice(whole.get(..length + 12).ok_or(PictureFault::Broken)?);
        }
        if &name == b"IEND" {
            return Ok(Cleaned { bytes: kept, pixels, beside: 0 });
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
            (((header & 0x3FFF) + 1) * (((header >> 14) & 0x3FFF) + 1), 4)
        }
        // It is unpacked as a picture of its own.
        b"ALPH" => (0, 6),
        _ => (0, 0),
    })
}

fn clean_webp(bytes: &[u8]) -> Result<Cleaned, PictureFault> {
    let (mut pixels, mut beside) = (0, 0);
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
        let (size, more) = webp_size(&name, &content)?;
        (pixels, beside) = (size.max(pixels), beside + more);
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
    Ok(Cleaned { bytes: kept, pixels, beside: pixels.saturating_mul(beside) })
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
    fn a_webp_is_as_large_as_the_largest_of_its_headers_says() {
        let canvas = [0_u8; 10];
        let frame = [0, 0, 0, 0x9D, 0x01, 0x2A, 0xFF, 0x3F, 0xFF, 0x3F];
        let small = clean(&webp(&[(b"VP8X", &canvas)]), MediaType::Webp).expect("clean");
        assert_eq!(small.pixels, 1);
        let large = clean(&webp(&[(b"VP8X", &canvas), (b"VP8 ", &frame)]), MediaType::Webp).expect("clean");
        assert_eq!((large.pixels, large.beside), (16_383 * 16_383, 3 * 16_383 * 16_383));
        let lossless = [0x2F, 0xFF, 0xFF, 0xFF, 0x0F, 0];
        let large = clean(&webp(&[(b"VP8L", &lossless)]), MediaType::Webp).expect("clean");
        assert_eq!((large.pixels, large.beside), (16_384 * 16_384, 4 * 16_384 * 16_384));
        assert_eq!(clean(&webp(&[(b"ANIM", b"      ")]), MediaType::Webp).err(), Some(PictureFault::Animated));
    }
}
