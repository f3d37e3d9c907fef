//! All who are connected, and who of them goes first.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::net::connection::{Connection, Phase};

const CUT: &str = "upsert_gateway_http_connections_cut_total";
/// So many of the oldest are looked at for one that had its chance to say something.
const LOOKED_AT: usize = 64;

/// Why a connection was cut.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reason {
    /// It took too long.
    Slow,
    /// Somebody new needed its place, or its bytes.
    Crowded,
}

/// Everybody, by number; strangers by their turn to go as well.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(crate) next: u64,
    pub(crate) all: HashMap<u64, Arc<Connection>>,
    /// Those without a key, and the address under which each counts.
    pub(crate) strangers: BTreeMap<u64, (Option<IpAddr>, Arc<Connection>)>,
    of_address: HashMap<IpAddr, BTreeSet<u64>>,
    /// What those cost who were cut and are not gone yet, in bytes.
    pub(crate) leaving: usize,
}

impl Room {
    /// The last to go among the strangers, as one of this address.
    pub(crate) fn join(&mut self, connection: &Arc<Connection>, address: Option<IpAddr>) {
        self.next += 1;
        let turn = self.next;
        connection.turn.store(turn, Ordering::Relaxed);
        self.strangers.insert(turn, (address, connection.clone()));
        if let Some(address) = address {
            self.of_address.entry(address).or_default().insert(turn);
        }
    }

    /// The one of this address that has been a stranger for the longest time, if it has so many.
    pub(crate) fn oldest_of(&self, address: IpAddr, most: usize) -> Option<Arc<Connection>> {
        let others = self.of_address.get(&address).filter(|others| others.len() >= most)?;
        let (_, oldest) = self.strangers.get(others.first()?)?;
        Some(oldest.clone())
    }

    /// It has shown a key, or is on its way out.
    pub(crate) fn forget_stranger(&mut self, connection: &Connection) {
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

    /// Cuts it. What it costs is given back when it is gone.
    pub(crate) fn cut(&mut self, connection: &Connection, reason: Reason) {
        self.forget_stranger(connection);
        if !connection.was_cut() {
            let cost = connection.cost.load(Ordering::Relaxed);
            connection.leaving.store(cost, Ordering::Relaxed);
            self.leaving += cost;
        }
        connection.cut(matches!(reason, Reason::Crowded));
        count(reason);
    }

    /// Of those who had their chance to say something, if there are any.
    pub(crate) fn cut_oldest(&mut self) -> Option<Arc<Connection>> {
        let mut by_age = self.strangers.values().take(LOOKED_AT);
        let oldest = by_age.find(|(_, stranger)| stranger.was_read());
        let (_, oldest) = oldest.or_else(|| self.strangers.values().next())?;
        let oldest = oldest.clone();
        self.cut(&oldest, Reason::Crowded);
        Some(oldest)
    }

    /// A stranger, or else whoever has had nothing to say for the longest time.
    pub(crate) fn cut_somebody(&mut self) -> bool {
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

    /// It is gone.
    pub(crate) fn leave(&mut self, connection: &Connection) {
        self.forget_stranger(connection);
        self.leaving -= connection.leaving.swap(0, Ordering::Relaxed);
        self.all.remove(&connection.number);
    }
}

fn count(reason: Reason) {
    let reason = match reason {
        Reason::Slow => "slow",
        Reason::Crowded => "crowded",
    };
    metrics::counter!(CUT, "reason" => reason).increment(1);
}

/// Tells the metrics recorder what is counted here.
pub(crate) fn describe() {
    metrics::describe_counter!(CUT, "Connections that were cut, by reason.");
    for reason in ["slow", "crowded"] {
        metrics::counter!(CUT, "reason" => reason).increment(0);
    }
}
