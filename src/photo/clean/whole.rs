//! Whether a JPEG is whole: its scans are read code by code, as a decoder does, without making pixels of them. Each holds
//! as many units as the frame has and then ends; restarts come in their turn; each coefficient comes with all of its bits.
//! The decoder shows what it has of a damaged one, with grey for the rest.

use super::cleaned::{Bytes, PictureFault};
use super::frame::{Component, Frame};
use super::huffman::{Bits, Codes};
use super::jpeg::scan_length;

type Outcome<T> = Result<T, PictureFault>;

/// `Broken` for a cleaned JPEG whose scans do not hold all of the picture.
pub fn jpeg_is_whole(bytes: &[u8]) -> Outcome<()> {
    let mut rest = Bytes(bytes);
    let mut walk = Walk::default();
    rest.take(2)?;
    loop {
        let [_, marker] = rest.array()?;
        if marker == 0xD9 {
            return walk.end();
        }
        let length = usize::from(u16::from_be_bytes(rest.array()?));
        let mut content = Bytes(rest.take(length.checked_sub(2).ok_or(PictureFault::Broken)?)?);
        match marker {
            0xC0..=0xC2 => walk.begin(Frame::read(marker, content.0)?),
            0xC4 => walk.read_codes(content)?,
            0xDD => walk.restarts = u16::from_be_bytes(content.array()?).into(),
            0xDA => {
                let scan = rest.take(scan_length(rest.0)?)?;
                walk.scan(content, scan)?;
            }
            _ => {}
        }
    }
}

/// What has come of one component.
struct Plane {
    component: Component,
    /// How many blocks lie in a row of it, those at the right that only fill a unit included.
    row: u64,
    /// Its blocks that are in the picture, across and down.
    blocks: (u64, u64),
    /// Of a progressive one: which coefficients of each block are not 0 yet, a bit for each.
    known: Vec<u64>,
    /// How many low bits of each coefficient are still to come; none where it has not begun.
    to_come: Vec<Option<u8>>,
}

/// Which coefficients a scan brings, and which of their bits.
#[derive(Clone, Copy)]
struct Band {
    first: u8,
    last: u8,
    /// 0 where they begin; else how many low bits were to come before.
    before: u8,
    /// How many low bits are still to come after.
    after: u8,
}

#[derive(Default)]
struct Walk {
    progressive: bool,
    units: (u64, u64),
    planes: Vec<Plane>,
    /// Codes of DC and AC coefficients, by their place.
    codes: [[Option<Codes>; 4]; 2],
    /// Units between two restarts; 0: none.
    restarts: u64,
}

/// A component's part in a scan: its plane, and its codes.
struct Part<'w> {
    plane: &'w mut Plane,
    dc: Option<&'w Codes>,
    ac: Option<&'w Codes>,
}

impl Walk {
    fn begin(&mut self, frame: Frame) {
        let (most_across, most_down) = frame.most();
        self.units = frame.units();
        self.progressive = frame.progressive;
        let plane = |component: &Component| {
            let Component { across, down, .. } = *component;
            let side = |pixels: u64, samples: u64, most: u64| (pixels * samples).div_ceil(most).div_ceil(8);
            let row = self.units.0 * across;
            let all = if frame.progressive { row * self.units.1 * down } else { 0 };
            Plane {
                component: *component,
                row,
                blocks: (side(frame.width, across, most_across), side(frame.height, down, most_down)),
                known: vec![0; usize::try_from(all).unwrap_or(usize::MAX)],
                to_come: vec![None; 64],
            }
        };
        self.planes = frame.components.iter().map(plane).collect();
    }

    fn read_codes(&mut self, mut content: Bytes<'_>) -> Outcome<()> {
        while !content.0.is_empty() {
            let [place] = content.array()?;
            let codes = Codes::read(&mut content)?;
            let class = self.codes.get_mut(usize::from(place >> 4)).ok_or(PictureFault::Broken)?;
            *class.get_mut(usize::from(place & 15)).ok_or(PictureFault::Broken)? = Some(codes);
        }
        Ok(())
    }

