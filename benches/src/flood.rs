//! The load of callers who do not wait for each other: requests at a fixed rate, each on a connection that is free or on
//! a new one, whatever the answers are. They are counted by status, and those of one kind are timed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::client::{Connection, head};
use crate::sample;

/// A request that is not answered by then counts as broken.
const PATIENCE: Duration = Duration::from_secs(40);
const TICK: Duration = Duration::from_millis(1);

/// Who asks for what, and how often.
#[derive(Debug, Clone)]
pub struct Flood {
    /// The gateway.
    pub address: SocketAddr,
    /// Its API key.
    pub key: String,
    /// On whose behalf.
    pub merchant: &'static str,
    /// Requests a second.
    pub per_second: u32,
    /// For how long.
    pub time: Duration,
    /// The number of the first customer; each is a new one.
    pub first: u64,
    /// Connections at the most; a request that finds none free is counted as not sent.
    pub connections: usize,
}

/// What became of it.
#[derive(Debug)]
pub struct Flooded {
    /// How many answers had which status; 0: the connection broke.
    pub statuses: BTreeMap<u16, u64>,
    /// Microseconds from the moment that a request was due to its answer, of answers below 300.
    pub accepted: Histogram<u64>,
    /// The same of those that were refused.
    pub refused: Histogram<u64>,
    /// Refusals by 429 or 503 without `Retry-After` beside them.
    pub without_retry_after: u64,
    /// Requests that found all connections in use: the generator's limit, not the gateway's.
    pub not_sent: u64,
    /// The first of them to the last answer.
    pub elapsed: Duration,
}

impl Flooded {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            statuses: BTreeMap::new(),
            accepted: Histogram::new_with_bounds(1, 120_000_000, 3)?,
            refused: Histogram::new_with_bounds(1, 120_000_000, 3)?,
            without_retry_after: 0,
            not_sent: 0,
            elapsed: Duration::ZERO,
        })
    }

    /// Answers below 300.
    pub fn good(&self) -> u64 {
        self.accepted.len()
    }

    /// How many had this status.
    pub fn of(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    fn note(&mut self, took: Duration, answered: &Answered) {
        *self.statuses.entry(answered.status).or_default() += 1;
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match answered.status {
            200..300 => self.accepted.saturating_record(took),
            status => {
                self.refused.saturating_record(took);
                let says_when = !matches!(status, 429 | 503) || answered.says_when;
                self.without_retry_after += u64::from(!says_when);
            }
        }
    }
}

struct Answered {
    status: u16,
    says_when: bool,
}

impl Flood {
    /// Sends all of it and waits for the last answer, on a thread of its own, so that floods do not hold each other up.
    ///
    /// # Errors
    /// No thread or no runtime.
    pub fn begin(self) -> anyhow::Result<std::thread::JoinHandle<anyhow::Result<Flooded>>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(std::thread::Builder::new().spawn(move || runtime.block_on(self.run()))?)
    }

    async fn run(self) -> anyhow::Result<Flooded> {
        let flooded = Arc::new(Mutex::new(Flooded::new()?));
        let idle: Arc<Mutex<Vec<Connection>>> = Arc::default();
        let head = Arc::new(head(
            "POST",
            "/v1/customers",
            &[
                ("authorization", &format!("Bearer {}", self.key)),
                ("merchant-id", self.merchant),
            ],
        ));
        let planned = u64::from(self.per_second) * u64::try_from(self.time.as_millis())? / 1_000;
        let (started, mut tasks) = (Instant::now(), JoinSet::new());
        let mut next = 0;
        while next < planned {
            let due = due_by(started.elapsed(), self.per_second).min(planned);
            while next < due {
                while tasks.try_join_next().is_some() {}
                let at = started + Duration::from_nanos(next * 1_000_000_000 / u64::from(self.per_second));
                let number = self.first + next;
                next += 1;
                if tasks.len() >= self.connections {
                    flooded.lock().not_sent += 1;
                    continue;
                }
                let (flooded, idle, head, address) = (flooded.clone(), idle.clone(), head.clone(), self.address);
                tasks.spawn(async move {
                    let one = tokio::time::timeout(PATIENCE, send(address, &idle, &head, number));
                    let answered = match one.await {
                        Ok(Ok(answered)) => answered,
                        Ok(Err(_)) | Err(_) => Answered {
                            status: 0,
                            says_when: false,
                        },
                    };
                    let mut flooded = flooded.lock();
                    flooded.note(at.elapsed(), &answered);
                });
            }
            tokio::time::sleep(TICK).await;
        }
        while tasks.join_next().await.is_some() {}
        let mut all = flooded.lock();
        let mut all = std::mem::replace(&mut *all, Flooded::new()?);
        all.elapsed = started.elapsed();
        Ok(all)
    }
}

fn due_by(elapsed: Duration, per_second: u32) -> u64 {
    let due = elapsed.as_nanos() * u128::from(per_second) / 1_000_000_000 + 1;
    u64::try_from(due).unwrap_or(u64::MAX)
}

async fn send(
    address: SocketAddr,
    idle: &Mutex<Vec<Connection>>,
    head: &str,
    number: u64,
) -> std::io::Result<Answered> {
    let free = idle.lock().pop();
    let mut connection = match free {
        Some(connection) => connection,
        None => Connection::open(address).await?,
    };
    let answer = connection.call(head, &sample::body(number)).await?;
    let answered = Answered {
        status: answer.status,
        says_when: answer.says_when,
    };
    idle.lock().push(connection);
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hostile::{Hostile, Mood};

    #[tokio::test]
    async fn requests_come_at_their_rate_and_each_is_counted_once() {
        let server = Hostile::start(([127, 0, 0, 1], 9).into()).unwrap();
        server.turn(Mood::Unavailable);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let flood = Flood {
            address: server.address,
            key: String::new(),
            merchant: "m",
            per_second: 200,
            time: Duration::from_millis(250),
            first: 0,
            connections: 50,
        };
        let flooded = tokio::task::spawn_blocking(move || flood.begin().unwrap().join().unwrap().unwrap());
        let flooded = flooded.await.unwrap();
        assert_eq!((flooded.of(503), flooded.good(), flooded.not_sent), (50, 0, 0));
        assert_eq!(flooded.without_retry_after, 50, "this server does not say when");
        assert!(flooded.elapsed >= Duration::from_millis(245), "{:?}", flooded.elapsed);
        assert_eq!(server.seen().len(), 50);
    }
}
