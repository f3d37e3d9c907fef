//! The ways to do harm without a key, a connection each.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// As `nice` has it.
const LOWEST: i32 = 19;
/// Longer than this nobody waits to be cut.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often a byte trickles.
const TRICKLE: Duration = Duration::from_millis(500);
/// Connections that are made at a time.
const AT_ONCE: usize = 256;
/// How often the same is asked over one connection.
const TIMES: usize = 64;
/// So many addresses of this machine's the attackers have.
const ADDRESSES: u8 = 200;

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Connects, and says nothing.
    Silence,
    /// The first head trickles.
    Head,
    /// A request is answered; the head of the next one trickles.
    SecondHead,
    /// A request is answered; nothing comes any more.
    Idle,
    /// A sign-in form of the length that was taken once, half of it sent; the rest trickles.
    LongForm,
    /// A sign-in form of a length that is taken, half of it sent; the rest trickles.
    Form,
    /// An event of a source that there is, half of it sent; the rest trickles.
    Webhook,
    /// An event of a source that there is not.
    UnknownSource,
    /// The body of an upsert without a key trickles.
    Body,
    /// A long file is asked for, and not read.
    NoReader,
    /// A long file is asked for, and read byte by byte.
    SlowReader,
    /// All metrics are asked for again and again, and not read.
    Metrics,
    /// Whether it is ready is asked again and again, and the answers are read.
    Readiness,
    /// The dashboard is asked for with a made-up session each time, and the answers are read.
    Sessions,
}

/// How the connections of an attack ended.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// Connections that could be made.
    pub made: usize,
    /// Those that were never cut.
    pub kept: usize,
    /// How long each of the others was kept, sorted.
    pub after: Vec<Duration>,
}

/// How one connection ended.
#[derive(Debug, Clone, Copy)]
enum Attacked {
    /// There was none.
    NotMade,
    /// It was cut after so long.
    Cut(Duration),
    /// It was not.
    Kept,
}

