use super::*;

/// A profile of this version with these tags.
fn profile(version: u8, named: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0x11; 128];
    bytes[36..40].copy_from_slice(b"acsp");
    bytes[8] = version;
    bytes.extend(u32::try_from(named.len()).expect("few").to_be_bytes());
    let mut start = 132 + 12 * named.len();
    for (name, content) in named {
        bytes.extend_from_slice(*name);
        bytes.extend(u32::try_from(start).expect("short").to_be_bytes());
        bytes.extend(u32::try_from(content.len()).expect("short").to_be_bytes());
        start += content.len();
    }
    named.iter().for_each(|(_, content)| bytes.extend_from_slice(content));
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    bytes[..4].copy_from_slice(&length);
    bytes
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

#[test]
fn a_profile_of_a_screen_keeps_its_colours_and_not_whose_it_is() {
    for version in [2, 4] {
        let of_a_screen = profile(
            version,
            &[
                (b"desc", b"desc....Anna's screen"),
                (b"rXYZ", b"XYZ ....red, and more"),
                (b"rTRC", b"curv....a curve."),
                (b"gTRC", b"curv....a curve."),
                (b"mmod", b"mmod....SERIAL-4711"),
                (b"ndin", b"ndin....native"),
                (b"vcgt", b"vcgt....calibrated"),
                (b"dscm", b"mluc....Annas Bildschirm"),
                (b"priv", b"text....private"),
            ],
        );
        let own = own_profile(&of_a_screen).expect("another");
        for word in [&b"Anna"[..], b"SERIAL", b"mmod", b"ndin", b"vcgt", b"dscm", b"priv"] {
            assert!(holds(&of_a_screen, word) && !holds(&own, word), "{}", String::from_utf8_lossy(word));
        }
        let told: Vec<(String, Vec<u8>)> = tags(&own)
            .expect("tags")
            .iter()
            .map(|tag| (String::from_utf8_lossy(&tag.name).into_owned(), tag.content.to_vec()))
            .collect();
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["desc", "cprt", "rXYZ", "rTRC", "gTRC"]);
        assert_eq!((&told[2].1[..], &told[4].1[..]), (&b"XYZ ....red, and more"[..], &b"curv....a curve."[..]));
        assert_eq!(number(&own, 0), Some(own.len()));
        assert_eq!((&own[48..56], &own[80..100]), (&[0; 8][..], &[0; 20][..]), "maker, model, creator, hash");
        assert_eq!(
            own.windows(8).filter(|window| window == b"a curve.").count(),
            1,
            "what is the same lies there once"
        );
        assert_eq!(own_profile(&own), None, "no more to take out");
    }
}

#[test]
fn what_is_read_by_colour_libraries_is_read_by_them_afterwards() {
    for version in [2, 4] {
        let own = own_profile(&screen(version)).expect("another");
        let read = moxcms::ColorProfile::new_from_slice(&own).expect("a profile");
        let before = moxcms::ColorProfile::new_display_p3();
        assert!((read.red_colorant.x - before.red_colorant.x).abs() < 1e-4 && read.red_trc.is_some());
    }
}

/// Display P3 as the profile of a screen.
fn screen(version: u8) -> Vec<u8> {
    let plain = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
    let tags = tags(&plain).expect("tags");
    let mut named: Vec<(&[u8; 4], &[u8])> = tags.iter().map(|tag| (&tag.name, tag.content)).collect();
    named.push((b"mmod", b"mmod....SERIAL-4711!"));
    let mut of_a_screen = profile(version, &named);
    of_a_screen[12..36].copy_from_slice(&plain[12..36]);
    of_a_screen[64..80].copy_from_slice(&plain[64..80]);
    of_a_screen
}

#[test]
fn other_profiles_and_what_is_none_stay() {
    assert_eq!(own_profile(&profile(4, &[(b"desc", b"Display P3"), (b"dscm", b"names"), (b"rXYZ", b"red")])), None);
    assert_eq!(own_profile(&[7; 300]), None);
    assert_eq!(own_profile(b""), None);
    let whole = screen(4);
    for cut in [100, 131, 140, 200, whole.len() - 1] {
        assert_eq!(own_profile(&whole[..cut]), None, "{cut}");
    }
}
