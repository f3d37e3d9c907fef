//! Who did what when.

use std::sync::Arc;

use tokio::task::JoinSet;

use upsert_api::Filter as _;
use upsert_store::{Applied, AuditFilter, AuditPage, AuditRecord, Changeset, Expect, Store, Write};

use super::{holds, put_for};
use crate::records::{audit_head, audit_record};

/// Entries with these numbers, and the head that tells of the last one.
async fn put_entries(store: &dyn Store, entries: &[AuditRecord]) {
    let last = entries.last().map_or(0, |entry| entry.number);
    let mut write: Vec<Write> = entries.iter().cloned().map(Write::PutAuditEntry).collect();
    write.push(Write::PutAuditHead(audit_head(last)));
    put_for(store, "", write).await;
}

async fn listed(store: &dyn Store, filter: &AuditFilter, limit: usize) -> Vec<Vec<u64>> {
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let AuditPage { entries, next } = store.audit_entries(filter, before, limit).await.unwrap();
        pages.push(entries.iter().map(|entry| entry.number).collect());
        if next.is_none() {
            return pages;
        }
        before = next;
    }
}

pub(super) async fn entries_of_the_audit_trail_come_back_as_they_were_put(store: Arc<dyn Store>) {
    assert_eq!(store.audit_head().await.unwrap(), None);
    assert_eq!(store.audit_after(0, 10).await.unwrap().entries, []);
    let of_gateway = AuditRecord {
        merchant: None,
        detail: None,
        key: None,
        ..audit_record(2)
    };
    let entries = [audit_record(1), of_gateway, audit_record(3)];
    put_entries(&*store, &entries).await;
    assert_eq!(store.audit_head().await.unwrap(), Some(audit_head(3)));
    let stretch = store.audit_after(0, 10).await.unwrap();
    assert_eq!(
        (stretch.head, &stretch.entries[..]),
        (Some(audit_head(3)), &entries[..])
    );
    let stretch = store.audit_after(1, 1).await.unwrap();
    assert_eq!(
        (stretch.head, &stretch.entries[..]),
        (Some(audit_head(3)), &entries[1..2])
    );
    let beyond = store.audit_after(3, 10).await.unwrap();
    assert_eq!((beyond.head, beyond.entries.len()), (Some(audit_head(3)), 0));
    let page = store.audit_entries(&AuditFilter::default(), None, 10).await.unwrap();
    let newest_first: Vec<_> = entries.iter().rev().cloned().collect();
    assert_eq!((page.entries, page.next), (newest_first, None));
    // Nothing of it is a merchant's: nobody is known by it.
    assert_eq!(store.merchants(None, 10).await.unwrap(), []);
}

pub(super) async fn the_audit_trail_is_listed_newest_first_and_paged(store: Arc<dyn Store>) {
    let entries: Vec<_> = (1..=5).map(audit_record).collect();
    put_entries(&*store, &entries).await;
    let all = AuditFilter::default();
    assert_eq!(listed(&*store, &all, 2).await, [vec![5, 4], vec![3, 2], vec![1]]);
    assert_eq!(listed(&*store, &all, 5).await, [[5, 4, 3, 2, 1]]);
    let first = store.audit_entries(&all, Some(3), 1).await.unwrap();
    assert_eq!((first.entries[0].number, first.next), (2, Some(2)));
}

/// Members of a filter, the merchants that may be seen, and the numbers of what matches.
type Asked = (
    &'static [(&'static str, &'static str)],
    Option<&'static [&'static str]>,
    &'static [u64],
);

/// Among the five entries below; each was made so many seconds after noon as its number says.
const ASKED: [Asked; 16] = [
    (&[], None, &[5, 4, 3, 2, 1]),
    (&[("by", "ann")], None, &[4, 3, 1]),
    (&[("by", "an")], None, &[]),
    (&[("action", "connection.pause")], None, &[4, 1]),
    (&[("action", "connection.resume,logs.change")], None, &[3, 2]),
    (&[("merchant", "acme")], None, &[2, 1]),
    (&[("merchant", "hooli")], None, &[]),
    (&[], Some(&["acme"]), &[2, 1]),
    (&[], Some(&["acme", "globex"]), &[4, 2, 1]),
    (&[], Some(&[]), &[]),
    (&[("merchant", "globex")], Some(&["acme"]), &[]),
    (&[("since", "2026-11-20T12:00:03Z")], None, &[5, 4, 3]),
    (&[("until", "2026-11-20T12:00:03Z")], None, &[2, 1]),
    (
        &[("since", "2026-11-20T12:00:02Z"), ("until", "2026-11-20T12:00:04Z")],
        None,
        &[3, 2],
    ),
    (&[("until", "2026-11-20T12:00:01Z")], None, &[]),
    (
        &[("by", "ann"), ("merchant", "globex"), ("since", "2026-11-20T12:00:04Z")],
        None,
        &[4],
    ),
];

