//! A place that is told: it checks every signature with the reference implementation and answers as it is scripted.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde_json::Value;
use standardwebhooks::Webhook;

use upsert_simulators::Hook;

/// The secret that it knows.
pub(crate) const SECRET: &str = "whsec_c2VjcmV0IG9mIHRoZSBzaW11bGF0b3JzIHRlc3Rz";

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) id: String,
    pub(crate) verified: bool,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Shared {
    got: Mutex<Vec<Got>>,
    script: Mutex<VecDeque<u16>>,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

impl Receiver {
    /// One that answers 204.
    pub(crate) fn start() -> Self {
        Self::scripted(&[])
    }

    /// One that answers with these statuses first.
    pub(crate) fn scripted(statuses: &[u16]) -> Self {
        let shared = Arc::new(Shared::default());
        shared.script.lock().extend(statuses);
        let (report, started) = mpsc::channel();
        let known = web::Data::from(shared.clone());
        std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                let app = move || App::new().app_data(known.clone()).default_service(web::to(take));
                let server = HttpServer::new(app).workers(1).disable_signals();
                let server = server.bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = server.addrs()[0];
                let server = server.run();
                report.send((address, server.handle())).unwrap();
                server.await.unwrap();
            });
        });
        let (address, handle) = started.recv().unwrap();
        Self {
            url: format!("http://{address}/told"),
            shared,
            handle,
        }
    }

    /// A hook to here.
    pub(crate) fn hook(&self) -> Hook {
        Hook::new(&self.url, SECRET)
    }

    /// What came, in the order it came.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().clone()
    }

    /// Waits until so many requests came.
    pub(crate) async fn until(&self, count: usize) -> Vec<Got> {
        let enough = async {
            while self.got().len() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), enough)
            .await
            .unwrap_or_else(|_| panic!("only {:?} came", self.got()));
        self.got()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

async fn take(request: HttpRequest, body: Bytes, shared: web::Data<Shared>) -> HttpResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        headers.insert(
            HeaderName::from_bytes(name.as_str().as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let text = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let got = Got {
        id: text("webhook-id"),
        verified: Webhook::new(SECRET).unwrap().verify(&body, &headers).is_ok(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    shared.got.lock().push(got);
    let status = shared.script.lock().pop_front().unwrap_or(204);
    HttpResponse::build(status.try_into().unwrap()).finish()
}
