//! The small copy of a picture.

use super::colour;
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

/// The longest side of a thumbnail, pixels.
const THUMBNAIL: u32 = 400;
/// A picture of twice this and more is brought near it first, by the mean of as many pixels each way as go into it: a filter
/// over all of them takes many times as long and as much memory. What folds over in that first step is finer than the
/// thumbnail, and faint.
const NEAR: u32 = 2 * THUMBNAIL;
/// Bytes that shrinking takes for each pixel of what is filtered, less than twice that size: with and without transparency,
/// and its numbers for each row of the thumbnail.
const OF_PIXEL: u64 = 11;

/// The memory that shrinking a picture of so many pixels takes.
pub(super) fn memory(pixels: u64) -> u64 {
    pixels.min(4 * u64::from(NEAR) * u64::from(NEAR)) * OF_PIXEL
}

/// The picture at the size of a thumbnail, in sRGB, on white where it is transparent.
pub(super) fn shrink(picture: &DynamicImage, profile: Option<&[u8]>) -> RgbImage {
    let grey = !picture.color().has_color();
    let (width, height) = (picture.width(), picture.height());
    let longest = width.max(height);
    let opaque = match longest / NEAR {
        0 | 1 => on_white(picture),
        pixels => on_white(&picture.thumbnail_exact((width / pixels).max(1), (height / pixels).max(1))),
    };
    let small = if longest > THUMBNAIL {
        DynamicImage::ImageRgb8(opaque).resize(THUMBNAIL, THUMBNAIL, FilterType::Lanczos3).into_rgb8()
    } else {
        opaque
    };
    match profile {
        Some(profile) => colour::in_srgb(small, grey, profile),
        None => small,
    }
}

fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let mut opaque = RgbImage::new(picture.width(), picture.height());
    for (to, from) in opaque.pixels_mut().zip(picture.to_rgba8().pixels()) {
        let [red, green, blue, alpha] = from.0;
        let on_white = |colour: u8| {
            let (colour, alpha) = (u16::from(colour), u16::from(alpha));
            u8::try_from((colour * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX)
        };
        to.0 = [on_white(red), on_white(green), on_white(blue)];
    }
    opaque
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// Rings that grow finer to the right, up to one pixel each: what can't be shown small must become grey.
    fn rings(size: u32) -> DynamicImage {
        let finest = std::f64::consts::PI / (2.0 * f64::from(size));
        let wave = |x: u32, y: u32| ((f64::from(x).powi(2) + f64::from(y).powi(2)) * finest).cos();
        DynamicImage::ImageRgb8(RgbImage::from_fn(size, size, |x, y| Rgb([(127.5 + 127.0 * wave(x, y)) as u8; 3])))
    }

    /// How far from grey a small copy is where the rings are a third finer than it can show and more, next to its upper edge.
    fn unrest(small: &RgbImage, size: u32) -> f64 {
        let first = 400 * 400 * 4 / 3 / size;
        let numbers = (first..398).flat_map(|x| (0..20).map(move |y| (x, y)));
        let squares: Vec<f64> = numbers.map(|(x, y)| (f64::from(small.get_pixel(x, y).0[0]) - 127.5).powi(2)).collect();
        (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
    }

    #[test]
    fn what_is_finer_than_a_thumbnail_can_show_becomes_grey() {
        for size in [600, 800, 1200, 1700, 2500, 4000] {
            let rings = rings(size);
            let small = shrink(&rings, None);
            assert_eq!(small.dimensions(), (400, 400));
            let (here, by_means) = (unrest(&small, size), unrest(&rings.thumbnail(400, 400).into_rgb8(), size));
            assert!(here < 12.0 && here < by_means * 0.7, "{size}: {here}, by means alone {by_means}");
        }
    }

    #[test]
    fn a_small_picture_is_its_own_thumbnail_and_what_is_transparent_is_white() {
        let picture = image::RgbaImage::from_fn(4, 2, |x, _| image::Rgba([200, 100, 0, [0, 51, 128, 255][x as usize]]));
        let small = shrink(&DynamicImage::ImageRgba8(picture), None);
        let row: Vec<[u8; 3]> = small.pixels().take(4).map(|pixel| pixel.0).collect();
        assert_eq!(row, [[255, 255, 255], [244, 224, 204], [227, 177, 127], [200, 100, 0]]);
    }
}
