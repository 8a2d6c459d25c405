//! A picture's bytes: what they are, whether they are whole, without what they say about the person and the place, and
//! a small copy. Nothing here touches a disk or the network; it takes processor time, so it runs off the async threads.

mod colour;
mod content;
#[cfg(feature = "heic")]
mod heic;
mod read;
mod shrink;
mod write;

pub use super::clean::{JpegKind, PictureFault};
pub use content::{Content, HEAD, sniff};

use super::clean::{Cleaned, jpeg_is_whole};
use super::{MediaType, turned};
use crate::record::hex;
use image::DynamicImage;
use image::metadata::Orientation;
use read::{Head, MIB, MOST_OF_HEAD, decode, headed};
use sha2::{Digest, Sha256};
use std::panic::{AssertUnwindSafe, catch_unwind};
use write::{Unpacked, WRITING, thumbnail, turn};

/// The most memory for one picture where nobody says how much there is: 64 megapixels of a telephone's JPEG, turned.
const MOST_MEMORY: u64 = 384 * MIB;

/// What looking takes beside four times the file: a profile as it is unpacked, another without what it says of a screen, or
/// one in the decoder, and its copy.
pub const LOOKING: u64 = 4 * MOST_OF_HEAD;
/// What unpacking anything takes: tables, rows, the thumbnail.
const LEAST_MEMORY: u64 = 8 * MIB;

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
    source: Source,
    memory: u64,
}

enum Source {
    /// A file that is kept as it is, cleaned, unless it has to be turned.
    Cleaned { cleaned: Cleaned, media_type: MediaType, head: Head },
    /// A file that is kept as a JPEG.
    #[cfg(feature = "heic")]
    Heic(heic::Heic),
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
    /// Whether it takes seconds of a processor: a HEIC.
    pub slow: bool,
}

/// Cleans a file and looks at its head: `TooManyPixels`, `TooDear` or `Lossless` where unpacking could take more memory
/// than this.
pub fn look(bytes: &[u8], most_memory: u64) -> Result<Look, PictureFault> {
    guarded(|| match sniff(bytes) {
        Content::Picture(media_type) => look_at_cleaned(bytes, media_type, most_memory),
        #[cfg(feature = "heic")]
        Content::Heic => {
            let heic = heic::Heic::look(bytes)?;
            let memory = [WRITING, LEAST_MEMORY, heic.memory()].into_iter().fold(0, u64::saturating_add);
            let memory = memory.saturating_add(shrink::memory(heic.pixels()));
            if memory > most_memory {
                Err(PictureFault::TooDear)
            } else {
                Ok(Look { source: Source::Heic(heic), memory })
            }
        }
        other => Err(other.fault().unwrap_or(PictureFault::NotAPicture)),
    })
}

/// Decoders are given whatever is sent. A panic in one says that the file is broken, and must not look like a fault of the
/// service's own.
fn guarded<T>(work: impl FnOnce() -> Result<T, PictureFault>) -> Result<T, PictureFault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(PictureFault::Broken))
}

fn look_at_cleaned(bytes: &[u8], media_type: MediaType, most_memory: u64) -> Result<Look, PictureFault> {
    let (cleaned, head) = headed(bytes, media_type)?;
    let turning = match (cleaned.orientation, media_type) {
        (Orientation::NoTransforms, _) => 0,
        (_, MediaType::Jpeg) => WRITING,
        (_, MediaType::Png | MediaType::Webp) => head.unpacked.saturating_mul(2).saturating_add(WRITING),
    };
    // The file as it came, as it is kept, and as the decoder keeps it.
    let files = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_mul(3);
    // The decoder's and the look's, or the look's and the one that is written.
    let profiles = head.profile.as_ref().and_then(|it| u64::try_from(it.len()).ok()).unwrap_or(0);
    // Its tables as numbers of four bytes, for the colours of a thumbnail.
    let profiles = profiles.saturating_mul(2 + 4 * 2);
    let inks = if cleaned.inks { cleaned.pixels.saturating_mul(4) } else { 0 };
    let shrinking = shrink::memory(cleaned.pixels);
    let parts = [files, head.unpacked, inks, cleaned.beside, profiles, turning, shrinking, LEAST_MEMORY];
    let memory = parts.into_iter().fold(0, u64::saturating_add);
    if memory > most_memory {
        return Err(PictureFault::TooDear);
    }
    let memory = memory.saturating_add(cleaned.codes);
    if memory > most_memory {
        return Err(PictureFault::Lossless);
    }
    Ok(Look { source: Source::Cleaned { cleaned, media_type, head }, memory })
}

