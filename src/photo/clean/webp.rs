//! A WebP's file without what is not the picture.

use super::cleaned::{Bytes, Cleaned, PictureFault, upright_by};
use super::profile::own_profile;
use image::metadata::Orientation;

/// Bytes of memory that the prefix codes of a WebP packed without loss may take for each byte of its chunk. image-webp
/// 0.2.4 builds the tables of every group of codes that is told, used or not, and has no limit of its own (`lossless.rs`,
/// `read_huffman_codes`). The dearest group is 82 bits long: 2,048 greens of 11 bits, told in 66, and four codes of one
/// symbol. It takes 4,096 nodes of 16 bytes and 1,024 entries of 4 (`huffman.rs`, `build_implicit`), 6.8 KB for each of its
/// bytes; 7.8 were measured: 327 MB for a file of 42,140 bytes. This is more than either.
const CODES_OF_BYTE: u64 = 10 * 1024;

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

pub(super) fn clean_webp(bytes: &[u8], profiled: bool) -> Result<Cleaned, PictureFault> {
    let (mut pixels, mut beside, mut codes, mut profile, mut orientation) = (0, 0, 0_u64, 0_usize, None);
    let mut rest = Bytes(bytes);
    rest.take(4)?;
    let size = usize::try_from(u32::from_le_bytes(rest.array()?)).map_err(|_| PictureFault::Broken)?;
    let mut chunks = Bytes(Bytes(rest.0).take(size)?);
    chunks.take(4)?;
    let extended = chunks.0.starts_with(b"VP8X");
    let (mut kept, mut lossy) = (b"RIFF\0\0\0\0WEBP".to_vec(), false);
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
            b"VP8 " => lossy = true,
            b"VP8L" | b"ALPH" => {}
            b"ICCP" if profiled => {
                content = own_profile(&content).unwrap_or(content);
                profile += content.len();
            }
            b"EXIF" if extended => {
                orientation.get_or_insert_with(|| upright_by(Some(&content)));
                continue;
            }
            _ => continue,
        }
        kept.extend_from_slice(&name);
        kept.extend_from_slice(&u32::try_from(content.len()).map_err(|_| PictureFault::Broken)?.to_le_bytes());
        kept.append(&mut content);
        if kept.len() % 2 == 1 {
            kept.push(0);
        }
    }
    let size = u32::try_from(kept.len() - 8).map_err(|_| PictureFault::Broken)?;
    kept.splice(4..8, size.to_le_bytes());
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let beside = pixels.saturating_mul(beside);
    Ok(Cleaned { bytes: kept, pixels, beside, codes, profile, inks: false, lossy, orientation })
}
