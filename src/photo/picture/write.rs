//! Writing a picture that had to be turned, and its small copy.

use super::read::{MIB, fault_of};
use crate::photo::MediaType;
use crate::photo::clean::{PictureFault, colours_of_png};
use crate::photo::turned::Turned;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder};
use std::io::Write;

/// The largest file that turning a picture may make, and the memory that writing it takes.
const MOST_WRITTEN: usize = 50 * 1024 * 1024;
pub(super) const WRITING: u64 = 100 * MIB;

/// JPEG quality of a thumbnail, of a JPEG that had to be turned, and of what was no JPEG before.
const THUMBNAIL_QUALITY: u8 = 80;
const TURNED_QUALITY: u8 = 95;
const CONVERTED_QUALITY: u8 = 90;

/// How long a PNG's signature and first chunk are.
const HEAD_OF_PNG: usize = 33;

/// A picture's pixels, and what is to become of them.
pub(super) struct Unpacked {
    pub(super) picture: DynamicImage,
    /// How it is to be turned.
    pub(super) orientation: Orientation,
    /// Its colour profile.
    pub(super) profile: Option<Vec<u8>>,
    /// Whether it was packed with loss.
    pub(super) lossy: bool,
}

/// The file of a picture turned the right way up, and what it is. What was packed with loss becomes a JPEG: without loss it
/// would be ten times as long, and nobody writes a WebP with loss in Rust. What is transparent stays a WebP.
pub(super) fn turn(
    unpacked: Unpacked,
    media_type: MediaType,
    file: &[u8],
) -> Result<(MediaType, Vec<u8>), PictureFault> {
    let Unpacked { mut picture, orientation, profile, lossy } = unpacked;
    let mut written = Written(Vec::new());
    if media_type == MediaType::Webp && lossy && is_opaque(&picture) {
        picture = picture.into_rgb8().into();
    }
    let as_jpeg =
        media_type == MediaType::Jpeg || (media_type == MediaType::Webp && lossy && !picture.color().has_alpha());
    let quality = if media_type == MediaType::Jpeg && !file.is_empty() { TURNED_QUALITY } else { CONVERTED_QUALITY };
    let done = if as_jpeg {
        write_jpeg(&picture, orientation, quality, profile, &mut written)
    } else {
        picture.apply_orientation(orientation);
        let profile = profile.filter(|_| media_type != MediaType::Png);
        encode(&picture, media_type, profile.as_deref(), &mut written)
    };
    done.map_err(|error| if written.is_full() { PictureFault::TooDear } else { fault_of(&error) })?;
    let mut bytes = written.0;
    if media_type == MediaType::Png {
        // What its colours are stands behind its head.
        bytes.splice(HEAD_OF_PNG..HEAD_OF_PNG, colours_of_png(file));
    }
    Ok((if as_jpeg { MediaType::Jpeg } else { media_type }, bytes))
}

fn is_opaque(picture: &DynamicImage) -> bool {
    match picture {
        DynamicImage::ImageRgba8(pixels) => pixels.pixels().all(|pixel| pixel.0[3] == u8::MAX),
        other => !other.color().has_alpha(),
    }
}

/// Writes a JPEG in the other order as the picture lies in memory: no second picture does.
fn write_jpeg(
    picture: &DynamicImage,
    orientation: Orientation,
    quality: u8,
    profile: Option<Vec<u8>>,
    to: &mut Written,
) -> image::ImageResult<()> {
    let mut encoder = JpegEncoder::new_with_quality(to, quality);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile);
    }
    match picture {
        DynamicImage::ImageRgb8(pixels) => encoder.encode_image(&Turned { pixels, orientation }),
        DynamicImage::ImageLuma8(pixels) => encoder.encode_image(&Turned { pixels, orientation }),
        other => encoder.encode_image(&Turned { pixels: &other.to_rgb8(), orientation }),
    }
}

/// A file as it is written, of a bounded size.
struct Written(Vec<u8>);

impl Written {
    fn is_full(&self) -> bool {
        self.0.len() >= MOST_WRITTEN
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = MOST_WRITTEN.saturating_sub(self.0.len());
        if room == 0 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let count = bytes.len().min(room);
        self.0.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) fn encode(
    picture: &DynamicImage,
    media_type: MediaType,
    profile: Option<&[u8]>,
    to: impl Write,
) -> Result<(), image::ImageError> {
    fn write(
        picture: &DynamicImage,
        mut encoder: impl ImageEncoder,
        profile: Option<&[u8]>,
    ) -> Result<(), image::ImageError> {
        if let Some(profile) = profile {
            let _ = encoder.set_icc_profile(profile.to_vec());
        }
        picture.write_with_encoder(encoder)
    }
    match media_type {
        MediaType::Jpeg => write(picture, JpegEncoder::new_with_quality(to, TURNED_QUALITY), profile),
        MediaType::Png => write(picture, PngEncoder::new(to), profile),
        MediaType::Webp => write(picture, WebPEncoder::new_lossless(to), profile),
    }
}

/// The file of the small copy.
pub(super) fn thumbnail(small: &DynamicImage) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, THUMBNAIL_QUALITY))?;
    Ok(bytes)
}
