//! Outages of a connection: from the first failure until what waited is drained, whatever happens to the process meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::untouched::untouched;
use common::{Act, House, TokioClock, Vendor, connection, customer_of, named};
use jiff::Timestamp;
use parking_lot::Mutex;

use upsert_api::{
    BreakerState, ConnectionState, Incident, IncidentEventKind as Kind, IncidentFilter, IncidentState, PageQuery,
    PausedBy, Visibility,
};
use upsert_app::ConnectionStatus;
use upsert_core::{Clock as _, Held, Priority, Repeat, WaitingFor};
use upsert_store::{ConnectionStore as _, IncidentStore as _};
use upsert_testkit::MemoryStore;

/// A breaker that a test opens and closes.
#[derive(Debug, Default)]
struct Dial(Mutex<Dialled>);

#[derive(Debug, Default)]
struct Dialled {
    open_until: Option<Timestamp>,
    last_success_at: Option<Timestamp>,
}

impl Dial {
    fn opens(&self, until: Timestamp) {
        self.0.lock().open_until = Some(until);
    }

    /// It closes, because the vendor took a call then.
    fn closes(&self, at: Timestamp) {
        *self.0.lock() = Dialled {
            open_until: None,
            last_success_at: Some(at),
        };
    }
}

impl ConnectionStatus for Dial {
    fn snapshot(&self) -> upsert_api::ConnectionStatus {
        let mut status = untouched();
        let dialled = self.0.lock();
        if let Some(until) = dialled.open_until {
            status.breaker.state = BreakerState::Open;
            status.breaker.until = Some(until);
            status.breaker.failing_since = Some(until);
            status.breaker.failing_with = Some(503);
        }
        status.health.last_success_at = dialled.last_success_at;
        status
    }

    fn state(&self) -> ConnectionState {
        ConnectionState::Healthy
    }

    fn room(&self, _: Priority) -> Result<usize, Held> {
        match self.0.lock().open_until {
            Some(_) => Err(Held {
                waiting_for: WaitingFor::Breaker,
                for_at_least: Some(Duration::from_hours(1)),
            }),
            None => Ok(16),
        }
    }

    fn through_in(&self, _: u64) -> Option<Duration> {
        None
    }
}

/// A process, what it knows of the vendor, and the vendor.
struct Scene {
    house: House,
    dial: Arc<Dial>,
    vendor: Arc<Vendor>,
}

impl Scene {
    async fn new() -> Self {
        let (store, vendor) = (Arc::new(MemoryStore::new()), Vendor::new(Repeat::Safe));
        Self::on(store, TokioClock::new(), &vendor).await
    }

    async fn on(store: Arc<MemoryStore>, clock: Arc<TokioClock>, vendor: &Arc<Vendor>) -> Self {
        let dial = Arc::new(Dial::default());
        let mut only = connection("v", vendor);
        only.status = dial.clone();
        Self {
            house: House::on(store, clock, vec![only]).await,
            dial,
            vendor: vendor.clone(),
        }
    }

    fn now(&self) -> Timestamp {
        self.house.clock.now()
    }

    /// The vendor fails, and the breaker opens after a call that was about this customer.
    async fn goes_down(&self, reference: &str) {
        self.vendor.usually(Act::Down);
        named(&self.house, reference, "A").await;
        self.dial.opens(self.now() + Duration::from_secs(30));
        seconds(2).await;
    }

    /// It takes calls again, and what waits is sent.
    async fn comes_back(&self) {
        self.vendor.usually(Act::Accept);
        self.dial.closes(self.now());
        self.house.gateway.deliveries.release("acme", "v");
        seconds(5).await;
    }

    async fn all(&self) -> Vec<Incident> {
        let queries = &self.house.gateway.queries;
        let page = PageQuery::default();
        let listed = queries.list_incidents(&IncidentFilter::default(), &page).await.unwrap();
        let mut all = Vec::new();
        for incident in listed.data {
            let whole = queries
                .get_incident(None, incident.incident_id, Visibility::Whole)
                .await;
            all.push(whole.unwrap());
        }
        all
    }

    async fn only(&self) -> Incident {
        let mut all = self.all().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }
}