pub(super) async fn every_filter_of_the_audit_trail_has_to_hold(store: Arc<dyn Store>) {
    let entry = |number, by: &str, action: &str, merchant: Option<&str>| AuditRecord {
        by: by.to_owned(),
        action: action.to_owned(),
        merchant: merchant.map(str::to_owned),
        ..audit_record(number)
    };
    let entries = [
        entry(1, "ann", "connection.pause", Some("acme")),
        entry(2, "bob", "connection.resume", Some("acme")),
        entry(3, "ann", "logs.change", None),
        entry(4, "ann", "connection.pause", Some("globex")),
        entry(5, "bob", "of.a.newer.version", Some("initech")),
    ];
    put_entries(&*store, &entries).await;
    for (members, merchants, wanted) in ASKED {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let filter = AuditFilter {
            merchants: merchants.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect()),
            ..AuditFilter::of(&members.iter().map(own).collect()).unwrap()
        };
        assert_eq!(listed(&*store, &filter, 10).await.concat(), wanted, "{filter:?}");
        assert_eq!(
            listed(&*store, &filter, 1).await.concat(),
            wanted,
            "one by one, {filter:?}"
        );
    }
}

pub(super) async fn the_audit_trails_head_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let expect = |revision| Expect::AuditHead { revision };
    assert!(holds(&*store, expect(None)).await);
    assert!(!holds(&*store, expect(Some(1))).await);
    put_entries(&*store, &[audit_record(1)]).await;
    assert!(holds(&*store, expect(Some(1))).await);
    assert!(!holds(&*store, expect(None)).await);
    put_entries(&*store, &[audit_record(2)]).await;
    assert!(holds(&*store, expect(Some(2))).await);
    assert!(!holds(&*store, expect(Some(1))).await);
}

pub(super) async fn what_is_forgotten_of_the_audit_trail_is_gone_and_nothing_else_is(store: Arc<dyn Store>) {
    let entries: Vec<_> = (1..=4).map(audit_record).collect();
    put_entries(&*store, &entries).await;
    let write = vec![
        Write::ForgetAuditEntry(1),
        Write::ForgetAuditEntry(2),
        Write::PutAuditHead(audit_head(9)),
    ];
    put_for(&*store, "", write).await;
    let stretch = store.audit_after(0, 10).await.unwrap();
    assert_eq!(
        (stretch.head, &stretch.entries[..]),
        (Some(audit_head(9)), &entries[2..])
    );
    assert_eq!(listed(&*store, &AuditFilter::default(), 10).await, [[4, 3]]);
}

pub(super) async fn of_many_entries_that_follow_one_head_one_is_written(store: Arc<dyn Store>) {
    put_entries(&*store, &[audit_record(1)]).await;
    let mut racing = JoinSet::new();
    for subject in 0..32 {
        let store = Arc::clone(&store);
        let entry = AuditRecord {
            subject: format!("connections/acme/{subject}"),
            ..audit_record(2)
        };
        racing.spawn(async move {
            let changes = Changeset {
                expect: vec![Expect::AuditHead { revision: Some(1) }],
                write: vec![Write::PutAuditEntry(entry.clone()), Write::PutAuditHead(audit_head(2))],
                ..Changeset::of("acme")
            };
            (entry, store.apply(changes).await.unwrap())
        });
    }
    let outcomes = racing.join_all().await;
    let won: Vec<_> = outcomes
        .iter()
        .filter(|(_, applied)| *applied == Applied::Done)
        .collect();
    assert_eq!(won.len(), 1);
    assert!(
        outcomes
            .iter()
            .all(|(_, applied)| matches!(applied, Applied::Done | Applied::Unmet(0)))
    );
    let written = store.audit_after(1, 10).await.unwrap().entries;
    assert_eq!(written, [won[0].0.clone()]);
}
