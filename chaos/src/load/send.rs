//! One upsert over HTTP, answered, cut off, or abandoned half-way by its client.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::exchange::{Exchange, Told};
use crate::world::{KEY, World};

/// Nobody looks at it; it may not be all zeros.
const SPAN: &str = "00000000000000c1";

/// One upsert as a client sends it.
#[derive(Debug, Clone)]
pub struct Upsert {
    /// For whom.
    pub merchant: &'static str,
    /// The person's e-mail address.
    pub person: String,
    /// What is sent.
    pub body: Json,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// `Prefer: respond-async`.
    pub is_async: bool,
    /// 32 hexadecimal digits that are this upsert's alone.
    pub trace: String,
}

impl Upsert {
    /// As a client writes it down.
    pub fn told(&self, told: Told) -> Exchange {
        Exchange {
            trace: self.trace.clone(),
            merchant: self.merchant.to_owned(),
            key: self.key.clone(),
            person: self.person.clone(),
            body: self.body.clone(),
            told,
        }
    }

    /// As a line of a batch.
    fn line(&self) -> String {
        let mut body = self.body.clone();
        if let Some(key) = &self.key {
            body["idempotency_key"] = Json::from(key.clone());
        }
        body.to_string()
    }

    fn traceparent(&self) -> String {
        format!("00-{}-{SPAN}-01", self.trace)
    }
}

/// What came of a request, with what its answer says beside its body.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The answer, if there was one.
    pub told: Told,
    /// Whether it said when to come back.
    pub says_when: bool,
    /// Why there was none; never anything of the request.
    pub failure: Option<String>,
}

/// Sends to one gateway. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub struct Sender {
    client: reqwest::Client,
    address: SocketAddr,
}

impl Sender {
    /// To this world's gateway, whichever process that is.
    pub fn new(world: &World) -> Self {
        Self::to(world.address(), world.client.clone())
    }

    /// To whoever listens there.
    pub fn to(address: SocketAddr, client: reqwest::Client) -> Self {
        Self { client, address }
    }

    /// Sends it once.
    pub async fn send(&self, upsert: &Upsert) -> Told {
        self.upsert(upsert).await.told
    }

    /// Asks for what it would do.
    pub async fn plan(&self, upsert: &Upsert) -> Heard {
        heard(self.post("/v1/customers/plan", upsert)).await
    }

    /// Reads the person that it is about.
    pub async fn read(&self, upsert: &Upsert) -> Heard {
        let request = self
            .client
            .get(format!("http://{}/v1/customers", self.address))
            .query(&[("email", &upsert.person)])
            .bearer_auth(KEY)
            .header("Merchant-Id", upsert.merchant);
        heard(request).await
    }

    fn post(&self, path: &str, upsert: &Upsert) -> RequestBuilder {
        self.client
            .post(format!("http://{}{path}", self.address))
            .bearer_auth(KEY)
            .header("Merchant-Id", upsert.merchant)
            .header("traceparent", upsert.traceparent())
            .json(&upsert.body)
    }

    /// Sends it once.
    pub async fn upsert(&self, upsert: &Upsert) -> Heard {
        let mut request = self.post("/v1/customers", upsert);
        if let Some(key) = &upsert.key {
            request = request.header("Idempotency-Key", key);
        }
        if upsert.is_async {
            request = request.header("Prefer", "respond-async");
        }
        heard(request).await
    }

    /// Sends all of them as the lines of one batch, under the first one's trace. What came for each, in their order.
    pub async fn batch(&self, upserts: &[Upsert]) -> Vec<Told> {
        let mut told = vec![Told::Nothing; upserts.len()];
        let Some(first) = upserts.first() else { return told };
        let lines: String = upserts.iter().map(|upsert| upsert.line() + "\n").collect();
        let request = self
            .client
            .post(format!("http://{}/v1/customers/batch", self.address))
            .bearer_auth(KEY)
            .header("Merchant-Id", first.merchant)
            .header("traceparent", first.traceparent())
            .header("Content-Type", "application/x-ndjson")
            .body(lines);
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_connect() => return vec![Told::NotSent; upserts.len()],
            Err(_) => return told,
        };
        let mut text = Vec::new();
        // A stream that breaks off leaves some lines without an answer.
        while let Ok(Some(chunk)) = answer.chunk().await {
            text.extend_from_slice(&chunk);
        }
        let whole = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"));
        for line in whole.filter_map(|line| serde_json::from_slice::<Json>(line).ok()) {
            let number = line["line"].as_u64().and_then(|number| usize::try_from(number).ok());
            if let Some(place) = number.and_then(|number| told.get_mut(number.wrapping_sub(1))) {
                *place = told_by(line);
            }
        }
        told
    }

    /// Sends a part of it, 0 to 1, and hangs up; the whole of it without waiting for the answer.
    pub async fn hang_up(&self, upsert: &Upsert, part: f64) -> Told {
        let body = upsert.body.to_string();
        let key = upsert.key.as_ref().map(|key| format!("idempotency-key: {key}\r\n"));
        let text = format!(
            "POST /v1/customers HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {KEY}\r\nmerchant-id: {}\r\n\
             traceparent: {}\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            upsert.merchant,
            upsert.traceparent(),
            key.unwrap_or_default(),
            body.len()
        );
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a part of a short text"
        )]
        let cut = ((text.len() as f64 * part) as usize).min(text.len());
        let Ok(mut stream) = TcpStream::connect(self.address).await else {
            return Told::NotSent;
        };
        if stream.write_all(&text.as_bytes()[..cut]).await.is_ok() && cut == text.len() {
            // Long enough for it to be read, too short for most answers.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let _ = stream.set_zero_linger();
        Told::Nothing
    }
}

/// A line of a batch's answer, without what only a batch has.
fn told_by(mut line: Json) -> Told {
    let problem = line["problem"].take();
    if problem.is_object() {
        let status = problem["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        return Told::Answer {
            status: status.unwrap_or_default(),
            body: problem,
        };
    }
    let status = line["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    if let Some(members) = line.as_object_mut() {
        for member in ["line", "status", "problem"] {
            members.remove(member);
        }
    }
    Told::Answer {
        status: status.unwrap_or_default(),
        body: line,
    }
}

async fn heard(request: RequestBuilder) -> Heard {
    let failed = |told, error: reqwest::Error| Heard {
        told,
        says_when: false,
        // The address may hold whom it is about.
        failure: Some(format!("{:#}", anyhow::Error::new(error.without_url()))),
    };
    match request.send().await {
        Ok(answer) => {
            let (status, says_when) = (answer.status(), answer.headers().contains_key(RETRY_AFTER));
            match answer.json::<Json>().await {
                Ok(body) => Heard {
                    told: answered(status, body),
                    says_when,
                    failure: None,
                },
                Err(error) => failed(Told::Nothing, error),
            }
        }
        Err(error) if error.is_connect() => failed(Told::NotSent, error),
        Err(error) => failed(Told::Nothing, error),
    }
}

fn answered(status: StatusCode, body: Json) -> Told {
    Told::Answer {
        status: status.as_u16(),
        body,
    }
}