fn kinds(incident: &Incident) -> Vec<Kind> {
    incident.timeline.iter().map(|entry| entry.kind).collect()
}

async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_incident_from_the_first_failure_until_what_waited_is_sent() {
    let scene = Scene::new().await;
    let began = scene.now();
    scene.goes_down("r-1").await;
    for reference in ["r-2", "r-3", "r-3"] {
        named(&scene.house, reference, &format!("B {}", scene.now())).await;
        seconds(1).await;
    }
    scene.dial.opens(scene.now() + Duration::from_secs(60));
    // Failures that go on are written down every ten seconds.
    seconds(12).await;
    let open = scene.only().await;
    assert_eq!(kinds(&open), [Kind::Began, Kind::Down, Kind::StillDown]);
    assert!(open.listed.state == IncidentState::Open && open.listed.began_at.duration_since(began).as_secs() < 5);
    assert_eq!((open.touched.customers, open.touched.is_all), (3, true));
    assert_eq!(open.listed.failures, u64::try_from(scene.vendor.calls()).unwrap());
    assert!(open.last_words.is_some());
    scene.comes_back().await;
    let over = scene.only().await;
    assert_eq!(
        kinds(&over),
        [Kind::Began, Kind::Down, Kind::StillDown, Kind::Answering, Kind::Ended]
    );
    assert!(over.listed.state == IncidentState::Ended && over.listed.ended_at.is_some());
    assert_eq!(over.touched.customers, 3, "as it was counted when it ended");
    assert_eq!(over.touched.coalesced, 1, "one of the last customer's two");
    let record = scene.house.store.connections().await.unwrap().remove(0);
    assert!(record.incident.is_none() && record.incident_ended_at == over.listed.ended_at);
    // The next one is another one.
    seconds(60).await;
    scene.goes_down("r-4").await;
    assert_eq!(scene.all().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_end_while_anything_waits_that_was_made_before_the_vendor_came_back() {
    let scene = Scene::new().await;
    scene.goes_down("r-1").await;
    named(&scene.house, "r-2", "A").await;
    scene.vendor.usually(Act::Accept);
    scene.vendor.fail_for("r-2");
    scene.dial.closes(scene.now());
    scene.house.gateway.deliveries.release("acme", "v");
    seconds(5).await;
    let still = scene.only().await;
    assert_eq!((still.listed.state, still.listed.ended_at), (IncidentState::Open, None));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_killed_leaves_its_incident_to_the_next_one() {
    let (store, vendor) = (Arc::new(MemoryStore::new()), Vendor::new(Repeat::Safe));
    let clock = TokioClock::new();
    let scene = Scene::on(store.clone(), clock.clone(), &vendor).await;
    scene.goes_down("r-1").await;
    let before = scene.only().await;
    scene.house.kill().await;
    let next = Scene::on(store, clock, &vendor).await;
    seconds(2).await;
    let after = next.only().await;
    assert_eq!(after.listed.incident_id, before.listed.incident_id);
    assert_eq!(kinds(&after)[..3], [Kind::Began, Kind::Down, Kind::Restarted]);
    assert_eq!(
        after.listed.state,
        IncidentState::Open,
        "nobody knows yet that the vendor is back"
    );
    next.comes_back().await;
    let over = next.only().await;
    assert_eq!(over.listed.state, IncidentState::Ended);
    assert_eq!(kinds(&over)[2..], [Kind::Restarted, Kind::Answering, Kind::Ended]);
}

#[tokio::test(start_paused = true)]
async fn several_processes_keep_one_incident_and_end_it_once() {
    let (store, vendor) = (Arc::new(MemoryStore::shared()), Vendor::new(Repeat::Safe));
    let one = Scene::on(store.clone(), TokioClock::new(), &vendor).await;
    let other = Scene::on(store, TokioClock::new(), &vendor).await;
    vendor.usually(Act::Down);
    named(&one.house, "r-1", "A").await;
    named(&other.house, "r-2", "A").await;
    let until = one.now() + Duration::from_secs(30);
    one.dial.opens(until);
    other.dial.opens(until);
    seconds(5).await;
    let open = one.only().await;
    assert_eq!(open.listed.failures, u64::try_from(vendor.calls()).unwrap(), "of both");
    assert_eq!(kinds(&open).iter().filter(|kind| **kind == Kind::Down).count(), 1);
    one.comes_back().await;
    seconds(5).await;
    assert_eq!(one.only().await.listed.state, IncidentState::Ended);
    // The other one has not found out yet. That is no new outage.
    seconds(60).await;
    let over = other.only().await;
    assert_eq!(over.listed.state, IncidentState::Ended);
    other.dial.closes(other.now());
    seconds(5).await;
    assert_eq!(one.only().await.timeline, over.timeline);
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_refuses_the_credentials_is_an_incident_and_a_pause_by_hand_is_none() {
    let scene = Scene::new().await;
    let operations = &scene.house.gateway.operations;
    operations.pause(&scene.house.merchant, "v", "tests").await.unwrap();
    seconds(60).await;
    assert!(scene.all().await.is_empty());
    operations.resume(&scene.house.merchant, "v", "tests").await.unwrap();
    scene.vendor.usually(Act::Unauthorised);
    named(&scene.house, "r-1", "A").await;
    seconds(2).await;
    let open = scene.only().await;
    assert_eq!(kinds(&open), [Kind::Began, Kind::Paused]);
    assert_eq!(open.timeline[1].by, Some(PausedBy::Vendor));
    scene.vendor.usually(Act::Accept);
    operations.resume(&scene.house.merchant, "v", "tests").await.unwrap();
    seconds(2).await;
    scene.dial.closes(scene.now());
    seconds(2).await;
    let over = scene.only().await;
    assert_eq!(kinds(&over)[2..], [Kind::Resumed, Kind::Answering, Kind::Ended]);
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_that_last_are_an_incident_though_no_breaker_opens() {
    let scene = Scene::new().await;
    scene.vendor.usually(Act::Down);
    named(&scene.house, "r-1", "A").await;
    assert!(scene.vendor.calls() >= 3);
    assert!(scene.all().await.is_empty(), "not for long yet");
    seconds(60).await;
    let open = scene.only().await;
    assert_eq!(kinds(&open), [Kind::Began]);
}

#[tokio::test(start_paused = true)]
async fn failures_are_written_down_together() {
    let scene = Scene::new().await;
    scene.goes_down("r-0").await;
    let id = scene.only().await.listed.incident_id;
    let revision = async || {
        scene
            .house
            .store
            .incident("acme", id)
            .await
            .unwrap()
            .unwrap()
            .revision()
    };
    let (before, calls) = (revision().await, scene.vendor.calls());
    // The breaker lets calls through for a while that fail, one after the other.
    scene.dial.0.lock().open_until = None;
    for number in 1..=20 {
        named(&scene.house, &format!("r-{number}"), "A").await;
    }
    seconds(15).await;
    let (written, failed) = (revision().await - before, scene.vendor.calls() - calls);
    let written_seldom = u64::try_from(failed).unwrap() > 2 * written;
    assert!(failed > 60 && written_seldom, "{written} writes of {failed} failures");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_erased_is_left_as_an_id_and_what_the_vendor_said_of_them_is_gone() {
    let scene = Scene::new().await;
    let created = named(&scene.house, "r-1", "A").await;
    let customer = customer_of(&created);
    scene.vendor.usually(Act::Down);
    named(&scene.house, "r-1", "B").await;
    scene.dial.opens(scene.now() + Duration::from_secs(30));
    seconds(2).await;
    let open = scene.only().await;
    let words = open.first_words.as_ref().unwrap();
    assert!(words.error.detail.contains("as the script says"), "{words:?}");
    assert_eq!(open.touched.customer_ids, [customer]);
    // Something that was said and nobody has written down yet.
    scene.dial.0.lock().open_until = None;
    seconds(1).await;
    let operations = &scene.house.gateway.operations;
    operations
        .erase(&scene.house.merchant, customer, "tests")
        .await
        .unwrap();
    seconds(30).await;
    let erased = scene.only().await;
    assert_eq!((&erased.first_words, &erased.last_words), (&None, &None));
    assert!(erased.listed.failures >= open.listed.failures);
}
