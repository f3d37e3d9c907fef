//! A vendor that can be made to misbehave while it runs: a small TCP server before a simulator. Healthy, it passes bytes
//! on; hostile, it does what no HTTP server would. It counts what it sees, by second.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

const BACKLOG: u32 = 1_024;
const DRIP: Duration = Duration::from_secs(1);
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const DRIPPED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";

/// What the vendor does to whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Passes everything on to the simulator.
    Healthy,
    /// Accepts and never reads.
    HangAtOnce,
    /// Reads the request and never answers.
    HangAfterRequest,
    /// Answers a byte a second.
    Drip,
    /// Resets the connection before it has read anything.
    ResetAtOnce,
    /// Reads the request and resets the connection.
    ResetAfterRequest,
    /// Nobody listens.
    Refuse,
    /// Answers 503 at once.
    Unavailable,
}

impl Mood {
    /// All that are not healthy, as the table calls them.
    pub const FAULTS: [(&'static str, Self); 7] = [
        ("hangs after accept", Self::HangAtOnce),
        ("hangs after request", Self::HangAfterRequest),
        ("drips a byte a second", Self::Drip),
        ("resets before reading", Self::ResetAtOnce),
        ("resets after reading", Self::ResetAfterRequest),
        ("refuses connections", Self::Refuse),
        ("answers 503", Self::Unavailable),
    ];
}

/// One call that it saw while it was not healthy, since the last change of its mood.
type Seen = Arc<Mutex<(Instant, Vec<Duration>)>>;

/// A vendor whose mood can be changed. It runs on a thread of its own, which ends with the process.
#[derive(Debug)]
pub struct Hostile {
    /// Where it listens.
    pub address: SocketAddr,
    mood: watch::Sender<Mood>,
    seen: Seen,
}

impl Hostile {
    /// Starts a healthy one before `upstream`.
    ///
    /// # Errors
    /// No port, no thread.
    pub fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = free.local_addr()?;
        drop(free);
        let (mood, moods) = watch::channel(Mood::Healthy);
        let seen: Seen = Arc::new(Mutex::new((Instant::now(), Vec::new())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counted = Arc::clone(&seen);
        std::thread::spawn(move || runtime.block_on(serve(address, upstream, moods, counted)));
        Ok(Self { address, mood, seen })
    }

    /// Changes its mood: connections of before are cut, and it counts from nought.
    pub fn turn(&self, mood: Mood) {
        *self.seen.lock() = (Instant::now(), Vec::new());
        self.mood.send_replace(mood);
    }

    /// When it saw calls since the last turn; those it passed on are not among them.
    pub fn seen(&self) -> Vec<Duration> {
        self.seen.lock().1.clone()
    }
}

async fn serve(address: SocketAddr, upstream: SocketAddr, mut moods: watch::Receiver<Mood>, seen: Seen) {
    loop {
        let mood = *moods.borrow_and_update();
        if mood == Mood::Refuse {
            if moods.changed().await.is_err() {
                return;
            }
            continue;
        }
        let Ok(listener) = listen(address) else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        loop {
            let accepted = tokio::select! {
                changed = moods.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                accepted = listener.accept() => accepted,
            };
            if let Ok((stream, _)) = accepted {
                let (mut moods, seen) = (moods.clone(), Arc::clone(&seen));
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a vendor's own server, not a task of the gateway"
                )]
                let _treated = tokio::spawn(async move {
                    tokio::select! {
                        _ = moods.changed() => {}
                        _ = treat(stream, mood, upstream, &seen) => {}
                    }
                });
            }
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn treat(mut stream: TcpStream, mood: Mood, upstream: SocketAddr, seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match mood {
        Mood::Healthy => {
            let mut vendor = TcpStream::connect(upstream).await?;
            vendor.set_nodelay(true)?;
            copy_bidirectional(&mut stream, &mut vendor).await?;
        }
        Mood::HangAtOnce => {
            count(seen);
            std::future::pending::<()>().await;
        }
        Mood::ResetAtOnce => {
            count(seen);
            stream.set_zero_linger()?;
        }
        Mood::ResetAfterRequest => {
            request(&mut stream).await?;
            count(seen);
            stream.set_zero_linger()?;
        }
        Mood::HangAfterRequest => {
            request(&mut stream).await?;
            count(seen);
            std::future::pending::<()>().await;
        }
        Mood::Drip => {
            request(&mut stream).await?;
            count(seen);
            for byte in DRIPPED.iter().chain(std::iter::repeat(&b' ')) {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(DRIP).await;
            }
        }
        Mood::Unavailable => loop {
            request(&mut stream).await?;
            count(seen);
            stream.write_all(UNAVAILABLE).await?;
        },
        Mood::Refuse => {}
    }
    Ok(())
}

fn count(seen: &Seen) {
    let mut seen = seen.lock();
    let since = seen.0.elapsed();
    seen.1.push(since);
}

/// Reads one request, head and body, and forgets it.
async fn request(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(2_048);
    while !is_whole(&bytes) {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn is_whole(bytes: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(start)) = request.parse(bytes) else {
        return false;
    };
    let length = request
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok())
        .unwrap_or(0_usize);
    bytes.len() >= start + length
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &[u8] = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";

    async fn call(hostile: &Hostile) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(hostile.address).await?;
        stream.write_all(CALL).await?;
        let mut answer = vec![0; 256];
        let read = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut answer));
        let length = read.await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        answer.truncate(length);
        Ok(answer)
    }

    async fn turned(hostile: &Hostile, mood: Mood) {
        hostile.turn(mood);
        // The server's thread takes note of it.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    #[tokio::test]
    async fn every_mood_does_what_it_says_and_counts_the_calls() {
        let upstream = Hostile::start(([127, 0, 0, 1], 9).into()).unwrap();
        turned(&upstream, Mood::Unavailable).await;
        let hostile = Hostile::start(upstream.address).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(call(&hostile).await.unwrap(), UNAVAILABLE, "it passes on");
        assert!(hostile.seen().is_empty() && upstream.seen().len() == 1);
        for (mood, expected) in [
            (Mood::HangAtOnce, Some(std::io::ErrorKind::TimedOut)),
            (Mood::HangAfterRequest, Some(std::io::ErrorKind::TimedOut)),
            (Mood::ResetAtOnce, Some(std::io::ErrorKind::ConnectionReset)),
            (Mood::ResetAfterRequest, Some(std::io::ErrorKind::ConnectionReset)),
            (Mood::Drip, None),
        ] {
            turned(&hostile, mood).await;
            let answered = call(&hostile).await;
            match expected {
                Some(kind) => assert_eq!(answered.unwrap_err().kind(), kind, "{mood:?}"),
                None => assert_eq!(answered.unwrap(), b"H", "{mood:?}"),
            }
            assert_eq!(hostile.seen().len(), 1, "{mood:?}");
        }
        turned(&hostile, Mood::Refuse).await;
        assert_eq!(
            call(&hostile).await.unwrap_err().kind(),
            std::io::ErrorKind::ConnectionRefused
        );
        turned(&hostile, Mood::Healthy).await;
        assert_eq!(call(&hostile).await.unwrap(), UNAVAILABLE, "and it is back");
    }

    #[test]
    fn a_request_is_whole_with_its_last_byte() {
        assert!(is_whole(CALL));
        assert!((0..CALL.len()).all(|cut| !is_whole(&CALL[..cut])));
    }
}
