//! Signatures against the reference implementation, and against whoever tampers with them.

use std::collections::BTreeMap;

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, HEXLOWER, HEXUPPER};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const NOW: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn key(text: &str) -> SigningKey {
    SigningKey::standard(text).unwrap()
}

/// A request as a sender makes it and as somebody may change it.
#[derive(Debug, Clone, PartialEq)]
struct Wire {
    headers: BTreeMap<String, String>,
    method: String,
    body: Vec<u8>,
}

impl Wire {
    fn judged(&self, verifier: &Verifier, now: i64) -> Result<(), Forged> {
        let header = |name: &str| self.headers.get(name).cloned();
        let received = Received {
            header: &header,
            method: &self.method,
            body: &self.body,
        };
        verifier.verify(&received, at(now))
    }
}

fn standard(keys: &[&str]) -> Verifier {
    Verifier::Standard {
        keys: keys.iter().map(|text| key(text)).collect(),
        tolerance: Duration::from_secs(300),
    }
}

fn standard_wire(secret: &str, body: &[u8]) -> Wire {
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned()),
        ("webhook-timestamp", NOW.to_string()),
        (
            "webhook-signature",
            sign(&[key(secret)], "msg_p5jXN8AQM9LWM0D4loKWxJek", at(NOW), body),
        ),
    ];
    Wire {
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        method: "POST".to_owned(),
        body: body.to_vec(),
    }
}

fn own_way(hash: HmacHash, encoding: SignatureEncoding, prefix: &str, timestamp: Option<SignedTime>) -> Hmac {
    let signed = match timestamp {
        Some(_) => vec![Signed::Timestamp, Signed::Text(".".to_owned()), Signed::Body],
        None => vec![Signed::Body],
    };
    Hmac {
        keys: vec![SigningKey::raw("a secret of the sender's own")],
        header: "x-signature".to_owned(),
        hash,
        encoding,
        prefix: prefix.to_owned(),
        timestamp,
        signed,
    }
}

fn time_in(header: &str, prefix: &str) -> SignedTime {
    SignedTime {
        header: header.to_owned(),
        prefix: prefix.to_owned(),
        tolerance: Duration::from_secs(300),
    }
}

fn own_wire(hmac: &Hmac, body: &[u8]) -> Wire {
    let mut wire = Wire {
        headers: BTreeMap::new(),
        method: "POST".to_owned(),
        body: body.to_vec(),
    };
    let time = NOW.to_string();
    let nothing = |_: &str| None;
    let received = Received {
        header: &nothing,
        method: "POST",
        body,
    };
    let signature = hmac.signature(&hmac.keys[0], &received, &time).unwrap();
    match &hmac.timestamp {
        Some(at) if at.header == hmac.header => {
            let list = format!("{}{time},{signature},v0=00", at.prefix);
            wire.headers.insert(hmac.header.clone(), list);
        }
        Some(at) => {
            wire.headers.insert(at.header.clone(), time);
            wire.headers.insert(hmac.header.clone(), signature);
        }
        None => drop(wire.headers.insert(hmac.header.clone(), signature)),
    }
    wire
}

/// One of each kind that a configuration can ask for.
fn every_scheme() -> Vec<(Verifier, Wire)> {
    let body = r#"{"id":"evt_1","customer":{"email":"ann@example.com","name":"Ann Ü"}}"#.as_bytes();
    let mut schemes = vec![(standard(&[OTHER, SECRET]), standard_wire(SECRET, body))];
    for hash in [HmacHash::Sha1, HmacHash::Sha256, HmacHash::Sha512] {
        for encoding in [SignatureEncoding::Hex, SignatureEncoding::Base64] {
            for (prefix, time) in [
                ("", None),
                ("sha256=", None),
                ("", Some(time_in("x-timestamp", ""))),
                ("v1=", Some(time_in("x-signature", "t="))),
            ] {
                let hmac = own_way(hash, encoding, prefix, time);
                let wire = own_wire(&hmac, body);
                schemes.push((Verifier::Hmac(hmac), wire));
            }
        }
    }
    schemes
}

