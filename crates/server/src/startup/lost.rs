//! What a reading of the configuration would lose. A file that was cut or emptied is often a valid one that says next to
//! nothing: nobody could call any more, and the next start would begin with an empty store.

use std::path::Path;

use upsert_settings::{Location, Problem, Settings, StoreUrl};

/// Where the store is unless the configuration says something else.
const DEFAULT_STORE: &str = "data/gateway.db";

/// What was there before, and is not any more.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    store_url: bool,
    encryption_keys: bool,
    every_key: bool,
    /// Keys by name.
    keys: Vec<String>,
    /// Merchants in files.
    merchants: Vec<String>,
}

impl Lost {
    pub(crate) fn between(before: &Settings, after: &Settings) -> Self {
        let has = |name: &str| after.api_keys.iter().any(|key| key.name == name);
        let mut keys: Vec<String> = before.api_keys.iter().map(|key| key.name.clone()).collect();
        keys.retain(|name| !has(name));
        keys.dedup();
        let merchants = before.merchants.keys();
        let is_gone = |id: &&String| !after.merchants.contains_key(*id);
        Self {
            store_url: !is_default(&before.store.url) && is_default(&after.store.url),
            encryption_keys: !before.store.encryption_keys.is_empty() && after.store.encryption_keys.is_empty(),
            every_key: !before.api_keys.is_empty() && after.api_keys.is_empty(),
            keys,
            merchants: merchants.filter(is_gone).cloned().collect(),
        }
    }

    /// Why this configuration is not taken over; none: it is.
    pub(crate) fn refused(&self, file: &Path) -> Option<Vec<Problem>> {
        let lost = [
            (self.store_url, "store.url", "the store's URL is not there any more"),
            (
                self.encryption_keys,
                "store.encryption_keys",
                "no key that seals is there any more",
            ),
            (self.every_key, "api_keys", "no API key is there any more"),
        ];
        let at = Location::whole(file.display().to_string());
        let hint = "a file that was cut looks like this; where it is meant, start the gateway anew";
        let refused = lost.into_iter().filter(|(is_lost, ..)| *is_lost);
        let refused: Vec<Problem> = refused
            .map(|(_, path, message)| Problem::new(&at, path, message).hint(hint))
            .collect();
        (!refused.is_empty()).then_some(refused)
    }

    /// Says in the log what is gone.
    pub(crate) fn told(&self) {
        if !self.keys.is_empty() {
            tracing::warn!(keys = self.keys.join(", "), "these API keys may not call any more");
        }
        if !self.merchants.is_empty() {
            let merchants = self.merchants.join(", ");
            tracing::warn!(merchants, "no file describes these merchants any more");
        }
    }
}

fn is_default(url: &StoreUrl) -> bool {
    matches!(url, StoreUrl::Sqlite(path) if path.as_path() == Path::new(DEFAULT_STORE))
}

#[cfg(test)]
mod tests {
    use upsert_settings::{Environment, Secrets};

    use super::*;

    const SEALED: &str =
        "[store]\nurl = \"sqlite:elsewhere.db\"\nencryption_keys = [{ id = \"k\", key = { env = \"K\" } }]\n";

    fn settings(gateway: &str, merchants: &[&str]) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), gateway).unwrap();
        std::fs::create_dir(folder.path().join("merchants")).unwrap();
        for id in merchants {
            let file = folder.path().join(format!("merchants/{id}.toml"));
            std::fs::write(file, format!("id = \"{id}\"\n")).unwrap();
        }
        let environment = Environment::from_iter([("K", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")]);
        Settings::load(folder.path(), &environment, Secrets::Resolve).unwrap()
    }

    fn key(name: &str) -> String {
        let hash: String = format!("{name:0<64}")
            .bytes()
            .map(|byte| char::from(b'0' + byte % 10))
            .collect();
        format!(
            "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"*\"]\nscopes = [\"ops:read\"]\n"
        )
    }

    fn refused(before: &str, after: &str) -> Vec<String> {
        let lost = Lost::between(&settings(before, &[]), &settings(after, &[]));
        let refused = lost.refused(Path::new("gateway.toml")).unwrap_or_default();
        refused.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn an_emptied_file_is_refused_for_all_that_it_loses() {
        let whole = [SEALED, &key("one"), &key("two")].concat();
        assert_eq!(refused(&whole, ""), ["store.url", "store.encryption_keys", "api_keys"]);
        assert_eq!(refused(&whole, SEALED), ["api_keys"]);
        assert_eq!(refused(&whole, &whole), [""; 0]);
        assert_eq!(refused("", &whole), [""; 0]);
    }

    #[test]
    fn one_that_loses_a_key_or_a_merchant_is_taken_over_and_says_which() {
        let before = settings(&[key("one"), key("two")].concat(), &["acme", "globex"]);
        let lost = Lost::between(&before, &settings(&key("two"), &["globex"]));
        assert_eq!(
            (lost.keys.as_slice(), lost.merchants.as_slice()),
            (&["one".to_owned()][..], &["acme".to_owned()][..])
        );
        assert_eq!(lost.refused(Path::new("gateway.toml")), None);
    }
}
