//! A picture's bytes: what they are, whether they are whole, without what they say about the person and the place, and
//! a small copy. Nothing here touches a disk or the network; it takes processor time, so it runs off the async threads.

mod content;
mod read;
mod write;

pub use super::clean::{JpegKind, PictureFault};
pub use content::{Content, HEAD, sniff};

use super::clean::{Cleaned, jpeg_is_whole};
use super::{MediaType, turned};
use crate::record::hex;
use image::metadata::Orientation;
use read::{Head, MIB, MOST_OF_HEAD, decode, headed};
use sha2::{Digest, Sha256};
use write::{WRITING, thumbnail, turn};

/// The most memory for one picture where nobody says how much there is: 64 megapixels of a telephone's JPEG, turned.
const MOST_MEMORY: u64 = 384 * MIB;

/// What looking takes beside four times the file: a profile in the decoder, and its copy.
pub const LOOKING: u64 = 2 * MOST_OF_HEAD;
/// What unpacking anything takes: tables, rows, the thumbnail.
const LEAST_MEMORY: u64 = 8 * MIB;

/// The longest side of a thumbnail, pixels.
const THUMBNAIL: u32 = 400;

/// Larger colour profiles are not copied into thumbnails.
const LARGEST_PROFILE: usize = 64 * 1024;

/// A picture as it is kept.
pub struct Picture {
    /// Its bytes, without position, EXIF, XMP and remarks.
    pub bytes: Vec<u8>,
    /// What they are.
    pub media_type: MediaType,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
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
        other => return Err(other.fault().unwrap_or(PictureFault::NotAPicture)),
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
        if media_type == MediaType::Jpeg {
            jpeg_is_whole(&kept)?;
        }
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

#[cfg(test)]
mod tests;
