//! An operator who pauses connections and resumes them, and replays or discards what has failed.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::json;

use super::exchange::{Exchange, Shared};
use crate::world::{KEY, World};

pub(super) struct Operator {
    client: reqwest::Client,
    dead_letters: String,
    connections: Vec<String>,
    every: Duration,
    dice: StdRng,
    shared: Arc<Shared>,
}

impl Operator {
    pub(super) fn new(world: &World, every: Duration, dice: StdRng, shared: Arc<Shared>) -> Self {
        let connection = |vendor: &crate::vendors::Vendored| {
            world.url(&format!("/v1/connections/{}/{}", vendor.merchant, vendor.connection))
        };
        Self {
            client: world.client.clone(),
            dead_letters: world.url("/v1/deliveries"),
            connections: world.vendors.iter().map(connection).collect(),
            every,
            dice,
            shared,
        }
    }

    /// What the gateway does not hear since it is down is said again by whoever ends the run.
    pub(super) async fn work(mut self) -> Vec<Exchange> {
        while !self.shared.is_stopping() {
            tokio::time::sleep(self.every.mul_f64(self.dice.random_range(0.5..1.5))).await;
            let connection = self.connections[self.dice.random_range(0..self.connections.len())].clone();
            self.say(&connection, "pause").await;
            tokio::time::sleep(self.every.mul_f64(self.dice.random_range(0.5..1.5))).await;
            while !self.say(&connection, "resume").await && !self.shared.is_stopping() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let word = if self.dice.random_bool(0.75) {
                "replay"
            } else {
                "discard"
            };
            let failed = json!({"state": "failed", "limit": self.dice.random_range(1..=3)});
            let request = self.client.post(format!("{}/{word}", self.dead_letters));
            // One that is not heard is none; what it was about stays among the dead letters.
            drop(request.bearer_auth(KEY).json(&failed).send().await);
        }
        Vec::new()
    }

    async fn say(&self, connection: &str, word: &str) -> bool {
        let request = self.client.post(format!("{connection}/{word}")).bearer_auth(KEY);
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }
}
