//! What is sealed opens where it was sealed for, under the keys that are configured, and nowhere else.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use data_encoding::BASE64;
use secrecy::{ExposeSecret, SecretString};
use upsert_sealing::{Keyring, NotOpened, SealingKey, WrappedKey};

const PURPOSE: &str = "merchant";
const FIELD: &str = "/connections/0/credentials/api_key";
const SECRET: &str = "sk_live_canary";

fn key(id: &str, byte: u8) -> SealingKey {
    SealingKey::read(id, &text_of_key(byte)).unwrap()
}

fn text_of_key(byte: u8) -> SecretString {
    BASE64.encode(&[byte; 32]).into()
}

fn ring(keys: &[(&str, u8)]) -> Keyring {
    Keyring::new(keys.iter().map(|(id, byte)| key(id, *byte)).collect())
}

fn sealed(ring: &Keyring, owner: &str) -> (String, WrappedKey) {
    let sealer = ring.sealer(PURPOSE, owner).unwrap().unwrap();
    (sealer.seal(FIELD, SECRET).unwrap(), sealer.into_wrapped())
}

fn opened(ring: &Keyring, owner: &str, field: &str, (text, key): &(String, WrappedKey)) -> Result<String, NotOpened> {
    let opener = ring.opener(PURPOSE, owner, key)?;
    Ok(opener.open(field, text)?.expose_secret().to_owned())
}

