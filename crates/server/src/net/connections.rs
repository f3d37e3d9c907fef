//! All connections: who is let in, and who goes when it gets crowded.
//!
//! Whoever has not shown a valid key is a stranger. There are only so many of them, so many of one address, and all of them
//! together may cost only so many bytes. Beyond that the one goes that has been a stranger for the longest time, so that
//! somebody new always gets the moment that it takes to show a key.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use upsert_settings::TrustedProxies;

use crate::net::budget::Budget;
use crate::net::connection::{Connection, Deadlines, Phase};
use crate::net::places::Places;
use crate::net::reading::Body;
use crate::net::room::{Reason, Room, describe};

/// What is kept for a connection over which nothing has come yet.
const SILENT_COST: usize = 4 * 1024;
/// What is kept for any other, whatever comes over it: the buffers of both directions, what is read of it at a time, and the
/// request.
const LEAST_COST: usize = 32 * 1024;
/// What is read of a head at the most.
const LONGEST_HEAD: usize = 128 * 1024;
/// How often it is looked who takes too long.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Shared by all workers.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) places: Places,
    deadlines: Deadlines,
    proxies: ArcSwap<TrustedProxies>,
    epoch: Instant,
    /// What all strangers cost.
    budget: Budget,
    room: Mutex<Room>,
}

/// A connection and all others: what requests and streams hold of it.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) connection: Arc<Connection>,
    connections: Arc<Connections>,
}

/// Its place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(pub(crate) Guest);

impl Connections {
    pub(crate) fn new(places: Places, deadlines: Deadlines, proxies: TrustedProxies) -> Self {
        Self {
            places,
            deadlines,
            proxies: ArcSwap::from_pointee(proxies),
            epoch: Instant::now(),
            budget: Budget::new(places.bytes),
            room: Mutex::default(),
        }
    }

    /// How long a caller with a key may leave its connection idle.
    pub(crate) fn keep_alive(&self) -> Duration {
        self.deadlines.idle_known
    }

    /// How long a head may take.
    pub(crate) fn head_timeout(&self) -> Duration {
        self.deadlines.head
    }

    /// Whom to believe from now on.
    pub(crate) fn trust(&self, proxies: &TrustedProxies) {
        self.proxies.store(Arc::new(proxies.clone()));
    }

    /// Who is believed.
    pub(crate) fn proxies(&self) -> Arc<TrustedProxies> {
        self.proxies.load_full()
    }