    /// Reads one scan to its end.
    fn scan<'w>(&'w mut self, mut head: Bytes<'_>, scan: &[u8]) -> Outcome<()> {
        let [count] = head.array()?;
        let named = (0..count).map(|_| head.array()).collect::<Outcome<Vec<[u8; 2]>>>()?;
        let [first, last, bits] = head.array()?;
        let band = Band { first, last, before: bits >> 4, after: bits & 15 };
        // A sequential scan brings all there is; what its head says of that is not looked at, as by decoders.
        let band = if self.progressive { band } else { Band { first: 0, last: 63, before: 0, after: 0 } };
        let [dc, ac] = &self.codes;
        let mut parts: Vec<Part<'w>> = Vec::new();
        for plane in &mut self.planes {
            let Some([_, places]) = named.iter().find(|[id, _]| *id == plane.component.id) else { continue };
            let codes = |of: &'w [Option<Codes>; 4], place: u8| of.get(usize::from(place)).and_then(Option::as_ref);
            plane.bring(band, self.progressive)?;
            parts.push(Part { plane, dc: codes(dc, places >> 4), ac: codes(ac, places & 15) });
        }
        if parts.len() != named.len() || parts.is_empty() {
            return Err(PictureFault::Broken);
        }
        let units = match &*parts {
            [part] => part.plane.blocks,
            _ if self.progressive && band.first > 0 => return Err(PictureFault::Broken),
            _ => self.units,
        };
        read_units(&mut parts, units, self.restarts, scan, self.progressive.then_some(band))
    }

    /// Everything has come.
    fn end(&self) -> Outcome<()> {
        let whole = |plane: &Plane| {
            let mut begun = plane.to_come.iter();
            begun.next() == Some(&Some(0)) && begun.all(|to_come| to_come.is_none_or(|bits| bits == 0))
        };
        if !self.planes.is_empty() && self.planes.iter().all(whole) { Ok(()) } else { Err(PictureFault::Broken) }
    }
}

impl Plane {
    /// Notes what a scan brings: what begins has not begun before, and what goes on goes on where it was.
    fn bring(&mut self, band: Band, progressive: bool) -> Outcome<()> {
        let (first, last) = (usize::from(band.first), usize::from(band.last));
        let apart = !progressive || (first == 0) == (last == 0);
        if first > last || last > 63 || !apart || (band.before > 0 && band.before != band.after + 1) {
            return Err(PictureFault::Broken);
        }
        let expected = (band.before > 0).then_some(band.before);
        for to_come in self.to_come.iter_mut().take(last + 1).skip(first) {
            if *to_come != expected {
                return Err(PictureFault::Broken);
            }
            *to_come = Some(band.after);
        }
        Ok(())
    }
}

/// Reads the units of a scan, with their restarts, up to its last byte.
fn read_units(
    parts: &mut [Part<'_>],
    (across, down): (u64, u64),
    restarts: u64,
    scan: &[u8],
    band: Option<Band>,
) -> Outcome<()> {
    let alone = parts.len() == 1;
    let (mut bits, mut run, mut turn) = (Bits::new(scan), 0_u32, 0_u8);
    let mut left = restarts;
    for unit in 0..across * down {
        if restarts > 0 {
            if left == 0 {
                bits = Bits::new(after_restart(bits.end()?, turn)?);
                (run, turn, left) = (0, (turn + 1) % 8, restarts);
            }
            left -= 1;
        }
        let (x, y) = (unit % across, unit / across);
        for Part { plane, dc, ac } in parts.iter_mut() {
            let (wide, high) = if alone { (1, 1) } else { (plane.component.across, plane.component.down) };
            for block in 0..wide * high {
                match band {
                    None => sequential(&mut bits, *dc, *ac)?,
                    Some(band) => {
                        let place = (y * high + block / wide) * plane.row + x * wide + block % wide;
                        let place = usize::try_from(place).unwrap_or(usize::MAX);
                        let known = plane.known.get_mut(place).ok_or(PictureFault::Broken)?;
                        progressive(&mut bits, band, (*dc, *ac), known, &mut run)?;
                    }
                }
            }
        }
    }
    // Some encoders restart behind the last unit too, and any number of 0xFF may stand before a marker.
    let rest = bits.end()?;
    let rest = if restarts > 0 && left == 0 { after_restart(rest, turn).unwrap_or(rest) } else { rest };
    if rest.iter().all(|byte| *byte == 0xFF) { Ok(()) } else { Err(PictureFault::Broken) }
}

/// What follows the restart whose turn it is.
fn after_restart(rest: &[u8], turn: u8) -> Outcome<&[u8]> {
    let fill = rest.iter().take_while(|byte| **byte == 0xFF).count();
    match rest.get(fill..) {
        Some([marker, rest @ ..]) if fill > 0 && *marker == 0xD0 + turn => Ok(rest),
        _ => Err(PictureFault::Broken),
    }
}

/// A block of a sequential scan: how far its DC coefficient is from the last, and its others in runs (T.81, F.2.2).
fn sequential(bits: &mut Bits<'_>, dc: Option<&Codes>, ac: Option<&Codes>) -> Outcome<()> {
    let (dc, ac) = (dc.ok_or(PictureFault::Broken)?, ac.ok_or(PictureFault::Broken)?);
    let size = dc.next(bits)?;
    difference(bits, size)?;
    let mut place = 1;
    while place < 64 {
        let symbol = ac.next(bits)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (15, 0) => place += 16,
            (_, 0) => return Ok(()),
            _ => {
                place += zeros + 1;
                bits.take(size)?;
            }
        }
    }
    if place > 64 { Err(PictureFault::Broken) } else { Ok(()) }
}

