//! What an operator does to dead letters, as the checker has to see it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use serde_json::json;
use upsert_chaos::load::{Person, Sender, Upsert};
use upsert_chaos::runs::{Run, to_the_end};
use upsert_chaos::vendors::SOLO;
use upsert_simulators::{Answer, Effect, Fault};

use crate::{is_good, places};

/// A person whom the vendor has, and changes of it that may have been written before they were refused: they stand.
struct Changes {
    run: Run,
    sender: Sender,
    person: Person,
    sent: u64,
}

impl Changes {
    async fn begin(name: &str) -> anyhow::Result<Self> {
        let mut run = Run::new(&places(), name, 1)?;
        run.world.start().await?;
        let sender = Sender::new(&run.world);
        let person = Person::new(0, 1, true);
        let mut changes = Self {
            run,
            sender,
            person,
            sent: 0,
        };
        changes.send().await;
        Ok(changes)
    }

    async fn send(&mut self) {
        self.sent += 1;
        let upsert = Upsert {
            merchant: SOLO,
            person: self.person.email.clone(),
            body: self.person.whole(&format!("N{}", self.sent)),
            key: None,
            is_async: false,
            trace: format!("{:032x}", self.sent),
        };
        let told = self.sender.send(&upsert).await;
        self.run.exchanges.push(upsert.told(told));
    }

    async fn send_refused(&mut self) {
        self.faults(&[500, 422]);
        self.send().await;
        self.faults(&[]);
    }

    fn faults(&self, statuses: &[u16]) {
        let faults = statuses
            .iter()
            .map(|status| Fault::once(Effect::Answer(Answer::new(*status))));
        let till = self.run.world.vendors.iter().find(|vendor| vendor.connection == "till");
        till.unwrap().simulator.faults().set(faults.collect());
    }

    /// Replays or discards what has failed.
    async fn all_that_failed(&self, word: &str) -> anyhow::Result<()> {
        let world = &self.run.world;
        let request = world.client.post(world.url(&format!("/v1/deliveries/{word}")));
        let (_, answer) = world.ask(request.json(&json!({"state": "failed"}))).await?;
        assert_eq!(
            (&answer["matched"], &answer["done"]),
            (&json!(1), &json!(1)),
            "{answer}"
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_call_that_leaves_out_what_was_discarded_and_so_whom_it_is_about_is_no_stranger() {
    let name = "discarded and replayed";
    let run = async {
        let mut changes = Changes::begin(name).await?;
        changes.send_refused().await;
        changes.all_that_failed("discard").await?;
        changes.send_refused().await;
        changes.all_that_failed("replay").await?;
        changes.run.finish().await
    };
    is_good(&to_the_end(&places(), name, 1, run).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_discarded_need_not_be_at_the_vendor() {
    let name = "discarded";
    let run = async {
        let mut changes = Changes::begin(name).await?;
        changes.send_refused().await;
        changes.all_that_failed("discard").await?;
        changes.run.finish().await
    };
    is_good(&to_the_end(&places(), name, 1, run).await);
}
