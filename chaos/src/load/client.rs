//! One client: it throws its dice for what to do next, does it, and writes it down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use tokio::task::JoinSet;

use super::body::Person;
use super::exchange::{Exchange, Shared, Told};
use super::send::{Sender, Upsert};
use crate::vendors::{ACME, SOLO};
use crate::world::World;

const TRY_AGAIN: Duration = Duration::from_millis(20);

/// So many of a client's steps are about one and the same shared person, so that clients meet there.
const STEPS_PER_SHARED_PERSON: u64 = 6;

/// What clients do, each as a weight among all.
#[derive(Debug, Clone)]
pub struct Mix {
    /// A new person of the client's own.
    pub new: u32,
    /// A change of one of its own.
    pub change: u32,
    /// A person about whom all clients write at once.
    pub shared: u32,
    /// The same request several times at once, mostly with one key.
    pub twins: u32,
    /// `respond-async` with a key, asked for again later.
    pub ask_again: u32,
    /// Several lines of a batch.
    pub batch: u32,
    /// Hanging up half-way.
    pub hang_up: u32,
    /// A person of the merchant whose only vendor refuses some for good.
    pub solo: u32,
    /// A rest between two steps, at the most.
    pub rest: Duration,
    /// How often an operator pauses a connection, if at all.
    pub operator_every: Option<Duration>,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            new: 20,
            change: 30,
            shared: 15,
            twins: 8,
            ask_again: 8,
            batch: 5,
            hang_up: 7,
            solo: 12,
            rest: Duration::from_millis(10),
            operator_every: Some(Duration::from_millis(700)),
        }
    }
}

impl Mix {
    /// New people and changes of them, nobody hangs up and nothing is paused: every request is answered by a gateway
    /// that does its work.
    pub fn plain() -> Self {
        Self {
            twins: 0,
            ask_again: 0,
            batch: 0,
            hang_up: 0,
            operator_every: None,
            ..Self::default()
        }
    }
}

pub(super) struct Client {
    number: u64,
    /// The people of this load are no other load's.
    run: u64,
    dice: StdRng,
    mix: Mix,
    sender: Sender,
    shared: Arc<Shared>,
    steps: u64,
    people: u64,
    solo_people: u64,
    exchanges: Vec<Exchange>,
}

impl Client {
    pub(super) fn new(world: &World, mix: &Mix, number: u64, seed: u64, shared: Arc<Shared>) -> Self {
        Self {
            number,
            run: seed % 1000,
            dice: StdRng::seed_from_u64(seed ^ (number + 1)),
            mix: mix.clone(),
            sender: Sender::new(world),
            shared,
            steps: 0,
            people: 0,
            solo_people: 0,
            exchanges: Vec::new(),
        }
    }

    pub(super) async fn work(mut self) -> Vec<Exchange> {
        while !self.shared.is_stopping() {
            if self.shared.is_resting() {
                tokio::time::sleep(TRY_AGAIN).await;
                continue;
            }
            self.steps += 1;
            self.step().await;
            let rest = self.mix.rest.mul_f64(self.dice.random());
            tokio::time::sleep(rest).await;
        }
        self.exchanges
    }

    async fn step(&mut self) {
        let mix = &self.mix;
        let weights = [
            mix.new,
            mix.change,
            mix.shared,
            mix.twins,
            mix.ask_again,
            mix.hang_up,
            mix.solo,
            mix.batch,
        ];
        let mut thrown = self.dice.random_range(0..weights.iter().sum::<u32>().max(1));
        let chosen = weights.iter().position(|weight| {
            let is_it = thrown < *weight;
            thrown = thrown.saturating_sub(*weight);
            is_it
        });
        match chosen {
            Some(1) if self.people > 0 => {
                let upsert = self.change();
                self.until_answered(upsert).await;
            }
            Some(2) => {
                let upsert = self.shared_person();
                self.until_answered(upsert).await;
            }
            Some(3) => self.twins().await,
            Some(4) => self.ask_again().await,
            Some(5) => {
                let upsert = if self.people > 0 {
                    self.change()
                } else {
                    self.new_person()
                };
                let part = if self.dice.random_bool(0.6) {
                    1.0
                } else {
                    self.dice.random()
                };
                let told = self.sender.hang_up(&upsert, part).await;
                self.exchanges.push(upsert.told(told));
            }
            Some(7) => self.batch().await,
            Some(6) => {
                let upsert = self.solo_person();
                self.until_answered(upsert).await;
            }
            _ => {
                let upsert = self.new_person();
                self.until_answered(upsert).await;
            }
        }
    }

