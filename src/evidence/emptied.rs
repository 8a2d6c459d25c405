//! Which entries of the ledger are empty, and which erasure says of each that it emptied it.

use serde::Deserialize;
use uuid::Uuid;

/// An erasure, as its own entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Erasure {
    /// The number of its entry.
    pub(super) seq: i64,
    /// Whom it erased.
    pub(super) patient: Option<Uuid>,
    /// How many entries it emptied.
    pub(super) count: i64,
    /// Which: the first and the last of each run. None where it is from before they were named.
    pub(super) named: Option<Vec<(i64, i64)>>,
}

#[derive(Deserialize)]
struct Content {
    erased_id: Option<Uuid>,
    #[serde(default)]
    counts: Counts,
    emptied: Option<Vec<(i64, i64)>>,
}

#[derive(Deserialize, Default)]
struct Counts {
    #[serde(default)]
    ledger: i64,
}

impl Erasure {
    /// Reads the content of an erasure's entry. What can't be read emptied nothing.
    pub(super) fn read(seq: i64, content: &[u8]) -> Self {
        let nothing = Content { erased_id: None, counts: Counts::default(), emptied: Some(Vec::new()) };
        let content: Content = serde_json::from_slice(content).unwrap_or(nothing);
        Self { seq, patient: content.erased_id, count: content.counts.ledger, named: content.emptied }
    }

    /// Whether it could have emptied what it names: entries before it, each once, as many as it counts.
    fn is_possible(&self) -> bool {
        let mut last = 0;
        let mut sum = 0;
        for (first, end) in self.named.iter().flatten() {
            if *first <= last || end < first || *end >= self.seq {
                return false;
            }
            (last, sum) = (*end, sum + (end - first + 1));
        }
        self.named.is_none() || sum == self.count
    }
}

/// What was found empty on the way along the ledger, in order.
#[derive(Debug, Default)]
pub(super) struct Emptied {
    pub(super) empty: Vec<i64>,
    pub(super) erasures: Vec<Erasure>,
}

impl Emptied {
    /// Holds what is empty and what erasures say to each other: the first entry that does not fit, and why.
    ///
    /// An erasure from before entries were named accounts for as many as it counts, of those before it that no other
    /// names. There is none after the first that names them.
    pub(super) fn fault(&self) -> Option<(i64, String)> {
        let (naming, counting): (Vec<&Erasure>, Vec<&Erasure>) =
            self.erasures.iter().partition(|it| it.named.is_some());
        if let Some(wrong) = naming.iter().find(|it| !it.is_possible()) {
            return Some((wrong.seq, "it is an erasure that names entries it can't have emptied".to_owned()));
        }
        if let Some(late) = counting.iter().find(|it| naming.first().is_some_and(|first| first.seq < it.seq)) {
            return Some((late.seq, "it is an erasure that does not name the entries it emptied".to_owned()));
        }
        let mut names: Vec<(i64, i64, i64)> = Vec::new();
        for erasure in &naming {
            names.extend(erasure.named.iter().flatten().map(|(first, last)| (*first, *last, erasure.seq)));
        }
        names.sort_unstable();
        let mut empty = self.empty.iter().copied().peekable();
        let mut unnamed = Vec::new();
        for (first, last, by) in names {
            while let Some(seq) = empty.next_if(|seq| *seq < first) {
                unnamed.push(seq);
            }
            for wanted in first..=last {
                if empty.next_if_eq(&wanted).is_none() {
                    return Some((wanted, format!("it has content, and the erasure of entry {by} emptied it")));
                }
            }
        }
        unnamed.extend(empty);
        counted(&unnamed, &counting)
    }

    /// Erasures that do not name what they emptied.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = &Erasure> {
        self.erasures.iter().filter(|it| it.named.is_none())
    }
}

/// Holds empty entries that no erasure names to the erasures that only count them.
fn counted(unnamed: &[i64], counting: &[&Erasure]) -> Option<(i64, String)> {
    let all: i64 = counting.iter().map(|it| it.count).sum();
    let found = i64::try_from(unnamed.len()).unwrap_or(i64::MAX);
    if found != all {
        let why = match counting.len() {
            0 => "it is empty, and no erasure names it".to_owned(),
            _ => format!("{found} entries are empty that no erasure names, and erasures count {all}"),
        };
        return Some((unnamed.first().copied().unwrap_or(1), why));
    }
    let mut so_far = 0;
    for erasure in counting {
        so_far += erasure.count;
        let before = i64::try_from(unnamed.partition_point(|seq| *seq < erasure.seq)).unwrap_or(i64::MAX);
        if before < so_far {
            return Some((
                erasure.seq,
                "it is an erasure that counts more entries than are empty before it".to_owned(),
            ));
        }
    }
    None
}

