//! One customer's part of an event that came in.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use upsert_core::{EventId, Ignored};
use upsert_store::{Expect, IncomingEvent};
use upsert_webhook::{Part, Read, Received};

use crate::directory::merchant::Merchant;
use crate::directory::webhooks::Source;
use crate::problem::Refusal;
use crate::strict_json::read_json;
use crate::upsert::idempotency::canonical_json;

/// One customer's part of an event that came in.
pub(crate) struct Arrival {
    pub(crate) id: EventId,
    pub(crate) merchant: Arc<Merchant>,
    pub(crate) source: Arc<Source>,
    /// The sender's id of it.
    pub(crate) event_id: String,
    /// Keyed fingerprints of what was taken of it, by each of the source's secrets, the newest one's first.
    pub(crate) contents: Vec<String>,
    /// As it came.
    pub(crate) raw: String,
    /// When it came first.
    pub(crate) received_at: Timestamp,
    /// The time that it gave itself, where that is too far ahead to be believed.
    pub(crate) unbelieved_time: Option<Timestamp>,
    /// Neither it nor its signature says when it was.
    pub(crate) is_ageless: bool,
    /// Now.
    pub(crate) at: Timestamp,
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

/// Leaves out what came: it is personal data.
impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("id", &self.id)
            .field("source", &self.source.name)
            .finish_non_exhaustive()
    }
}

impl Arrival {
    /// That its row is as it was read, and that no other has its content meanwhile.
    pub(crate) fn expected(&self, seen: Option<&IncomingEvent>) -> Vec<Expect> {
        let content = self.content();
        let is_new = || Expect::IncomingEvent {
            source: self.source.name.clone(),
            event_id: self.event_id.clone(),
            content: content.to_owned(),
            revision: None,
        };
        match seen {
            Some(seen) if seen.content != content => vec![seen.expected(), is_new()],
            Some(seen) => vec![seen.expected()],
            None => vec![is_new()],
        }
    }

    fn content(&self) -> &str {
        self.contents.first().map_or("", String::as_str)
    }

    /// Whether this is what a dead letter would be taken as now.
    pub(crate) fn says_the_same(&self, letter: &IncomingEvent) -> bool {
        let header = |_: &str| Some(letter.event_id.clone());
        let Some(Ok(reads)) = letter.raw().map(|raw| read_again(&self.source, raw, &header)) else {
            return false;
        };
        let content = self.content().to_owned();
        let taken = |read: &Read| contents_of(&self.merchant.id, &self.source, &self.event_id, read);
        reads.iter().any(|read| taken(read).contains(&content))
    }

    /// Its row after this try, once it is known what became of it. `ignored`: what could not be read of it.
    pub(crate) fn row(&self, seen: Option<&IncomingEvent>, ignored: Vec<Ignored>) -> IncomingEvent<()> {
        let (merchant, source) = (&self.merchant.id, &self.source.name);
        let new = || IncomingEvent::new(self.id, merchant, source, &self.event_id, self.content(), self.at);
        let mut row = seen.map_or_else(new, |seen| seen.again(self.content(), self.at));
        row.ignored = ignored;
        row.unbelieved_time = self.unbelieved_time;
        row.is_ageless = self.is_ageless;
        row
    }
}

pub(crate) type Header<'h> = &'h dyn Fn(&str) -> Option<String>;

pub(crate) type Reads = Vec<(Option<Part>, Read)>;

/// Keyed fingerprints of what a mapping took of an event, and of nothing else: a sender that tries again counts its tries
/// in the event.
pub(crate) fn contents_of(merchant: &str, source: &Source, event_id: &str, read: &Read) -> Vec<String> {
    let taken = match read {
        Read::LeftOut => return Vec::new(),
        Read::Mapped(mapped) => mapped.taken(),
        Read::Refused { problems, body, .. } => {
            let problems = problems.iter().map(|problem| (&problem.pointer, problem.code));
            json!({ "body": body, "problems": problems.collect::<Vec<_>>() })
        }
    };
    let scoped = json!([merchant, source.name, event_id, canonical_json(&taken)]);
    source.verifier.fingerprints(&scoped.to_string())
}

/// What was kept of an event, as it is read now.
///
/// # Errors
/// It is no JSON.
pub(crate) fn read_again(source: &Source, raw: &str, header: Header<'_>) -> Result<Vec<Read>, Refusal> {
    let event = read_json(raw.as_bytes())?;
    let parts = read_parts(source, event, header);
    Ok(parts.into_iter().map(|(_, read)| read).collect())
}

/// An event that was verified, by what its sender has signed.
pub(crate) fn read_signed(source: &Source, event: Json, request: &Received<'_>) -> Reads {
    read_parts(source, event, &|name| source.verifier.header(request, name))
}

fn read_parts(source: &Source, event: Json, header: Header<'_>) -> Reads {
    let parts = match source.mapping.parts(event) {
        Ok(parts) => parts,
        Err(problem) => return vec![(None, Read::unreadable(problem))],
    };
    let read = |part: Part| {
        let read = source.mapping.read(&part, header);
        (Some(part), read)
    };
    parts.into_iter().map(read).collect()
}
