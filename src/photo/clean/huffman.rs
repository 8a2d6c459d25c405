//! The codes of a JPEG's scans (ITU-T T.81, annex C), and the bits that they are read from.

use super::cleaned::{Bytes, PictureFault};

/// How many bits are looked up at once.
const AT_ONCE: u8 = 9;
/// The longest code, bits.
const LONGEST: u8 = 16;

/// A table of codes.
pub(super) struct Codes {
    /// By the next bits, the length of the code that begins with them and its symbol; 0: a longer one.
    short: Vec<(u8, u8)>,
    /// For each length from 1: the first code, how many there are, and the place of the first one's symbol.
    lengths: Vec<(u32, u32, usize)>,
    symbols: Vec<u8>,
}

impl Codes {
    /// Reads one table of a DHT segment, behind its class and place.
    pub(super) fn read(rest: &mut Bytes<'_>) -> Result<Self, PictureFault> {
        let counts: [u8; 16] = rest.array()?;
        let symbols = rest.take(counts.iter().copied().map(usize::from).sum())?.to_vec();
        let (mut short, mut lengths) = (vec![(0, 0); 1 << AT_ONCE], Vec::with_capacity(counts.len()));
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, count) in (1..=LONGEST).zip(counts) {
            code <<= 1;
            if code + u32::from(count) > 1 << length {
                return Err(PictureFault::Broken);
            }
            lengths.push((code, u32::from(count), place));
            for symbol in symbols.iter().skip(place).take(usize::from(count)) {
                if length <= AT_ONCE {
                    let spare = AT_ONCE - length;
                    let first = usize::try_from(code << spare).unwrap_or(usize::MAX);
                    short.iter_mut().skip(first).take(1 << spare).for_each(|entry| *entry = (length, *symbol));
                }
                code += 1;
            }
            place += usize::from(count);
        }
        Ok(Self { short, lengths, symbols })
    }

    /// The symbol that comes next.
    pub(super) fn next(&self, bits: &mut Bits<'_>) -> Result<u8, PictureFault> {
        bits.fill();
        let ahead = bits.ahead(LONGEST);
        let short = usize::try_from(ahead >> (LONGEST - AT_ONCE)).unwrap_or(usize::MAX);
        if let Some((length @ 1.., symbol)) = self.short.get(short).copied() {
            bits.skip(length)?;
            return Ok(symbol);
        }
        for (length, (first, count, place)) in (1..=LONGEST).zip(&self.lengths).skip(usize::from(AT_ONCE)) {
            let code = ahead >> (LONGEST - length);
            if let Some(index) = code.checked_sub(*first).filter(|index| index < count) {
                bits.skip(length)?;
                let place = place + usize::try_from(index).unwrap_or(usize::MAX);
                return self.symbols.get(place).copied().ok_or(PictureFault::Broken);
            }
        }
        Err(PictureFault::Broken)
    }
}

/// The bits of a scan up to its next marker.
pub(super) struct Bits<'b> {
    rest: &'b [u8],
    /// The next bits, from the top.
    held: u64,
    count: u8,
}

impl<'b> Bits<'b> {
    pub(super) fn new(scan: &'b [u8]) -> Self {
        Self { rest: scan, held: 0, count: 0 }
    }

    /// Takes in bytes while there is room for them and no marker comes.
    fn fill(&mut self) {
        while self.count <= 56 {
            let byte = match self.rest {
                [0xFF, 0x00, rest @ ..] => {
                    self.rest = rest;
                    0xFF
                }
                [0xFF, ..] | [] => return,
                [byte, rest @ ..] => {
                    self.rest = rest;
                    *byte
                }
            };
            self.held |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next bits, 1 to 16 of them; where there are fewer, zeros.
    fn ahead(&self, count: u8) -> u32 {
        u32::try_from(self.held >> (64 - count)).unwrap_or(0)
    }

    fn skip(&mut self, count: u8) -> Result<(), PictureFault> {
        self.count = self.count.checked_sub(count).ok_or(PictureFault::Broken)?;
        self.held <<= count;
        Ok(())
    }

    /// So many bits, 0 to 16.
    pub(super) fn take(&mut self, count: u8) -> Result<u32, PictureFault> {
        if count == 0 {
            return Ok(0);
        }
        if self.count < count {
            self.fill();
        }
        let taken = self.ahead(count);
        self.skip(count)?;
        Ok(taken)
    }

    /// Ends at a marker: what is left before it is less than a byte of padding.
    pub(super) fn end(mut self) -> Result<&'b [u8], PictureFault> {
        self.fill();
        if self.count >= 8 { Err(PictureFault::Broken) } else { Ok(self.rest) }
    }
}
