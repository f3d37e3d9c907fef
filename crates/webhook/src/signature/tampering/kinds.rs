//! What can be done to an event. `None`: this cannot be done to one of this scheme.

use std::time::Duration;

use data_encoding::{BASE64, BASE64URL, HEXLOWER};

use super::Case;
use super::schemes::{URL, key};
use crate::signature::{HmacHash, Signed, SigningKey, Verifier};

type Tamper = fn(&mut Case<'_>) -> Option<()>;

pub(super) const KINDS: &[(&str, Tamper)] = &[
    ("a bit of the body", |case| {
        let (at, bit) = (case.dice.below(case.event.body.len()), case.dice.below(8));
        case.event.body[at] ^= 1 << bit;
        Some(())
    }),
    ("the body with a BOM", |case| {
        case.event.body.splice(0..0, *b"\xef\xbb\xbf");
        Some(())
    }),
    ("the body with a line break", |case| {
        let breaks: [&[u8]; 3] = [b"\n", b"\r\n", b"\0"];
        case.event.body.extend_from_slice(breaks[case.dice.below(3)]);
        Some(())
    }),
    ("the body cut short", |case| {
        let length = case.dice.below(case.event.body.len());
        case.event.body.truncate(length);
        Some(())
    }),
    ("a blank in the body", |case| {
        let at = case.dice.below(case.event.body.len());
        case.event.body.insert(at, b' ');
        Some(())
    }),
    ("another time", |case| {
        let time = case.time.clone();
        let end = time.len() - usize::from(time.ends_with('Z'));
        let at = need(!time.is_empty()).map(|()| case.dice.below(end))?;
        let digit = time.as_bytes()[at];
        need(digit.is_ascii_digit())?;
        let other = (digit - b'0' + 1 + u8::try_from(case.dice.below(9)).unwrap()) % 10 + b'0';
        put(case, &time, &exchange(&time, at, other))
    }),
    ("the time written otherwise", |case| {
        let time = case.time.clone();
        need(!time.is_empty())?;
        let ways = [
            format!("0{time}"),
            format!("+{time}"),
            format!("{time}.0"),
            format!("{time}000"),
            time.replace('Z', "+00:00") + if time.ends_with('Z') { "" } else { "Z" },
            String::new(),
        ];
        let way = pick(case, &ways);
        put(case, &time, &way)
    }),
    ("replayed too late or too early", |case| {
        need(!case.time.is_empty())?;
        let off = Duration::from_secs(401 + u64::try_from(case.dice.below(1_000_000)).unwrap());
        case.now = if case.dice.below(2) == 0 {
            case.now.checked_add(off).unwrap()
        } else {
            case.now.checked_sub(off).unwrap()
        };
        Some(())
    }),
    ("digits moved from the time to the body", |case| {
        let time = case.time.clone();
        need(!time.is_empty())?;
        let moved = 1 + case.dice.below(time.len());
        case.event.body.extend_from_slice(&time.as_bytes()[..moved]);
        put(case, &time, &time[moved..])
    }),
    ("another id", |case| {
        let id = case.id.clone();
        let at = case.dice.below(id.len());
        let other = b'!' + u8::try_from(case.dice.below(94)).unwrap();
        put_header(case, "webhook-id", &exchange(&id, at, other))
    }),
    ("the id longer, shorter or empty", |case| {
        let id = case.id.clone();
        let ways = [
            format!("{id}x"),
            format!("{id}.{}", case.time),
            id[1..].to_owned(),
            String::new(),
        ];
        let way = pick(case, &ways);
        put_header(case, "webhook-id", &way)
    }),
    ("a bit of the signature", |case| {
        let mut code = case.scheme.decode(&case.signature);
        let (at, bit) = (case.dice.below(code.len()), case.dice.below(8));
        code[at] ^= 1 << bit;
        put_code(case, &code)
    }),
    ("a character of the signature", |case| {
        let signature = case.signature.clone();
        let at = case.dice.below(signature.len());
        let other = b'!' + u8::try_from(case.dice.below(94)).unwrap();
        // Hexadecimal digits may be of either case.
        need(!case.scheme.is_hex() || !other.eq_ignore_ascii_case(&signature.as_bytes()[at]))?;
        put_signature(case, &exchange(&signature, at, other))
    }),
    ("the signature cut short", |case| {
        let length = case.dice.below(case.signature.len());
        let cut = case.signature[..length].to_owned();
        put_signature(case, &cut)
    }),
    ("fewer bytes of the signature", |case| {
        let mut code = case.scheme.decode(&case.signature);
        code.truncate(case.dice.below(code.len()));
        put_code(case, &code)
    }),
    ("more bytes of the signature", |case| {
        let mut code = case.scheme.decode(&case.signature);
        code.extend((0..=case.dice.below(40)).map(|byte| u8::try_from(byte).unwrap()));
        put_code(case, &code)
    }),
    ("more characters after the signature", |case| {
        let more = ["0", "=", "==", "A", "AAAA", "%", "\0", "é"][case.dice.below(8)];
        let longer = format!("{}{more}", case.signature);
        put_signature(case, &longer)
    }),
    ("blanks in the signature", |case| {
        let mut signature = case.signature.clone();
        let at = 1 + case.dice.below(signature.len() - 2);
        signature.insert(at, [' ', '\t', '\n'][case.dice.below(3)]);
        put_signature(case, &signature)
    }),
    ("a blank beside the signature", |case| {
        need(!case.scheme.is_list())?;
        let ways = [format!(" {}", case.signature), format!("{} ", case.signature)];
        let way = pick(case, &ways);
        put_signature(case, &way)
    }),
    ("the other alphabet of base64", |case| {
        let other = BASE64URL.encode(&case.scheme.decode(&case.signature));
        put_signature(case, &other)
    }),
    ("hex for base64 and base64 for hex", |case| {
        let code = case.scheme.decode(&case.signature);
        let other = if case.scheme.is_hex() {
            BASE64.encode(&code)
        } else {
            HEXLOWER.encode(&code)
        };
        put_signature(case, &other)
    }),
    ("base64 in one case", |case| {
        need(!case.scheme.is_hex())?;
        let ways = [case.signature.to_lowercase(), case.signature.to_uppercase()];
        let way = pick(case, &ways);
        put_signature(case, &way)
    }),
    ("base64 without padding", |case| {
        let bare = case.signature.trim_end_matches('=').to_owned();
        put_signature(case, &bare)
    }),
    ("stray bits at the end of base64", |case| {
        let bare = case.signature.trim_end_matches('=');
        // The last character before the padding has two or four bits that mean nothing.
        let stray = bare.as_bytes().last().map(|last| last + 1)?;
        need(bare.len() < case.signature.len() && stray.is_ascii_alphanumeric())?;
        let strayed = exchange(&case.signature, bare.len() - 1, stray);
        put_signature(case, &strayed)
    }),
    ("the prefix otherwise", |case| {
        let prefix = case.scheme.prefix().to_owned();
        need(!prefix.is_empty())?;
        let swapped = if prefix.to_lowercase() == prefix {
            prefix.to_uppercase()
        } else {
            prefix.to_lowercase()
        };
        let ways = [
            String::new(),
            swapped,
            format!("{prefix}{prefix}"),
            prefix[1..].to_owned(),
        ];
        let signature = case.signature.clone();
        let other = format!("{}{signature}", ways[case.dice.below(ways.len())]);
        put(case, &format!("{prefix}{signature}"), &other)
    }),
    ("a prefix that nobody asked for", |case| {
        need(case.scheme.prefix().is_empty())?;
        let prefixed = format!("sha256={}", case.signature);
        put_signature(case, &prefixed)
    }),
    ("base64 padded in the middle", |case| {
        need(!case.scheme.is_hex())?;
        let code = case.scheme.decode(&case.signature);
        let (one, other) = code.split_at(case.dice.below(code.len()));
        let padded = BASE64.encode(one) + &BASE64.encode(other);
        put_signature(case, &padded)
    }),
    ("the signature of another secret", |case| {
        let secret = SigningKey::raw(&format!("guess {}", case.dice.roll()));
        sign_with(case, &secret)
    }),
    ("the signature of no secret", |case| {
        let nothing = SigningKey::raw("");
        match &mut case.verifier {
            Verifier::Standard { keys, .. } => keys.push(nothing.clone()),
            Verifier::Hmac(hmac) => hmac.keys.push(nothing.clone()),
        }
        sign_with(case, &nothing)
    }),
    ("the signature of another scheme", |case| {
        let other = &case.schemes[case.dice.below(case.schemes.len())];
        let (_, _, signature) = other.send(&key(), &case.id, case.sent, case.event.body.clone());
        put_code(case, &other.decode(&signature))
    }),
    ("an event of another scheme", |case| {
        let other = &case.schemes[case.dice.below(case.schemes.len())];
        let (event, _, _) = other.send(&key(), &case.id, case.sent, case.event.body.clone());
        // Schemes that differ in their lists of secrets alone send the same.
        need(event != case.event)?;
        case.event = event;
        Some(())
    }),
    ("the signature of another event", |case| {
        let (_, _, signature) = case.scheme.send(&key(), "msg_other", case.sent, b"{}".to_vec());
        put_signature(case, &signature)
    }),
    ("the signature under another hash", |case| {
        let Verifier::Hmac(mut hmac) = case.scheme.verifier.clone() else {
            return None;
        };
        let length = case.scheme.decode(&case.signature).len();
        hmac.hash = [HmacHash::Sha1, HmacHash::Sha256, HmacHash::Sha512][case.dice.below(3)];
        let value = hmac.signature(&key(), &case.time, "POST", &case.event.body);
        let bare = value.rsplit(',').next()?.strip_prefix(hmac.prefix.as_str())?;
        let mut code = case.scheme.decode(bare);
        code.truncate(length);
        put_code(case, &code)
    }),
    ("two headers swapped", |case| {
        let count = case.event.headers.len();
        need(count > 1)?;
        let (one, other) = (case.dice.below(count), case.dice.below(count));
        need(one != other)?;
        let value = case.event.headers[one].1.clone();
        case.event.headers[one].1 = std::mem::replace(&mut case.event.headers[other].1, value);
        Some(())
    }),
    ("a header missing", |case| {
        let at = case.dice.below(case.event.headers.len());
        case.event.headers.remove(at);
        Some(())
    }),
    ("a header empty", |case| {
        let at = case.dice.below(case.event.headers.len());
        case.event.headers[at].1.clear();
        Some(())
    }),
    ("a header twice", |case| {
        let twice = case.event.headers[case.dice.below(case.event.headers.len())].clone();
        case.event.headers.push(twice);
        Some(())
    }),
    ("the time twice", |case| {
        let time = case.time.clone();
        need(case.scheme.is_list() && !case.event.headers.iter().any(|(_, value)| *value == time))?;
        put(case, &format!("t={time}"), &format!("t={time},t={time}"))
    }),
    ("no secret at all", |case| {
        match &mut case.verifier {
            Verifier::Standard { keys, .. } => keys.clear(),
            Verifier::Hmac(hmac) => hmac.keys.clear(),
        }
        Some(())
    }),
    ("the secret replaced", |case| {
        match &mut case.verifier {
            Verifier::Standard { keys, .. } => keys.retain(|one| *one != key()),
            Verifier::Hmac(hmac) => hmac.keys.retain(|one| *one != key()),
        }
        Some(())
    }),
    ("another method", |case| {
        need(signs(case, &Signed::Method))?;
        case.event.method = ["PUT", "post", "GET", ""][case.dice.below(4)];
        Some(())
    }),
    ("another url", |case| {
        let at = case.dice.below(URL.len());
        let Verifier::Hmac(hmac) = &mut case.verifier else {
            return None;
        };
        let url = hmac.signed.iter_mut().find(|part| matches!(part, Signed::Url(_)))?;
        *url = Signed::Url(exchange(URL, at, b'~'));
        Some(())
    }),
];

fn pick<T: Clone>(case: &mut Case<'_>, ways: &[T]) -> T {
    ways[case.dice.below(ways.len())].clone()
}

fn need(condition: bool) -> Option<()> {
    condition.then_some(())
}

/// The text with another byte at one place.
fn exchange(text: &str, at: usize, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = byte;
    String::from_utf8(bytes).unwrap()
}

/// Puts one text for another in the headers; `None` if that changes nothing.
fn put(case: &mut Case<'_>, from: &str, to: &str) -> Option<()> {
    let before = case.event.clone();
    case.event.replace(from, to);
    need(case.event != before)
}

fn put_signature(case: &mut Case<'_>, to: &str) -> Option<()> {
    let from = case.signature.clone();
    put(case, &from, to)
}

fn put_code(case: &mut Case<'_>, code: &[u8]) -> Option<()> {
    let to = case.scheme.encode(code);
    put_signature(case, &to)
}

/// Puts what another secret signs.
fn sign_with(case: &mut Case<'_>, key: &SigningKey) -> Option<()> {
    let (_, _, signature) = case.scheme.send(key, &case.id, case.sent, case.event.body.clone());
    put_signature(case, &signature)
}

fn put_header(case: &mut Case<'_>, name: &str, to: &str) -> Option<()> {
    let header = case.event.headers.iter_mut().find(|(known, _)| known == name)?;
    let before = std::mem::replace(&mut header.1, to.to_owned());
    need(before != to)
}

fn signs(case: &Case<'_>, part: &Signed) -> bool {
    matches!(&case.verifier, Verifier::Hmac(hmac) if hmac.signed.contains(part))
}
