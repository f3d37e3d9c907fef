//! A gateway that answers as a test tells it; and whole answers, each with what its test is about.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::JoinHandle;

use serde_json::{Value, json};

pub(crate) const CUSTOMER: &str = "cus_06GZW88GRDSBF772HB0WJ89TJW";
pub(crate) const DELIVERY: &str = "dlv_06GZW88GRDSBF772HB0WJ89TJW";
const UPSERT: &str = "ups_06GZW88GRDSBF772HB0WJ89TJW";
pub(crate) const MOMENT: &str = "2026-01-31T12:00:00Z";

/// Answers requests as it was told, one after the other, and remembers their bodies.
pub(crate) struct Scripted {
    pub(crate) url: String,
    bodies: JoinHandle<Vec<Value>>,
}

impl Scripted {
    pub(crate) fn start(answers: Vec<(u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = std::thread::spawn(move || {
            let answers = answers.into_iter();
            answers.map(|answer| answered(&listener, &answer)).collect()
        });
        Self { url, bodies }
    }

    /// The bodies, once everything was asked for.
    pub(crate) fn bodies(self) -> Vec<Value> {
        self.bodies.join().unwrap()
    }
}

fn answered(listener: &TcpListener, (status, answer): &(u16, Value)) -> Value {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + &answer).as_bytes()).unwrap();
    serde_json::from_slice(&body).unwrap_or_default()
}

pub(crate) fn problem(status: u16, code: &str, detail: &str) -> (u16, Value) {
    let problem = json!({ "type": "about:blank", "title": "No", "status": status, "code": code, "detail": detail,
        "instance": "/", "request_id": "r", "errors": [] });
    (status, problem)
}

/// A customer as a list has it, of these fields.
pub(crate) fn customer(fields: Value) -> Value {
    let record =
        json!({ "id": CUSTOMER, "version": 2, "merchant_id": "acme", "created_at": MOMENT, "updated_at": MOMENT });
    with(record, fields)
}

/// What an upsert came to.
pub(crate) fn upserted(more: Value) -> Value {
    let answer = json!({ "upsert_id": UPSERT, "state": "pending", "customer": customer(json!({})), "deliveries": [],
        "ignored": [] });
    with(answer, more)
}

fn with(mut document: Value, more: Value) -> Value {
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}
