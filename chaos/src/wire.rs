//! A wire that can be cut: passes bytes on between a gateway and its database, and stops where it is told to.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A TCP connection to somewhere else, as many as are asked for, until it is cut.
pub struct Wire {
    address: SocketAddr,
    is_whole: watch::Sender<bool>,
    /// Ends when this is dropped.
    _task: JoinSet<()>,
}

impl Wire {
    /// To there.
    ///
    /// # Errors
    /// A port cannot be had.
    pub async fn to(upstream: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (is_whole, whole) = watch::channel(true);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(pass_on(client, upstream, whole.clone()));
            }
        });
        Ok(Self {
            address,
            is_whole,
            _task: task,
        })
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection, and those that are made from now on.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

async fn pass_on(mut client: TcpStream, upstream: SocketAddr, mut whole: watch::Receiver<bool>) {
    if !*whole.borrow_and_update() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = whole.wait_for(|is_whole| !is_whole) => {}
    }
}
