//! A PNG's file without what is not the picture.

use super::cleaned::{Bytes, Cleaned, MOST_OF_PROFILE, MOST_SIDE, PictureFault, upright_by};
use super::profile::own_profile;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use std::io::{Read, Write};

/// The chunks of a PNG that show it, its colour profile apart: all that is critical, transparency and colour. Text, time,
/// EXIF and frames go.
const PNG_CHUNKS: [&[u8; 4]; 11] =
    [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"cICP", b"pHYs"];

pub(super) fn clean_png(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
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
                let own = own_packed_profile(content).map(|content| chunk_of(*b"iCCP", &content));
                let chunk = own.as_deref().unwrap_or(chunk);
                profile = chunk.len();
                kept.extend_from_slice(chunk);
            }
            _ => {}
        }
        if PNG_CHUNKS.contains(&&name) {
            kept.extend_from_slice(chunk);
        }
        if &name == b"IEND" {
            return Ok(Cleaned {
                bytes: kept,
                pixels,
                beside: 0,
                codes: 0,
                profile,
                inks: false,
                lossy: false,
                orientation: upright_by(exif),
            });
        }
    }
}

/// The content of a profile's chunk without what its profile says of a screen; none where that stays as it is. No more is
/// unpacked than any profile has.
fn own_packed_profile(content: &[u8]) -> Option<Vec<u8>> {
    let name = content.iter().position(|byte| *byte == 0)?;
    // Behind the name: the method, 0.
    let packed = content.get(name + 2..)?;
    let mut profile = Vec::new();
    ZlibDecoder::new(packed).take(u64::try_from(MOST_OF_PROFILE).ok()? + 1).read_to_end(&mut profile).ok()?;
    let own = own_profile(&profile).filter(|_| profile.len() <= MOST_OF_PROFILE)?;
    let mut content = ZlibEncoder::new(b"Display\0\0".to_vec(), Compression::default());
    content.write_all(&own).ok()?;
    content.finish().ok()
}

fn chunk_of(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(&name);
    crc.update(content);
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &name, content, &crc.sum().to_be_bytes()].concat()
}

/// The chunks of a cleaned PNG that say what its colours are: its profile, gamma, primaries, sRGB, and by numbers.
pub fn colours_of_png(bytes: &[u8]) -> Vec<u8> {
    let (mut rest, mut colours) = (Bytes(bytes.get(8..).unwrap_or_default()), Vec::new());
    let mut next = || -> Result<([u8; 4], &[u8]), PictureFault> {
        let whole = rest.0;
        let length = usize::try_from(u32::from_be_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
        let name = rest.array()?;
        rest.take(length)?;
        rest.take(4)?;
        Ok((name, whole.get(..length + 12).ok_or(PictureFault::Broken)?))
    };
    while let Ok((name, chunk)) = next()
        && name != *b"IDAT"
    {
        if matches!(&name, b"iCCP" | b"gAMA" | b"cHRM" | b"sRGB" | b"cICP") {
            colours.extend_from_slice(chunk);
        }
    }
    colours
}