fn difference(bits: &mut Bits<'_>, size: u8) -> Outcome<()> {
    // 11 with 8 bits a sample (T.81, F.1.2.1).
    if size > 11 { Err(PictureFault::Broken) } else { bits.take(size).map(|_| ()) }
}

/// A block of a progressive scan (T.81, G.1.2 and G.2).
fn progressive(
    bits: &mut Bits<'_>,
    band: Band,
    (dc, ac): (Option<&Codes>, Option<&Codes>),
    known: &mut u64,
    run: &mut u32,
) -> Outcome<()> {
    match band {
        Band { first: 0, before: 0, .. } => {
            let size = dc.ok_or(PictureFault::Broken)?.next(bits)?;
            difference(bits, size)
        }
        Band { first: 0, .. } => bits.take(1).map(|_| ()),
        Band { before: 0, .. } => begin_band(bits, band, ac.ok_or(PictureFault::Broken)?, known, run),
        _ => refine_band(bits, band, ac.ok_or(PictureFault::Broken)?, known, run),
    }
}

/// How many blocks end here, this one included.
fn ending(bits: &mut Bits<'_>, size: u8) -> Outcome<u32> {
    Ok((1 << size) + bits.take(size)?)
}

fn begin_band(bits: &mut Bits<'_>, band: Band, ac: &Codes, known: &mut u64, run: &mut u32) -> Outcome<()> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let mut place = band.first;
    while place <= band.last {
        let symbol = ac.next(bits)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (15, 0) => place += 16,
            (_, 0) => {
                *run = ending(bits, zeros)? - 1;
                return Ok(());
            }
            _ => {
                place += zeros;
                if place > band.last {
                    return Err(PictureFault::Broken);
                }
                bits.take(size)?;
                *known |= 1 << place;
                place += 1;
            }
        }
    }
    if place > band.last + 1 { Err(PictureFault::Broken) } else { Ok(()) }
}

fn refine_band(bits: &mut Bits<'_>, band: Band, ac: &Codes, known: &mut u64, run: &mut u32) -> Outcome<()> {
    let mut place = band.first;
    while *run == 0 && place <= band.last {
        let symbol = ac.next(bits)?;
        let (zeros, size) = (symbol >> 4, symbol & 15);
        match (zeros, size) {
            (0..15, 0) => {
                *run = ending(bits, zeros)?;
                break;
            }
            // A run of 16 zeros, or a coefficient of one bit and its sign.
            (15, 0) => {}
            (_, 1) => bits.take(1).map(|_| ())?,
            _ => return Err(PictureFault::Broken),
        }
        place = pass_over(bits, band, place, zeros, *known)?;
        if size > 0 {
            if place > band.last {
                return Err(PictureFault::Broken);
            }
            *known |= 1 << place;
        }
        place += 1;
    }
    if *run > 0 {
        *run -= 1;
        // One bit for each that is known; none begins.
        let known = (place..=band.last).filter(|place| *known >> place & 1 == 1).count();
        (0..known).try_for_each(|_| bits.take(1).map(|_| ()))?;
    }
    Ok(())
}

/// Passes over so many zeros, and takes a bit for each coefficient between them that is known. The place of the next zero.
fn pass_over(bits: &mut Bits<'_>, band: Band, mut place: u8, mut zeros: u8, known: u64) -> Outcome<u8> {
    while place <= band.last {
        if known >> place & 1 == 1 {
            bits.take(1)?;
        } else if zeros == 0 {
            break;
        } else {
            zeros -= 1;
        }
        place += 1;
    }
    Ok(place)
}

#[cfg(test)]
mod tests;
