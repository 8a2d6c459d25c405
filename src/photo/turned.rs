//! A picture seen turned, without a copy of it.

use image::metadata::Orientation;
use image::{GenericImageView, ImageBuffer, Pixel};

/// A picture as it looks turned.
pub(super) struct Turned<'p, P: Pixel> {
    /// As it lies in memory.
    pub pixels: &'p ImageBuffer<P, Vec<P::Subpixel>>,
    /// How it is to be turned.
    pub orientation: Orientation,
}

/// Whether what was across is down afterwards.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

impl<P: Pixel> GenericImageView for Turned<'_, P> {
    type Pixel = P;

    fn dimensions(&self) -> (u32, u32) {
        let (width, height) = self.pixels.dimensions();
        if swaps_sides(self.orientation) { (height, width) } else { (width, height) }
    }

    fn get_pixel(&self, x: u32, y: u32) -> P {
        let (right, bottom) = (self.pixels.width() - 1, self.pixels.height() - 1);
        let (x, y) = match self.orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::Rotate90 => (y, bottom - x),
            Orientation::Rotate180 => (right - x, bottom - y),
            Orientation::Rotate270 => (right - y, x),
            Orientation::FlipHorizontal => (right - x, y),
            Orientation::FlipVertical => (x, bottom - y),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate270FlipH => (right - y, bottom - x),
        };
        *self.pixels.get_pixel(x, y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, RgbImage};

    #[test]
    fn a_picture_seen_turned_is_the_turned_picture() {
        let pixels = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8, y as u8, 9]));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).expect("an orientation");
            let mut turned = DynamicImage::ImageRgb8(pixels.clone());
            turned.apply_orientation(orientation);
            let view = Turned { pixels: &pixels, orientation };
            assert_eq!(view.dimensions(), (turned.width(), turned.height()), "{orientation:?}");
            assert!(view.pixels().map(|it| it.2).eq(turned.to_rgb8().pixels().copied()), "{orientation:?}");
        }
    }
}
