//! Sealed secrets: whatever stands in the store in their place, it opens nothing and stops nobody.

use std::sync::LazyLock;

use secrecy::SecretString;
use upsert_sealing::{Keyring, SealingKey, WrappedKey};

static KEYS: LazyLock<Keyring> = LazyLock::new(|| {
    let key = SecretString::from("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=");
    Keyring::new(vec![SealingKey::read("one", &key).expect("a key")])
});

/// The key's id, the data key and the sealed text, a line each.
pub(crate) fn opened(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let wrapped = WrappedKey {
        key_id: next(),
        wrapped: next(),
    };
    if let Ok(opener) = KEYS.opener("merchant", "acme", &wrapped) {
        assert!(
            opener.open("/connections/0", &next()).is_err(),
            "opened without having been sealed"
        );
    }
    // One that is sealed opens, and only as it is.
    let sealer = KEYS.sealer("merchant", "acme").expect("a key").expect("randomness");
    let sealed = sealer.seal("/a", text).expect("randomness");
    let wrapped = sealer.into_wrapped();
    let opener = KEYS.opener("merchant", "acme", &wrapped).expect("our own");
    assert!(opener.open("/a", &sealed).is_ok() && opener.open("/b", &sealed).is_err());
}
