//! What was written to the vendor lately, and in which form it keeps what it was sent: by both an event that tells of a
//! write of ours is known again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Lane;

/// Writes that are remembered in one lane.
const MOST: usize = 16;

/// One write to a vendor, by which an event that tells of it is known again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// When it was about to go out.
    pub at: Timestamp,
    /// The version of the customer that it was to bring.
    #[serde(default)]
    pub version: u64,
    /// Since when the vendor has known of it; none: it may not know of it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<Timestamp>,
    /// By our pointer: every form of the value that counts as ours. What an event has told of is taken out.
    pub forms: BTreeMap<String, Vec<Json>>,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.forms.keys()).finish()
    }
}

impl Lane {
    /// What was written to the vendor lately, oldest first, as long as events that come in may tell of it.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// By our pointer: the value that the vendor keeps in the place of the one it was last sent.
    pub const fn kept(&self) -> &BTreeMap<String, Json> {
        &self.kept
    }

    /// In which form the vendor keeps what it has of a field.
    pub fn keep(&mut self, pointer: &str, form: Json) {
        self.kept.insert(pointer.to_owned(), form);
    }

    /// How the vendor keeps a field is not known any more; in which form it did.
    pub fn forget_kept(&mut self, pointer: &str) -> Option<Json> {
        self.kept.remove(pointer)
    }

    /// A write that the vendor may not know of yet, with what it had before. One that says nothing is not remembered.
    pub fn remember_write(&mut self, written: Written) {
        if !written.forms.is_empty() {
            self.written.push(written);
            self.keep_newest_writes();
        }
    }

    /// From this moment on the vendor has known of these fields of its writes. Whether it had not known of any of them.
    pub fn set_known(&mut self, known_at: Timestamp, is_known: impl Fn(&Written, &str) -> bool) -> bool {
        let mut known = Vec::new();
        for written in self.written.iter_mut().filter(|written| written.known_at.is_none()) {
            let (forms, left) = std::mem::take(&mut written.forms)
                .into_iter()
                .partition::<BTreeMap<_, _>, _>(|(pointer, _)| is_known(written, pointer));
            written.forms = left;
            known.push(Written {
                known_at: Some(known_at),
                forms,
                ..*written
            });
        }
        known.retain(|written| !written.forms.is_empty());
        let has_news = !known.is_empty();
        self.written.extend(known);
        self.written.retain(|written| !written.forms.is_empty());
        self.written.sort_by_key(|written| written.at);
        self.keep_newest_writes();
        has_news
    }

    /// The vendor has this version of the customer, but for what is not wanted there.
    pub(super) fn now_known(&mut self, version: u64, now: Timestamp) {
        let names = self.declined.keys();
        let declined: BTreeSet<Cow<'static, str>> = names
            .filter_map(|name| self.accepted.fields.get(name))
            .map(|(pointer, _)| pointer.clone())
            .collect();
        self.set_known(now, |written, pointer| {
            written.version <= version && !declined.contains(pointer)
        });
    }

    /// The vendor knows of the last write of this field: what it had before would be an edit from now on. Whether it had
    /// been remembered.
    pub fn close_writes(&mut self, pointer: &str) -> bool {
        let mut has_closed = false;
        for written in &mut self.written {
            has_closed |= written.forms.remove(pointer).is_some();
        }
        self.written.retain(|written| !written.forms.is_empty());
        has_closed
    }

    /// The forms in which the first write of this field after this version, which the vendor may not know of yet, found it.
    pub fn forms_before_a_newer(&mut self, pointer: &str, version: u64) -> Option<&mut Vec<Json>> {
        let newer = self
            .written
            .iter_mut()
            .filter(|written| written.known_at.is_none() && written.version > version);
        let newer = newer.filter_map(|written| Some((written.version, written.forms.get_mut(pointer)?)));
        newer.min_by_key(|(version, _)| *version).map(|(_, forms)| forms)
    }

    pub(super) fn forget_writes(&mut self) {
        self.written.clear();
        self.kept.clear();
    }

    fn keep_newest_writes(&mut self) {
        let too_many = self.written.len().saturating_sub(MOST);
        self.written.drain(..too_many);
    }
}