#[test]
fn what_was_sealed_opens_and_shows_nothing_while_it_is_sealed() {
    let ring = ring(&[("new", 1)]);
    for text in ["", SECRET, "ä\u{1f980}"] {
        let sealer = ring.sealer(PURPOSE, "acme").unwrap().unwrap();
        let sealed = (sealer.seal(FIELD, text).unwrap(), sealer.into_wrapped());
        assert_eq!(opened(&ring, "acme", FIELD, &sealed).unwrap(), text);
    }
    let (text, wrapped) = sealed(&ring, "acme");
    let shown = format!(
        "{text}{wrapped:?}{ring:?}{:?}",
        ring.opener(PURPOSE, "acme", &wrapped).unwrap()
    );
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn the_same_text_is_sealed_in_another_way_each_time() {
    let ring = ring(&[("new", 1)]);
    let sealer = ring.sealer(PURPOSE, "acme").unwrap().unwrap();
    assert_ne!(sealer.seal(FIELD, SECRET).unwrap(), sealer.seal(FIELD, SECRET).unwrap());
    assert_ne!(sealed(&ring, "acme").1, sealed(&ring, "acme").1);
}

#[test]
fn a_change_of_any_bit_is_noticed() {
    let ring = ring(&[("new", 1)]);
    let whole = sealed(&ring, "acme");
    let (text, key) = (
        BASE64.decode(whole.0.as_bytes()).unwrap(),
        BASE64.decode(whole.1.wrapped.as_bytes()).unwrap(),
    );
    for bit in 0..text.len() * 8 {
        let mut changed = text.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = (BASE64.encode(&changed), whole.1.clone());
        assert!(opened(&ring, "acme", FIELD, &changed).is_err(), "bit {bit} of the text");
    }
    for bit in 0..key.len() * 8 {
        let mut changed = key.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let wrapped = BASE64.encode(&changed);
        let changed = (
            whole.0.clone(),
            WrappedKey {
                wrapped,
                ..whole.1.clone()
            },
        );
        assert!(opened(&ring, "acme", FIELD, &changed).is_err(), "bit {bit} of the key");
    }
    for length in 0..text.len() {
        let cut = (BASE64.encode(&text[..length]), whole.1.clone());
        assert!(opened(&ring, "acme", FIELD, &cut).is_err(), "cut to {length}");
    }
}

#[test]
fn what_is_put_elsewhere_does_not_open() {
    let both = ring(&[("new", 1), ("old", 1)]);
    let own = sealed(&both, "acme");
    assert!(opened(&both, "acme", FIELD, &own).is_ok());
    let other_field = opened(&both, "acme", "/connections/1/credentials/api_key", &own);
    assert_eq!(other_field, Err(NotOpened::Damaged("new".to_owned())));
    assert!(opened(&both, "globex", FIELD, &own).is_err(), "another owner");
    let under_another_key = (own.0.clone(), sealed(&both, "acme").1);
    assert!(
        opened(&both, "acme", FIELD, &under_another_key).is_err(),
        "another envelope of the same owner"
    );
    let renamed = (
        own.0.clone(),
        WrappedKey {
            key_id: "old".to_owned(),
            ..own.1.clone()
        },
    );
    assert!(
        opened(&both, "acme", FIELD, &renamed).is_err(),
        "the same key under another id"
    );
    assert!(both.opener("person", "acme", &own.1).is_err(), "another purpose");
}

#[test]
fn no_two_places_are_alike_however_their_parts_are_cut() {
    let ring = ring(&[("new", 1)]);
    let sealer = ring.sealer("a", "bc").unwrap().unwrap();
    let wrapped = sealer.into_wrapped();
    assert!(ring.opener("a", "bc", &wrapped).is_ok());
    assert!(ring.opener("ab", "c", &wrapped).is_err());
}

#[test]
fn the_first_key_seals_and_all_open() {
    let before = sealed(&ring(&[("old", 1)]), "acme");
    let during = ring(&[("new", 2), ("old", 1)]);
    assert_eq!(during.seals_with(), Some("new"));
    assert_eq!(opened(&during, "acme", FIELD, &before).unwrap(), SECRET);
    let anew = sealed(&during, "acme");
    assert_eq!(anew.1.key_id, "new");
    let after = ring(&[("new", 2)]);
    assert_eq!(opened(&after, "acme", FIELD, &anew).unwrap(), SECRET);
    assert_eq!(
        opened(&after, "acme", FIELD, &before),
        Err(NotOpened::UnknownKey("old".to_owned()))
    );
    let same_id = ring(&[("old", 9)]);
    assert_eq!(
        opened(&same_id, "acme", FIELD, &before),
        Err(NotOpened::Damaged("old".to_owned()))
    );
    assert!(Keyring::default().sealer(PURPOSE, "acme").is_none());
    assert!(after.has("new") && !after.has("old"));
}

#[test]
fn a_fingerprint_names_a_secret_of_an_owner_and_says_nothing_without_the_key() {
    let print = |byte, owner: &str, text: &str| {
        let ring = ring(&[("new", byte)]);
        let sealer = ring.sealer(PURPOSE, owner).unwrap().unwrap();
        sealer.fingerprint(text)
    };
    assert_eq!(print(1, "acme", SECRET), print(1, "acme", SECRET));
    assert_eq!(print(1, "acme", SECRET).len(), 16);
    assert_ne!(print(1, "acme", SECRET), print(1, "acme", "another"));
    assert_ne!(print(1, "acme", SECRET), print(1, "globex", SECRET));
    assert_ne!(print(1, "acme", SECRET), print(2, "acme", SECRET));
}

#[test]
fn a_key_is_32_bytes_in_base64() {
    let read = |text: &str| SealingKey::read("new", &text.into()).is_ok();
    let whole = BASE64.encode(&[7; 32]);
    assert!(read(&whole));
    assert!(read(whole.trim_end_matches('=')));
    assert!(read(&format!("{whole}\n")));
    for bad in [
        "",
        "canary",
        &BASE64.encode(&[7; 31]),
        &BASE64.encode(&[7; 33]),
        &"z".repeat(64),
    ] {
        let error = SealingKey::read("new", &bad.into()).unwrap_err();
        assert!(bad.is_empty() || !error.to_string().contains(bad));
    }
}

#[test]
fn a_key_that_is_kept_is_unwrapped_in_its_place_by_the_key_that_wrapped_it() {
    let (old, both) = (ring(&[("old", 1)]), ring(&[("new", 2), ("old", 1)]));
    let kept = old.wrap(&["data key", "acme"], &[9; 32]).unwrap().unwrap();
    assert_eq!(kept.wrapped_by, "old");
    assert_eq!(*both.unwrap(&["data key", "acme"], &kept).unwrap(), [9; 32]);
    let elsewhere = both.unwrap(&["data key", "globex"], &kept);
    assert_eq!(elsewhere.unwrap_err(), NotOpened::Damaged("old".into()));
    let missing = ring(&[("new", 2)]).unwrap(&["data key", "acme"], &kept);
    assert_eq!(missing.unwrap_err(), NotOpened::UnknownKey("old".into()));
    let renamed = upsert_sealing::KeptKey {
        wrapped_by: "new".into(),
        ..kept
    };
    assert!(both.unwrap(&["data key", "acme"], &renamed).is_err());
    assert!(Keyring::default().wrap(&[], &[9; 32]).is_none());
}

#[test]
fn what_is_chained_is_signed_with_the_key_of_its_id_and_with_no_other() {
    let keys = ring(&[("new", 1), ("old", 2)]);
    let signed = keys.sign("new", b"entry").unwrap();
    assert_eq!(keys.sign("new", b"entry"), Some(signed));
    assert_ne!(keys.sign("old", b"entry"), Some(signed));
    assert_ne!(keys.sign("new", b"entries"), Some(signed));
    assert_eq!(keys.sign("unknown", b"entry"), None);
    // The same key under another id is the same key: the id is part of what is signed where that matters.
    assert_eq!(ring(&[("renamed", 1)]).sign("renamed", b"entry"), Some(signed));
}
