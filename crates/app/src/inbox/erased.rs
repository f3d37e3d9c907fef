//! Whether an event that could not be taken is about somebody who was erased: then it is not kept, however little of it can be
//! read.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use upsert_api::ProblemCode;
use upsert_core::canonicalise::canonical_text;
use upsert_core::{CustomerPatch, ErasureId, Identifier, IdentifierKind, Word as _};
use upsert_store::{IdentityQuery, IncomingEvent, StoreError, TombstoneKey};
use upsert_webhook::Read;

use crate::directory::merchant::Merchant;
use crate::directory::webhooks::Source;
use crate::inbox::Inbox;
use crate::inbox::arrival::read_again;
use crate::problem::Refusal;
use crate::upsert::tombstones::{Told, by_erasure};

/// Texts of an event that are looked at.
const MOST_TEXTS: usize = 2_000;
/// Keys that are asked for at once: each is looked up by itself.
const KEYS_AT_ONCE: usize = 256;
/// The longest text that may name somebody.
const LONGEST: usize = 320;

impl Inbox {
    /// Whether a dead letter is about one of these: all whose tombstones stand, or one of them.
    pub(crate) async fn is_of_the_erased(
        &self,
        merchant: &Merchant,
        letter: &IncomingEvent,
        whom: Option<ErasureId>,
    ) -> Result<bool, Refusal> {
        let Some(raw) = letter.raw() else {
            return Ok(false);
        };
        // Most merchants have never erased anybody: a letter of theirs costs one question.
        if !self.context.store.has_erasures(&merchant.id).await? {
            return Ok(false);
        }
        let event_id = letter.event_id.clone();
        let header = |_: &str| Some(event_id.clone());
        let source = merchant.source(&letter.source);
        let reads = source.and_then(|source| read_again(source, raw, &header).ok().map(|reads| (source, reads)));
        let patches = match reads {
            Some((source, reads)) => self.patches_of(merchant, source, &reads).await?,
            None => None,
        };
        match patches {
            Some(patches) => self.is_any_erased(merchant, &patches, whom).await,
            None => self.names_the_erased(merchant, raw, whom).await,
        }
    }

