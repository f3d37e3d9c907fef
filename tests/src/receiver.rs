//! A merchant's own system that is told of events: it writes down what comes, and answers as it is told to. What it
//! believes is decided by the reference implementation of Standard Webhooks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use futures_util::stream;
use parking_lot::{Mutex, MutexGuard};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;
use standardwebhooks::Webhook;
use tokio::sync::watch;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Manner {
    /// With this status, at once.
    Status(u16),
    /// With this status and these words, then the address that was called and what was sent, as pages of errors repeat them.
    Says(u16, String),
    /// With 204, after so long.
    Slow(Duration),
    /// With 307 to this URL.
    Redirect(String),
    /// Never.
    Hang,
    /// With 200 and a body that never ends, sent as fast as it is read.
    Endless,
    /// With 200 and a body that never ends, a byte at a time.
    Drip,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Came {
    /// `webhook-id`.
    pub id: String,
    /// When.
    pub at: Instant,
    /// The body.
    pub body: Json,
    /// The body as it was sent.
    pub text: String,
    /// How many signatures it carried.
    pub signatures: usize,
    /// Why the reference implementation does not believe it; none: it does.
    pub doubt: Option<String>,
    /// The status of the answer; none: there was none.
    pub answered: Option<u16>,
}

impl Came {
    /// Whether it was answered as taken.
    pub fn is_taken(&self) -> bool {
        self.answered.is_some_and(|status| (200..300).contains(&status))
    }

    /// `type`.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }
}

#[derive(Debug)]
struct Desk {
    manner: Mutex<Manner>,
    secret: Mutex<String>,
    came: Mutex<Vec<Came>>,
    count: watch::Sender<usize>,
}

/// A receiver that listens on a port of its own.
pub struct Receiver {
    addr: SocketAddr,
    desk: Arc<Desk>,
    handle: ServerHandle,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({})", self.addr)
    }
}

impl Receiver {
    /// Believes what is signed with this secret (`whsec_…`), and takes it.
    pub fn start(secret: &str) -> Self {
        let desk = Arc::new(Desk {
            manner: Mutex::new(Manner::Status(204)),
            secret: Mutex::new(secret.to_owned()),
            came: Mutex::default(),
            count: watch::channel(0).0,
        });
        let data = Data::from(desk.clone());
        let app = move || {
            App::new()
                .app_data(data.clone())
                .default_service(web::route().to(receive))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind("0.0.0.0:0").expect("a free port");
        let addr = server.addrs().first().copied().expect("it is bound");
        let server = server.run();
        let handle = server.handle();
        #[expect(clippy::disallowed_methods, reason = "a test's own task")]
        tokio::spawn(server);
        Self { addr, desk, handle }
    }

    /// Where it is told.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port())
    }

    /// Its port, at every address of this machine.
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Answers so from now on.
    pub fn answers(&self, manner: Manner) {
        *lock(&self.desk.manner) = manner;
    }

    /// Believes what is signed with this secret from now on, and nothing else.
    pub fn believes(&self, secret: &str) {
        secret.clone_into(&mut lock(&self.desk.secret));
    }

    /// All that came.
    pub fn came(&self) -> Vec<Came> {
        lock(&self.desk.came).clone()
    }

    /// Waits until what came is as wanted.
    pub async fn until(&self, what: &str, patience: Duration, wanted: impl Fn(&[Came]) -> bool) -> Vec<Came> {
        let mut count = self.desk.count.subscribe();
        let wait = async {
            loop {
                count.borrow_and_update();
                if wanted(&lock(&self.desk.came)) {
                    return;
                }
                count.changed().await.expect("the receiver lives");
            }
        };
        let is_over = tokio::time::timeout(patience, wait).await;
        let came = self.came();
        assert!(is_over.is_ok(), "{what}: {} came: {:?}", came.len(), came.last());
        came
    }

    /// Waits until so many came.
    pub async fn until_count(&self, wanted: usize, patience: Duration) -> Vec<Came> {
        self.until(&format!("{wanted} events"), patience, |came| came.len() >= wanted)
            .await
    }

    /// Hears nothing any more.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn receive(request: HttpRequest, body: Bytes, desk: Data<Desk>) -> HttpResponse {
    let manner = lock(&desk.manner).clone();
    let answered = match manner {
        Manner::Status(status) | Manner::Says(status, _) => Some(status),
        Manner::Slow(_) => Some(204),
        Manner::Redirect(_) => Some(307),
        Manner::Endless | Manner::Drip => Some(200),
        Manner::Hang => None,
    };
    let mut came = read(&request, &body, &lock(&desk.secret));
    came.answered = answered;
    lock(&desk.came).push(came);
    desk.count.send_modify(|count| *count += 1);
    let status = StatusCode::from_u16(answered.unwrap_or(204)).expect("a status");
    let mut response = HttpResponse::build(status);
    match manner {
        Manner::Status(_) => {}
        Manner::Says(_, words) => {
            let said = format!(
                "{words}\n{} {}\n{}",
                request.method(),
                request.uri(),
                String::from_utf8_lossy(&body)
            );
            return response.insert_header(("server", "receiver")).body(said);
        }
        Manner::Slow(wait) => tokio::time::sleep(wait).await,
        Manner::Redirect(to) => drop(response.insert_header((LOCATION, to))),
        Manner::Hang => std::future::pending().await,
        Manner::Endless => return response.streaming(stream::repeat_with(|| Chunk::Ok(chunk(64 * 1024)))),
        Manner::Drip => {
            let drops = stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Chunk::Ok(chunk(1)), ()))
            });
            return response.streaming(Box::pin(drops));
        }
    }
    response.finish()
}

/// A stream of a body is one of results.
type Chunk = Result<Bytes, std::convert::Infallible>;

fn chunk(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

fn read(request: &HttpRequest, body: &Bytes, secret: &str) -> Came {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes()).expect("a header's name");
        headers.insert(
            name,
            HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"),
        );
    }
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let reference = Webhook::new(secret).expect("a secret");
    Came {
        id: header("webhook-id").to_owned(),
        at: Instant::now(),
        body: serde_json::from_slice(body).unwrap_or_default(),
        text: String::from_utf8_lossy(body).into_owned(),
        signatures: header("webhook-signature").split(' ').count(),
        doubt: reference.verify(body, &headers).err().map(|error| error.to_string()),
        answered: None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
