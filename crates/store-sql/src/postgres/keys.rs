//! Keys of rows.

use jiff::civil::Date;

use upsert_core::{CustomerId, Identifier, MatchKey};
use upsert_store::TombstoneKey;

use super::batch::{Batch, Content, OURS};
use super::rows::Key;
use super::value::Value;
use crate::digest::Kind;
use crate::kept::{ERASED, identifier_kind, key_kind, tombstone_digest};

impl Batch<'_> {
    pub(super) fn identifier_key(&self, merchant: &str, identifier: &Identifier) -> Key {
        self.key(merchant, OURS, identifier_kind(identifier.kind), &identifier.value)
    }

    pub(super) fn match_key(&self, merchant: &str, connection: &str, key: &MatchKey) -> Key {
        self.key(merchant, connection, key_kind(key.kind), &key.value)
    }

    /// A tombstone's keys stand among those of customers, in a place of their own.
    pub(super) fn tombstone_key(&self, merchant: &str, key: &TombstoneKey) -> Key {
        key_of_digest(merchant, ERASED, &tombstone_digest(self.digests, key).bytes())
    }

    pub(super) fn record_key(&self, merchant: &str, connection: &str, vendor_id: &str) -> Key {
        self.key(merchant, connection, Kind::VendorRecord, vendor_id)
    }

    /// By what an event that came in is known.
    pub(super) fn content_key(&self, merchant: &str, source: &str, event_id: &str, content: &str) -> Content {
        let event_id = self.digests.text(Kind::EventId, event_id);
        let content = self.digests.text(Kind::EventContent, content);
        content_of(merchant, source, &event_id, &content)
    }

    pub(super) fn idempotency_key(&self, merchant: &str, key: &[u8; 32]) -> Key {
        let key = self.digests.hash(Kind::IdempotencyKey, key).into_owned();
        vec![merchant.into(), key.into()]
    }

    fn key(&self, merchant: &str, connection: &str, kind: Kind, value: &str) -> Key {
        let digest = self.digests.digest(kind, value).bytes();
        vec![merchant.into(), digest.to_vec().into(), connection.into()]
    }
}

pub(super) fn customer_key(merchant: &str, customer: CustomerId, connection: &str) -> Key {
    vec![merchant.into(), customer.as_uuid().into(), connection.into()]
}

/// What is known of an event by its sender's id and content, as both are kept.
pub(super) fn content_of(merchant: &str, source: &str, event_id: &str, content: &str) -> Content {
    (
        merchant.to_owned(),
        source.to_owned(),
        event_id.to_owned(),
        content.to_owned(),
    )
}

/// The same key, of a digest that is known.
pub(super) fn key_of_digest(merchant: &str, connection: &str, digest: &[u8]) -> Key {
    vec![merchant.into(), Value::Bytes(digest.to_vec()), connection.into()]
}

pub(super) fn day_key(merchant: &str, connection: &str, day: Date) -> Key {
    vec![merchant.into(), day.to_string().into(), connection.into()]
}
