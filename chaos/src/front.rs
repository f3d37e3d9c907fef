//! What stands in front of several gateways, as a load balancer would: a real nginx, or a real HAProxy.

mod haproxy;
mod nginx;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

const LOOK_AGAIN: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrontKind {
    /// nginx, which finds out by requests that fail that a gateway is gone.
    #[default]
    Nginx,
    /// HAProxy as `docker-compose.replicas.yml` has it, which asks each gateway whether it is ready.
    Haproxy,
    /// Nothing: clients know every gateway.
    Nothing,
}

/// Passes requests on to gateways in turn. It ends when this is dropped.
pub struct Front {
    address: SocketAddr,
    /// Where HAProxy says how it sees each gateway.
    look: Option<SocketAddr>,
    child: Child,
}

impl Front {
    /// In front of these. Its files go into the folder. None where nothing is to stand there.
    ///
    /// # Errors
    /// There is no such program, or no port.
    pub fn start(kind: FrontKind, folder: &Path, gateways: &[SocketAddr]) -> anyhow::Result<Option<Self>> {
        let folder = fs::canonicalize(folder)?;
        let address = free()?;
        let (mut command, look) = match kind {
            FrontKind::Nothing => return Ok(None),
            FrontKind::Nginx => (nginx::command(&folder, address, gateways)?, None),
            FrontKind::Haproxy => {
                let look = free()?;
                (haproxy::command(&folder, address, look, gateways)?, Some(look))
            }
        };
        let child = started(&mut command, kind)?;
        Ok(Some(Self { address, look, child }))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it passes requests on to every gateway. nginx always does.
    ///
    /// # Errors
    /// It does not, though they were all said to be ready.
    pub async fn until_all_are_up(&self, client: &reqwest::Client) -> anyhow::Result<()> {
        let Some(look) = self.look else { return Ok(()) };
        let began = Instant::now();
        loop {
            // It may not have begun to listen.
            let answer = client.get(format!("http://{look}/;csv")).send().await;
            let page = match answer {
                Ok(answer) => answer.text().await.unwrap_or_default(),
                Err(error) => format!("{error:#}"),
            };
            if haproxy::all_are_up(&page) {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "the proxy does not find every gateway ready:\n{page}"
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn started(command: &mut Command, kind: FrontKind) -> anyhow::Result<Child> {
    let package = if kind == FrontKind::Haproxy {
        "haproxy"
    } else {
        "nginx-light"
    };
    command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("there is no such program: apt-get install {package}"))
}

/// Debian has it where only root looks.
fn program(name: &str) -> Command {
    let sbin = Path::new("/usr/sbin").join(name);
    Command::new(if sbin.exists() { sbin } else { name.into() })
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
