//! The chain: what an entry's hash is made of, and what follows what.

use std::fmt::Debug;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use upsert_store::{AuditHead, AuditRecord};

use crate::audit::act::Act;

/// Stands before everything that is hashed here, so that nothing else can be taken for it.
const ENTRY: &str = "upsert-gateway audit entry 1";
const HEAD: &str = "upsert-gateway audit head 1";

/// The keys that hashes are keyed with: whoever can write the store but has none of them can make no entry.
pub trait AuditKeys: Debug + Send + Sync + 'static {
    /// The id of the key for what is written now; none: hashes are not keyed.
    fn current(&self) -> Option<String>;

    /// HMAC-SHA256 of these bytes with the key of this id; none: there is no such key.
    fn sign(&self, key: &str, bytes: &[u8]) -> Option<[u8; 32]>;
}

/// No key: hashes are SHA-256, which anybody can make.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuditKeys;

impl AuditKeys for NoAuditKeys {
    fn current(&self) -> Option<String> {
        None
    }

    fn sign(&self, _key: &str, _bytes: &[u8]) -> Option<[u8; 32]> {
        None
    }
}

/// Makes entries and heads that follow each other, and judges those that were made.
#[derive(Debug)]
pub(crate) struct Chain {
    keys: Arc<dyn AuditKeys>,
}

impl Chain {
    pub(crate) fn new(keys: Arc<dyn AuditKeys>) -> Self {
        Self { keys }
    }

    /// Entries for these acts, and the head after them. Times never fall, whichever process's clock says what.
    pub(crate) fn following(
        &self,
        head: Option<&AuditHead>,
        acts: &[Act],
        now: Timestamp,
    ) -> (Vec<AuditRecord>, AuditHead) {
        let mut next = head.cloned().unwrap_or(AuditHead {
            revision: 0,
            number: 0,
            at: now,
            hash: [0; 32],
            forgotten: 0,
            forgotten_hash: [0; 32],
            key: None,
            seal: [0; 32],
        });
        next.revision += 1;
        // Kept to the microsecond: what is hashed is what is read again.
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        next.at = next.at.max(now);
        next.key = self.keys.current();
        let mut entries = Vec::with_capacity(acts.len());
        for act in acts {
            next.number += 1;
            let mut entry = AuditRecord {
                number: next.number,
                at: next.at,
                by: act.by.clone(),
                action: act.action.to_string(),
                merchant: act.merchant.clone(),
                subject: act.subject.clone(),
                detail: act.detail(),
                key: next.key.clone(),
                before: next.hash,
                hash: [0; 32],
            };
            // The current key is there: it names itself.
            entry.hash = self.hash_of(&entry).unwrap_or_default();
            next.hash = entry.hash;
            entries.push(entry);
        }
        next.seal = self.seal_of(&next).unwrap_or_default();
        (entries, next)
    }

    /// The head after everything up to this entry was forgotten.
    pub(crate) fn without(&self, head: &AuditHead, newest: &AuditRecord) -> AuditHead {
        let mut next = AuditHead {
            revision: head.revision + 1,
            forgotten: newest.number,
            forgotten_hash: newest.hash,
            key: self.keys.current(),
            ..head.clone()
        };
        next.seal = self.seal_of(&next).unwrap_or_default();
        next
    }

    /// What an entry's hash has to be; none: its key is not configured.
    pub(crate) fn hash_of(&self, entry: &AuditRecord) -> Option<[u8; 32]> {
        let mut parts = Parts::of(ENTRY);
        parts.number(entry.number);
        parts.moment(entry.at);
        parts.text(&entry.by);
        parts.text(&entry.action);
        parts.maybe(entry.merchant.as_deref());
        parts.text(&entry.subject);
        parts.maybe(entry.detail.as_deref());
        parts.maybe(entry.key.as_deref());
        parts.bytes(&entry.before);
        self.digest(entry.key.as_deref(), &parts.0)
    }

    /// What a head's seal has to be; none: its key is not configured.
    pub(crate) fn seal_of(&self, head: &AuditHead) -> Option<[u8; 32]> {
        let mut parts = Parts::of(HEAD);
        parts.number(head.number);
        parts.moment(head.at);
        parts.bytes(&head.hash);
        parts.number(head.forgotten);
        parts.bytes(&head.forgotten_hash);
        parts.maybe(head.key.as_deref());
        self.digest(head.key.as_deref(), &parts.0)
    }

    fn digest(&self, key: Option<&str>, bytes: &[u8]) -> Option<[u8; 32]> {
        match key {
            Some(key) => self.keys.sign(key, bytes),
            None => Some(Sha256::digest(bytes).into()),
        }
    }
}

/// What is hashed: each part after its length, so that no two entries are alike.
struct Parts(Vec<u8>);

impl Parts {
    fn of(purpose: &str) -> Self {
        let mut parts = Self(Vec::with_capacity(512));
        parts.text(purpose);
        parts
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    fn moment(&mut self, at: Timestamp) {
        self.0.extend(at.as_microsecond().to_be_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.0.push(u8::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }
}

/// A hash as people are shown it.
pub(crate) fn hex(hash: &[u8; 32]) -> String {
    HEXLOWER.encode(hash)
}
