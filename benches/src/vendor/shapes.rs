//! The three shapes of answer, as the adapters read them: add-update's and Rotor's record, April's two ids. A record in an
//! answer is the request's body with something added, so that nothing is parsed.

use std::io::Write as _;

use jiff::Timestamp;
use upsert_core::{Clock as _, SystemClock};

use super::ledger::Ledger;

/// Whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Found by `externalId`; answers the record.
    AddUpdate,
    /// Found by id, phone, e-mail; answers the record and a sentence.
    Rotor,
    /// Found by e-mail; answers ids.
    April,
}

impl Shape {
    pub(super) fn of(path: &str) -> Option<Self> {
        match path {
            "/customers/add-update" => Some(Self::AddUpdate),
            "/open-api/customers" => Some(Self::Rotor),
            "/customers" => Some(Self::April),
            _ => None,
        }
    }

    /// Notes the write and adds the answer to `outgoing`.
    pub(super) fn upsert(self, body: &str, ledger: &mut Ledger, outgoing: &mut Vec<u8>) {
        let Some(open) = body.trim_end().strip_suffix('}').filter(|body| body.starts_with('{')) else {
            return refuse(outgoing);
        };
        let now = SystemClock.now();
        match self {
            Self::AddUpdate => add_update(open, ledger, now, outgoing),
            Self::Rotor => rotor(open, ledger, now, outgoing),
            Self::April => april(open, ledger, now, outgoing),
        }
    }
}

fn add_update(body: &str, ledger: &mut Ledger, now: Timestamp, outgoing: &mut Vec<u8>) {
    let Some(id) = text(body, "\"externalId\"") else {
        return refuse(outgoing);
    };
    let found = ledger.upsert(&[id], text(body, "\"email\""), now);
    let stamps = format!(",\"createdAt\":\"{}\",\"updatedAt\":\"{now}\"}}", found.made);
    head(outgoing, 200, body.len() + stamps.len());
    outgoing.extend_from_slice(body.as_bytes());
    outgoing.extend_from_slice(stamps.as_bytes());
}

fn rotor(body: &str, ledger: &mut Ledger, now: Timestamp, outgoing: &mut Vec<u8>) {
    let (id, phone, email) = (text(body, "\"id\""), text(body, "\"phone\""), text(body, "\"email\""));
    let keys: Vec<&str> = [id, phone, email].into_iter().flatten().collect();
    let Some(first) = keys.first() else {
        return refuse(outgoing);
    };
    let found = ledger.upsert(&keys, email, now);
    let (status, word) = if found.is_new {
        (201, "created")
    } else {
        (200, "updated")
    };
    let own = if id.is_some() {
        String::new()
    } else {
        let [high, low] = digits(first);
        let tail = low & 0xffff_ffff_ffff;
        format!(
            ",\"id\":\"{:08x}-{:04x}-4{:03x}-8{:03x}-{tail:012x}\"",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 52
        )
    };
    let rest = format!(
        "{own},\"created_at\":\"{}\",\"message\":\"Customer {word} successfully\"}}",
        found.made
    );
    head(outgoing, status, body.len() + rest.len());
    outgoing.extend_from_slice(body.as_bytes());
    outgoing.extend_from_slice(rest.as_bytes());
}

fn april(body: &str, ledger: &mut Ledger, now: Timestamp, outgoing: &mut Vec<u8>) {
    let Some(email) = text(body, "\"emailAddress\"") else {
        return refuse(outgoing);
    };
    ledger.upsert(&[email], Some(email), now);
    let [high, low] = digits(email);
    let ids = format!("{{\"customerId\":\"cust_{high:016x}{low:016x}\",\"merchantId\":\"mcht_acme\"}}");
    head(outgoing, 200, ids.len());
    outgoing.extend_from_slice(ids.as_bytes());
}

/// An id's digits out of a key, always the same: a vendor that has been told to forget gives out the same ids again.
fn digits(key: &str) -> [u64; 2] {
    let fold = |seed: u64| {
        key.bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    [fold(0xcbf2_9ce4_8422_2325), fold(0x9e37_79b9_7f4a_7c15)]
}

fn refuse(outgoing: &mut Vec<u8>) {
    head(outgoing, 400, 2);
    outgoing.extend_from_slice(b"{}");
}

/// The head of a JSON answer.
pub(super) fn head(outgoing: &mut Vec<u8>, status: u16, length: usize) {
    // Writing into memory does not fail.
    let _ = write!(
        outgoing,
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
}

/// The text of the first member with this quoted name: no parser, but right for what the programs under test send.
fn text<'a>(body: &'a str, quoted: &str) -> Option<&'a str> {
    let after = body.split_once(quoted)?.1.trim_start();
    let value = after.strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(value.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    fn answered(shape: Shape, body: &str, ledger: &mut Ledger) -> (String, Json) {
        let mut outgoing = Vec::new();
        shape.upsert(body, ledger, &mut outgoing);
        let text = String::from_utf8(outgoing).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn each_shape_answers_what_its_adapter_reads() {
        let ledger = &mut Ledger::default();
        let body = r#"{"externalId": "A", "email":"a@x"}"#;
        let (_, answer) = answered(Shape::AddUpdate, body, ledger);
        assert_eq!(answer["createdAt"], answer["updatedAt"]);
        let ledger = &mut Ledger::default();
        let body = r#"{"phone":"+1","email":"a@x","tags":["vip"]}"#;
        let (head, answer) = answered(Shape::Rotor, body, ledger);
        assert!(head.contains(" 201 ") && answer["message"] == "Customer created successfully");
        let id = answer["id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 36);
        let (head, answer) = answered(Shape::Rotor, body, ledger);
        assert!(head.contains(" 200 ") && answer["id"] == id.as_str());
        let body = r#"{"UpsertConsumerCustomer":{"emailAddress":"a@x"}}"#;
        let (_, answer) = answered(Shape::April, body, &mut Ledger::default());
        assert!(answer["customerId"].as_str().unwrap().starts_with("cust_"));
    }

    #[test]
    fn what_has_no_key_is_refused() {
        for body in ["", "[]", r#"{"externalId":7}"#] {
            let mut outgoing = Vec::new();
            Shape::AddUpdate.upsert(body, &mut Ledger::default(), &mut outgoing);
            assert!(outgoing.starts_with(b"HTTP/1.1 400"), "{body}");
        }
    }
}
