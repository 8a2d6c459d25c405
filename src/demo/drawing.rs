//! Photos that the program draws: skin with marks beside a ruler, of nobody.

use super::dice::Dice;
use crate::photo::PhotoView;
use crate::photo::picture::{self, Picture, PictureFault};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, Rgb, RgbImage};
use uuid::Uuid;

const WIDTH: u32 = 480;
const HEIGHT: u32 = 320;
/// The gradient is drawn so many times smaller.
const COARSE: u32 = 10;

/// A colour's parts.
type Colour = [f32; 3];

/// Skin of Fitzpatrick's types.
fn colour_of(skin: i16) -> Colour {
    match skin {
        ..=1 => [243.0, 214.0, 198.0],
        2 => [236.0, 200.0, 176.0],
        3 => [222.0, 180.0, 148.0],
        4 => [194.0, 146.0, 112.0],
        5 => [142.0, 98.0, 72.0],
        _ => [94.0, 63.0, 48.0],
    }
}

fn byte(value: f32) -> u8 {
    // Within its bounds, nothing is cut but what follows the point.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let byte = value.clamp(0.0, 255.0) as u8;
    byte
}

fn number(value: u32) -> f32 {
    f32::from(u16::try_from(value).unwrap_or(u16::MAX))
}

/// A picture of a patient's skin, the `better`th after the treatment began: fewer and paler marks each time.
pub(super) fn photo(
    id: Uuid,
    patient: u32,
    skin: i16,
    view: PhotoView,
    better: usize,
) -> Result<Picture, PictureFault> {
    let place = PhotoView::ALL.iter().position(|it| *it == view).unwrap_or(0);
    let base = colour_of(skin);
    // The marks are the patient's own: the same in every photo of a view, but fainter.
    let mut marks = Dice::new(u64::from(patient), u64::try_from(place).unwrap_or(0));
    let mut noise = Dice::new(id.as_u64_pair().0 ^ id.as_u64_pair().1, 0);
    let mut small = RgbImage::new(WIDTH / COARSE, HEIGHT / COARSE);
    let lean = number(u32::try_from(place).unwrap_or(0)) * 0.2 - 0.4;
    for (x, y, pixel) in small.enumerate_pixels_mut() {
        let (across, down) = (number(x) / number(WIDTH / COARSE), number(y) / number(HEIGHT / COARSE));
        let light = 1.0 - 0.35 * ((across - 0.5 - lean).powi(2) + (down - 0.4).powi(2));
        let grain = number(u32::try_from(noise.below(9)).unwrap_or(0)) - 4.0;
        *pixel = Rgb(base.map(|part| byte(part * light + grain)));
    }
    let whole = DynamicImage::ImageRgb8(small).resize_exact(WIDTH, HEIGHT, FilterType::CatmullRom);
    let mut whole = whole.to_rgb8();
    let faint = 0.75_f32.powi(i32::try_from(better).unwrap_or(0));
    for _ in 0..46 {
        let within =
            |dice: &mut Dice, least: i64, most: u32| u32::try_from(dice.between(least, i64::from(most))).unwrap_or(0);
        let (x, y, size) =
            (within(&mut marks, 20, WIDTH - 20), within(&mut marks, 20, HEIGHT - 70), within(&mut marks, 2, 7));
        let depth = number(within(&mut marks, 12, 60)) * faint;
        dot(&mut whole, (x, y), size, depth);
    }
    ruler(&mut whole);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 82).encode_image(&whole).map_err(|_| PictureFault::Broken)?;
    picture::prepare(&bytes)
}

/// A round mark, redder and darker than its skin.
fn dot(picture: &mut RgbImage, (x, y): (u32, u32), size: u32, depth: f32) {
    for down in y.saturating_sub(size)..=y + size {
        for across in x.saturating_sub(size)..=x + size {
            let far = (number(across.abs_diff(x)).powi(2) + number(down.abs_diff(y)).powi(2)).sqrt() / number(size);
            if let Some(pixel) = picture.get_pixel_mut_checked(across, down).filter(|_| far < 1.0) {
                let strength = depth * (1.0 - far);
                let Rgb([red, green, blue]) = *pixel;
                *pixel = Rgb([
                    byte(f32::from(red) - strength * 0.4),
                    byte(f32::from(green) - strength),
                    byte(f32::from(blue) - strength),
                ]);
            }
        }
    }
}

/// A ruler along the lower edge, a line each millimetre.
fn ruler(picture: &mut RgbImage) {
    for y in HEIGHT - 40..HEIGHT - 8 {
        for x in 20..WIDTH - 20 {
            let (mm, line) = ((x - 20) / 8, (x - 20) % 8 == 0);
            let long = match mm {
                mm if mm % 10 == 0 => 24,
                mm if mm % 5 == 0 => 18,
                _ => 11,
            };
            let ink = line && y < HEIGHT - 40 + long;
            if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                *pixel = if ink { Rgb([20, 20, 20]) } else { Rgb([246, 246, 242]) };
            }
        }
    }
}
