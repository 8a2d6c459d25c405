//! A colour profile without what it says of the screen that it was made for.

/// The tags that colours are read by (ICC.1:2022, 9.2).
const OF_COLOURS: [&[u8; 4]; 30] = [
    b"wtpt", b"bkpt", b"chad", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"A2B0", b"A2B1",
    b"A2B2", b"A2B3", b"B2A0", b"B2A1", b"B2A2", b"B2A3", b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1",
    b"B2D2", b"B2D3", b"gamt", b"cicp", b"lumi", b"chrm",
];

/// The tags that tell of one screen: its maker, model and serial number (`mmod`, `dscm` beside it, `meta`), its own name
/// (`ndin`), what it was calibrated to (`vcgt`, `vcgp`), and what Windows keeps (`MS00`).
const OF_A_SCREEN: [&[u8; 4]; 6] = [b"mmod", b"ndin", b"vcgt", b"vcgp", b"meta", b"MS00"];

/// What the description and the copyright of such a profile say instead.
const NAME: &[u8] = b"Display";

struct Tag<'p> {
    name: [u8; 4],
    content: &'p [u8],
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

fn tags(profile: &[u8]) -> Option<Vec<Tag<'_>>> {
    if profile.get(36..40)? != b"acsp" {
        return None;
    }
    let count = number(profile, 128)?;
    let tag = |entry: &[u8]| {
        let (start, length) = (number(entry, 4)?, number(entry, 8)?);
        let content = profile.get(start..start.checked_add(length)?)?;
        Some(Tag { name: entry.get(..4)?.try_into().ok()?, content })
    };
    profile.get(132..)?.get(..count.checked_mul(12)?)?.chunks_exact(12).map(tag).collect()
}

/// A profile of a screen with no more than what its colours need: no name, maker, model, serial number, calibration or day.
/// None where it does not tell of a screen, or can't be read: it stays as it is.
pub fn own_profile(profile: &[u8]) -> Option<Vec<u8>> {
    let tags = tags(profile)?;
    if !tags.iter().any(|tag| OF_A_SCREEN.contains(&&tag.name)) {
        return None;
    }
    let modern = *profile.get(8)? >= 4;
    let (name, rights) = (description(modern), rights(modern));
    let named = [Tag { name: *b"desc", content: &name }, Tag { name: *b"cprt", content: &rights }];
    let kept: Vec<Tag<'_>> =
        named.into_iter().chain(tags.into_iter().filter(|tag| OF_COLOURS.contains(&&tag.name))).collect();
    let mut entries = u32::try_from(kept.len()).ok()?.to_be_bytes().to_vec();
    let (mut contents, begin) = (Vec::<u8>::new(), 132 + 12 * kept.len());
    let mut placed: Vec<(&[u8], usize)> = Vec::new();
    for tag in &kept {
        // Tags share their content: three equal curves are one.
        let known = placed.iter().find(|(content, _)| *content == tag.content).map(|(_, start)| *start);
        let start = known.unwrap_or(begin + contents.len());
        if known.is_none() {
            placed.push((tag.content, start));
            contents.extend_from_slice(tag.content);
            contents.resize(contents.len().next_multiple_of(4), 0);
        }
        entries.extend_from_slice(&tag.name);
        entries.extend_from_slice(&u32::try_from(start).ok()?.to_be_bytes());
        entries.extend_from_slice(&u32::try_from(tag.content.len()).ok()?.to_be_bytes());
    }
    let mut own = [profile.get(..128)?, &entries, &contents].concat();
    let length = u32::try_from(own.len()).ok()?.to_be_bytes();
    let mut put = |at: usize, bytes: &[u8]| own.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    put(0, &length);
    // The day it was made (7.2.8): a day that each has. Then maker, model, who made the profile, and the hash of it.
    put(24, &[0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    put(48, &[0; 8]);
    put(80, &[0; 20]);
    Some(own)
}

/// Text in one language (10.15).
fn in_one_language(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len() * 2).unwrap_or(0);
    let wide: Vec<u8> = text.iter().flat_map(|letter| [0, *letter]).collect();
    [&b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0CenUS\0\0\0"[..], &[length, 0, 0, 0, 0x1C], &wide].concat()
}

/// The name of a profile, in the form of its version: version 2 has it in three (ICC.1:2001-04, 6.5.17).
fn description(modern: bool) -> Vec<u8> {
    if modern {
        return in_one_language(NAME);
    }
    let length = u8::try_from(NAME.len() + 1).unwrap_or(0);
    [&b"desc\0\0\0\0\0\0\0"[..], &[length], NAME, &[0; 1 + 4 + 4 + 2 + 1 + 67]].concat()
}

fn rights(modern: bool) -> Vec<u8> {
    if modern { in_one_language(NAME) } else { [b"text\0\0\0\0", NAME, b"\0"].concat() }
}

#[cfg(test)]
mod tests;
