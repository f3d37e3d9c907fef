//! The proxy's control port.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Odds, Shared};

/// Takes orders for as long as the proxy runs; for ever nothing where no port was asked for.
pub(super) async fn serve(listener: Option<TcpListener>, shared: &Arc<Shared>) {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let mut callers = JoinSet::new();
    loop {
        let Ok((caller, _)) = listener.accept().await else {
            continue;
        };
        let shared = shared.clone();
        // One that hangs up has said all it had to say.
        callers.spawn(async move { drop(listen_to(caller, &shared).await) });
        while callers.try_join_next().is_some() {}
    }
}

async fn listen_to(mut caller: TcpStream, shared: &Arc<Shared>) -> std::io::Result<()> {
    let (orders, mut answers) = caller.split();
    let mut orders = BufReader::new(orders).lines();
    while let Some(order) = orders.next_line().await? {
        let answer = if order.trim().is_empty() {
            counts(shared)
        } else {
            match serde_json::from_str::<Odds>(&order) {
                Ok(odds) => {
                    shared.set(odds);
                    counts(shared)
                }
                Err(error) => serde_json::json!({"error": error.to_string()}).to_string(),
            }
        };
        answers.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

fn counts(shared: &Shared) -> String {
    serde_json::to_string(&*shared.struck()).unwrap_or_default()
}
