//! The load: so many connections, as fast as they can or at a fixed rate, for a bounded time and number of requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cases::Case;
use crate::client::Connection;
use crate::customers::{Numbers, here_and_there};

/// When the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Each connection sends when it has its answer: what the program can do at the most.
    Closed,
    /// At this rate, whether answers come or not; latency counts from the moment that a request was *due*, so that a
    /// stall shows in all requests that it held up and not just in those that were under way.
    Open {
        /// Requests a second.
        per_second: u32,
    },
}

/// How much load.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Keep-alive connections.
    pub connections: usize,
    /// When they send.
    pub pace: Pace,
    /// For how long.
    pub time: Duration,
    /// Requests at the most.
    pub most: u64,
    /// Whether an answer that the case does not expect is counted instead of ending the round.
    pub tolerant: bool,
}

/// To whom, and what.
#[derive(Debug)]
pub struct Job {
    /// The program; of several processes each connection has the next one in turn.
    pub addresses: Vec<SocketAddr>,
    /// The requests up to their length.
    pub heads: Heads,
    /// What is sent and expected.
    pub case: Case,
    /// Where customers' numbers come from.
    pub numbers: Numbers,
}

/// Requests up to their length, of which each has its turn.
#[derive(Debug)]
pub struct Heads {
    all: Vec<String>,
    turn: AtomicU64,
}

impl Heads {
    /// Of these.
    pub fn new(all: Vec<String>) -> Self {
        Self {
            all,
            turn: AtomicU64::new(0),
        }
    }

    fn next(&self) -> &str {
        let count = u64::try_from(self.all.len()).unwrap_or(1);
        let turn = match count {
            1 => 0,
            _ => here_and_there(self.turn.fetch_add(1, Ordering::Relaxed), count),
        };
        let head = usize::try_from(turn).ok().and_then(|turn| self.all.get(turn));
        head.map_or("", String::as_str)
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Driven {
    /// Nanoseconds from sent (or due) to answered.
    pub latencies: Histogram<u64>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// How many answers had another status than the case expects, where that is tolerated.
    pub unexpected: BTreeMap<u16, u64>,
}

/// What one connection saw.
struct Seen {
    latencies: Histogram<u64>,
    unexpected: BTreeMap<u16, u64>,
}

/// Shared by the connections of one round.
struct Round {
    job: Arc<Job>,
    load: Load,
    started: Instant,
    taken: AtomicU64,
    /// Requests that are due, in open loop.
    due: Semaphore,
}

/// Drives one round.
///
/// # Errors
/// Nobody listens, a connection broke, or an answer is not what the case expects: figures of a broken run are none.
pub async fn drive(job: &Arc<Job>, load: Load) -> anyhow::Result<Driven> {
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let address = job.addresses.get(connections.len() % job.addresses.len().max(1));
        let address = address.context("there is no program")?;
        let connection = Connection::open(*address).await;
        connections.push(connection.context("the program cannot be reached")?);
    }
    let round = Arc::new(Round {
        job: Arc::clone(job),
        load,
        started: Instant::now(),
        taken: AtomicU64::new(0),
        due: Semaphore::new(0),
    });
    let pacer = match load.pace {
        Pace::Closed => None,
        Pace::Open { per_second } => {
            let round = Arc::clone(&round);
            Some(std::thread::spawn(move || round.pace(per_second)))
        }
    };
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(Arc::clone(&round).work(connection));
    }
    let (mut latencies, mut unexpected) = (histogram()?, BTreeMap::new());
    while let Some(done) = tasks.join_next().await {
        let seen = done??;
        latencies.add(seen.latencies)?;
        for (status, count) in seen.unexpected {
            *unexpected.entry(status).or_default() += count;
        }
    }
    let elapsed = round.started.elapsed();
    // It ends with the last request that was due, and every connection has seen that.
    drop(pacer.map(std::thread::JoinHandle::join));
    Ok(Driven {
        latencies,
        elapsed,
        unexpected,
    })
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, 120_000_000_000, 3)?)
}

