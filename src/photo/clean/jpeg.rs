//! A JPEG's file without what is not the picture.

use super::cleaned::{Bytes, Cleaned, PictureFault, upright_by};

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
pub(super) fn clean_jpeg(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
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
