use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use upsert_api::AuditAction;

use super::*;
use crate::audit::act::Act;
use crate::audit::chain::{AuditKeys, NoAuditKeys};

/// One key, which is configured under this id.
#[derive(Debug, Clone)]
struct Keyed(&'static str);

impl AuditKeys for Keyed {
    fn current(&self) -> Option<String> {
        Some(self.0.to_owned())
    }

    fn sign(&self, key: &str, bytes: &[u8]) -> Option<[u8; 32]> {
        (key == self.0).then(|| Sha256::digest([key.as_bytes(), bytes].concat()).into())
    }
}

fn keyed() -> Chain {
    Chain::new(Arc::new(Keyed("2026-11")))
}

fn unkeyed() -> Chain {
    Chain::new(Arc::new(NoAuditKeys))
}

fn act(number: u64) -> Act {
    let act = Act::new(
        "ann",
        AuditAction::ConnectionPause,
        format!("connections/acme/{number}"),
    );
    act.of("acme").with("number", number)
}

/// So many entries, written one by one.
fn written(chain: &Chain, count: u64) -> AuditStretch {
    let mut stretch = AuditStretch::default();
    add(chain, &mut stretch, count);
    stretch
}

fn add(chain: &Chain, stretch: &mut AuditStretch, count: u64) {
    for number in 0..count {
        let (entries, head) = chain.following(stretch.head.as_ref(), &[act(number)], Timestamp::UNIX_EPOCH);
        stretch.entries.extend(entries);
        stretch.head = Some(head);
    }
}

fn whole(chain: &Chain, stretch: &AuditStretch, noted: Option<Mark>) -> Walked {
    walk(chain, Position::START, stretch, 1_000, noted)
}

fn fault(chain: &Chain, stretch: &AuditStretch) -> Option<(u64, AuditFault)> {
    whole(chain, stretch, None)
        .misfit
        .map(|misfit| (misfit.number, misfit.code))
}

#[test]
fn a_chain_as_it_was_written_fits_whole_and_piece_by_piece() {
    for chain in [keyed(), unkeyed()] {
        for count in [0, 1, 2, 7] {
            let stretch = written(&chain, count);
            let walked = whole(&chain, &stretch, None);
            assert_eq!((walked.checked, walked.misfit, walked.next), (count, None, None));
            let mut at = Position::START;
            for piece in 0.. {
                let after = usize::try_from(at.last.number).unwrap();
                let part = AuditStretch {
                    head: stretch.head.clone(),
                    entries: stretch.entries.iter().skip(after).take(2).cloned().collect(),
                };
                let walked = walk(&chain, at, &part, 2, None);
                assert_eq!(walked.misfit, None, "piece {piece} of {count}");
                match walked.next {
                    Some(next) => at = next,
                    None => break,
                }
            }
        }
    }
}

#[test]
fn several_acts_at_once_are_entries_one_after_the_other() {
    let chain = keyed();
    let (entries, head) = chain.following(None, &[act(1), act(2), act(3)], Timestamp::UNIX_EPOCH);
    let numbers: Vec<_> = entries.iter().map(|entry| entry.number).collect();
    assert_eq!((numbers, head.number, head.revision), (vec![1, 2, 3], 3, 1));
    let stretch = AuditStretch {
        head: Some(head),
        entries,
    };
    assert_eq!(whole(&chain, &stretch, None).misfit, None);
}

#[test]
fn times_never_fall_whatever_a_clock_says() {
    let chain = unkeyed();
    let late = Timestamp::from_second(100).unwrap();
    let (_, head) = chain.following(None, &[act(1)], late);
    let (entries, head) = chain.following(Some(&head), &[act(2)], Timestamp::UNIX_EPOCH);
    assert_eq!((entries[0].at, head.at), (late, late));
}

/// What somebody does to the rows of a chain of five, and where it shows.
type Tampering = (&'static str, fn(&mut AuditStretch), u64, AuditFault);

const TAMPERINGS: [Tampering; 13] = [
    (
        "another name",
        |chain| chain.entries[2].by = "bob".to_owned(),
        3,
        AuditFault::Changed,
    ),
    (
        "no detail",
        |chain| chain.entries[2].detail = None,
        3,
        AuditFault::Changed,
    ),
    (
        "another merchant",
        |chain| chain.entries[2].merchant = None,
        3,
        AuditFault::Changed,
    ),
    (
        "another time",
        |chain| chain.entries[2].at = Timestamp::from_microsecond(1).unwrap(),
        3,
        AuditFault::Changed,
    ),
    (
        "another hash",
        |chain| chain.entries[2].hash[0] ^= 1,
        3,
        AuditFault::Changed,
    ),
    (
        "one taken out",
        |chain| drop(chain.entries.remove(2)),
        3,
        AuditFault::Missing,
    ),
    (
        "the first taken out",
        |chain| drop(chain.entries.remove(0)),
        1,
        AuditFault::Missing,
    ),
    (
        "the end cut off",
        |chain| chain.entries.truncate(3),
        4,
        AuditFault::Missing,
    ),
    ("all taken out", |chain| chain.entries.clear(), 1, AuditFault::Missing),
    (
        "two exchanged",
        |chain| {
            chain.entries.swap(1, 2);
            (chain.entries[1].number, chain.entries[2].number) = (2, 3);
        },
        2,
        AuditFault::Changed,
    ),
    (
        "one put in at the end",
        |chain| {
            let mut more = chain.entries[4].clone();
            more.number = 6;
            chain.entries.push(more);
        },
        6,
        AuditFault::Outside,
    ),
    ("no head", |chain| chain.head = None, 1, AuditFault::HeadChanged),
    (
        "the end cut off, and the head with it",
        |chain| {
            chain.entries.truncate(3);
            let last = chain.entries[2].clone();
            let head = chain.head.as_mut().unwrap();
            (head.number, head.hash, head.at) = (last.number, last.hash, last.at);
        },
        3,
        AuditFault::HeadChanged,
    ),
];

#[test]
fn whatever_is_done_to_the_rows_shows_at_the_first_of_them() {
    for chain in [keyed(), unkeyed()] {
        for (what, tamper, number, code) in TAMPERINGS {
            let mut stretch = written(&chain, 5);
            tamper(&mut stretch);
            assert_eq!(fault(&chain, &stretch), Some((number, code)), "{what}");
        }
    }
}

#[test]
fn an_entry_that_was_made_anew_without_the_key_shows_and_one_with_the_means_shows_at_the_next() {
    let (own, forger) = (keyed(), unkeyed());
    let mut stretch = written(&own, 5);
    stretch.entries[2].by = "bob".to_owned();
    stretch.entries[2].key = None;
    stretch.entries[2].hash = forger.hash_of(&stretch.entries[2]).unwrap();
    assert_eq!(fault(&own, &stretch), Some((3, AuditFault::Unkeyed)));
    // Where no key is configured anybody can make a hash; what follows does not follow it then.
    let mut stretch = written(&forger, 5);
    stretch.entries[2].by = "bob".to_owned();
    stretch.entries[2].hash = forger.hash_of(&stretch.entries[2]).unwrap();
    assert_eq!(fault(&forger, &stretch), Some((4, AuditFault::Unconnected)));
    stretch.entries[4].by = "bob".to_owned();
    stretch.entries[4].hash = forger.hash_of(&stretch.entries[4]).unwrap();
    let mut last_alone = written(&forger, 5);
    last_alone.entries[4] = AuditRecord {
        before: last_alone.entries[3].hash,
        ..stretch.entries[4].clone()
    };
    last_alone.entries[4].hash = forger.hash_of(&last_alone.entries[4]).unwrap();
    assert_eq!(fault(&forger, &last_alone), Some((5, AuditFault::HeadChanged)));
}

#[test]
fn a_tail_that_was_written_anew_without_the_key_shows() {
    let (own, forger) = (keyed(), unkeyed());
    let mut stretch = written(&own, 3);
    add(&forger, &mut stretch, 2);
    assert_eq!(fault(&own, &stretch), Some((4, AuditFault::Unkeyed)));
    // As where keys were configured later: the entries of before are not keyed, and that fits.
    let mut stretch = written(&forger, 3);
    add(&own, &mut stretch, 2);
    let walked = whole(&own, &stretch, None);
    assert_eq!((walked.checked, walked.keyed, walked.misfit), (5, 2, None));
}

#[test]
fn what_is_keyed_with_a_key_that_is_not_configured_is_told_as_such() {
    let stretch = written(&keyed(), 3);
    let others = Chain::new(Arc::new(Keyed("2027-01")));
    assert_eq!(fault(&others, &stretch), Some((3, AuditFault::UnknownKey)));
}

#[test]
fn a_chain_whose_old_entries_were_forgotten_fits_from_there_on() {
    for chain in [keyed(), unkeyed()] {
        let mut stretch = written(&chain, 5);
        let forgotten = stretch.entries.remove(0);
        let newest = stretch.entries.remove(0);
        stretch.head = stretch.head.map(|head| chain.without(&head, &newest));
        assert_eq!(fault(&chain, &stretch), None);
        add(&chain, &mut stretch, 2);
        assert_eq!(fault(&chain, &stretch), None);
        let mut with_one_more = stretch.clone();
        with_one_more.entries.insert(0, forgotten);
        assert_eq!(fault(&chain, &with_one_more), Some((1, AuditFault::Outside)));
        let mut cut = stretch.clone();
        cut.entries.remove(0);
        assert_eq!(fault(&chain, &cut), Some((3, AuditFault::Missing)));
        let mut moved = cut;
        let head = moved.head.as_mut().unwrap();
        (head.forgotten, head.forgotten_hash) = (3, stretch.entries[0].hash);
        assert_eq!(fault(&chain, &moved), Some((7, AuditFault::HeadChanged)));
    }
}

#[test]
fn a_walk_goes_on_where_entries_were_forgotten_meanwhile() {
    let chain = keyed();
    let mut stretch = written(&chain, 6);
    let first = AuditStretch {
        head: stretch.head.clone(),
        entries: stretch.entries[..2].to_vec(),
    };
    let at = walk(&chain, Position::START, &first, 2, None).next.unwrap();
    let forgotten: Vec<_> = stretch.entries.drain(..4).collect();
    stretch.head = stretch.head.map(|head| chain.without(&head, &forgotten[3]));
    let walked = walk(&chain, at, &stretch, 10, None);
    assert_eq!((walked.checked, walked.misfit, walked.next), (2, None, None));
}

#[test]
fn what_was_noted_has_to_be_there_still() {
    let chain = unkeyed();
    let stretch = written(&chain, 5);
    let mark = |entry: &AuditRecord| Mark {
        number: entry.number,
        hash: entry.hash,
    };
    let noted = |stretch: &AuditStretch, mark| {
        let misfit = whole(&chain, stretch, Some(mark)).misfit;
        misfit.map(|misfit| (misfit.number, misfit.code))
    };
    for entry in &stretch.entries {
        assert_eq!(noted(&stretch, mark(entry)), None);
    }
    let last = mark(&stretch.entries[4]);
    // Somebody has written a shorter chain that fits in itself.
    let shorter = written(&chain, 3);
    assert_eq!(fault(&chain, &shorter), None);
    assert_eq!(noted(&shorter, last), Some((5, AuditFault::Missing)));
    let mut other = written(&chain, 2);
    let (entries, head) = chain.following(other.head.as_ref(), &[act(7), act(8), act(9)], Timestamp::UNIX_EPOCH);
    other.entries.extend(entries);
    other.head = Some(head);
    assert_eq!(fault(&chain, &other), None);
    assert_eq!(noted(&other, last), Some((5, AuditFault::NotedDiffers)));
    assert_eq!(noted(&AuditStretch::default(), last), Some((5, AuditFault::Missing)));
    // What was forgotten cannot be compared, but for the last of it.
    let mut older = stretch.clone();
    let forgotten: Vec<_> = older.entries.drain(..2).collect();
    older.head = older.head.map(|head| chain.without(&head, &forgotten[1]));
    assert_eq!(noted(&older, mark(&forgotten[1])), None);
    assert_eq!(noted(&older, mark(&forgotten[0])), Some((1, AuditFault::NotedDiffers)));
}
