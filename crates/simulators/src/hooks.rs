//! The webhooks of a simulated vendor: who is told of a record that was created or changed.

use parking_lot::{Mutex, MutexGuard};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{Clock, iso_millis};
use crate::hook_journal::{HookCounts, HookEntry, HookJournal, Told};
use crate::journal::JournalDepth;
use crate::posting::{Event, Parcel, Post, Target, UnderWay};
use crate::records::Written;

/// When an event of an API call goes out. An edit in the vendor's screen has no answer: its events go at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookTime {
    /// It is started before the call is answered and not waited for: it may arrive first.
    BeforeAnswer,
    /// A few milliseconds after the last byte of the answer was handed over, or after the connection broke.
    #[default]
    AfterAnswer,
}

/// A place that is told.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Where the events are posted.
    pub url: String,
    /// The secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
    pub secret: String,
    /// Only of edits and seeds, not of what came by the vendor's API: nothing ever echoes.
    #[serde(default)]
    pub only_edits: bool,
    /// How often each event is sent (default 1), whatever is answered.
    #[serde(default = "once")]
    pub copies: u32,
    /// Each copy waits a random time up to this many milliseconds (default 0), so that events overtake each other.
    #[serde(default)]
    pub shuffle_ms: u64,
    /// When an event of an API call goes out.
    #[serde(default)]
    pub when: HookTime,
}

fn once() -> u32 {
    1
}

impl Hook {
    /// A hook that gets every event once, after the answer.
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secret: secret.into(),
            only_edits: false,
            copies: once(),
            shuffle_ms: 0,
            when: HookTime::default(),
        }
    }
}

/// Without the secret.
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Who changed a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Api,
    Hand,
}

/// The hooks of one simulator and what is on its way to them.
///
/// An event is signed by Standard Webhooks and sent at least once: it is tried again after no answer, a 429, a 5xx or
/// a redirect, after 50 ms and twice that each time up to 2 s, until the answer is 2xx or another 4xx.
pub struct Hooks {
    journal: Arc<HookJournal>,
    clock: Clock,
    under_way: watch::Sender<u64>,
    round: watch::Sender<u64>,
    dice: Mutex<StdRng>,
    targets: Mutex<Vec<Arc<Target>>>,
    post: Post,
}

impl Hooks {
    pub(crate) fn new(depth: JournalDepth, clock: Clock, seed: u64) -> Self {
        Self {
            journal: Arc::new(HookJournal::new(depth)),
            clock,
            under_way: watch::Sender::new(0),
            round: watch::Sender::new(0),
            dice: Mutex::new(StdRng::seed_from_u64(seed)),
            targets: Mutex::default(),
            post: Post::default(),
        }
    }

    /// Puts these in place of all, for the changes from now on; what is on its way still goes where it was going.
    ///
    /// # Errors
    /// A secret or a URL is none; the message shows no secret. Or the sending cannot be started.
    pub fn set(&self, hooks: Vec<Hook>) -> io::Result<()> {
        let targets: Vec<Arc<Target>> = hooks.into_iter().map(Target::new).collect::<io::Result<_>>()?;
        if !targets.is_empty() {
            self.post.open()?;
        }
        *self.targets() = targets;
        Ok(())
    }

    /// Takes all away, and gives up what is on its way.
    pub fn clear(&self) {
        self.targets().clear();
        self.round.send_modify(|round| *round += 1);
        self.journal.abandon();
    }

    /// What was sent and answered, in the order of the changes; as many as the simulator's journal keeps.
    pub fn journal(&self) -> Vec<HookEntry> {
        self.journal.entries()
    }

    /// The totals.
    pub fn counts(&self) -> HookCounts {
        self.journal.counts()
    }

    /// How many copies of events are on their way, those included that wait for the answer of an API call.
    pub fn under_way(&self) -> u64 {
        *self.under_way.borrow()
    }

    /// Waits until nothing is on its way.
    pub async fn idle(&self) {
        // The sender lives as long as `self`, so there is nothing that could fail.
        let _ = self.under_way.subscribe().wait_for(|under_way| *under_way == 0).await;
    }

    pub(crate) fn reset(&self) {
        self.clear();
        self.journal.clear();
    }

    /// Tells of a change. What is to wait for an answer goes when the result is dropped.
    pub(crate) fn tell(&self, written: &Written, by: By, show: impl FnOnce() -> Value) -> Held {
        let told = |target: &&Arc<Target>| by == By::Hand || !target.hook.only_edits;
        let targets: Vec<Arc<Target>> = self.targets().iter().filter(told).cloned().collect();
        if targets.is_empty() || !written.changed {
            return Held(Vec::new());
        }
        self.journal.event();
        let event = Arc::new(event_of(written, &show()));
        let waits = |parcel: &Parcel| by == By::Api && parcel.target.hook.when == HookTime::AfterAnswer;
        let (held, at_once): (Vec<Parcel>, Vec<Parcel>) = targets
            .iter()
            .flat_map(|target| (0..target.hook.copies).map(move |_| target))
            .map(|target| self.parcel(target, &event))
            .partition(waits);
        for parcel in at_once {
            parcel.send(false);
        }
        Held(held)
    }

    fn parcel(&self, target: &Arc<Target>, event: &Arc<Event>) -> Parcel {
        let line = self.journal.open(HookEntry {
            id: event.id.clone(),
            kind: event.kind,
            record: event.record.clone(),
            version: event.version,
            url: target.hook.url.clone(),
            statuses: Vec::new(),
            told: Told::OnItsWay,
        });
        let mut dice = self.dice.lock();
        Parcel {
            target: target.clone(),
            event: event.clone(),
            line,
            pause: Duration::from_millis(dice.random_range(0..=target.hook.shuffle_ms)),
            journal: self.journal.clone(),
            clock: self.clock.clone(),
            given_up: self.round.subscribe(),
            under_way: UnderWay::new(&self.under_way),
            clerk: self.post.clerk(),
        }
    }

    fn targets(&self) -> MutexGuard<'_, Vec<Arc<Target>>> {
        self.targets.lock()
    }
}

fn event_of(written: &Written, shown: &Value) -> Event {
    let record = &written.record;
    let id = format!("evt_{}", Uuid::new_v4().simple());
    let kind = if written.created {
        "customer.created"
    } else {
        "customer.updated"
    };
    let body = json!({
        "id": id,
        "type": kind,
        "version": record.version,
        "at": iso_millis(record.updated_at),
        "record": shown,
    });
    Event {
        id,
        kind,
        record: record.id.clone(),
        version: record.version,
        body: body.to_string().into(),
    }
}

/// Events that wait for an answer to be given. They go when this is dropped.
pub(crate) struct Held(Vec<Parcel>);

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|parcel| parcel.send(true));
    }
}
