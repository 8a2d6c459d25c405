//! A JPEG's file without what is not the picture.

use super::cleaned::{Bytes, Cleaned, EXIF, PictureFault, upright_by};
use super::frame::{Frame, kind_not_taken};
use super::profile::own_profile;
use std::ops::Range;

/// The most scans of a progressive JPEG, and the most pixels that all of them together go over. Encoders write ten; each
/// scan is a walk over the whole picture, and can be a hundred bytes.
const MOST_SCANS: u64 = 32;
const MOST_SCANNED: u64 = 640_000_000;

const JPEG_PROFILE: &[u8] = b"ICC_PROFILE\0";
/// The most of a profile that one segment holds.
const MOST_OF_PART: usize = 65_519;

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

/// Puts a segment behind what is kept.
fn push_segment(kept: &mut Vec<u8>, marker: u8, content: &[u8]) -> Result<(), PictureFault> {
    let length = u16::try_from(content.len() + 2).map_err(|_| PictureFault::Broken)?;
    kept.extend_from_slice(&[0xFF, marker]);
    kept.extend_from_slice(&length.to_be_bytes());
    kept.extend_from_slice(content);
    Ok(())
}

/// The segments of a JPEG's profile without what it says of a screen; none where that stays as it is, or its segments do
/// not make one (ICC.1:2022, B.4: each has its number, from 1, and how many there are).
fn own_profile_in(kept: &[u8], places: &[Range<usize>]) -> Option<Vec<Vec<u8>>> {
    let parts = places.iter().map(|place| {
        let content = kept.get(place.start + 4..place.end)?.strip_prefix(JPEG_PROFILE)?;
        let [turn, _, part @ ..] = content else { return None };
        Some((*turn, part))
    });
    let mut parts = parts.collect::<Option<Vec<_>>>()?;
    parts.sort_by_key(|(turn, _)| *turn);
    let whole: Vec<u8> = parts.iter().flat_map(|(_, part)| part.iter().copied()).collect();
    let own = own_profile(&whole)?;
    let count = u8::try_from(own.len().div_ceil(MOST_OF_PART)).ok()?;
    Some(
        (1..=count)
            .zip(own.chunks(MOST_OF_PART))
            .map(|(turn, part)| [JPEG_PROFILE, &[turn, count], part].concat())
            .collect(),
    )
}

/// The next marker. Before the first scan stray bytes are passed over, as decoders do; after it there are none, for what
/// lies there is a part of a scan that was damaged. Any number of 0xFF may stand before a marker (T.81, B.1.1.2).
fn next_marker(rest: &mut Bytes<'_>, stray: bool) -> Result<u8, PictureFault> {
    loop {
        let [mut marker] = rest.array()?;
        if marker == 0xFF {
            while marker == 0xFF {
                [marker] = rest.array()?;
            }
            match marker {
                0x00 | 0x01 | 0xD0..=0xD8 if stray => {}
                _ => return Ok(marker),
            }
        } else if !stray {
            return Err(PictureFault::Broken);
        }
    }
}

/// Whether a segment may stand after the first scan has begun: tables, a restart interval, the height once more, another
/// scan, and what is for applications (T.81, B.2.4).
fn may_follow_a_scan(marker: u8, content: &[u8], frame: Option<&Frame>) -> bool {
    match marker {
        0xC4 | 0xDA | 0xDB | 0xDD | 0xE0..=0xEF | 0xFE => true,
        0xDC => frame.is_some_and(
            |frame| matches!(content, [high, low] if frame.height == u64::from(u16::from_be_bytes([*high, *low]))),
        ),
        _ => false,
    }
}

