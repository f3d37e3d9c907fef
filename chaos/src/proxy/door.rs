//! The proxy's door: open, shut (connections are refused), or a black hole (their SYN is not answered).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::odds::Strike;
use super::{ProxyOptions, Shared, control, exchange};

/// How long the door stays as it was drawn.
const SLICE: Duration = Duration::from_millis(100);

const BACKLOG: u32 = 1024;

/// The door as it is now.
enum Door {
    Open(TcpListener),
    Shut,
    /// A listener whose queue is full: the system leaves further SYNs unanswered.
    BlackHole {
        _listener: TcpListener,
        _queue: Vec<TcpStream>,
    },
}

/// Keeps the door until the proxy is stopped. The address goes to `report` once it listens.
pub(super) async fn keep(options: ProxyOptions, shared: Arc<Shared>, report: Sender<io::Result<SocketAddr>>) {
    let opened = async {
        let first = bound(options.listen)?;
        let address = first.local_addr()?;
        // Bound and never listening: it keeps the port ours while the door is shut.
        let guard = bound(address)?;
        let door = Door::Open(first.listen(BACKLOG)?);
        let control = match options.control {
            Some(at) => Some(TcpListener::bind(at).await?),
            None => None,
        };
        io::Result::Ok((address, guard, door, control))
    };
    match opened.await {
        Ok((address, guard, door, control)) => {
            // Nobody waits any more if the receiver is gone.
            let _ = report.send(Ok(address));
            let mut stopped = shared.stopped.subscribe();
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = serve(address, door, options, &shared) => {}
                () = control::serve(control, &shared) => {}
            }
            drop(guard);
        }
        Err(error) => drop(report.send(Err(error))),
    }
}

/// A socket that is bound and may listen; while it does not, another one may do so in its place that knows the address.
pub(crate) fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn serve(address: SocketAddr, mut door: Door, options: ProxyOptions, shared: &Arc<Shared>) {
    let mut dice = StdRng::seed_from_u64(options.seed);
    let mut connections = JoinSet::new();
    let mut number = 0_u64;
    let mut slices = interval(SLICE);
    slices.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            accepted = accept(&door) => {
                let Ok(client) = accepted else { continue };
                number += 1;
                let dice = StdRng::seed_from_u64(options.seed ^ (number << 20));
                let shared = shared.clone();
                connections.spawn(async move {
                    exchange::serve(client, options.upstream, &shared, dice).await;
                });
            }
            _ = slices.tick() => {
                let wanted = shared.odds().draw_slice(&mut dice);
                if let Some(strike) = wanted {
                    shared.count(strike);
                }
                door = turn(door, wanted, address).await;
                while connections.try_join_next().is_some() {}
            }
        }
    }
}

async fn accept(door: &Door) -> io::Result<TcpStream> {
    match door {
        Door::Open(listener) => Ok(listener.accept().await?.0),
        Door::Shut | Door::BlackHole { .. } => std::future::pending().await,
    }
}

async fn turn(door: Door, wanted: Option<Strike>, address: SocketAddr) -> Door {
    match (door, wanted) {
        (door @ Door::Open(_), None)
        | (door @ Door::Shut, Some(Strike::Refuse))
        | (door @ Door::BlackHole { .. }, Some(Strike::BlackHole)) => door,
        (door, wanted) => {
            // Whoever stands in the old queue is reset, as by a vendor that restarts.
            drop(door);
            match wanted {
                Some(Strike::Refuse) => Door::Shut,
                Some(_) => black_hole(address).await.unwrap_or(Door::Shut),
                // The port is guarded, so this fails for a moment at most; the next slice tries again.
                None => bound(address)
                    .and_then(|socket| socket.listen(BACKLOG))
                    .map_or(Door::Shut, Door::Open),
            }
        }
    }
}

async fn black_hole(address: SocketAddr) -> io::Result<Door> {
    let listener = bound(address)?.listen(1)?;
    let mut queue = Vec::new();
    while let Ok(Ok(filler)) = timeout(Duration::from_millis(5), TcpStream::connect(address)).await {
        queue.push(filler);
    }
    Ok(Door::BlackHole {
        _listener: listener,
        _queue: queue,
    })
}