    /// Whether one of these is about somebody who was erased, as the upsert that it would be is judged.
    async fn is_any_erased(
        &self,
        merchant: &Merchant,
        patches: &[CustomerPatch],
        whom: Option<ErasureId>,
    ) -> Result<bool, Refusal> {
        for patch in patches {
            match self.upserts.identify_the_living(merchant, patch, Told::ByVendor).await {
                Err(refusal) if refusal.code == ProblemCode::Erased => {}
                Err(refusal) if refusal.code.status() >= 500 => return Err(refusal),
                _ => continue,
            }
            let by_id = patch.id.map(ErasureId::of);
            let erased = self.upserts.erased(merchant, patch, Told::ByVendor).await?;
            let mut ids = erased.iter().map(|erasure| erasure.id).chain(by_id);
            if whom.is_none_or(|whom| ids.any(|id| id == whom)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What each part of an event asks for, named as one that comes in is; none: not all of them can be mapped.
    async fn patches_of(
        &self,
        merchant: &Merchant,
        source: &Source,
        reads: &[Read],
    ) -> Result<Option<Vec<CustomerPatch>>, StoreError> {
        let mut patches = Vec::with_capacity(reads.len());
        for read in reads {
            let Read::Mapped(mapped) = read else { return Ok(None) };
            let body = self.named_by_vendor(merchant, source, mapped).await?;
            match merchant.canonicalise(&body, source.handling) {
                Ok(canonical) => patches.push(canonical.patch),
                Err(_) => return Ok(None),
            }
        }
        Ok(Some(patches))
    }

    /// Whether an event that nobody can map names somebody who was erased, by something that nobody living has: an e-mail
    /// address, a phone number, an id that is told from other numbers.
    async fn names_the_erased(&self, merchant: &Merchant, raw: &str, whom: Option<ErasureId>) -> Result<bool, Refusal> {
        for keys in keys_in(merchant, raw).chunks(KEYS_AT_ONCE) {
            if self.any_names_the_erased(merchant, keys, whom).await? {
                return Ok(true);
            }
            // A store may answer without ever waiting: others are to have their turn.
            tokio::task::yield_now().await;
        }
        Ok(false)
    }

    async fn any_names_the_erased(
        &self,
        merchant: &Merchant,
        keys: &[TombstoneKey],
        whom: Option<ErasureId>,
    ) -> Result<bool, StoreError> {
        let (store, id) = (&self.context.store, &merchant.id);
        let found = store.tombstones(id, keys).await?;
        let by_erasure = by_erasure(keys, &found);
        let meant = by_erasure.keys().copied();
        let meant = meant.filter(|erasure| whom.is_none_or(|whom| whom == *erasure));
        let standing = self.upserts.standing(id, meant).await?;
        let named: BTreeSet<&TombstoneKey> = standing
            .iter()
            .filter_map(|erasure| by_erasure.get(&erasure.id))
            .flatten()
            .copied()
            .collect();
        self.is_any_nobodys(merchant, &named).await
    }

    /// Whether there is one among these that nobody living has: what somebody living has too may be meant as theirs.
    async fn is_any_nobodys(&self, merchant: &Merchant, named: &BTreeSet<&TombstoneKey>) -> Result<bool, StoreError> {
        let mut query = IdentityQuery {
            id: None,
            identifiers: Vec::new(),
        };
        for key in named {
            match key {
                TombstoneKey::Identifier(identifier) => query.identifiers.push(identifier.clone()),
                TombstoneKey::VendorRecord {
                    connection,
                    provider_customer_id,
                } => {
                    let store = &self.context.store;
                    let owners = store.record_owners(&merchant.id, connection, provider_customer_id);
                    if owners.await?.is_empty() {
                        return Ok(true);
                    }
                }
            }
        }
        if query.identifiers.is_empty() {
            return Ok(false);
        }
        let view = self.context.store.identify(&merchant.id, &query).await?;
        Ok(view.holders.iter().any(Vec::is_empty))
    }
}

/// Everything in an event that may name somebody.
fn keys_in(merchant: &Merchant, raw: &str) -> Vec<TombstoneKey> {
    let mut texts = BTreeSet::new();
    match serde_json::from_str::<Json>(raw) {
        Ok(event) => leaves(&event, &mut texts),
        Err(_) => {
            let is_between = |c: char| c.is_whitespace() || c.is_control() || "\"'<>(),;&=".contains(c);
            texts.extend(raw.split(is_between).take(MOST_TEXTS).map(str::to_owned));
        }
    }
    let texts = texts.iter().filter(|text| !text.is_empty() && text.len() <= LONGEST);
    texts
        .take(MOST_TEXTS)
        .flat_map(|text| keys_of(merchant, text))
        .collect()
}

fn leaves(value: &Json, texts: &mut BTreeSet<String>) {
    match value {
        Json::Object(members) => members.values().for_each(|value| leaves(value, texts)),
        Json::Array(items) => items.iter().for_each(|value| leaves(value, texts)),
        Json::String(text) => drop(texts.insert(text.clone())),
        Json::Number(number) => drop(texts.insert(number.to_string())),
        Json::Null | Json::Bool(_) => {}
    }
}

fn keys_of(merchant: &Merchant, text: &str) -> Vec<TombstoneKey> {
    let region = merchant.default_region.as_deref();
    let identifier = |kind: IdentifierKind| {
        let value = canonical_text(kind.field(), text, region).ok()?;
        Some(Identifier { kind, value })
    };
    let is_meant = |identifier: &Identifier| {
        merchant.is_identified_by(identifier)
            && (identifier.kind != IdentifierKind::Reference || is_telling(&identifier.value))
    };
    let identifiers = IdentifierKind::all().filter_map(identifier).filter(is_meant);
    let mut keys: Vec<TombstoneKey> = identifiers.map(TombstoneKey::Identifier).collect();
    if is_telling(text) {
        keys.extend(
            merchant
                .connections
                .iter()
                .map(|connection| TombstoneKey::VendorRecord {
                    connection: connection.name.clone(),
                    provider_customer_id: connection.adapter.canonical_id(text),
                }),
        );
    }
    keys
}

/// Whether a text is hardly anything but an id: a short number may be an amount or a year.
fn is_telling(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.len() >= if is_number { 10 } else { 6 }
}
