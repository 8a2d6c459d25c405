//! What the frame header of a JPEG says: size, kind, and how its components are sampled.

use super::cleaned::{Bytes, JpegKind, PictureFault};

/// One component of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Component {
    /// The name that scans call it by.
    pub(super) id: u8,
    /// How often it is sampled in a unit, across and down: 1 to 4 (ITU-T T.81, B.2.2).
    pub(super) across: u64,
    pub(super) down: u64,
}

/// What a JPEG's frame header says.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
}

/// Why a JPEG with this marker is of a kind that is not taken, by ITU-T T.81, table B.1, and JPEG-LS (T.87).
pub(super) fn kind_not_taken(marker: u8) -> Option<JpegKind> {
    match marker {
        0xC3 | 0xF7 => Some(JpegKind::Lossless),
        0xC5..=0xC7 | 0xDE | 0xDF => Some(JpegKind::Hierarchical),
        0xC9..=0xCF => Some(JpegKind::Arithmetic),
        _ => None,
    }
}

impl Frame {
    pub(super) fn read(marker: u8, content: &[u8]) -> Result<Self, PictureFault> {
        let mut rest = Bytes(content);
        let [precision] = rest.array()?;
        if precision != 8 {
            return Err(PictureFault::JpegKind(JpegKind::Bits));
        }
        let (height, width) = (u16::from_be_bytes(rest.array()?), u16::from_be_bytes(rest.array()?));
        let [count] = rest.array()?;
        let components = (0..count).map(|_| {
            let [id, factors, _] = rest.array()?;
            Ok(Component { id, across: u64::from(factors >> 4), down: u64::from(factors & 15) })
        });
        let components = components.collect::<Result<Vec<_>, _>>()?;
        if components.is_empty() || components.iter().any(|it| it.across == 0 || it.down == 0) {
            return Err(PictureFault::Broken);
        }
        Ok(Self { width: width.into(), height: height.into(), progressive: marker == 0xC2, components })
    }

    /// The most samples of any component in a unit, across and down.
    pub(super) fn most(&self) -> (u64, u64) {
        let most = |side: fn(&Component) -> u64| self.components.iter().map(side).max().unwrap_or(1);
        (most(|it| it.across), most(|it| it.down))
    }

    /// How many units of all components lie across and down.
    pub(super) fn units(&self) -> (u64, u64) {
        let (across, down) = self.most();
        (self.width.div_ceil(across * 8), self.height.div_ceil(down * 8))
    }

    /// The coefficients of the whole picture, two bytes each: kept where its parts come in several scans.
    pub(super) fn coefficients(&self) -> u64 {
        let (across, down) = self.units();
        across * down * 64 * 2 * self.components.iter().map(|it| it.across * it.down).sum::<u64>()
    }
}