/// A JPEG without its application segments and remarks, its scans untouched. What shows it right stays: density (JFIF),
/// the colour profile and Adobe's colour transform. What follows the end (second pictures, films, trailers) goes.
pub(super) fn clean_jpeg(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
    let mut rest = Bytes(bytes);
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut frame, mut scans, mut in_parts) = (None::<Frame>, 0, false);
    let (mut profile, mut exif, mut profiles) = (0_usize, None, Vec::new());
    kept.extend_from_slice(rest.take(2)?);
    loop {
        let marker = next_marker(&mut rest, scans == 0)?;
        if marker == 0xD9 {
            kept.extend_from_slice(&[0xFF, 0xD9]);
            let frame = frame.ok_or(PictureFault::Broken)?;
            let pixels = frame.width * frame.height;
            if scans > MOST_SCANS || (scans > 4 && scans * pixels > MOST_SCANNED) {
                return Err(PictureFault::TooDear);
            }
            let beside = if in_parts || frame.progressive { frame.coefficients() } else { 0 };
            let (inks, orientation) = (frame.components.len() == 4, upright_by(exif));
            return Ok(Cleaned { bytes: kept, pixels, beside, codes: 0, profile, inks, lossy: true, orientation });
        }
        let length = usize::from(u16::from_be_bytes(rest.array()?));
        let content = rest.take(length.checked_sub(2).ok_or(PictureFault::Broken)?)?;
        if scans > 0 && !may_follow_a_scan(marker, content, frame.as_ref()) {
            return Err(PictureFault::Broken);
        }
        if let Some(kind) = kind_not_taken(marker) {
            return Err(PictureFault::JpegKind(kind));
        }
        if matches!(marker, 0xC0..=0xC2) && frame.replace(Frame::read(marker, content)?).is_some() {
            return Err(PictureFault::Broken);
        }
        if marker == 0xE1 && scans == 0 && content.starts_with(EXIF) {
            exif = Some(content);
        }
        let content = jpeg_kept(marker, content, profiled);
        if let Some(content) = &content {
            let begin = kept.len();
            push_segment(&mut kept, marker, content)?;
            if marker == 0xE2 {
                profile += content.len();
                profiles.push(begin..kept.len());
            }
        }
        if marker == 0xDA
            && scans == 0
            && let Some(own) = own_profile_in(&kept, &profiles)
        {
            profile = own.iter().map(Vec::len).sum();
            for place in std::mem::take(&mut profiles).into_iter().rev() {
                kept.drain(place);
            }
            let scan_head = kept.split_off(kept.len() - length - 2);
            own.iter().try_for_each(|content| push_segment(&mut kept, 0xE2, content))?;
            kept.extend_from_slice(&scan_head);
        }
        if marker == 0xDA {
            let components = content.as_deref().and_then(|content| content.first()).copied().unwrap_or(0);
            in_parts |= frame.as_ref().is_none_or(|frame| usize::from(components) != frame.components.len());
            scans += 1;
            let scan = scan_length(rest.0)?;
            kept.extend_from_slice(rest.take(scan)?);
        }
    }
}

/// The colour transform that Adobe's segment of a cleaned JPEG tells (T.872, 6.5.3): 0 for none, 1 for YCbCr, 2 for YCCK.
/// None where there is no such segment.
pub fn adobe_of_jpeg(bytes: &[u8]) -> Option<u8> {
    let mut rest = Bytes(bytes.get(2..)?);
    loop {
        let [_, marker] = rest.array().ok()?;
        let length = usize::from(u16::from_be_bytes(rest.array().ok()?));
        let content = rest.take(length.checked_sub(2)?).ok()?;
        match marker {
            0xEE => return content.get(11).copied(),
            0xDA => return None,
            _ => {}
        }
    }
}

/// The length of a scan's data: up to the next marker that is neither a stuffed byte nor a restart.
pub(super) fn scan_length(bytes: &[u8]) -> Result<usize, PictureFault> {
    let ends = |pair: &[u8]| matches!(pair, [0xFF, next] if !matches!(next, 0x00 | 0xD0..=0xD7 | 0xFF));
    bytes.windows(2).position(ends).ok_or(PictureFault::Broken)
}
