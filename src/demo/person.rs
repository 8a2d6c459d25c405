//! Who a patient is.

use super::chart::{Place, World, visit};
use super::dice::Dice;
use super::names;
use crate::folding::fold;
use crate::ids;
use crate::patient::{EmergencyContact, Patient, PatientStatus, PersonName, SexAtBirth};
use crate::record::Stamp;
use crate::vocabulary::FitzpatrickType;
use chrono::{Datelike, NaiveDate, TimeDelta};

/// A patient who registers some days before `first_visit`, at a place.
pub(super) fn person(
    world: &World,
    dice: &mut Dice,
    place: &Place,
    chart_number: String,
    first_visit: NaiveDate,
) -> Patient {
    let ahead = dice.between(2, 15);
    let registered_at = visit(dice, place.zone, first_visit - TimeDelta::days(ahead));
    // Who comes to such a clinic: four women to one man, most between 25 and 55.
    let sex = dice
        .weighted(SexAtBirth::Female, &[(185, SexAtBirth::Male), (2, SexAtBirth::Intersex), (4, SexAtBirth::Unknown)]);
    let (youngest, oldest) =
        dice.weighted((25, 34), &[(260, (35, 44)), (190, (45, 54)), (120, (18, 24)), (110, (55, 64)), (40, (65, 79))]);
    let age_days = dice.between(youngest * 365 + 5, oldest * 365 + 364);
    let birth_date = world.end.date_naive() - TimeDelta::days(550 + age_days);
    let male = sex == SexAtBirth::Male;
    let (given, middle, family) = name(dice, place, male);
    let preferred =
        dice.chance(45).then(|| given.chars().take(3).collect::<String>()).filter(|short| short.chars().count() == 3);
    let (gender, pronouns) = dice.weighted(
        (None, None),
        &[
            (50, if male { (Some("man"), Some("he/him")) } else { (Some("woman"), Some("she/her")) }),
            (8, (Some("non-binary"), Some("they/them"))),
            (5, if male { (Some("woman"), Some("she/her")) } else { (Some("man"), Some("he/him")) }),
        ],
    );
    let email = dice.chance(930).then(|| email(dice, &given, &family, birth_date));
    let phone = dice.chance(960).then(|| names::phone(place.country, dice));
    let address = dice.chance(880).then(|| names::address(place.country, dice));
    let emergency_contact = dice.chance(700).then(|| emergency_contact(dice, place, &family));
    Patient {
        id: ids::id_at(registered_at, dice.bytes()),
        chart_number,
        legal_name: PersonName { given, middle, family: Some(family) },
        preferred_name: preferred,
        birth_date,
        deceased_on: None,
        sex_at_birth: dice.chance(970).then_some(sex),
        gender: gender.map(str::to_owned),
        pronouns: pronouns.map(str::to_owned),
        email,
        phone,
        details: Box::default(),
        address,
        emergency_contact,
        skin_type: None,
        status: PatientStatus::Active,
        status_reason: None,
        merged_into: None,
        stamp: Stamp::new(Some(world.front_desk), registered_at),
    }
}

/// Given, middle and family name, of one language mostly.
fn name(dice: &mut Dice, place: &Place, male: bool) -> (String, Option<String>, String) {
    let language = names::language_in(place.country, dice);
    let of = |dice: &mut Dice, part: fn(&names::Language) -> &Vec<&'static str>| {
        language.map(|language| dice.word(part(language))).unwrap_or_default().to_owned()
    };
    let given_names: fn(&names::Language) -> &Vec<&'static str> = if male { |it| &it.male } else { |it| &it.female };
    let given = of(dice, given_names);
    let middle = dice.chance(140).then(|| of(dice, given_names)).filter(|middle| *middle != given);
    let mut family = of(dice, |it| &it.family);
    let other = names::language_in(place.country, dice).map(|language| dice.word(&language.family)).unwrap_or_default();
    // The name of a family that came from elsewhere, or of two.
    match dice.weighted(0, &[(180, 1), (50, 2)]) {
        1 => family = other.to_owned(),
        2 if other != family => family = format!("{family}-{other}"),
        _ => {}
    }
    (given, middle, family)
}

/// An address at a domain that is kept for examples (RFC 2606).
fn email(dice: &mut Dice, given: &str, family: &str, born: NaiveDate) -> String {
    let plain = |name: &str| fold(name).replace(' ', "");
    let (given, family) = (plain(given), plain(family));
    let number = match dice.weighted(0, &[(250, 1), (120, 2)]) {
        1 => format!("{:02}", born.year() % 100),
        2 => dice.between(1, 999).to_string(),
        _ => String::new(),
    };
    let domain = dice.weighted("example.com", &[(250, "example.org"), (150, "example.net")]);
    match dice.below(6) {
        0 => format!("{}{family}{number}@{domain}", given.chars().take(1).collect::<String>()),
        1 => format!("{family}.{given}{number}@{domain}"),
        _ => format!("{given}.{family}{number}@{domain}"),
    }
}

fn emergency_contact(dice: &mut Dice, place: &Place, family: &str) -> EmergencyContact {
    let relationship = dice
        .word(&["partner", "husband", "wife", "mother", "father", "sister", "brother", "friend", "daughter", "son"]);
    let male = match relationship {
        "husband" | "father" | "brother" | "son" => true,
        "wife" | "mother" | "sister" | "daughter" => false,
        _ => dice.chance(500),
    };
    let (given, _, other) = name(dice, place, male);
    let family = if relationship == "friend" || relationship == "partner" { &other } else { family };
    EmergencyContact {
        name: format!("{given} {family}"),
        relationship: Some(relationship.to_owned()),
        phone: names::phone(place.country, dice),
    }
}

/// A skin type, in the proportions of a big European or North American city.
pub(super) fn fitzpatrick(dice: &mut Dice) -> FitzpatrickType {
    use FitzpatrickType::{I, Ii, Iii, Iv, V, Vi};
    dice.weighted(Iii, &[(60, I), (280, Ii), (190, Iv), (90, V), (40, Vi)])
}