/// Asks for the first entry with content of what an erasure from before entries were named must have emptied: of a record
/// that was its patient's when it came, or of one that is empty in part.
pub(super) fn question(org: Uuid, erasure: &Erasure) -> String {
    let (seq, patient) = (erasure.seq, erasure.patient.unwrap_or_default());
    format!(
        "SELECT min(l.seq) FROM public.ledger l WHERE l.org_id = '{org}' AND l.seq < {seq} AND \
         (l.content IS NOT NULL OR l.packed IS NOT NULL) AND (\
         l.record_id IN (SELECT e.record_id FROM public.ledger e WHERE e.org_id = '{org}' AND e.seq < {seq} \
         AND e.content IS NULL AND e.packed IS NULL) OR (l.record_id IN (SELECT p.record_id FROM public.ledger p WHERE p.org_id = '{org}' \
         AND p.patient_id = '{patient}' AND p.seq < {seq}) AND (SELECT n.patient_id FROM public.ledger n \
         WHERE n.org_id = '{org}' AND n.record_id = l.record_id AND n.seq < {seq} ORDER BY n.seq DESC LIMIT 1) \
         = '{patient}'))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(seq: i64, named: &[(i64, i64)]) -> Erasure {
        let count = named.iter().map(|(first, last)| last - first + 1).sum();
        Erasure { seq, patient: None, count, named: Some(named.to_vec()) }
    }

    fn counting(seq: i64, count: i64) -> Erasure {
        Erasure { seq, patient: None, count, named: None }
    }

    fn broken(empty: &[i64], erasures: &[Erasure]) -> Option<i64> {
        Emptied { empty: empty.to_vec(), erasures: erasures.to_vec() }.fault().map(|(seq, _)| seq)
    }

    #[test]
    fn every_empty_entry_is_named_and_every_named_one_is_empty() {
        let two = [naming(10, &[(2, 3), (5, 5)]), naming(20, &[(4, 4), (12, 13)])];
        assert_eq!(broken(&[2, 3, 4, 5, 12, 13], &two), None);
        assert_eq!(broken(&[2, 3, 4, 5, 13], &two), Some(12), "named, with content");
        assert_eq!(broken(&[2, 3, 4, 5, 7, 12, 13], &two), Some(7), "empty, not named");
        assert_eq!(broken(&[2, 3, 4, 5, 12, 13, 14], &two), Some(14));
        assert_eq!(broken(&[2, 4, 5, 7, 12, 13], &two), Some(3), "one for another");
        assert_eq!(broken(&[1], &[]), Some(1));
        assert_eq!(broken(&[], &[]), None);
    }

    #[test]
    fn an_erasure_names_what_came_before_it_in_order_and_as_much_as_it_counts() {
        for named in [&[(9, 10)][..], &[(3, 2)], &[(0, 1)], &[(4, 5), (2, 3)], &[(2, 3), (3, 4)]] {
            assert_eq!(broken(&(1..10).collect::<Vec<_>>(), &[naming(10, named)]), Some(10), "{named:?}");
        }
        let wrong = Erasure { count: 3, ..naming(10, &[(2, 3)]) };
        assert_eq!(broken(&[2, 3], &[wrong]), Some(10));
        assert_eq!(broken(&[2, 3], &[naming(10, &[(2, 3)]), naming(11, &[(2, 3)])]), Some(2), "twice");
    }

    #[test]
    fn an_erasure_that_only_counts_is_from_before_and_covers_what_is_before_it() {
        let old = [counting(5, 2), counting(9, 1)];
        assert_eq!(broken(&[1, 2, 7], &old), None);
        assert_eq!(broken(&[1, 2, 3], &old), None);
        assert_eq!(broken(&[1, 6, 7], &old), Some(5), "one of its two is after it");
        assert_eq!(broken(&[1, 2, 10], &old), Some(9));
        assert_eq!(broken(&[1, 2], &old), Some(1), "one has content again");
        assert_eq!(broken(&[1, 2, 7, 8], &[old.to_vec(), vec![naming(12, &[(8, 8)])]].concat()), None);
        assert_eq!(broken(&[1, 2], &[naming(5, &[(1, 1)]), counting(9, 1)]), Some(9), "it should name them");
    }

    #[test]
    fn what_can_not_be_read_emptied_nothing() {
        assert_eq!(Erasure::read(3, b"{}").named, None);
        assert_eq!(Erasure::read(3, b"nonsense").named, Some(Vec::new()));
        let said = br#"{"erased_id":"0190a000-0000-7000-8000-000000000001","counts":{"ledger":2},"emptied":[[1,2]]}"#;
        assert_eq!(Erasure::read(3, said).named, Some(vec![(1, 2)]));
    }
}