/// Checks, cleans and shrinks.
pub fn prepare(bytes: &[u8]) -> Result<Picture, PictureFault> {
    look(bytes, MOST_MEMORY)?.unpack()
}

impl Look {
    /// What it tells.
    pub fn seen(&self) -> Seen {
        let (hash, pixels, slow) = match &self.source {
            Source::Cleaned { cleaned, .. } => {
                let upright = cleaned.orientation == Orientation::NoTransforms;
                (upright.then(|| hex::text(&Sha256::digest(&cleaned.bytes))), cleaned.pixels, false)
            }
            #[cfg(feature = "heic")]
            Source::Heic(heic) => (None, heic.pixels(), true),
        };
        Seen { hash, pixels, memory: self.memory, slow }
    }

    /// Decodes it to its end, turns it the right way up, and shrinks it.
    pub fn unpack(self) -> Result<Picture, PictureFault> {
        guarded(|| match self.source {
            Source::Cleaned { cleaned, media_type, head } => unpack_cleaned(cleaned, media_type, head, self.memory),
            #[cfg(feature = "heic")]
            Source::Heic(heic) => {
                let heic::Read { picture, orientation, profile } = heic.read()?;
                Unpacked { picture, orientation, profile, lossy: true }.written(MediaType::Jpeg, &[])
            }
        })
    }
}

fn unpack_cleaned(cleaned: Cleaned, media_type: MediaType, head: Head, memory: u64) -> Result<Picture, PictureFault> {
    let Cleaned { bytes, orientation, lossy, inks, .. } = cleaned;
    if media_type == MediaType::Jpeg {
        jpeg_is_whole(&bytes)?;
    }
    // A profile of four inks does not fit the three colours of a decoded picture: it is in sRGB then.
    let in_srgb = head.profile.as_deref().filter(|_| inks).and_then(|profile| colour::decode_inks(&bytes, profile));
    let picture = in_srgb.unwrap_or_else(|| decode(&bytes, media_type, memory))?;
    let unpacked = Unpacked { picture, orientation, profile: head.profile.filter(|_| !inks), lossy };
    if orientation == Orientation::NoTransforms {
        unpacked.kept(media_type, bytes)
    } else {
        unpacked.written(media_type, &bytes)
    }
}

impl Unpacked {
    /// The picture whose file stays.
    fn kept(self, media_type: MediaType, bytes: Vec<u8>) -> Result<Picture, PictureFault> {
        let small = shrink::shrink(&self.picture, self.profile.as_deref());
        let size = (self.picture.width(), self.picture.height());
        done(media_type, bytes, size, &small.into())
    }

    /// The picture in a file that is written anew.
    fn written(self, media_type: MediaType, file: &[u8]) -> Result<Picture, PictureFault> {
        let mut small: DynamicImage = shrink::shrink(&self.picture, self.profile.as_deref()).into();
        small.apply_orientation(self.orientation);
        let (mut width, mut height) = (self.picture.width(), self.picture.height());
        if turned::swaps_sides(self.orientation) {
            (width, height) = (height, width);
        }
        let (media_type, bytes) = turn(self, media_type, file)?;
        done(media_type, bytes, (width, height), &small)
    }
}

fn done(
    media_type: MediaType,
    bytes: Vec<u8>,
    (width, height): (u32, u32),
    small: &DynamicImage,
) -> Result<Picture, PictureFault> {
    let thumbnail = thumbnail(small).map_err(|_| PictureFault::Broken)?;
    Ok(Picture { media_type, width, height, hash: hex::text(&Sha256::digest(&bytes)), thumbnail, bytes })
}

#[cfg(test)]
mod tests;
