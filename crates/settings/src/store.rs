//! `[store]`: where the gateway remembers, and the keys that seal what it remembers.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use url::Url;

use crate::members::Member;
use crate::secrets::Secret;
use crate::section::{Section, Spot, all_or_none};
use crate::tree::Shape;

pub(crate) const MEMBERS: &[Member] = &[
    Member::or("url", "\"sqlite:data/gateway.db\""),
    Member::or("encryption_keys", "[]").sections(ENCRYPTION_KEY),
    Member::or("notify", "true"),
];
const ENCRYPTION_KEY: &[Member] = &[Member::required("id"), Member::required("key")];

/// The store.
#[derive(Clone, Debug, Serialize)]
pub struct Store {
    /// Which store, and where.
    pub url: StoreUrl,
    /// The first encrypts, all decrypt; none: nothing is sealed.
    pub encryption_keys: Vec<EncryptionKey>,
    /// Whether processes over one PostgreSQL database tell each other at once what to look at (`LISTEN`). A file has one process.
    pub notify: bool,
}

/// A key that seals rows at rest.
#[derive(Clone, Debug, Serialize)]
pub struct EncryptionKey {
    /// The name that sealed rows carry.
    pub id: String,
    /// Its text; the store says in which form it takes a key.
    pub key: Secret,
}

/// Which store, and where. `Debug` and the dump never show a password.
#[derive(Clone)]
pub enum StoreUrl {
    /// A SQLite file; a relative path starts from the working folder.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, which may hold a password.
    Postgres(SecretString),
}

/// As in the configuration. The error repeats nothing of a text that may hold a password.
impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parsed(text).ok_or_else(|| "not the URL of a store: sqlite:PATH or postgres://host/database".to_owned())
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let parsed = Url::parse(url.expose_secret()).ok();
                let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default();
                write!(f, "postgres://{host}{}", parsed.as_ref().map_or("", Url::path))
            }
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Store {
    pub(crate) fn read(section: &Section<'_>) -> Option<Self> {
        let url = section.read("url", url);
        let encryption_keys = section.sections("encryption_keys", |key| {
            let read = all_or_none!(EncryptionKey {
                id: key.read("id", Spot::name),
                key: key.read("key", Secret::read),
            });
            Some((read?, key.spot.clone()))
        });
        let (encryption_keys, notify) = (encryption_keys?, section.read("notify", Spot::flag));
        for (index, (key, spot)) in encryption_keys.iter().enumerate() {
            if encryption_keys[..index].iter().any(|(earlier, _)| earlier.id == key.id) {
                spot.refuse::<()>(format!("there is an earlier key with the id `{}`", key.id));
            }
        }
        Some(Self {
            url: url?,
            encryption_keys: encryption_keys.into_iter().map(|(key, _)| key).collect(),
            notify: notify?,
        })
    }
}

const URL_FORMS: &str =
    "\"sqlite:PATH\", \"postgres://host/database\", or { env = \"NAME\" } for a URL with a password";

/// The URL as a text, or as a reference to one, since a PostgreSQL URL may hold a password.
fn url(spot: &Spot<'_>) -> Option<StoreUrl> {
    if matches!(spot.node.shape, Shape::Table(_)) {
        let secret = Secret::read(spot)?;
        if !secret.is_resolved() {
            return Some(StoreUrl::Postgres(secret.value().clone()));
        }
        return parsed(secret.value().expose_secret())
            .or_else(|| spot.refuse_but("what it refers to is not the URL of a store", URL_FORMS));
    }
    let text = spot.text()?;
    let Some(url) = parsed(text) else {
        return spot.refuse_but("not the URL of a store", URL_FORMS);
    };
    let in_a_file = spot.node.at.line > 0;
    if in_a_file
        && matches!(url, StoreUrl::Postgres(_))
        && Url::parse(text).is_ok_and(|url| url.password().is_some() || asks_password(&url))
    {
        return spot.refuse_but(
            "secrets never stand in a file",
            "write url = { env = \"NAME\" }, or set UPSERT_GATEWAY__STORE__URL",
        );
    }
    Some(url)
}

fn asks_password(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name.eq_ignore_ascii_case("password"))
}

fn parsed(text: &str) -> Option<StoreUrl> {
    if let Some(path) = text.strip_prefix("sqlite:") {
        // `:memory:` would forget everything, `//` and `?` have other meanings to SQLite than here.
        let plain = !path.is_empty() && !path.starts_with(':') && !path.starts_with("//") && !path.contains('?');
        return (plain && !path.chars().any(char::is_control)).then(|| StoreUrl::Sqlite(path.into()));
    }
    let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    (postgres && Url::parse(text).is_ok()).then(|| StoreUrl::Postgres(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_sqlite_file_or_a_postgresql_database() {
        for text in [
            "sqlite:data/gateway.db",
            "sqlite:/var/lib/gateway.db",
            "postgres://db/gateway",
            "postgresql:///gateway",
        ] {
            assert!(parsed(text).is_some(), "{text}");
        }
        for text in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "sqlite://data/x.db",
            "sqlite:x?mode=memory",
            "mysql://db/x",
            "data/gateway.db",
        ] {
            assert!(parsed(text).is_none(), "{text}");
        }
    }

    #[test]
    fn no_debug_shows_the_password_of_a_store() {
        let url = parsed("postgres://gateway:canary@db.internal:5432/gateway?password=canary").expect("a URL");
        assert_eq!(format!("{url:?}"), "postgres://db.internal/gateway");
    }
}
