//! How likely two charts are one person's, and why.

use super::IdentityField;
use crate::patient::{Patient, PersonName, search};
use chrono::{Datelike, NaiveDate};
use std::collections::BTreeSet;

/// From this score on two charts are shown as possibly one person's.
pub const ENOUGH: f64 = 0.5;

/// Evidence that two charts belong to one person.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The field.
    pub field: IdentityField,
    /// The reason in words.
    pub explanation: &'static str,
    /// Its weight, 0 to 1.
    pub weight: f64,
}

/// The score, 0 to 1, and what it is the sum of, the weightiest first.
pub fn compare(a: &Patient, b: &Patient) -> (f64, Vec<Reason>) {
    let twins = may_be_twins(a, b);
    let reached = [phones(a, b, twins), emails(a, b, twins)];
    let heard = reached.iter().any(Option::is_some) && is_misheard(a, b);
    let named = names(a, b, (twins, heard));
    let found = reached.into_iter().chain([named, birth_dates(a.birth_date, b.birth_date)]);
    let mut reasons: Vec<Reason> = found.flatten().collect();
    reasons.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let sum: f64 = reasons.iter().map(|reason| reason.weight).sum();
    (hundredths(sum.min(1.0)), reasons)
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Alone the same name is not enough: many share one.
const SAME_NAME: f64 = 0.45;

/// A phone or an e-mail that two share. Twins have their parents', so of them it says little.
const SHARED: f64 = 0.25;
const SHARED_BY_TWINS: f64 = 0.1;

/// Below it two given names are two names: a letter wrong in one of three leaves two pieces of four, and in longer ones more.
const ANOTHER_NAME: f64 = 0.25;

/// How alike the given names are, and what each is called.
fn given_names(a: &Patient, b: &Patient) -> f64 {
    let given = |patient: &Patient, name: &str| {
        let called = patient.preferred_name.as_deref().map_or(0.0, |called| search::likeness(called, name));
        search::likeness(&patient.legal_name.given, name).max(called)
    };
    given(a, &b.legal_name.given).max(given(b, &a.legal_name.given))
}

/// Born on one day with one family name, and called otherwise.
fn may_be_twins(a: &Patient, b: &Patient) -> bool {
    let (Some(one), Some(other)) = (&a.legal_name.family, &b.legal_name.family) else { return false };
    a.birth_date == b.birth_date && search::likeness(one, other) > 0.99 && given_names(a, b) < ANOTHER_NAME
}

/// Family names that are nearly the same. People of one house have the same one; nearly the same one with the same phone is
/// more likely one person, written down twice.
fn is_misheard(a: &Patient, b: &Patient) -> bool {
    let (Some(one), Some(other)) = (&a.legal_name.family, &b.legal_name.family) else { return false };
    (0.5..0.99).contains(&search::likeness(one, other))
}

/// How alike names count at least where the family name may have been misheard: `Bill Tarrant` and `William Tarrand`.
const MISHEARD: f64 = 0.6;

fn names(a: &Patient, b: &Patient, (twins, heard): (bool, bool)) -> Option<Reason> {
    let (one, other) = (&a.legal_name, &b.legal_name);
    let straight_given = given_names(a, b);
    let family = |name: &PersonName| name.family.clone().unwrap_or_default();
    // Two people with one name each are as alike as that name; a former family name is a family name.
    let families = |patient: &Patient| {
        let names = [&patient.legal_name].into_iter().chain(&patient.details.former_names);
        names.map(family).collect::<Vec<_>>()
    };
    let straight = if one.family.is_none() && other.family.is_none() {
        straight_given
    } else {
        let pairs = families(a)
            .into_iter()
            .flat_map(|one| families(b).into_iter().map(move |other| search::likeness(&one, &other)));
        (straight_given + pairs.fold(0.0, f64::max)) / 2.0
    };
    let swapped = (search::likeness(&one.given, &family(other)) + search::likeness(&family(one), &other.given)) / 2.0;
    let (alike, explanation) = match (straight, swapped) {
        (straight, _) if heard && straight < MISHEARD => (MISHEARD, "nearly the same family name"),
        (straight, _) if twins => (straight, "the same family name and another given name: perhaps twins"),
        (straight, swapped) if swapped > straight => (swapped * 0.9, "given and family name swapped"),
        (straight, _) if straight > 0.99 => (straight, "the same name"),
        (straight, _) => (straight, "a similar name"),
    };
    let weight = hundredths(alike * SAME_NAME);
    (alike >= 0.4).then_some(Reason { field: IdentityField::LegalName, explanation, weight })
}

fn birth_dates(a: NaiveDate, b: NaiveDate) -> Option<Reason> {
    let swapped = NaiveDate::from_ymd_opt(a.year(), a.day(), a.month()) == Some(b);
    let (weight, explanation) = if a == b {
        (0.3, "the same date of birth")
    } else if swapped {
        (0.2, "day and month of birth swapped")
    } else if digits_apart(a, b) == 1 {
        (0.15, "one digit of the date of birth differs")
    } else {
        return None;
    };
    Some(Reason { field: IdentityField::BirthDate, explanation, weight })
}

fn digits_apart(a: NaiveDate, b: NaiveDate) -> usize {
    a.to_string().chars().zip(b.to_string().chars()).filter(|(a, b)| a != b).count()
}

fn phones(a: &Patient, b: &Patient, twins: bool) -> Option<Reason> {
    // All are in E.164, the first one and those beside it.
    let numbers = |patient: &'_ Patient| -> BTreeSet<String> {
        patient.phone.iter().chain(patient.details.other_phones.iter().map(|it| &it.number)).cloned().collect()
    };
    let same = !numbers(a).is_disjoint(&numbers(b));
    same.then_some(Reason {
        field: IdentityField::Phone,
        explanation: "the same phone number",
        weight: if twins { SHARED_BY_TWINS } else { SHARED },
    })
}

