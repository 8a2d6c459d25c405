//! A PNG's file without what is not the picture.

use super::cleaned::{Bytes, Cleaned, MOST_SIDE, PictureFault, upright_by};

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
