//! A merchant as the store keeps it: the document that was put, without its secrets, and beside it the secrets, sealed.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use upsert_sealing::{Keyring, NotOpened, NotSealed, WrappedKey};

/// What is sealed here is sealed for this, and opens nowhere else.
const PURPOSE: &str = "merchant";

/// A secret, sealed, and what it is known by.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SealedSecret {
    sealed: String,
    fingerprint: String,
}

/// The body of a merchant's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SealedMerchant {
    document: Json,
    /// By their JSON Pointers, where the document has null.
    secrets: BTreeMap<String, SealedSecret>,
    data_key: Option<WrappedKey>,
}

/// Why a merchant cannot be sealed.
#[derive(Debug)]
pub(crate) enum Unsealable {
    /// It has secrets, and there is no key.
    NoKey,
    /// There is no randomness.
    Failed(NotSealed),
}

impl SealedMerchant {
    /// Seals the secrets that stand at these pointers as `{ "value": "…" }`.
    pub(crate) fn seal(
        id: &str,
        mut document: Json,
        given: &[Arc<str>],
        keyring: &Keyring,
    ) -> Result<Self, Unsealable> {
        let mut secrets = BTreeMap::new();
        if given.is_empty() {
            return Ok(Self {
                document,
                secrets,
                data_key: None,
            });
        }
        let sealer = keyring.sealer(PURPOSE, id).ok_or(Unsealable::NoKey)?;
        let sealer = sealer.map_err(Unsealable::Failed)?;
        for pointer in given {
            let Some(place) = document.pointer_mut(pointer) else {
                continue;
            };
            let secret = place.take();
            let text = secret.get("value").and_then(Json::as_str).unwrap_or_default();
            let sealed = SealedSecret {
                sealed: sealer.seal(pointer, text).map_err(Unsealable::Failed)?,
                fingerprint: sealer.fingerprint(text),
            };
            secrets.insert(pointer.to_string(), sealed);
        }
        let data_key = Some(sealer.into_wrapped());
        Ok(Self {
            document,
            secrets,
            data_key,
        })
    }

    /// Of a row's body.
    pub(crate) fn read(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }

    /// For a row.
    pub(crate) fn body(&self) -> String {
        // Only a map with keys that are no texts could not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The key that has to be there to open it.
    pub(crate) fn sealed_with(&self) -> Option<&str> {
        self.data_key.as_ref().map(|key| key.key_id.as_str())
    }

    /// The document as it was put.
    pub(crate) fn open(&self, id: &str, keyring: &Keyring) -> Result<Json, NotOpened> {
        let mut document = self.document.clone();
        let Some(data_key) = &self.data_key else {
            return Ok(document);
        };
        let opener = keyring.opener(PURPOSE, id, data_key)?;
        for (pointer, secret) in &self.secrets {
            let text = opener.open(pointer, &secret.sealed)?;
            if let Some(place) = document.pointer_mut(pointer) {
                *place = json!({ "value": text.expose_secret() });
            }
        }
        Ok(document)
    }

    /// The same merchant, sealed by the first key.
    pub(crate) fn sealed_anew(&self, id: &str, keyring: &Keyring) -> Result<Self, String> {
        let document = self.open(id, keyring).map_err(|error| error.to_string())?;
        let given: Vec<Arc<str>> = self.secrets.keys().map(|pointer| pointer.as_str().into()).collect();
        Self::seal(id, document, &given, keyring).map_err(|_| "it cannot be sealed".to_owned())
    }

    /// The document as it is shown: of secrets only that they are set.
    pub(crate) fn shown(&self) -> Json {
        let mut document = self.document.clone();
        for (pointer, secret) in &self.secrets {
            if let Some(place) = document.pointer_mut(pointer) {
                *place = json!({ "set": true, "fingerprint": secret.fingerprint });
            }
        }
        document
    }

    /// Its name, for people.
    pub(crate) fn name(&self) -> Option<&str> {
        self.document.get("name").and_then(Json::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64;
    use upsert_sealing::SealingKey;

    const POINTER: &str = "/connections/0/credentials/api_key";

    fn ring(keys: &[(&str, char)]) -> Keyring {
        let key = |(id, byte): &(&str, char)| {
            let text = BASE64.encode(&[*byte as u8; 32]);
            SealingKey::read(id, &text.into()).unwrap()
        };
        Keyring::new(keys.iter().map(key).collect())
    }

    fn document() -> Json {
        json!({ "id": "acme", "name": "Acme", "connections": [
            { "name": "crm", "credentials": { "api_key": { "value": "canary" }, "other": { "env": "ACME" } } },
        ]})
    }

    fn sealed(keyring: &Keyring) -> SealedMerchant {
        SealedMerchant::seal("acme", document(), &[POINTER.into()], keyring).unwrap()
    }

    #[test]
    fn a_merchant_opens_as_it_was_put_and_shows_of_its_secrets_that_they_are_set() {
        let keyring = ring(&[("one", 'A')]);
        let kept = SealedMerchant::read(&sealed(&keyring).body()).unwrap();
        assert_eq!(kept.open("acme", &keyring).unwrap(), document());
        assert_eq!((kept.sealed_with(), kept.name()), (Some("one"), Some("Acme")));
        assert!(!kept.body().contains("canary"));
        let shown = kept.shown();
        assert!(!shown.to_string().contains("canary"));
        assert_eq!(shown.pointer(&format!("{POINTER}/set")), Some(&json!(true)));
        assert_eq!(
            shown.pointer("/connections/0/credentials/other"),
            Some(&json!({ "env": "ACME" }))
        );
        assert!(kept.open("globex", &keyring).is_err(), "another merchant's row");
    }

    #[test]
    fn a_secret_that_is_moved_to_another_field_in_the_store_does_not_open() {
        let keyring = ring(&[("one", 'A')]);
        let mut kept = sealed(&keyring);
        let secret = kept.secrets.remove(POINTER).unwrap();
        kept.secrets.insert("/name".to_owned(), secret);
        assert!(kept.open("acme", &keyring).is_err());
    }

    #[test]
    fn what_was_sealed_with_an_old_key_is_sealed_anew_with_the_first() {
        let old = sealed(&ring(&[("old", 'A')]));
        let both = ring(&[("new", 'B'), ("old", 'A')]);
        let anew = old.sealed_anew("acme", &both).unwrap();
        assert_eq!(anew.sealed_with(), Some("new"));
        assert_eq!(anew.open("acme", &ring(&[("new", 'B')])).unwrap(), document());
        assert!(old.sealed_anew("acme", &ring(&[("new", 'B')])).is_err());
    }

    #[test]
    fn without_a_key_a_merchant_has_no_secrets_of_its_own() {
        let keyring = Keyring::default();
        let refused = SealedMerchant::seal("acme", document(), &[POINTER.into()], &keyring);
        assert!(matches!(refused, Err(Unsealable::NoKey)));
        let without = SealedMerchant::seal("acme", json!({ "id": "acme" }), &[], &keyring).unwrap();
        assert_eq!(
            (without.sealed_with(), without.open("acme", &keyring).unwrap()),
            (None, json!({ "id": "acme" }))
        );
    }
}
