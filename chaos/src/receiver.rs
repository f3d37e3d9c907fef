//! A merchant's own system that is told of events. Now and then it fails the first try of one, before or after it has
//! written it down: nobody may rely on its answers.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;
use serde_json::Value as Json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::proxy::Side;

/// First tries that are answered 503, and that are written down and then cut off.
const REFUSED: f64 = 0.05;
const CUT: f64 = 0.05;

/// One event as it came, once for each try that was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldEvent {
    /// `webhook-id`.
    pub id: String,
    /// The upsert that it tells of.
    pub upsert: String,
}

#[derive(Debug)]
struct Desk {
    told: Vec<ToldEvent>,
    tried: HashSet<String>,
    dice: StdRng,
}

/// Listens on a port of its own until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    door: JoinHandle<()>,
}

impl Receiver {
    /// Starts one. It has to be called on a runtime.
    ///
    /// # Errors
    /// A port cannot be had.
    pub fn start(seed: u64) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Mutex::new(Desk {
            told: Vec::new(),
            tried: HashSet::new(),
            dice: StdRng::seed_from_u64(seed ^ 0x70_1D),
        }));
        let door = open(listener, desk.clone());
        Ok(Self { address, desk, door })
    }

    /// What a merchant's file says of it.
    pub(crate) fn table(&self) -> String {
        format!(
            "\n[[webhooks.out]]\nurl = \"http://{}/hooks\"\nevents = [\"customer.upserted\"]\n\
             secret = {{ file = \"hook.secret\" }}\n",
            self.address
        )
    }

    /// What it was told so far.
    pub fn told(&self) -> Vec<ToldEvent> {
        lock(&self.desk).told.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.door.abort();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a task of the run's own, beside the gateway's process"
)]
fn open(listener: TcpListener, desk: Arc<Mutex<Desk>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(listen(stream, desk.clone()));
        }
    })
}

async fn listen(stream: TcpStream, desk: Arc<Mutex<Desk>>) {
    let mut side = Side::new(stream);
    while let Ok(Some(message)) = side.message(false).await {
        let Some(event) = read(&message.bytes).filter(|_| message.is_whole) else {
            return;
        };
        let answer = answer(&mut lock(&desk), event);
        match answer {
            None => return side.reset(),
            Some(status) => {
                let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                if side.write(text.as_bytes()).await.is_err() || message.is_last {
                    return;
                }
            }
        }
    }
}

/// What it answers; none: it hangs up.
fn answer(desk: &mut Desk, event: ToldEvent) -> Option<&'static str> {
    let is_first = desk.tried.insert(event.id.clone());
    let thrown: f64 = desk.dice.random();
    if is_first && thrown < REFUSED {
        return Some("503 Service Unavailable");
    }
    desk.told.push(event);
    if is_first && thrown < REFUSED + CUT {
        return None;
    }
    Some("200 OK")
}

fn read(bytes: &[u8]) -> Option<ToldEvent> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let id = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("webhook-id").then(|| value.trim().to_owned())
    })?;
    let body: Json = serde_json::from_str(body).ok()?;
    let upsert = body["data"]["upsert_id"].as_str()?.to_owned();
    Some(ToldEvent { id, upsert })
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock()
}
