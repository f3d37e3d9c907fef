//! What happened to a customer: its versions and its upserts in one line of time, newest first.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;

use upsert_api::{Delivery, HistoryEntry, ListedUpsert, Page, PageQuery, Through, UpsertFilter, UpsertState};
use upsert_app::Merchant;
use upsert_core::customer::Change;
use upsert_core::{CustomerId, Ignored, UpsertId};

use crate::auth::session::Session;
use crate::error::PageError;

/// Entries on a page.
const MOST: usize = 20;

/// The newest, which lie open.
pub(crate) const UNFOLDED: usize = 3;

/// One upsert: the version that it made, if it changed anything, and its receipts, if they are kept still.
pub(crate) struct Entry {
    pub(crate) upsert_id: UpsertId,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) through: &'static str,
    pub(crate) version: Option<u64>,
    pub(crate) refused: bool,
    pub(crate) changes: Vec<Change>,
    pub(crate) ignored: Vec<Ignored>,
    /// Over all deliveries; none: the upsert is kept no more.
    pub(crate) state: Option<UpsertState>,
    pub(crate) rolled_back: bool,
    pub(crate) receipts: Vec<Delivery>,
}

impl Entry {
    /// What lies in it while it is folded.
    pub(crate) fn summary(&self) -> String {
        let told = |count: usize, one: &str, many: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            _ => Some(format!("{count} {many}")),
        };
        let told = [
            told(self.changes.len(), "change", "changes"),
            told(self.ignored.len(), "value left out", "values left out"),
            told(self.receipts.len(), "receipt", "receipts"),
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        if told.is_empty() {
            "what came of it".to_owned()
        } else {
            told.join(", ")
        }
    }
}

/// A page of them.
pub(crate) struct Timeline {
    pub(crate) entries: Vec<Entry>,
    pub(crate) next: Option<String>,
}

impl Timeline {
    /// # Errors
    /// 404; 400 for a cursor that cannot be read.
    pub(crate) async fn of(
        session: &Session,
        merchant: &Merchant,
        id: CustomerId,
        cursor: Option<String>,
    ) -> Result<Self, PageError> {
        let queries = &session.gateway().queries;
        let page = PageQuery { limit: MOST, cursor };
        let filter = UpsertFilter {
            merchant: merchant.id.clone(),
            customer_id: Some(id),
            ..UpsertFilter::default()
        };
        let visibility = session.visibility();
        let versions = queries.customer_history(merchant, id, &page, visibility).await?;
        let upserts = queries.list_upserts(&filter, &page, visibility).await?;
        let next = later_end([&versions.next_cursor, &upserts.next_cursor]);
        let mut entries = joined(merchant, versions, upserts);
        if let Some((end, _)) = &next {
            entries.retain(|id, _| id.as_uuid().as_bytes().as_slice() >= end.as_slice());
        }
        let entries = entries.into_values().rev().collect();
        Ok(Self {
            entries,
            next: next.map(|(_, cursor)| cursor),
        })
    }
}

/// Both lists go by the ids of upserts, and so do their cursors: down to the later of the two ends both are whole.
fn later_end(cursors: [&Option<String>; 2]) -> Option<(Vec<u8>, String)> {
    let ends = cursors.into_iter().flatten();
    ends.filter_map(|cursor| Some((BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?, cursor.clone())))
        .max()
}

fn joined(merchant: &Merchant, versions: Page<HistoryEntry>, upserts: Page<ListedUpsert>) -> BTreeMap<UpsertId, Entry> {
    let upserts = upserts.data.into_iter().map(|upsert| Entry {
        upsert_id: upsert.upsert_id,
        at: upsert.created_at,
        through: upsert.through.map_or_else(|| guessed(merchant, &upsert.by), said),
        by: upsert.by,
        version: None,
        refused: false,
        changes: Vec::new(),
        ignored: upsert.ignored,
        state: Some(upsert.state),
        rolled_back: upsert.rolled_back,
        receipts: upsert.deliveries,
    });
    let mut entries: BTreeMap<_, _> = upserts.map(|entry| (entry.upsert_id, entry)).collect();
    for version in versions.data {
        // An erased customer has no timeline.
        let Some(upsert_id) = version.upsert_id else { continue };
        let entry = entries.entry(upsert_id).or_insert_with(|| Entry {
            upsert_id,
            at: version.at,
            through: guessed(merchant, &version.by),
            by: version.by,
            version: None,
            refused: false,
            changes: Vec::new(),
            ignored: version.ignored,
            state: None,
            rolled_back: false,
            receipts: Vec::new(),
        });
        entry.version = Some(version.version);
        entry.refused = version.refused;
        entry.changes = version.changes;
    }
    entries
}

/// In words, whose name stands before it.
const fn said(through: Through) -> &'static str {
    match through {
        Through::Webhook => "webhook source",
        Through::Batch => "API key, batch or import",
        Through::Replay => "API key, replay",
        Through::Request => "API key",
    }
}

/// Of an upsert that does not say, a name alone is kept: of one of the merchant's webhook sources, or of an API key.
fn guessed(merchant: &Merchant, by: &str) -> &'static str {
    if merchant.source(by).is_some() {
        "webhook source"
    } else {
        "API key"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending_at(byte: Option<u8>) -> Option<String> {
        byte.map(|byte| BASE64URL_NOPAD.encode(&[byte; 16]))
    }

    #[test]
    fn a_page_ends_where_the_first_of_both_lists_does() {
        for (versions, upserts, end) in [
            (Some(3), Some(9), Some(9)),
            (Some(9), Some(3), Some(9)),
            (None, Some(3), Some(3)),
            (Some(3), None, Some(3)),
            (None, None, None),
        ] {
            let found = later_end([&ending_at(versions), &ending_at(upserts)]);
            assert_eq!(found.map(|(end, _)| end[0]), end);
        }
    }
}
