//! Writing a picture that had to be turned, and its small copy.

use super::read::{MIB, fault_of};
use crate::photo::MediaType;
use crate::photo::clean::PictureFault;
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

/// JPEG quality of a thumbnail, and of a picture that had to be turned.
const THUMBNAIL_QUALITY: u8 = 80;
const TURNED_QUALITY: u8 = 95;

/// The file of a picture turned the right way up. A JPEG is read in the other order as it is written: no second picture
/// lies in memory.
pub(super) fn turn(
    picture: &mut DynamicImage,
    orientation: Orientation,
    media_type: MediaType,
    profile: Option<&[u8]>,
) -> Result<Vec<u8>, PictureFault> {
    let mut written = Written(Vec::new());
    let jpeg = |written| {
        let mut encoder = JpegEncoder::new_with_quality(written, TURNED_QUALITY);
        if let Some(profile) = profile {
            let _ = encoder.set_icc_profile(profile.to_vec());
        }
        encoder
    };
    let done = match (media_type, &*picture) {
        (MediaType::Jpeg, DynamicImage::ImageRgb8(pixels)) => {
            jpeg(&mut written).encode_image(&Turned { pixels, orientation })
        }
        (MediaType::Jpeg, DynamicImage::ImageLuma8(pixels)) => {
            jpeg(&mut written).encode_image(&Turned { pixels, orientation })
        }
        _ => {
            picture.apply_orientation(orientation);
            encode(picture, media_type, profile, &mut written)
        }
    };
    done.map_err(|error| if written.is_full() { PictureFault::TooDear } else { fault_of(&error) })?;
    Ok(written.0)
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

/// The file of the small copy, on white where the picture is transparent.
pub(super) fn thumbnail(small: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, image::ImageError> {
    let mut opaque = image::RgbImage::new(small.width(), small.height());
    for (to, from) in opaque.pixels_mut().zip(small.to_rgba8().pixels()) {
        let [red, green, blue, alpha] = from.0;
        let on_white = |colour: u8| {
            let (colour, alpha) = (u16::from(colour), u16::from(alpha));
            u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        to.0 = [on_white(red), on_white(green), on_white(blue)];
    }
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, THUMBNAIL_QUALITY);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    opaque.write_with_encoder(encoder)?;
    Ok(bytes)
}
