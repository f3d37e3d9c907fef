//! The webhooks of a simulated vendor: who is told of a record that was created or changed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::clock::{Clock, iso_millis};
use crate::hook::{Hook, HookTime};
use crate::hook_journal::{HookCounts, HookEntry, HookJournal, Told};
use crate::journal::JournalDepth;
use crate::posting::{Event, Parcel, Post, Target, UnderWay};
use crate::record::Written;

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
