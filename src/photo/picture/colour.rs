//! Colours as sRGB, by a picture's own profile.

use crate::photo::clean::{PictureFault, adobe_of_jpeg};
use image::{DynamicImage, RgbImage};
#[cfg(feature = "heic")]
use moxcms::{CicpColorPrimaries, CicpProfile, MatrixCoefficients, TransferCharacteristics};
use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};
use std::sync::Arc;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// From the colours of a profile to sRGB; none where the profile can't be read, or is of other colours.
fn to_srgb(profile: &[u8], of: DataColorSpace, layout: Layout) -> Option<Arc<Transform8BitExecutor>> {
    let profile = ColorProfile::new_from_slice(profile).ok().filter(|profile| profile.color_space == of)?;
    profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default()).ok()
}

/// The same picture in sRGB. One that is grey has the same number three times; what its profile can't be applied to stays
/// as it is.
pub(super) fn in_srgb(picture: RgbImage, grey: bool, profile: &[u8]) -> RgbImage {
    let (of, layout) = if grey { (DataColorSpace::Gray, Layout::Gray) } else { (DataColorSpace::Rgb, Layout::Rgb) };
    let Some(transform) = to_srgb(profile, of, layout) else { return picture };
    let mut turned = RgbImage::new(picture.width(), picture.height());
    let done = if grey {
        let greys: Vec<u8> = picture.pixels().map(|pixel| pixel.0[0]).collect();
        transform.transform(&greys, &mut turned)
    } else {
        transform.transform(&picture, &mut turned)
    };
    if done.is_ok() { turned } else { picture }
}

/// The picture of a JPEG of four inks in sRGB, by its profile; none where the profile can't be applied.
pub(super) fn decode_inks(bytes: &[u8], profile: &[u8]) -> Option<Result<DynamicImage, PictureFault>> {
    let transform = to_srgb(profile, DataColorSpace::Cmyk, Layout::Rgba)?;
    let decoded = decode_four(bytes);
    Some(decoded.and_then(|(width, height, mut inks)| {
        let adobe = adobe_of_jpeg(bytes);
        if adobe == Some(2) {
            inks.as_chunks_mut().0.iter_mut().for_each(ycck_to_cmyk);
        }
        // Adobe writes how much ink is missing.
        if adobe.is_some() {
            inks.iter_mut().for_each(|ink| *ink = !*ink);
        }
        let mut picture = RgbImage::new(width, height);
        transform.transform(&inks, &mut picture).map_err(|_| PictureFault::Broken)?;
        Ok(DynamicImage::ImageRgb8(picture))
    }))
}

/// A JPEG's four components, as they lie in it.
fn decode_four(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>), PictureFault> {
    let options = DecoderOptions::default().set_max_width(usize::MAX).set_max_height(usize::MAX).set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| PictureFault::Broken)?;
    let space = decoder.input_colorspace().filter(|it| matches!(it, ColorSpace::CMYK | ColorSpace::YCCK));
    let space = space.ok_or(PictureFault::Broken)?;
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(space));
    let (width, height) = decoder.dimensions().ok_or(PictureFault::Broken)?;
    let inks = decoder.decode().map_err(|_| PictureFault::Broken)?;
    let side = |side: usize| u32::try_from(side).map_err(|_| PictureFault::Broken);
    if inks.len() != width * height * 4 {
        return Err(PictureFault::Broken);
    }
    Ok((side(width)?, side(height)?, inks))
}

/// The three colours that Adobe packs as luma and chroma (T.871, clause 7) are how much of their inks is there.
fn ycck_to_cmyk(pixel: &mut [u8; 4]) {
    let [luma, blue, red, black] = pixel.map(f32::from);
    let (blue, red) = (blue - 128.0, red - 128.0);
    let missing = [luma + 1.402 * red, luma - 0.344_136 * blue - 0.714_136 * red, luma + 1.772 * blue];
    let [cyan, magenta, yellow] = missing.map(|it| 255 - to_byte(it));
    *pixel = [cyan, magenta, yellow, to_byte(black)];
}

fn to_byte(value: f32) -> u8 {
    // Saturating.
    value.round() as u8
}

/// Whether a profile is of three colours.
#[cfg(feature = "heic")]
pub(super) fn is_rgb(profile: &[u8]) -> bool {
    ColorProfile::new_from_slice(profile).is_ok_and(|profile| profile.color_space == DataColorSpace::Rgb)
}

/// The same picture in sRGB, whose primaries and transfer are told by their numbers (ITU-T H.273). Those that nobody uses
/// for pictures are refused.
#[cfg(feature = "heic")]
pub(super) fn of_codes(picture: RgbImage, primaries: u8, transfer: u8) -> Result<RgbImage, PictureFault> {
    let unknown = |_| PictureFault::Heic;
    let from = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).map_err(unknown)?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).map_err(unknown)?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    let transform = from
        .create_transform_8bit(Layout::Rgb, &ColorProfile::new_srgb(), Layout::Rgb, TransformOptions::default())
        .map_err(unknown)?;
    let mut turned = RgbImage::new(picture.width(), picture.height());
    transform.transform(&picture, &mut turned).map_err(unknown)?;
    Ok(turned)
}