fn emails(a: &Patient, b: &Patient, twins: bool) -> Option<Reason> {
    let same = a.email.as_deref()?.to_lowercase() == b.email.as_deref()?.to_lowercase();
    same.then_some(Reason {
        field: IdentityField::Email,
        explanation: "the same e-mail",
        weight: if twins { SHARED_BY_TWINS } else { SHARED },
    })
}

/// The days of birth that a slip of the pen makes of one: itself, day and month swapped, and every single wrong digit.
pub fn near_days(day: NaiveDate) -> Vec<NaiveDate> {
    let written = day.to_string();
    let mut days: BTreeSet<NaiveDate> = [day].into();
    days.extend(NaiveDate::from_ymd_opt(day.year(), day.day(), day.month()));
    for (at, own) in written.char_indices().filter(|(_, own)| own.is_ascii_digit()) {
        for digit in ('0'..='9').filter(|digit| *digit != own) {
            let slip: String = written.char_indices().map(|(i, c)| if i == at { digit } else { c }).collect();
            days.extend(slip.parse::<NaiveDate>());
        }
    }
    days.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;
    use serde_json::json;

    fn patient((given, family): (&str, &str), born: &str, phone: Option<&str>, email: Option<&str>) -> Patient {
        let now = ids::now();
        let content = json!({
            "id": ids::new_id(), "chart_number": "P-1", "legal_name": {"given": given, "middle": null, "family": family},
            "birth_date": born, "phone": phone, "email": email, "status": "active", "version": 1, "created_at": now,
            "updated_at": now,
        });
        serde_json::from_value(content).expect("a patient")
    }

    /// What is tried; name, birth date, phone, e-mail; whether it is enough; a reason that is given.
    type Case = (
        &'static str,
        (&'static str, &'static str),
        &'static str,
        Option<&'static str>,
        Option<&'static str>,
        bool,
        &'static str,
    );

    #[test]
    fn what_speaks_for_one_person_adds_up() {
        let (phone, email) = (Some("+34600123456"), Some("zoe@x.example"));
        let zoe = patient(("Zoë", "Ramírez"), "1990-05-07", phone, email);
        let cases: &[Case] = &[
            ("the same in all", ("Zoë", "Ramírez"), "1990-05-07", phone, email, true, "the same name"),
            ("without accents", ("Zoe", "Ramirez"), "1990-05-07", None, None, true, "the same name"),
            ("a letter wrong", ("Zoe", "Ramires"), "1990-05-07", None, None, true, "a similar name"),
            ("names swapped", ("Ramírez", "Zoë"), "1990-05-07", None, None, true, "given and family name swapped"),
            (
                "day and month swapped",
                ("Zoë", "Ramírez"),
                "1990-07-05",
                None,
                None,
                true,
                "day and month of birth swapped",
            ),
            (
                "a digit off",
                ("Zoë", "Ramírez"),
                "1980-05-07",
                None,
                None,
                true,
                "one digit of the date of birth differs",
            ),
            ("phone", ("Zoë", "Ramírez"), "1971-11-30", phone, None, true, "the same phone number"),
            ("e-mail", ("Z.", "Ramírez"), "1990-05-07", None, Some("ZOE@x.example"), true, "the same e-mail"),
            ("the name alone", ("Zoë", "Ramírez"), "1971-11-30", None, None, false, "the same name"),
            ("the day alone", ("Ian", "Smith"), "1990-05-07", None, None, false, "the same date of birth"),
            ("the phone of the house", ("Ian", "Smith"), "1971-11-30", phone, None, false, "the same phone number"),
        ];
        for (what, names, born, phone, email, possible, reason) in cases {
            let other = patient(*names, born, *phone, *email);
            let (score, reasons) = compare(&zoe, &other);
            assert_eq!(score >= ENOUGH, *possible, "{what}: {score} {reasons:?}");
            assert!(reasons.iter().any(|it| it.explanation == *reason), "{what}: {reasons:?}");
            assert_eq!(score, compare(&other, &zoe).0, "{what}: the other way round");
            assert!((0.0..=1.0).contains(&score));
        }
        let stranger = patient(("Ian", "Smith"), "1971-11-30", None, None);
        assert_eq!(compare(&zoe, &stranger), (0.0, vec![]));
    }

    #[test]
    fn twins_with_a_parents_phone_are_not_one_person() {
        let (phone, email) = (Some("+4930123456"), Some("eltern@x.example"));
        let mia = patient(("Mia", "Böhm"), "2004-02-29", phone, email);
        let (score, reasons) = compare(&mia, &patient(("Lea", "Boehm"), "2004-02-29", phone, email));
        assert!((ENOUGH..0.8).contains(&score), "{score} {reasons:?}");
        assert!(reasons.iter().any(|it| it.explanation.contains("perhaps twins")), "{reasons:?}");
        // The same chart twice, and a slip of the pen in it.
        assert_eq!(compare(&mia, &mia).0, 1.0);
        let (slip, reasons) = compare(&mia, &patient(("Mie", "Böhm"), "2004-02-29", phone, email));
        assert!(slip > score && !reasons.iter().any(|it| it.explanation.contains("twins")), "{slip} {reasons:?}");
    }

    #[test]
    fn a_family_name_may_be_misheard_and_a_house_shares_one() {
        let (phone, none) = (Some("+447700900417"), None);
        let bill = patient(("Bill", "Tarrant"), "1950-01-12", phone, none);
        let (score, reasons) = compare(&bill, &patient(("William", "Tarrand"), "1971-11-30", phone, none));
        assert!(score >= ENOUGH && reasons.iter().any(|it| it.explanation == "nearly the same family name"), "{score}");
        assert!(
            compare(&bill, &patient(("William", "Tarrand"), "1971-11-30", none, none)).0 < ENOUGH,
            "the name alone"
        );
        assert!(compare(&bill, &patient(("Wendy", "Tarrant"), "1971-11-30", phone, none)).0 < ENOUGH, "of one house");
    }

    #[test]
    fn another_phone_of_theirs_counts_as_one() {
        let mut mia = patient(("Mia", "Böhm"), "2004-02-29", Some("+4930123456"), None);
        let other = patient(("M.", "Böhm"), "1971-11-30", Some("+4930999999"), None);
        let before = compare(&mia, &other).0;
        mia.details.other_phones.push(crate::patient::OtherPhone { number: "+4930999999".to_owned(), label: None });
        assert_eq!(hundredths(compare(&mia, &other).0 - before), 0.25);
    }

    #[test]
    fn what_they_are_called_counts_as_a_given_name() {
        let mut a = patient(("Elizabeth", "Ramírez"), "1990-05-07", None, None);
        let b = patient(("Bess", "Ramírez"), "1990-05-07", None, None);
        assert!(compare(&a, &b).0 < compare(&a, &a).0);
        a.preferred_name = Some("Bess".to_owned());
        assert_eq!(compare(&a, &b).0, 0.75);
    }

    #[test]
    fn every_day_that_is_compared_as_near_is_looked_for() {
        let day = NaiveDate::from_ymd_opt(1990, 5, 7).expect("a day");
        let near = near_days(day);
        for (year, month, date) in [(1990, 5, 7), (1990, 7, 5), (1980, 5, 7), (1990, 5, 17), (1990, 5, 8)] {
            assert!(near.contains(&NaiveDate::from_ymd_opt(year, month, date).expect("a day")));
        }
        assert!(near.len() < 80 && near.iter().all(|other| birth_dates(day, *other).is_some()));
    }
}