impl Round {
    async fn work(self: Arc<Self>, mut connection: Connection) -> anyhow::Result<Seen> {
        let (mut latencies, mut unexpected) = (histogram()?, BTreeMap::new());
        let case = &self.job.case;
        let mut is_first = true;
        while let Some(counts_from) = self.next().await {
            let body = self.job.numbers.body(case.customers);
            let begun = counts_from.unwrap_or_else(Instant::now);
            let answer = connection.call(self.job.heads.next(), &body).await?;
            let latency = begun.elapsed();
            if answer.status != case.status {
                if !self.load.tolerant {
                    let text = String::from_utf8_lossy(answer.body);
                    anyhow::bail!("{}: answered {}: {text}", case.name, answer.status);
                }
                *unexpected.entry(answer.status).or_default() += 1;
            } else if std::mem::take(&mut is_first) {
                let checked = case.check(answer.body);
                checked.map_err(|wrong| anyhow::anyhow!("{}: {wrong}", case.name))?;
            }
            latencies.saturating_record(u64::try_from(latency.as_nanos())?);
        }
        Ok(Seen { latencies, unexpected })
    }

    /// Waits for the next request's turn: none where the round is over, else since when it is due, if it has a time.
    async fn next(&self) -> Option<Option<Instant>> {
        match self.load.pace {
            Pace::Closed => {
                let over = self.started.elapsed() >= self.load.time
                    || self.taken.fetch_add(1, Ordering::Relaxed) >= self.load.most;
                (!over).then_some(None)
            }
            Pace::Open { per_second } => {
                self.due.acquire().await.ok()?.forget();
                let index = self.taken.fetch_add(1, Ordering::Relaxed);
                (index < self.planned(per_second)).then(|| Some(self.moment(per_second, index)))
            }
        }
    }

    /// Rings once for each request when it is due, then once for each connection to end. On a thread of its own: the
    /// runtime's timers are a millisecond coarse.
    fn pace(&self, per_second: u32) {
        for index in 0..self.planned(per_second) {
            let due = self.moment(per_second, index);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        self.due.add_permits(self.load.connections);
    }

    fn planned(&self, per_second: u32) -> u64 {
        let in_time = self.load.time.as_millis() * u128::from(per_second) / 1_000;
        u64::try_from(in_time).unwrap_or(u64::MAX).min(self.load.most)
    }

    fn moment(&self, per_second: u32, index: u64) -> Instant {
        self.started + Duration::from_nanos(index * 1_000_000_000 / u64::from(per_second.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::cases::{BARE, NEW, Proof};
    use crate::client::head;

    const BLINK: Duration = Duration::from_millis(60);

    /// Answers one connection; before its third answer it stalls for [`BLINK`].
    async fn stalling_server() -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4_096];
            for answered in 0.. {
                if stream.read(&mut buffer).await.unwrap() == 0 {
                    break;
                }
                if answered == 2 {
                    tokio::time::sleep(BLINK).await;
                }
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"state\":\"ok\"}")
                    .await
                    .unwrap();
            }
        });
        (address, task)
    }

    async fn driven(pace: Pace, most: u64, case: Case) -> anyhow::Result<Driven> {
        let (address, _server) = stalling_server().await;
        let job = Job {
            addresses: vec![address],
            heads: Heads::new(vec![head("POST", "/", &[])]),
            case,
            numbers: Numbers::default(),
        };
        let load = Load {
            connections: 1,
            pace,
            time: Duration::from_secs(5),
            most,
            tolerant: false,
        };
        drive(&Arc::new(job), load).await
    }

    fn slow(driven: &Driven) -> u64 {
        let half = u64::try_from(BLINK.as_nanos()).unwrap() / 2;
        driven.latencies.len() - driven.latencies.count_between(0, half)
    }

    #[tokio::test]
    async fn a_stall_shows_in_every_request_that_was_due_meanwhile() {
        let any = Case {
            proof: Proof::Member("state"),
            ..BARE
        };
        let closed = driven(Pace::Closed, 40, any).await.unwrap();
        assert_eq!(
            (closed.latencies.len(), slow(&closed)),
            (40, 1),
            "the closed loop sees one"
        );
        let open = driven(Pace::Open { per_second: 1_000 }, 40, any).await.unwrap();
        assert_eq!(open.latencies.len(), 40);
        assert!(slow(&open) >= 20, "the open loop sees {}", slow(&open));
    }

    #[tokio::test]
    async fn an_answer_that_the_case_does_not_expect_ends_the_round() {
        let wrong_status = Case { status: 201, ..BARE };
        assert!(driven(Pace::Closed, 3, wrong_status).await.is_err());
        let no_deliveries = Case { status: 200, ..NEW };
        assert!(driven(Pace::Closed, 3, no_deliveries).await.is_err());
    }
}