impl Ended {
    /// The longest that one was kept.
    pub fn longest(&self) -> Duration {
        self.after.last().copied().unwrap_or_default()
    }
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Silence,
        Self::Head,
        Self::SecondHead,
        Self::Idle,
        Self::LongForm,
        Self::Form,
        Self::Webhook,
        Self::UnknownSource,
        Self::Body,
        Self::NoReader,
        Self::SlowReader,
        Self::Metrics,
        Self::Readiness,
        Self::Sessions,
    ];

    /// In a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silence => "nothing is sent",
            Self::Head => "slow head",
            Self::SecondHead => "slow second head",
            Self::Idle => "idle after an answer",
            Self::LongForm => "half of a sign-in form of 262,000 bytes",
            Self::Form => "half of a sign-in form of 4,000 bytes",
            Self::Webhook => "half of an event of 1 MiB",
            Self::UnknownSource => "1 MiB for a source that is not there",
            Self::Body => "slow body without a key",
            Self::NoReader => "a file of 1.5 MB, not read",
            Self::SlowReader => "a file of 1.5 MB, read byte by byte",
            Self::Metrics => "`/metrics` 64 times, not read",
            Self::Readiness => "`/readyz` 64 times",
            Self::Sessions => "`/ops` 64 times with made-up sessions",
        }
    }

    /// Attacks from many addresses at once, until each connection was cut. It has a thread of its own, of the lowest priority:
    /// attackers have machines of their own, and here they leave the processors to those whom they attack.
    ///
    /// # Errors
    /// There is no such thread.
    pub async fn by(self, connections: usize, gateway: SocketAddr) -> anyhow::Result<Ended> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (done, ended) = oneshot::channel();
        thread::Builder::new().name("attackers".to_owned()).spawn(move || {
            if let Err(error) = setpriority_process(Some(gettid()), LOWEST) {
                eprintln!("the attackers share the processors with everybody: {error}");
            }
            let _ = done.send(runtime.block_on(self.until_cut(connections, gateway)));
        })?;
        Ok(ended.await?)
    }

    async fn until_cut(self, connections: usize, gateway: SocketAddr) -> Ended {
        let mut attackers = JoinSet::new();
        let (mut ended, mut next) = (Ended::default(), 0);
        let mut take = |attacked: Option<Attacked>| match attacked {
            None | Some(Attacked::NotMade) => {}
            Some(Attacked::Kept) => {
                ended.made += 1;
                ended.kept += 1;
            }
            Some(Attacked::Cut(after)) => {
                ended.made += 1;
                ended.after.push(after);
            }
        };
        while next < connections {
            for _ in 0..AT_ONCE.min(connections - next) {
                let last = u8::try_from(next % usize::from(ADDRESSES)).unwrap_or_default() + 2;
                attackers.spawn(self.attack(Ipv4Addr::new(127, 0, 7, last), gateway));
                next += 1;
            }
            sleep(Duration::from_millis(20)).await;
            while let Some(done) = attackers.try_join_next() {
                take(done.ok());
            }
        }
        while let Some(done) = attackers.join_next().await {
            take(done.ok());
        }
        ended.after.sort_unstable();
        ended
    }

    /// The system may keep somebody waiting for a connection: that is not the gateway's doing, and is not counted.
    /// One that was pushed out before its maker was told of it was made, and cut.
    async fn attack(self, from: Ipv4Addr, gateway: SocketAddr) -> Attacked {
        let began = Instant::now();
        let mut stream = match self.connected(from, gateway).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Attacked::Cut(began.elapsed()),
            Err(_) => return Attacked::NotMade,
        };
        let began = Instant::now();
        let attacking = async {
            stream.write_all(self.opening().as_bytes()).await?;
            match self {
                Self::NoReader | Self::Metrics => not_reading(&stream).await,
                Self::SlowReader => reading_slowly(&mut stream).await,
                _ => self.trickling(&mut stream).await,
            }
        };
        match timeout(PATIENCE, attacking).await {
            // However it was told: it is over.
            Ok(_) => Attacked::Cut(began.elapsed()),
            Err(_) => Attacked::Kept,
        }
    }

    async fn connected(self, from: Ipv4Addr, gateway: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        if matches!(self, Self::NoReader | Self::SlowReader | Self::Metrics) {
            socket.set_recv_buffer_size(4_096)?;
        }
        socket.bind((from, 0).into())?;
        socket.connect(gateway).await
    }

    fn opening(self) -> String {
        let post = |path: &str, kind: &str, length: usize, sent: usize| {
            let body = "a".repeat(sent);
            format!(
                "POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            )
        };
        let form = "application/x-www-form-urlencoded";
        let json = "application/json";
        match self {
            Self::Silence => String::new(),
            Self::Head => "GET /livez HTTP/1.1\r\nHost: ".to_owned(),
            Self::SecondHead | Self::Idle => "GET /livez HTTP/1.1\r\nHost: gateway\r\n\r\n".to_owned(),
            Self::LongForm => post("/ops/session", form, 262_000, 131_000),
            Self::Form => post("/ops/session", form, 4_000, 2_000),
            Self::Webhook => post("/v1/webhooks/acme/shop", json, 1 << 20, 1 << 19),
            Self::UnknownSource => post("/v1/webhooks/acme/nobody", json, 1 << 20, 1 << 19),
            Self::Body => post("/v1/customers", json, 60_000, 100),
            Self::NoReader | Self::SlowReader => {
                "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: gateway\r\n\r\n".to_owned()
            }
            Self::Metrics => "GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n".repeat(TIMES),
            Self::Readiness => "GET /readyz HTTP/1.1\r\nHost: gateway\r\n\r\n".repeat(TIMES),
            Self::Sessions => made_up_sessions(),
        }
    }

    /// A byte now and then, until the end; what comes is read.
    async fn trickling(self, stream: &mut TcpStream) -> io::Result<()> {
        let trickles = !matches!(self, Self::Silence | Self::Idle | Self::Readiness | Self::Sessions);
        let mut last = Instant::now();
        let mut read = [0; 4_096];
        loop {
            match timeout(TRICKLE, stream.read(&mut read)).await {
                Ok(Ok(0)) => return Ok(()),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => {}
            }
            if trickles && last.elapsed() >= TRICKLE {
                last = Instant::now();
                stream.write_all(b"G").await?;
            }
        }
    }
}

/// Each of another session, which look like those that there are.
fn made_up_sessions() -> String {
    let mut requests = String::new();
    for _ in 0..TIMES {
        let token = BASE64URL_NOPAD.encode(&rand::random::<[u8; 32]>());
        let cookie = format!("upsert_gateway_session={token}");
        let _ = write!(
            requests,
            "GET /ops HTTP/1.1\r\nHost: gateway\r\nCookie: {cookie}\r\n\r\n"
        );
    }
    requests
}

/// Until the other end is gone.
async fn not_reading(stream: &TcpStream) -> io::Result<()> {
    loop {
        if stream.take_error()?.is_some() {
            return Ok(());
        }
        if let Ok(ready) = timeout(TRICKLE, stream.ready(Interest::READABLE | Interest::ERROR)).await
            && ready?.is_read_closed()
        {
            return Ok(());
        }
        sleep(TRICKLE / 5).await;
    }
}

async fn reading_slowly(stream: &mut TcpStream) -> io::Result<()> {
    let mut byte = [0];
    loop {
        sleep(TRICKLE).await;
        if stream.read(&mut byte).await? == 0 {
            return Ok(());
        }
        if stream.take_error()?.is_some() {
            return Ok(());
        }
    }
}