    /// Sends it until it is answered, where it has a key; without one it is sent again only if it cannot have been
    /// accepted.
    async fn until_answered(&mut self, upsert: Upsert) {
        loop {
            let was_ending = self.shared.ending.load(Ordering::Acquire);
            let told = self.sender.send(&upsert).await;
            let is_over = match &told {
                Told::NotSent => self.shared.is_stopping(),
                Told::Nothing => {
                    self.shared.cut_off.fetch_add(u64::from(!was_ending), Ordering::AcqRel);
                    upsert.key.is_none() || self.shared.is_stopping()
                }
                Told::Answer { .. } => !told.must_come_back() || self.shared.is_stopping(),
            };
            if told != Told::NotSent {
                self.exchanges.push(upsert.told(told));
            }
            if is_over {
                return;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// The same at once, several times.
    async fn twins(&mut self) {
        let mut upsert = if self.people > 0 && self.dice.random_bool(0.5) {
            self.change()
        } else {
            self.new_person()
        };
        upsert.key = self.dice.random_bool(0.7).then(|| format!("twins-{}", upsert.trace));
        let mut tasks = JoinSet::new();
        for _ in 0..self.dice.random_range(2..=6) {
            let (sender, upsert) = (self.sender.clone(), upsert.clone());
            tasks.spawn(async move {
                let told = sender.send(&upsert).await;
                upsert.told(told)
            });
        }
        while let Some(exchange) = tasks.join_next().await {
            self.exchanges.extend(exchange);
        }
        if upsert.key.is_some() {
            self.until_answered(upsert).await;
        }
    }

    /// New people and changes of others, no person twice: the trace and the person name a line.
    async fn batch(&mut self) {
        let mut lines: Vec<Upsert> = Vec::new();
        for _ in 0..self.dice.random_range(2..=7) {
            let line = if self.people > 3 && self.dice.random_bool(0.5) {
                self.change()
            } else {
                self.new_person()
            };
            if lines.iter().all(|other| other.person != line.person) {
                lines.push(line);
            }
        }
        for (number, line) in lines.iter_mut().enumerate() {
            line.key = Some(format!("batch-{}-{number}", line.trace));
            line.is_async = false;
        }
        while !lines.is_empty() {
            let told = self.sender.batch(&lines).await;
            let mut left = Vec::new();
            for (line, told) in lines.into_iter().zip(told) {
                if told.must_come_back() {
                    left.push(line.clone());
                }
                if told != Told::NotSent {
                    self.exchanges.push(line.told(told));
                }
            }
            lines = left;
            if self.shared.is_stopping() {
                return;
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn ask_again(&mut self) {
        let mut upsert = if self.people > 0 && self.dice.random_bool(0.7) {
            self.change()
        } else {
            self.new_person()
        };
        upsert.key = Some(format!("again-{}", upsert.trace));
        upsert.is_async = true;
        self.until_answered(upsert.clone()).await;
        let wait = Duration::from_millis(self.dice.random_range(50..300));
        tokio::time::sleep(wait).await;
        self.until_answered(upsert).await;
    }

    fn new_person(&mut self) -> Upsert {
        self.people += 1;
        let person = Person::new(self.group(), self.people, !self.people.is_multiple_of(4));
        let body = person.whole(&self.name());
        self.upsert(ACME, &person, body)
    }

    fn change(&mut self) -> Upsert {
        let number = self.dice.random_range(1..=self.people);
        let person = Person::new(self.group(), number, !number.is_multiple_of(4));
        let body = person.change(&self.name(), &mut self.dice);
        self.upsert(ACME, &person, body)
    }

    /// The same person for all clients that are as far as this one; known by its e-mail address, by one reference, or
    /// by as many references as there are clients.
    fn shared_person(&mut self) -> Upsert {
        let number = self.steps / STEPS_PER_SHARED_PERSON;
        let mut person = Person::new(self.run * 50, number, number.is_multiple_of(3));
        if number % 3 == 1 && self.dice.random_bool(0.3) {
            person.reference = Some(format!("S-{}-{number}-{}", self.run, self.number));
        }
        let body = person.whole(&self.name());
        self.upsert(ACME, &person, body)
    }

    fn solo_person(&mut self) -> Upsert {
        if self.solo_people == 0 || self.dice.random_bool(0.5) {
            self.solo_people += 1;
        }
        let number = self.dice.random_range(1..=self.solo_people);
        let person = Person::new(self.group(), 5_000 + number, true);
        let body = person.whole(&self.name());
        self.upsert(SOLO, &person, body)
    }

    fn upsert(&mut self, merchant: &'static str, person: &Person, body: serde_json::Value) -> Upsert {
        debug_assert_eq!(body["email"], json!(person.email));
        let trace = format!("{:08x}{:08x}{:016x}", self.run + 1, self.number + 1, self.steps);
        Upsert {
            merchant,
            person: person.email.clone(),
            key: self.dice.random_bool(0.5).then(|| format!("key-{trace}")),
            is_async: self.dice.random_bool(0.15),
            body,
            trace,
        }
    }

    fn group(&self) -> u64 {
        self.run * 50 + 1 + self.number
    }

    fn name(&self) -> String {
        format!("N{}x{}", self.number, self.steps)
    }
}
