//! A vendor that costs next to nothing: three shapes of answer on any number of ports, no journal, no rules, no parsing of
//! JSON. It counts records and duplicates, and can be told to refuse calls and to let them hang.
//!
//! `crates/simulators` behave as vendors do, which costs several times what the programs under test cost.

mod faults;
mod ledger;
mod request;
mod shapes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::client::{Connection, head};
use faults::Fault;
pub use faults::Faults;
use ledger::Ledger;
use request::{Request, parse};
use shapes::Shape;

/// Longer than any time-out of a run: whoever waits for the answer of such a call has given it up.
const HANGS_FOR: Duration = Duration::from_secs(20);
const MAX_REQUEST: usize = 64 * 1024;

const LIMITED: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-type: application/json\r\ncontent-length: 63\r\n\r\n\
    {\"error\":{\"code\":\"RATE_LIMITED\",\"message\":\"Too many requests\"}}";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// What a vendor has seen since it was told to forget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls, refused ones and such that hang among them.
    pub calls: u64,
    /// Calls that were answered 429.
    pub limited: u64,
    /// Calls that were never answered in time.
    pub hung: u64,
    /// Records that it holds.
    pub records: u64,
    /// Records that were made for an e-mail address that another record has.
    pub duplicates: u64,
}

#[derive(Default)]
struct State {
    counts: Counts,
    faults: Faults,
    ledger: Ledger,
}

type Shared = Arc<Mutex<State>>;

/// Serves on all these addresses, which are three doors to one vendor, until one of them cannot be listened on.
///
/// # Errors
/// An address is in use.
pub async fn serve(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    let state = Shared::default();
    let mut doors = JoinSet::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await.context("a door of the vendor")?;
        doors.spawn(accept(listener, Arc::clone(&state)));
    }
    while let Some(ended) = doors.join_next().await {
        ended??;
    }
    Ok(())
}

async fn accept(listener: TcpListener, state: Shared) -> anyhow::Result<()> {
    let mut callers = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        callers.spawn(async move {
            // Whoever breaks off has broken off.
            let _ = converse(stream, &state).await;
        });
        while callers.try_join_next().is_some() {}
    }
}

/// One connection, call by call.
async fn converse(mut stream: TcpStream, state: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut incoming, mut outgoing) = (Vec::with_capacity(4_096), Vec::with_capacity(2_048));
    loop {
        let Some(request) = parse(&incoming) else {
            if incoming.len() > MAX_REQUEST || stream.read_buf(&mut incoming).await? == 0 {
                return Ok(());
            }
            continue;
        };
        outgoing.clear();
        let hangs = answer(state, &request, &mut outgoing);
        let length = request.length;
        incoming.drain(..length);
        if hangs {
            tokio::time::sleep(HANGS_FOR).await;
        }
        stream.write_all(&outgoing).await?;
    }
}

/// Writes the answer; true if it is to come too late.
fn answer(state: &Shared, request: &Request<'_>, outgoing: &mut Vec<u8>) -> bool {
    let mut state = state.lock();
    if let Some(control) = request.path.strip_prefix("/__bench/") {
        state.control(control, request.body, outgoing);
        return false;
    }
    let Some(shape) = Shape::of(request.path) else {
        outgoing.extend_from_slice(NOT_FOUND);
        return false;
    };
    let index = state.counts.calls;
    state.counts.calls += 1;
    let fault = state.faults.of(index);
    match fault {
        Some(Fault::Limited) => {
            state.counts.limited += 1;
            outgoing.extend_from_slice(LIMITED);
            return false;
        }
        Some(Fault::HangsUndone) => {
            state.counts.hung += 1;
            return true;
        }
        Some(Fault::HangsDone) => state.counts.hung += 1,
        None => {}
    }
    shape.upsert(request.body, &mut state.ledger, outgoing);
    fault.is_some()
}

impl State {
    fn control(&mut self, what: &str, body: &str, outgoing: &mut Vec<u8>) {
        match what {
            "reset" => {
                let faults = self.faults;
                *self = Self::default();
                self.faults = faults;
            }
            "faults" => match serde_json::from_str(body) {
                Ok(faults) => self.faults = faults,
                Err(_) => return outgoing.extend_from_slice(NOT_FOUND),
            },
            _ => {}
        }
        self.counts.records = self.ledger.records();
        self.counts.duplicates = self.ledger.duplicates();
        let counts = serde_json::to_vec(&self.counts).unwrap_or_default();
        shapes::head(outgoing, 200, counts.len());
        outgoing.extend_from_slice(&counts);
    }
}

/// Asks the vendor at an address for one of its controls, and reads its counts.
///
/// # Errors
/// It does not answer.
pub async fn control(vendor: SocketAddr, what: &str, body: &str) -> anyhow::Result<Counts> {
    let mut connection = Connection::open(vendor).await?;
    let head = head("POST", &format!("/__bench/{what}"), &[]);
    let answer = connection.call(&head, body).await?;
    anyhow::ensure!(answer.status == 200, "the vendor answered {} to {what}", answer.status);
    Ok(serde_json::from_slice(answer.body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn started() -> (SocketAddr, JoinSet<anyhow::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Shared::default()));
        (address, task)
    }

    #[tokio::test]
    async fn it_counts_records_and_a_second_record_for_one_person() {
        let (address, _task) = started().await;
        let mut connection = Connection::open(address).await.unwrap();
        let head = head("POST", "/customers/add-update", &[]);
        for (id, email) in [("A", "a@x"), ("A", "a@x"), ("B", "b@x"), ("C", "a@x")] {
            let body = format!(r#"{{"externalId":"{id}","email":"{email}"}}"#);
            let answer = connection.call(&head, &body).await.unwrap();
            assert_eq!(answer.status, 200);
            let answer: serde_json::Value = serde_json::from_slice(answer.body).unwrap();
            assert_eq!(answer["externalId"], id);
            assert!(answer["createdAt"].is_string() && answer["updatedAt"].is_string());
        }
        let counts = control(address, "counts", "").await.unwrap();
        assert_eq!((counts.calls, counts.records, counts.duplicates), (4, 3, 1));
        let counts = control(address, "reset", "").await.unwrap();
        assert_eq!(counts, Counts::default());
    }

    #[tokio::test]
    async fn it_refuses_as_many_calls_as_it_is_told() {
        let (address, _task) = started().await;
        control(address, "faults", r#"{"limited":5,"hung":0}"#).await.unwrap();
        let mut connection = Connection::open(address).await.unwrap();
        let head = head("POST", "/customers/add-update", &[]);
        let mut limited = 0;
        for _ in 0..200 {
            let answer = connection.call(&head, r#"{"externalId":"A"}"#).await.unwrap();
            limited += u32::from(answer.status == 429);
        }
        assert_eq!(limited, 10);
        assert_eq!(control(address, "counts", "").await.unwrap().limited, 10);
    }

    #[test]
    fn a_refusal_is_as_long_as_it_says() {
        let text = std::str::from_utf8(LIMITED).unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(text.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