#[test]
fn the_vector_of_the_standard_is_reproduced() {
    let signature = sign(
        &[key(SECRET)],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        at(1_614_265_330),
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn the_reference_implementation_and_this_one_believe_each_other() {
    let reference = standardwebhooks::Webhook::new(SECRET).unwrap();
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    for body in ["", "{}", r#"{"a":"ü","b":[1,2,3]}"#, "\u{feff}{}\r\n"] {
        let ours = sign(&[key(OTHER), key(SECRET)], "evt_1", at(now), body.as_bytes());
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", "evt_1".parse().unwrap());
        headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
        headers.insert("webhook-signature", ours.parse().unwrap());
        reference.verify(body.as_bytes(), &headers).unwrap();

        let theirs = reference.sign("msg_2", now, body.as_bytes()).unwrap();
        let headers = [
            ("webhook-id", "msg_2".to_owned()),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", format!("v1a,AAAA {theirs}")),
        ];
        let wire = Wire {
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            method: "POST".to_owned(),
            body: body.as_bytes().to_vec(),
        };
        assert_eq!(wire.judged(&standard(&[SECRET]), now), Ok(()));
        assert_eq!(wire.judged(&standard(&[OTHER]), now), Err(Forged::Mismatch));
    }
}

#[test]
fn every_scheme_believes_what_was_signed_in_time_and_calls_the_rest_stale() {
    for (verifier, wire) in every_scheme() {
        assert_eq!(wire.judged(&verifier, NOW), Ok(()), "{verifier:?}");
        let has_time = match &verifier {
            Verifier::Standard { .. } => true,
            Verifier::Hmac(hmac) => hmac.timestamp.is_some(),
        };
        let late = if has_time { Err(Forged::Stale) } else { Ok(()) };
        for off in [-301, 301] {
            assert_eq!(wire.judged(&verifier, NOW + off), late, "{verifier:?}");
        }
        for off in [-300, 300] {
            assert_eq!(wire.judged(&verifier, NOW + off), Ok(()), "{verifier:?}");
        }
    }
}

#[test]
fn while_secrets_are_rotated_either_will_do_and_none_of_none() {
    let wire = standard_wire(SECRET, b"{}");
    assert_eq!(wire.judged(&standard(&[OTHER, SECRET]), NOW), Ok(()));
    assert_eq!(wire.judged(&standard(&[SECRET, OTHER]), NOW), Ok(()));
    assert_eq!(wire.judged(&standard(&[OTHER]), NOW), Err(Forged::Mismatch));
    assert_eq!(wire.judged(&standard(&[]), NOW), Err(Forged::Mismatch));
}

#[test]
fn times_are_read_in_seconds_milliseconds_and_as_dates() {
    for time in ["1700000000", "1700000000123", "2023-11-14T22:13:20Z"] {
        let mut hmac = own_way(
            HmacHash::Sha256,
            SignatureEncoding::Base64,
            "",
            Some(time_in("x-request-timestamp", "")),
        );
        hmac.signed = vec![
            Signed::Method,
            Signed::Url("https://gateway.example/v1/webhooks/acme/crm".to_owned()),
            Signed::Body,
            Signed::Timestamp,
        ];
        let mut wire = own_wire(&hmac, b"[]");
        let nothing = |_: &str| None;
        let received = Received {
            header: &nothing,
            method: "POST",
            body: b"[]",
        };
        let signature = hmac.signature(&hmac.keys[0], &received, time).unwrap();
        wire.headers.insert("x-signature".to_owned(), signature);
        wire.headers.insert("x-request-timestamp".to_owned(), time.to_owned());
        let verifier = Verifier::Hmac(hmac);
        assert_eq!(wire.judged(&verifier, NOW), Ok(()), "{time}");
        wire.method = "PUT".to_owned();
        assert_eq!(wire.judged(&verifier, NOW), Err(Forged::Mismatch));
    }
}

#[test]
fn a_secret_with_the_mark_has_to_be_base64_and_one_without_it_may_be_any_text() {
    assert!(SigningKey::standard("whsec_not base64").is_err());
    assert!(SigningKey::standard("whsec_").is_err() && SigningKey::standard("").is_err());
    assert_eq!(key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), key(SECRET));
    assert_eq!(key("any text, really"), SigningKey::raw("any text, really"));
    assert_eq!(format!("{:?}", key(SECRET)), "SigningKey(…)");
}

/// A stream of numbers that is the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

/// Changes one thing. What comes out may be the same as what went in.
fn tampered(wire: &Wire, numbers: &mut Numbers) -> Wire {
    let mut wire = wire.clone();
    let names: Vec<String> = wire.headers.keys().cloned().collect();
    let name = names[numbers.next(names.len())].clone();
    let value = wire.headers[&name].clone();
    let place = numbers.next(wire.body.len());
    let cut = numbers.next(value.len() + 1);
    let mut change = |new: String| drop(wire.headers.insert(name.clone(), new));
    match numbers.next(18) {
        0 => wire.body[place] ^= 1 << numbers.next(7),
        1 => drop(wire.body.remove(place)),
        2 => wire.body.insert(place, b' '),
        3 => wire.body.push(b'\n'),
        4 => wire.body.splice(0..0, *b"\xef\xbb\xbf").for_each(drop),
        5 => wire.body.clear(),
        6 => wire.body = String::from_utf8_lossy(&wire.body).to_uppercase().into_bytes(),
        7 => drop(wire.headers.remove(&name)),
        8 => change(String::new()),
        9 => change(value.chars().take(cut).collect()),
        10 => change(value.chars().rev().collect()),
        11 => change(format!("{value}{}", numbers.next(10))),
        12 => {
            let flipped: String = value
                .chars()
                .enumerate()
                .map(|(index, c)| match (index == cut, c) {
                    (true, '0') => '1',
                    (true, _) => '0',
                    (false, c) => c,
                })
                .collect();
            change(flipped);
        }
        13 => change(re_encoded(&value, numbers)),
        14 => {
            let other = names[numbers.next(names.len())].clone();
            let theirs = wire.headers[&other].clone();
            wire.headers.insert(name, theirs);
            wire.headers.insert(other, value);
        }
        15 => change((NOW + i64::try_from(numbers.next(500)).unwrap() - 250).to_string()),
        16 => change(format!("{value},{value}").replace("v1", "v2")),
        _ => change(value.to_uppercase()),
    }
    wire
}

/// The same bytes in another alphabet, or other bytes in the same.
fn re_encoded(value: &str, numbers: &mut Numbers) -> String {
    let (head, encoded) = match value.rsplit_once([',', '=']) {
        Some((head, tail)) if tail.len() > 20 => (&value[..=head.len()], tail),
        _ => ("", value),
    };
    let bytes = BASE64
        .decode(encoded.as_bytes())
        .or_else(|_| HEXLOWER.decode(encoded.as_bytes()))
        .unwrap_or_default();
    let other = match numbers.next(5) {
        0 => BASE64_NOPAD.encode(&bytes),
        1 => BASE64URL.encode(&bytes),
        2 => HEXUPPER.encode(&bytes),
        3 => HEXLOWER.encode(&bytes),
        _ => BASE64.encode(&bytes.iter().rev().copied().collect::<Vec<_>>()),
    };
    format!("{head}{other}")
}

/// What says the same to the scheme is no forgery: hexadecimal digits in either case, blanks around a lone signature.
fn means_the_same(verifier: &Verifier, changed: &Wire, original: &Wire) -> bool {
    let Verifier::Hmac(hmac) = verifier else {
        return changed == original;
    };
    let plain = |wire: &Wire| {
        let mut wire = wire.clone();
        if let (SignatureEncoding::Hex, Some(value)) = (hmac.encoding, wire.headers.get_mut(&hmac.header)) {
            let start = value.find(&hmac.prefix).map_or(0, |start| start + hmac.prefix.len());
            let lowered = value[start..].to_lowercase();
            value.replace_range(start.., &lowered);
        }
        wire
    };
    let (mut changed, mut original) = (plain(changed), plain(original));
    // Of a list only what is marked counts.
    if hmac.timestamp.as_ref().is_some_and(|time| time.header == hmac.header) {
        for wire in [&mut changed, &mut original] {
            if let Some(list) = wire.headers.get_mut(&hmac.header) {
                let marked: Vec<&str> = list.split(',').filter(|item| !item.starts_with("v0=")).collect();
                *list = marked.join(",");
            }
        }
        let list = |wire: &Wire| wire.headers.get(&hmac.header).cloned().unwrap_or_default();
        let (theirs, ours) = (list(&changed), list(&original));
        return changed.body == original.body && theirs.split(',').take(2).eq(ours.split(',').take(2));
    }
    changed == original
}

#[test]
fn of_ten_thousand_tampered_events_none_is_accepted() {
    let (schemes, mut numbers) = (every_scheme(), Numbers(20_261_121));
    let (mut tried, mut harmless) = (0, 0);
    while tried < 10_000 {
        let (verifier, wire) = &schemes[numbers.next(schemes.len())];
        let changed = tampered(wire, &mut numbers);
        if means_the_same(verifier, &changed, wire) {
            harmless += 1;
            continue;
        }
        assert!(
            changed.judged(verifier, NOW).is_err(),
            "{verifier:?} believes {changed:?}"
        );
        tried += 1;
    }
    assert!(harmless < 2_000, "{harmless} changes of {tried} changed nothing");
    for (verifier, wire) in &schemes {
        assert_eq!(wire.judged(verifier, NOW), Ok(()), "and the right one still is");
    }
}

#[test]
fn the_signature_of_one_scheme_or_secret_says_nothing_to_another() {
    let schemes = every_scheme();
    for (at, (verifier, _)) in schemes.iter().enumerate() {
        for (of, (_, wire)) in schemes.iter().enumerate() {
            assert_eq!(wire.judged(verifier, NOW).is_ok(), at == of, "{verifier:?} of {wire:?}");
        }
    }
}
