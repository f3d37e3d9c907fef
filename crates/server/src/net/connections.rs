//! All connections: who is let in, and who goes when it gets crowded.
//!
//! Whoever has not shown a valid key is a stranger. There are only so many of them, so many of one address, and all of them
//! together may cost only so many bytes. Beyond that the one goes that has been a stranger for the longest time, so that
//! somebody new always gets the moment that it takes to show a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use upsert_settings::TrustedProxies;

use crate::net::connection::{Connection, Deadlines, Phase};
use crate::net::places::Places;

/// What is kept for a connection, whatever comes over it: the buffers of both directions, and the rest.
const LEAST_COST: usize = 20 * 1024;
/// What is read of a head at the most.
const LONGEST_HEAD: usize = 128 * 1024;
/// How often it is looked who takes too long.
const LOOK_EVERY: Duration = Duration::from_millis(250);

const CUT: &str = "upsert_gateway_http_connections_cut_total";

/// Why a connection was cut.
#[derive(Debug, Clone, Copy)]
enum Reason {
    /// It took too long.
    Slow,
    /// Somebody new needed its place, or its bytes.
    Crowded,
}

/// Shared by all workers.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) places: Places,
    deadlines: Deadlines,
    proxies: ArcSwap<TrustedProxies>,
    epoch: Instant,
    /// What all strangers cost, in bytes.
    spent: AtomicUsize,
    room: Mutex<Room>,
}

#[derive(Debug, Default)]
struct Room {
    next: u64,
    all: HashMap<u64, Arc<Connection>>,
    /// Those without a key, by their turn to go; and the address under which each counts.
    strangers: BTreeMap<u64, (Option<IpAddr>, Arc<Connection>)>,
    of_address: HashMap<IpAddr, BTreeSet<u64>>,
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
            spent: AtomicUsize::new(0),
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
        self.spend(&connection, LEAST_COST);
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
    }

    /// Among the strangers, the last to go.
    fn let_in(&self, room: &mut Room, connection: &Arc<Connection>, address: Option<IpAddr>) {
        room.forget_stranger(connection);
        if room.strangers.len() >= self.places.strangers {
            room.cut_oldest();
        }
        if let Some(address) = address {
            let others = room.of_address.get(&address);
            let oldest = others
                .filter(|others| others.len() >= self.places.of_an_address)
                .and_then(BTreeSet::first)
                .and_then(|turn| room.strangers.get(turn));
            if let Some((_, oldest)) = oldest.cloned() {
                room.cut(&oldest, Reason::Crowded);
            }
        }
        room.next += 1;
        let turn = room.next;
        connection.turn.store(turn, Ordering::Relaxed);
        room.strangers.insert(turn, (address, connection.clone()));
        if let Some(address) = address {
            room.of_address.entry(address).or_default().insert(turn);
        }
    }

    /// What a stranger costs is more by this.
    fn spend(&self, connection: &Connection, bytes: usize) {
        connection.cost.fetch_add(bytes, Ordering::Relaxed);
        let spent = self.spent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if spent <= self.places.bytes {
            return;
        }
        let mut room = self.room.lock();
        while self.spent.load(Ordering::Relaxed) > self.places.bytes {
            let Some(oldest) = room.cut_oldest() else { return };
            self.earn(&oldest, 0);
        }
    }

    /// It costs only so much any more.
    fn earn(&self, connection: &Connection, rest: usize) {
        let before = connection.cost.swap(rest, Ordering::Relaxed);
        self.spent.fetch_add(rest, Ordering::Relaxed);
        self.spent.fetch_sub(before, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Room {
    fn forget_stranger(&mut self, connection: &Connection) {
        let turn = connection.turn.swap(0, Ordering::Relaxed);
        let Some((Some(address), _)) = self.strangers.remove(&turn) else {
            return;
        };
        if let Some(turns) = self.of_address.get_mut(&address) {
            turns.remove(&turn);
            if turns.is_empty() {
                self.of_address.remove(&address);
            }
        }
    }

    fn cut(&mut self, connection: &Connection, reason: Reason) {
        self.forget_stranger(connection);
        connection.cut(matches!(reason, Reason::Crowded));
        count(reason);
    }

    /// Of those who had their chance to say something, if there are any.
    fn cut_oldest(&mut self) -> Option<Arc<Connection>> {
        let mut by_age = self.strangers.values();
        let oldest = by_age.find(|(_, stranger)| stranger.was_read());
        let (_, oldest) = oldest.or_else(|| self.strangers.values().next())?;
        let oldest = oldest.clone();
        self.cut(&oldest, Reason::Crowded);
        Some(oldest)
    }

    /// A stranger, or else whoever has had nothing to say for the longest time.
    fn cut_somebody(&mut self) -> bool {
        if self.cut_oldest().is_some() {
            return true;
        }
        let idle = self.all.values();
        let idle = idle.filter_map(|connection| Some((connection.idle_since()?, connection)));
        let Some((_, longest)) = idle.min_by_key(|(since, _)| *since) else {
            return false;
        };
        let longest = longest.clone();
        longest.enter(Phase::Answering, 0);
        self.cut(&longest, Reason::Crowded);
        true
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

    /// A request begins.
    pub(crate) fn begins(&self) {
        self.connection.begins(self.connections.now());
    }

    /// The request came with a valid key, or with what is as good.
    pub(crate) fn shows_key(&self) {
        if !self.connection.is_known() {
            self.connections.room.lock().forget_stranger(&self.connection);
            self.connection.set_known(true);
            self.connections.earn(&self.connection, 0);
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
        self.connections.earn(&self.connection, LEAST_COST);
    }

    /// An answer of so many bytes, which nobody else shares, waits to be written.
    pub(crate) fn owes(&self, bytes: usize) {
        if !self.connection.is_known() {
            self.connections.spend(&self.connection, bytes);
        }
    }

    /// The answer is given: the next request may come.
    pub(crate) fn answered(&self) {
        self.connection.enter(Phase::Idle, self.connections.now());
        if !self.connection.is_known() && self.connection.cost.load(Ordering::Relaxed) > LEAST_COST {
            self.connections.earn(&self.connection, LEAST_COST);
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
        let mut room = connections.room.lock();
        room.forget_stranger(connection);
        room.all.remove(&connection.number);
        drop(room);
        connections.earn(connection, 0);
    }
}

/// The address under which somebody counts: of IPv6 everybody has a network of them.
fn of_one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

fn count(reason: Reason) {
    let reason = match reason {
        Reason::Slow => "slow",
        Reason::Crowded => "crowded",
    };
    metrics::counter!(CUT, "reason" => reason).increment(1);
}

fn describe() {
    metrics::describe_counter!(CUT, "Connections that were cut, by reason.");
    for reason in ["slow", "crowded"] {
        metrics::counter!(CUT, "reason" => reason).increment(0);
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
