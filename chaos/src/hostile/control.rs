//! What an attack costs callers by itself: the same connections to a listener beside the gateway, which does nothing for
//! them. Attackers, callers and both servers share the processors, and the system's part of thousands of connections is there
//! whoever is attacked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

/// As many as the gateway keeps, each for so long.
const KEPT: usize = 1_024;
const LONGEST: Duration = Duration::from_secs(5);
const BACKLOG: u32 = 4_096;

/// Listens until it is dropped.
pub(crate) struct Control {
    pub(crate) address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Control {
    /// On a thread of its own, like a server.
    ///
    /// # Errors
    /// No port, no thread.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(BACKLOG)?.into_std()?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name("control".to_owned()).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    () = keep_newest(listener) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, _stop: stop })
    }
}

async fn keep_newest(listener: TcpListener) {
    let mut all = JoinSet::new();
    let mut kept: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while all.try_join_next().is_some() {}
        if kept.len() >= KEPT
            && let Some(oldest) = kept.pop_front()
        {
            oldest.abort();
        }
        kept.push_back(all.spawn(async move {
            let _ = timeout(LONGEST, thrown_away(stream)).await;
        }));
    }
}

async fn thrown_away(mut stream: TcpStream) {
    let mut bytes = [0; 4_096];
    while matches!(stream.read(&mut bytes).await, Ok(count) if count > 0) {}
}
