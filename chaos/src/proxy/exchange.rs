//! One connection through the proxy, request by request, each struck by what was drawn for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::rngs::StdRng;
use tokio::net::TcpStream;

use super::Shared;
use super::message::Side;
use super::odds::Strike;

const SLOWEST_DRIP: u64 = 1000;

/// Whether the connection goes on after an exchange.
enum Next {
    Keep,
    Close,
}

pub(super) async fn serve(client: TcpStream, upstream: SocketAddr, shared: &Arc<Shared>, dice: StdRng) {
    let mut line = Line {
        client: Some(Side::new(client)),
        vendor: None,
        upstream,
        shared,
        dice,
    };
    // What breaks here is what the proxy is for; nobody has to hear of it.
    while let Ok(Next::Keep) = line.exchange().await {}
}

struct Line<'a> {
    client: Option<Side>,
    vendor: Option<Side>,
    upstream: SocketAddr,
    shared: &'a Arc<Shared>,
    dice: StdRng,
}

impl Line<'_> {
    async fn exchange(&mut self) -> io::Result<Next> {
        let Some(mut client) = self.client.take() else {
            return Ok(Next::Close);
        };
        client.stream.readable().await?;
        let mut probe = [0];
        if client.stream.peek(&mut probe).await? == 0 {
            return Ok(Next::Close);
        }
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        let odds = self.shared.odds();
        let strike = odds.draw(&mut self.dice);
        if let Some(strike) = strike {
            self.shared.count(strike);
        }
        match strike {
            Some(Strike::ResetBeforeRequest) => return Ok(self.cut(client)),
            Some(Strike::StallBeforeRequest) => return Ok(self.stall(client).await),
            _ => {}
        }
        let Some(request) = client.message(false).await?.filter(|request| request.is_whole) else {
            return Ok(self.cut(client));
        };
        let mut vendor = match self.vendor.take() {
            Some(vendor) => vendor,
            None => Side::new(TcpStream::connect(self.upstream).await?),
        };
        if let Some(Strike::ResetMidRequest | Strike::StallMidRequest) = strike {
            vendor.write(&request.bytes[..request.bytes.len() / 2]).await?;
            self.vendor = Some(vendor);
            return match strike {
                Some(Strike::ResetMidRequest) => Ok(self.cut(client)),
                _ => Ok(self.stall(client).await),
            };
        }
        vendor.write(&request.bytes).await?;
        let answer = tokio::select! {
            answer = vendor.message(true) => answer?,
            // Nobody waits for it any more, so the vendor is told so by a closed connection.
            () = client.closed() => return Ok(Next::Close),
        };
        let Some(answer) = answer else {
            return Ok(self.cut(client));
        };
        match strike {
            Some(Strike::ResetAfterRequest) => return Ok(self.cut(client)),
            Some(Strike::StallAfterRequest) => return Ok(self.stall(client).await),
            Some(Strike::ResetMidAnswer) => {
                client.write(&answer.bytes[..answer.bytes.len() / 2]).await?;
                return Ok(self.cut(client));
            }
            Some(Strike::StallMidAnswer) => {
                client.write(&answer.bytes[..answer.bytes.len() / 2]).await?;
                return Ok(self.stall(client).await);
            }
            Some(Strike::Drip) => {
                let every = if odds.drip_every_millis == 0 {
                    SLOWEST_DRIP
                } else {
                    odds.drip_every_millis
                };
                self.drip(&mut client, &answer.bytes, Duration::from_millis(every))
                    .await?;
            }
            _ => client.write(&answer.bytes).await?,
        }
        if strike == Some(Strike::EarlyClose) || !answer.is_whole || answer.is_last || request.is_last {
            return Ok(Next::Close);
        }
        self.client = Some(client);
        self.vendor = Some(vendor);
        Ok(Next::Keep)
    }

    fn cut(&mut self, client: Side) -> Next {
        client.reset();
        self.vendor = None;
        Next::Close
    }

    /// Until the client hangs up, or the odds are set anew.
    async fn stall(&mut self, mut client: Side) -> Next {
        let mut turns = self.shared.turns.subscribe();
        tokio::select! {
            () = client.closed() => {}
            _ = turns.changed() => {}
        }
        self.cut(client)
    }

    async fn drip(&self, client: &mut Side, bytes: &[u8], every: Duration) -> io::Result<()> {
        let mut turns = self.shared.turns.subscribe();
        let mut is_slow = true;
        for byte in bytes {
            client.write(&[*byte]).await?;
            if is_slow {
                is_slow = tokio::time::timeout(every, turns.changed()).await.is_err();
            }
        }
        Ok(())
    }
}
