//! Reading a picture: its head, and all of it.

use crate::photo::MediaType;
use crate::photo::clean::{Cleaned, MOST_OF_PROFILE, MOST_SIDE, PictureFault, clean, without_profile};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

pub(super) const MIB: u64 = 1024 * 1024;
/// The most pixels: 64 megapixels are 192 MB of memory.
pub(super) const MOST_PIXELS: u64 = 64_000_000;

/// What a decoder may keep while it reads a picture's head. A PNG's colour profile is packed, up to a thousand to one: it
/// counts with its packed bytes, and a row.
pub(super) const MOST_OF_HEAD: u64 = MOST_OF_PROFILE as u64;

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

pub(super) fn fault_of(error: &image::ImageError) -> PictureFault {
    match error {
        image::ImageError::Limits(_) => PictureFault::TooDear,
        _ => PictureFault::Broken,
    }
}

/// What a picture's decoder says of it before it unpacks any pixel.
pub(super) struct Head {
    /// The bytes of its pixels.
    pub(super) unpacked: u64,
    /// Its colour profile.
    pub(super) profile: Option<Vec<u8>>,
}

pub(super) fn read_head(bytes: &[u8], media_type: MediaType) -> Result<Head, PictureFault> {
    let mut decoder = reader(bytes, media_type, MOST_OF_HEAD).into_decoder().map_err(|error| fault_of(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS || width.max(height) > MOST_SIDE {
        return Err(PictureFault::TooManyPixels);
    }
    let profile = decoder.icc_profile().ok().flatten();
    Ok(Head { unpacked: decoder.total_bytes(), profile })
}

/// A file cleaned, and its head. A packed profile that is larger than any, or broken, goes: nothing tries to unpack it
/// again, and no more of it was unpacked than a decoder may keep.
pub(super) fn headed(bytes: &[u8], media_type: MediaType) -> Result<(Cleaned, Head), PictureFault> {
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

pub(super) fn decode(bytes: &[u8], media_type: MediaType, memory: u64) -> Result<DynamicImage, PictureFault> {
    reader(bytes, media_type, memory).decode().map_err(|error| fault_of(&error))
}
