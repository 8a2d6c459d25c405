//! What comes of cleaning a file, and how its bytes are read.

use image::metadata::Orientation;

/// The most pixels of a side: what a JPEG can have. Decoders keep a row or two apart.
pub const MOST_SIDE: u32 = 65_535;

/// The most bytes of a colour profile, unpacked: real ones are below 2 MiB. A larger one is taken out.
pub const MOST_OF_PROFILE: usize = 4 * 1024 * 1024;

/// What the EXIF of a JPEG begins with. Some programs write it in a WebP or a PNG too, where it does not belong.
pub(super) const EXIF: &[u8] = b"Exif\0\0";

/// Kinds of JPEG that neither browsers nor this service can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JpegKind {
    /// Packed without loss, as scanners of film write them.
    Lossless,
    /// In several frames of growing size.
    Hierarchical,
    /// With arithmetic coding.
    Arithmetic,
    /// More than 8 bits a channel.
    Bits,
}

/// Why a file is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFault {
    /// No picture that is taken.
    NotAPicture,
    /// A form with files in it.
    Multipart,
    /// A picture written as text: base64, alone, in a data URL or in JSON.
    Encoded,
    /// An AVIF, or a HEIC of a kind that is not taken.
    Heic,
    /// A JPEG of this kind.
    JpegKind(JpegKind),
    /// It moves.
    Animated,
    /// It can't be decoded to its end.
    Broken,
    /// It has too many pixels.
    TooManyPixels,
    /// Unpacking it takes too much memory, or too long.
    TooDear,
    /// Packed without loss as a WebP, it could take too much memory.
    Lossless,
}

/// A file without what is not the picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its pixels, by the largest size that any of its headers says.
    pub pixels: u64,
    /// Bytes of memory that unpacking takes beside the pixels themselves.
    pub beside: u64,
    /// Bytes of memory that the prefix codes of a WebP may take: how many there are is not known from its head.
    pub codes: u64,
    /// Bytes of its colour profile, as they lie in the file: a PNG's is packed.
    pub profile: usize,
    /// Whether it is of four inks, as is its profile then.
    pub inks: bool,
    /// Whether its pixels are packed with loss.
    pub lossy: bool,
    /// Which way up it is, by the EXIF that was taken out.
    pub orientation: Orientation,
}

/// Which way up a picture is. Read here: the decoders are given no EXIF, XMP or text.
pub(super) fn upright_by(exif: Option<&[u8]>) -> Orientation {
    let exif = exif.map(|exif| exif.strip_prefix(EXIF).unwrap_or(exif));
    exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
}

/// Reads bytes from front to back; the end too early is `Broken`.
pub(super) struct Bytes<'b>(pub(super) &'b [u8]);

impl<'b> Bytes<'b> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'b [u8], PictureFault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(PictureFault::Broken)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PictureFault> {
        self.take(N)?.try_into().map_err(|_| PictureFault::Broken)
    }
}
