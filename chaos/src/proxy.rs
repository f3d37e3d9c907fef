//! A TCP proxy that does to an HTTP/1.1 connection what networks do to it, by percentage and switchable while it runs.
//!
//! It runs on a thread of its own, so that it is in nobody's way. `upsert-chaos proxy` is the same as a process, with
//! a control port: a line of JSON ([`Odds`]) sets what happens from now on, an empty line asks; either is answered with
//! a line that counts what has struck.

mod control;
mod door;
mod exchange;
mod message;
mod odds;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

pub(crate) use door::bound;
pub(crate) use message::Side;
pub use odds::{Odds, Strike, Strikes};

/// Where a proxy listens and what stands behind it.
#[derive(Debug, Clone, Copy)]
pub struct ProxyOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where it passes everything on to.
    pub upstream: SocketAddr,
    /// Where it takes orders, if anywhere.
    pub control: Option<SocketAddr>,
    /// Seed of its dice.
    pub seed: u64,
}

/// A running proxy. It stops when this is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    odds: Mutex<Odds>,
    strikes: Mutex<Strikes>,
    requests: AtomicU64,
    /// Turns with each new set of odds: what was stalled under the old one is let go.
    turns: watch::Sender<u64>,
    stopped: watch::Sender<bool>,
}

impl FaultProxy {
    /// Starts it, without faults. It listens when this returns.
    ///
    /// # Errors
    /// An address cannot be bound, or no thread can be started.
    pub fn start(options: ProxyOptions) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            odds: Mutex::default(),
            strikes: Mutex::default(),
            requests: AtomicU64::new(0),
            turns: watch::Sender::new(0),
            stopped: watch::Sender::new(false),
        });
        let (report, started) = std::sync::mpsc::channel();
        let its = shared.clone();
        let thread = std::thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let Ok(runtime) = runtime else { return };
                runtime.block_on(door::keep(options, its, report));
            })?;
        let address = started.recv()??;
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens from now on. What was stalled is cut.
    pub fn set(&self, odds: Odds) {
        self.shared.set(odds);
    }

    /// A plain proxy from now on.
    pub fn calm(&self) {
        self.set(Odds::default());
    }

    /// How often each fault has struck.
    pub fn strikes(&self) -> Strikes {
        self.shared.struck().clone()
    }

    /// Requests that came in.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.stopped.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was printed by it.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn set(&self, odds: Odds) {
        *self.odds.lock() = odds;
        self.turns.send_modify(|turn| *turn += 1);
    }

    fn odds(&self) -> Odds {
        self.odds.lock().clone()
    }

    fn struck(&self) -> MutexGuard<'_, Strikes> {
        self.strikes.lock()
    }

    fn count(&self, strike: Strike) {
        *self.struck().entry(strike).or_default() += 1;
    }
}