    /// The place of a new one; none: all are taken by callers with keys who are being served.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_of_proxy = self.proxies.load().covers(peer);
        let mut room = self.room.lock();
        if room.all.len() >= self.places.connections && !room.cut_somebody() {
            return None;
        }
        room.next += 1;
        let connection = Arc::new(Connection::new(room.next, peer, is_of_proxy, self.now()));
        room.all.insert(connection.number, connection.clone());
        let address = (!is_of_proxy).then(|| of_one(peer));
        self.let_in(&mut room, &connection, address);
        drop(room);
        self.spend(&connection, SILENT_COST);
        Some(Place(Guest {
            connection,
            connections: self.clone(),
        }))
    }

    /// How many there are, and how many of them are strangers'.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let room = self.room.lock();
        (room.all.len(), room.strangers.len())
    }

    /// Cuts whoever takes too long, until the server has stopped.
    pub(crate) async fn watch(&self, stopping: CancellationToken) {
        describe();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => self.look(),
            }
        }
    }

    fn look(&self) {
        let now = self.now();
        let mut room = self.room.lock();
        let is_late =
            |connection: &&Arc<Connection>| !connection.was_cut() && connection.is_overdue(now, &self.deadlines);
        let late: Vec<Arc<Connection>> = room.all.values().filter(is_late).cloned().collect();
        for connection in late {
            room.cut(&connection, Reason::Slow);
        }
        // Who is there since the last look has had time to say something.
        for (_, stranger) in room.strangers.values() {
            stranger.had_its_chance();
        }
        drop(room);
        self.budget.wake(usize::MAX);
    }

    /// Among the strangers, the last to go.
    fn let_in(&self, room: &mut Room, connection: &Arc<Connection>, address: Option<IpAddr>) {
        room.forget_stranger(connection);
        if room.strangers.len() >= self.places.strangers {
            room.cut_oldest();
        }
        let oldest = address.and_then(|address| room.oldest_of(address, self.places.of_an_address));
        if let Some(oldest) = oldest {
            room.cut(&oldest, Reason::Crowded);
        }
        room.join(connection, address);
    }

    /// What a stranger costs is more by this.
    fn spend(&self, connection: &Connection, bytes: usize) {
        if !self.budget.spend(connection, bytes) {
            return;
        }
        let mut room = self.room.lock();
        while self.budget.is_short(room.leaving) {
            if room.cut_oldest().is_none() {
                return;
            }
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Guest {
    /// So many bytes came over it.
    pub(crate) fn received(&self, bytes: usize) {
        self.connection.received(bytes, self.connections.now());
        // The rest of a body that was refused is thrown away: it costs no more than the buffer it goes through.
        let is_kept = self.connection.phase() == Phase::Answering
            || self.connection.cost.load(Ordering::Relaxed) < LEAST_COST + LONGEST_HEAD;
        if !self.connection.is_known() && is_kept {
            // Buffers grow by doubling.
            self.connections.spend(&self.connection, 2 * bytes);
        }
    }

    /// Waits until strangers cost no more than they may.
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<()> {
        if self.connection.is_known() {
            return Poll::Ready(());
        }
        self.connections.budget.poll_room(&self.connection, context)
    }

    /// Something came over it for the first time: it gets its buffers, as soon as there is room for them.
    pub(crate) async fn speaks(&self) {
        poll_fn(|context| self.poll_room(context)).await;
        self.connections.spend(&self.connection, LEAST_COST - SILENT_COST);
    }

    /// A request begins, which has this body.
    pub(crate) fn begins(&self, body: Body) {
        self.connection.begins(body, self.connections.now());
    }

    /// The request came with a valid key, or with what is as good.
    pub(crate) fn shows_key(&self) {
        if !self.connection.is_known() {
            self.connections.room.lock().forget_stranger(&self.connection);
            self.connection.set_known(true);
            self.connections.budget.earn(&self.connection, 0);
        }
    }

    /// The request is one of somebody without a key, who is at this address.
    pub(crate) fn is_stranger(&self, client: Option<IpAddr>) {
        if !self.connection.is_known() && !self.connection.is_of_proxy {
            return;
        }
        let is_proxy_itself = client.is_none() && self.connection.is_of_proxy;
        let address = (!is_proxy_itself).then(|| of_one(client.unwrap_or(self.connection.peer)));
        self.connection.set_known(false);
        let mut room = self.connections.room.lock();
        self.connections.let_in(&mut room, &self.connection, address);
        drop(room);
        self.connections.budget.earn(&self.connection, LEAST_COST);
    }

    /// Whether it is let go with this answer.
    pub(crate) fn is_to_go(&self) -> bool {
        self.connection
            .has_stayed(self.connections.now(), &self.connections.deadlines)
    }

    /// An answer of so many bytes, which nobody else shares, waits to be written.
    pub(crate) fn owes(&self, bytes: usize) {
        if !self.connection.is_known() {
            self.connections.spend(&self.connection, bytes);
        }
    }

    /// The answer is given: the next request may come.
    pub(crate) fn answered(&self) {
        self.connection.answered(self.connections.now());
        if !self.connection.is_known() && self.connection.cost.load(Ordering::Relaxed) > LEAST_COST {
            self.connections.budget.earn(&self.connection, LEAST_COST);
        }
    }

    /// Nothing more can be written at the moment.
    pub(crate) fn stalls(&self) {
        self.connection.stalls(self.connections.now());
    }

    /// All was written.
    pub(crate) fn flows(&self) {
        if self.connection.is_stalled() {
            self.connection.flows(self.connections.now());
        }
    }

    /// Who is believed for whom they speak.
    pub(crate) fn proxies(&self) -> Arc<TrustedProxies> {
        self.connections.proxies()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Guest {
            connection,
            connections,
        } = &self.0;
        connections.room.lock().leave(connection);
        connections.budget.earn(connection, 0);
    }
}

/// The address under which somebody counts: of IPv6 everybody has a network of them.
fn of_one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

/// What a configuration that trusts this proxy says.
#[cfg(test)]
pub(crate) fn trusted(proxy: &str) -> TrustedProxies {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("[server]\ntrusted_proxies = [\"{proxy}\"]\n");
    std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
    let none = upsert_settings::Environment::from_iter(Vec::<(String, String)>::new());
    let settings = upsert_settings::Settings::load(folder.path(), &none, upsert_settings::Secrets::Resolve);
    settings.unwrap().server.trusted_proxies
}

#[cfg(test)]
mod tests;
