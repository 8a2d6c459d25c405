//! Reading a HEIC: the picture that it shows first, of one piece or of a grid of tiles. The rest of the file (depth, gain
//! maps, other pictures, EXIF, XMP) is not read. Pieces are decoded one after another, in one thread, into one picture.

use super::colour;
use super::read::{MIB, MOST_PIXELS};
use crate::photo::clean::{MOST_OF_PROFILE, MOST_SIDE, PictureFault, own_profile};
use heifer::color::{ColorParams, frame_to_rgba_as};
use heifer::heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

type Outcome<T> = Result<T, PictureFault>;
/// Width and height.
type Size = (u32, u32);

/// How much larger than it says a piece may be coded, each side: it is coded in blocks of up to 64.
const BLOCK: u64 = 64;
/// Bytes that decoding takes for each pixel of a piece: three planes of two bytes at most, the result in four channels, and
/// what is noted of each block.
const OF_PIECE: u64 = 16;
/// The most pieces: 64 megapixels in tiles of 256 by 256 are a thousand.
const MOST_PIECES: usize = 1024;
/// The most units that a piece is coded in, its parameters included, and the most pixels that all units of a file may go
/// over: each is a walk over the whole piece, if it says so, however few bytes it has. Telephones write one for a tile.
const MOST_UNITS: u64 = 24;
const MOST_CODED: u64 = 256_000_000;

/// What the head of a HEIC tells.
pub(super) struct Heic {
    bytes: Vec<u8>,
    size: Size,
    piece: Size,
    pieces: Vec<ItemId>,
    /// The part of it that is shown: left, top, width and height.
    shown: Option<[u32; 4]>,
    orientation: Orientation,
    colours: Colours,
}

/// What the numbers of its pixels mean.
#[derive(Clone)]
enum Colours {
    Srgb,
    Profile(Vec<u8>),
    /// Primaries and transfer by their numbers (ITU-T H.273).
    Coded(u8, u8),
}

/// A picture as it lies in memory, which way up it is, and the profile that it keeps.
pub(super) struct Read {
    pub(super) picture: DynamicImage,
    pub(super) orientation: Orientation,
    pub(super) profile: Option<Vec<u8>>,
}

fn broken<E>(_: E) -> PictureFault {
    PictureFault::Broken
}

impl Heic {
    /// Reads what a file says of itself, and no pixel.
    pub(super) fn look(bytes: &[u8]) -> Outcome<Self> {
        let file = HeifFile::parse(bytes).map_err(broken)?;
        let id = file.primary_id;
        let kind = file.item(id).map_err(broken)?.item_type.0;
        let (size, piece, pieces) = match &kind {
            b"hvc1" => {
                let size = sized(&file, id)?;
                (size, size, vec![id])
            }
            b"grid" => tiles(&file, id)?,
            _ => return Err(PictureFault::Heic),
        };
        if area(size) > MOST_PIXELS || size.0.max(size.1) > MOST_SIDE {
            return Err(PictureFault::TooManyPixels);
        }
        let first = pieces.first().copied().ok_or(PictureFault::Broken)?;
        let (shown, orientation) = placed(&file, id, size)?;
        let colours = colours(&file, id, first)?;
        Ok(Self { bytes: bytes.to_vec(), size, piece, pieces, shown, orientation, colours })
    }

    /// How many pixels it has, or a piece of it that is larger.
    pub(super) fn pixels(&self) -> u64 {
        area(self.size).max(area(self.piece))
    }

    /// Bytes of memory that reading it takes: the picture, once more where its colours are turned or a part of it is shown,
    /// a piece on its way, and the file's own, of which a piece may be the most.
    pub(super) fn memory(&self) -> u64 {
        let turned = if matches!(self.colours, Colours::Coded(..)) || self.shown.is_some() { 2 } else { 1 };
        let file = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
        let profile = if let Colours::Profile(profile) = &self.colours { profile.len() } else { 0 };
        let profile = u64::try_from(profile).unwrap_or(u64::MAX);
        [area(self.size).saturating_mul(3 * turned), coded(self.piece).saturating_mul(OF_PIECE), file.saturating_mul(4)]
            .into_iter()
            .fold(profile.saturating_mul(2).saturating_add(4 * MIB), u64::saturating_add)
    }

