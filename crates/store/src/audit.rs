//! Who did what when: entries that are only ever added, each of which holds the hash of the one before it. They are written
//! with the changeset that they tell of, and are no merchant's own: one chain goes through all of them.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;

use upsert_api::AuditFilter;

use crate::StoreError;

/// What somebody did. Everything in it is part of its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its place in the chain, from 1, without gaps.
    pub number: u64,
    /// When. Never before the entry with the number below.
    pub at: Timestamp,
    /// The name of the key, or what stands for one.
    pub by: String,
    /// A word of [`upsert_api::AuditAction`], or one of a newer version.
    pub action: String,
    /// Whose it is about; none: the process, or all of them.
    pub merchant: Option<String>,
    /// What it is about, such as `connections/acme/rotor`.
    pub subject: String,
    /// What else is told of it, as JSON. No personal data.
    pub detail: Option<String>,
    /// The id of the key that its hash is keyed with; none: with none.
    pub key: Option<String>,
    /// The hash of the entry before it; of the first one zeros.
    pub before: [u8; 32],
    /// Its own.
    pub hash: [u8; 32],
}

impl AuditRecord {
    /// Whether every filter holds that is given.
    pub fn matches(&self, filter: &AuditFilter) -> bool {
        let is_of = |merchant: &Option<String>| merchant.as_ref() == self.merchant.as_ref();
        let may_be_seen = filter
            .merchants
            .as_ref()
            .is_none_or(|seen| self.merchant.as_ref().is_some_and(|own| seen.contains(own)));
        may_be_seen
            && (filter.merchant.is_none() || is_of(&filter.merchant))
            && filter.by.as_ref().is_none_or(|by| *by == self.by)
            && (filter.action.is_empty() || filter.action.iter().any(|action| action.to_string() == self.action))
            && filter.since.is_none_or(|since| self.at >= since)
            && filter.until.is_none_or(|until| self.at < until)
    }
}

/// Where the chain ends and begins. It is kept apart from the entries, so that a chain whose end was cut off does not fit it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Grows by one with each change, from 1.
    pub revision: u64,
    /// The number of the last entry.
    pub number: u64,
    /// When that was.
    pub at: Timestamp,
    /// Its hash.
    pub hash: [u8; 32],
    /// The number of the last entry that was forgotten, since it was older than entries are kept; 0: none was.
    pub forgotten: u64,
    /// Its hash; zeros where none was.
    pub forgotten_hash: [u8; 32],
    /// The id of the key that the seal is keyed with; none: with none.
    pub key: Option<String>,
    /// A hash of all the others but the revision.
    pub seal: [u8; 32],
}

/// Some entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditPage {
    /// Those that match, among those that were looked at.
    pub entries: Vec<AuditRecord>,
    /// Where the list goes on: below this number. None: it has ended.
    pub next: Option<u64>,
}

impl AuditPage {
    /// How many entries are looked at for one page at the most.
    pub const MOST_LOOKED_AT: usize = 1_000;

    /// How many entries are to be read for a page, newest first: whether there are more shows by the last one.
    pub fn reads(filter: &AuditFilter, limit: usize) -> usize {
        let looked_at = if filter.is_narrowed() {
            Self::MOST_LOOKED_AT
        } else {
            limit.min(Self::MOST_LOOKED_AT)
        };
        looked_at + 1
    }

    /// Of the entries below a place, newest first: as many as [`AuditPage::reads`] says, if there are so many.
    pub fn of(below: impl IntoIterator<Item = AuditRecord>, filter: &AuditFilter, limit: usize) -> Self {
        let (mut page, mut looked_at) = (Self::default(), 0);
        let mut below = below.into_iter().peekable();
        while let Some(entry) = below.next() {
            if filter.since.is_some_and(|since| entry.at < since) {
                // Times never fall with numbers: nothing below it is newer.
                return page;
            }
            looked_at += 1;
            let number = entry.number;
            if entry.matches(filter) {
                page.entries.push(entry);
            }
            if page.entries.len() == limit || looked_at == Self::MOST_LOOKED_AT {
                page.next = below.peek().map(|_| number);
                return page;
            }
        }
        page
    }
}

/// A part of the chain, oldest first, and where the chain ended at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditStretch {
    /// None: nothing was ever written.
    pub head: Option<AuditHead>,
    /// The entries.
    pub entries: Vec<AuditRecord>,
}

/// What is kept of what was done.
#[async_trait]
pub trait AuditStore: Debug + Send + Sync + 'static {
    /// Where the chain ends; none: nothing was ever written.
    async fn audit_head(&self) -> Result<Option<AuditHead>, StoreError>;

    /// Entries that match, newest first, those below `before`. A page may have fewer than it could, or none, where few of many
    /// match.
    async fn audit_entries(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditPage, StoreError>;

    /// Entries above `after`, oldest first, at most `limit`, and the head: all of one moment.
    async fn audit_after(&self, after: u64, limit: usize) -> Result<AuditStretch, StoreError>;
}