    /// Decodes it to its end.
    pub(super) fn read(self) -> Outcome<Read> {
        let file = HeifFile::parse(&self.bytes).map_err(broken)?;
        let (width, height) = self.size;
        let mut picture = RgbImage::new(width, height);
        let across = u64::from(width).div_ceil(u64::from(self.piece.0));
        let (mut units, mut length) = (0_u64, 0_usize);
        for (place, id) in (0_u64..).zip(&self.pieces) {
            let stream = file.hevc_bitstream(*id).map_err(broken)?;
            // Pieces may be told to be the same bytes: not all of them again and again.
            length = length.saturating_add(stream.len());
            let here = stream.windows(3).filter(|window| *window == [0, 0, 1]).count();
            let here = u64::try_from(here).unwrap_or(u64::MAX);
            units = units.saturating_add(here);
            if here > MOST_UNITS || units.saturating_mul(area(self.piece)) > MOST_CODED.max(self.most_coded()) {
                return Err(PictureFault::TooDear);
            }
            if length > self.bytes.len().saturating_mul(2).saturating_add(1024 * self.pieces.len()) {
                return Err(PictureFault::Broken);
            }
            let options = DecodeOptions { max_pixels: coded(self.piece), ..DecodeOptions::default() };
            let frame = decode_picture(&stream, options).map_err(|error| fault_of(&error))?;
            drop(stream);
            let piece = frame_to_rgba_as::<u8>(&frame, params(&file, *id, &frame)?);
            drop(frame);
            if piece.width < self.piece.0 || piece.height < self.piece.1 {
                return Err(PictureFault::Broken);
            }
            let corner = (place % across * u64::from(self.piece.0), place / across * u64::from(self.piece.1));
            self.put(&mut picture, &piece, corner);
        }
        if let Some([left, top, width, height]) = self.shown {
            picture = image::imageops::crop_imm(&picture, left, top, width, height).to_image();
        }
        let (picture, profile) = match &self.colours {
            Colours::Srgb => (picture, None),
            Colours::Profile(profile) => (picture, Some(profile.clone())),
            Colours::Coded(primaries, transfer) => (colour::of_codes(picture, *primaries, *transfer)?, None),
        };
        Ok(Read { picture: DynamicImage::ImageRgb8(picture), orientation: self.orientation, profile })
    }

    /// What the units of a file as telephones write them go over: four or five for each piece, most of them parameters.
    fn most_coded(&self) -> u64 {
        u64::try_from(self.pieces.len()).unwrap_or(u64::MAX).saturating_mul(area(self.piece)).saturating_mul(8)
    }

    fn put(&self, picture: &mut RgbImage, piece: &heifer::Image<u8>, (left, top): (u64, u64)) {
        let row_bytes =
            |width: u32, channels: usize| usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(channels);
        let (left, top) = (usize::try_from(left).unwrap_or(usize::MAX), usize::try_from(top).unwrap_or(usize::MAX));
        let rows = picture.chunks_exact_mut(row_bytes(self.size.0, 3)).skip(top);
        let pieces = piece.data.chunks_exact(row_bytes(piece.width, 4)).take(row_bytes(self.piece.1, 1));
        for (row, from) in rows.zip(pieces) {
            let to = row.as_chunks_mut::<3>().0.iter_mut().skip(left).take(row_bytes(self.piece.0, 1));
            for (to, [red, green, blue, _]) in to.zip(from.as_chunks::<4>().0) {
                *to = [*red, *green, *blue];
            }
        }
    }
}

fn area((width, height): Size) -> u64 {
    u64::from(width) * u64::from(height)
}

/// The most pixels that a piece of this size is coded as.
fn coded((width, height): Size) -> u64 {
    (u64::from(width) + BLOCK) * (u64::from(height) + BLOCK)
}

fn fault_of(error: &heifer::heifer_hevc_dec::Error) -> PictureFault {
    use heifer::heifer_hevc_dec::Error;
    match error {
        Error::Unimplemented(_) => PictureFault::Heic,
        _ => PictureFault::Broken,
    }
}

fn sized(file: &HeifFile<'_>, id: ItemId) -> Outcome<Size> {
    let size = file.image_size(id).map_err(broken)?.ok_or(PictureFault::Broken)?;
    if size.0 == 0 || size.1 == 0 { Err(PictureFault::Broken) } else { Ok(size) }
}

/// The size of a grid, of each of its tiles, and the tiles row by row: coded pictures of one size, as many as it takes.
fn tiles(file: &HeifFile<'_>, id: ItemId) -> Outcome<(Size, Size, Vec<ItemId>)> {
    let grid = file.grid(id).map_err(broken)?;
    let tiles = file.referenced_items(id, b"dimg").to_vec();
    let first = tiles.first().copied().ok_or(PictureFault::Broken)?;
    let (size, tile) = ((grid.output_width, grid.output_height), sized(file, first)?);
    let (across, down) = (size.0.div_ceil(tile.0), size.1.div_ceil(tile.1));
    let told = (u32::from(grid.columns), u32::from(grid.rows));
    if area(size) == 0 || told != (across, down) || area(told) != u64::try_from(tiles.len()).unwrap_or(0) {
        return Err(PictureFault::Broken);
    }
    if tiles.len() > MOST_PIECES {
        return Err(PictureFault::TooDear);
    }
    for tile_id in &tiles {
        if file.item(*tile_id).map_err(broken)?.item_type.0 != *b"hvc1" {
            return Err(PictureFault::Heic);
        }
        if sized(file, *tile_id)? != tile {
            return Err(PictureFault::Broken);
        }
    }
    Ok((size, tile, tiles))
}

/// Which part of a picture is shown, and which way up: turns and mirrors one after another. The EXIF's word does not count
/// (ISO/IEC 23008-12, annex A).
fn placed(file: &HeifFile<'_>, id: ItemId, size: Size) -> Outcome<(Option<[u32; 4]>, Orientation)> {
    // Flipped left to right first, then turned clockwise by so many quarters.
    let (mut shown, mut flipped, mut quarters) = (None, false, 0_u8);
    for property in file.item_properties(id).map_err(broken)? {
        match property {
            Property::Rotation(anticlockwise) => quarters = (quarters + 4 - anticlockwise % 4) % 4,
            Property::Mirror(top_bottom) => {
                flipped = !flipped;
                quarters = (if *top_bottom { 6 } else { 4 } - quarters) % 4;
            }
            // It comes first (ISO/IEC 23000-22, 7.3.6.7).
            Property::CleanAperture { width, height, horiz_offset, vert_offset }
                if shown.is_none() && !flipped && quarters == 0 =>
            {
                let (left, width) = part(size.0, *width, *horiz_offset)?;
                let (top, height) = part(size.1, *height, *vert_offset)?;
                shown = Some([left, top, width, height]);
            }
            Property::CleanAperture { .. } => return Err(PictureFault::Heic),
            _ => {}
        }
    }
    let orientation = match (flipped, quarters) {
        (false, 1) => Orientation::Rotate90,
        (false, 2) => Orientation::Rotate180,
        (false, 3) => Orientation::Rotate270,
        (false, _) => Orientation::NoTransforms,
        (true, 1) => Orientation::Rotate270FlipH,
        (true, 2) => Orientation::FlipVertical,
        (true, 3) => Orientation::Rotate90FlipH,
        (true, _) => Orientation::FlipHorizontal,
    };
    Ok((shown, orientation))
}

/// Where the shown part of a side begins, and its length: how far its middle is from the side's, both as fractions.
fn part(side: u32, length: (u32, u32), offset: (i32, u32)) -> Outcome<(u32, u32)> {
    let length =
        length.0.checked_div(length.1).filter(|length| (1..=side).contains(length)).ok_or(PictureFault::Broken)?;
    if offset.1 == 0 {
        return Err(PictureFault::Broken);
    }
    let begin = f64::from(side - length) / 2.0 + f64::from(offset.0) / f64::from(offset.1);
    // Saturating.
    let begin = begin.round() as u32;
    if begin > side - length { Err(PictureFault::Broken) } else { Ok((begin, length)) }
}

/// What its colours are: by a profile of its own or its first piece's, or else by numbers.
fn colours(file: &HeifFile<'_>, id: ItemId, first: ItemId) -> Outcome<Colours> {
    let mut coded = Colours::Srgb;
    for item in [id, first] {
        for property in file.item_properties(item).map_err(broken)? {
            match property {
                Property::Color(ColorInfo::Icc(profile))
                    if colour::is_rgb(profile) && profile.len() <= MOST_OF_PROFILE =>
                {
                    return Ok(Colours::Profile(own_profile(profile).unwrap_or_else(|| profile.clone())));
                }
                Property::Color(ColorInfo::Nclx { primaries, transfer, .. }) if matches!(coded, Colours::Srgb) => {
                    coded = match (primaries, transfer) {
                        // Brighter than white: what that looks like on paper and on most screens is nobody's guess.
                        (_, 16 | 18) => return Err(PictureFault::Heic),
                        // BT.709 and not told; sRGB, BT.709 and those that mean it, and not told.
                        (0..=2, 0..=2 | 6 | 13 | 14 | 15) => Colours::Srgb,
                        (primaries, transfer) => {
                            let code = |code: u16| u8::try_from(code).map_err(broken);
                            Colours::Coded(code(*primaries)?, code(*transfer)?)
                        }
                    };
                }
                _ => {}
            }
        }
    }
    Ok(coded)
}

/// How the planes of a piece become colours: as its file says, or else as its stream does.
fn params(file: &HeifFile<'_>, id: ItemId, frame: &heifer::heifer_hevc_dec::recon::Frame) -> Outcome<ColorParams> {
    let told = file.item_properties(id).map_err(broken)?.find_map(|property| match property {
        Property::Color(ColorInfo::Nclx { matrix, full_range, .. }) => {
            Some(ColorParams { matrix: *matrix, full_range: *full_range })
        }
        _ => None,
    });
    Ok(told.unwrap_or_else(|| ColorParams::from_frame(frame)))
}
