//! The files themselves.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use upsert_settings::{NewKey, generate_encryption_key};

const ENCRYPTION_KEY: &str = "secrets/encryption_key";
const SIGNING_KEY: &str = "secrets/signing_key";

/// What is to be written.
pub(super) struct Plan {
    pub(super) folder: PathBuf,
    pub(super) bind: String,
    pub(super) store: String,
    pub(super) merchant: String,
    pub(super) region: Option<String>,
    pub(super) connections: Vec<Connection>,
    pub(super) json: bool,
}

/// A connection, which is called like its provider.
pub(super) struct Connection {
    pub(super) provider: String,
    pub(super) settings: BTreeMap<String, String>,
}

impl Plan {
    /// Writes all of it; returns which files.
    ///
    /// # Errors
    /// One of the files is there already: what is somebody else's is not overwritten. Nothing is written then.
    pub(super) fn write(&self, key: &NewKey) -> anyhow::Result<Vec<PathBuf>> {
        let merchant = format!("merchants/{}.toml", self.merchant);
        // The one that tells that it is done comes last: where another cannot be written, it can be begun anew.
        let files = [
            (
                ENCRYPTION_KEY,
                generate_encryption_key()?.expose_secret().to_owned() + "\n",
            ),
            (
                SIGNING_KEY,
                generate_encryption_key()?.expose_secret().to_owned() + "\n",
            ),
            (merchant.as_str(), self.merchant()),
            ("gateway.toml", self.gateway(key)),
        ];
        for (name, _) in &files {
            let path = self.folder.join(name);
            anyhow::ensure!(
                !path.exists(),
                "{} is there already: name another folder, or change it by hand",
                path.display()
            );
        }
        let mut written = Vec::new();
        for (name, text) in files {
            let path = self.folder.join(name);
            create(&path, &text).with_context(|| format!("{} cannot be written", path.display()))?;
            written.push(path);
        }
        Ok(written)
    }

    /// The environment variables that hold the vendors' credentials.
    pub(super) fn variables(&self) -> Vec<String> {
        let registry = upsert_registry::registry();
        let of = |connection: &Connection| {
            let credentials = registry.description(&connection.provider);
            let credentials = credentials.map_or(&[][..], |provider| provider.capabilities.credentials);
            let names = credentials.iter().map(|name| self.variable(&connection.provider, name));
            names.collect::<Vec<_>>()
        };
        self.connections.iter().flat_map(of).collect()
    }

    /// Such as `ACME_ROTOR_API_KEY`.
    fn variable(&self, connection: &str, credential: &str) -> String {
        let name = format!("{}_{connection}_{credential}", self.merchant);
        let name = name.replace('-', "_").to_ascii_uppercase();
        // No shell has a variable that begins with a digit.
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            format!("_{name}")
        } else {
            name
        }
    }

    fn gateway(&self, key: &NewKey) -> String {
        format!(
            "# Written by `upsert-gateway init`. What else can be set, and every default: docs/configuration.md of the source.

[server]
bind = {bind}
# Signs the certificates of erased customers.
signing_key = {{ file = {SIGNING_KEY:?} }}

[store]
url = {store}
# Seals what is stored of persons. The first key seals, all of them open: put a new one in front to rotate.
encryption_keys = [{{ id = \"1\", key = {{ file = {ENCRYPTION_KEY:?} }} }}]

# The key itself was printed once. `upsert-gateway keys new` makes others.
[[api_keys]]
name = \"operator\"
key_sha256 = {hash:?}
merchants = [{merchant:?}]
scopes = [\"customers:read\", \"customers:write\", \"ops:read\", \"ops:write\"]
",
            bind = quoted(&self.bind),
            store = quoted(&self.store),
            hash = key.sha256_hex,
            merchant = self.merchant,
        )
    }

    fn merchant(&self) -> String {
        let region = match &self.region {
            Some(region) => format!("default_region = {region:?}"),
            None => "#default_region = \"US\"".to_owned(),
        };
        let merchant = &self.merchant;
        let connections: Vec<String> = self.connections.iter().map(|one| self.connection(one)).collect();
        format!(
            "id = {merchant:?}\n{region}   # of phone numbers without a country code\n{}",
            connections.concat()
        )
    }

    fn connection(&self, Connection { provider, settings }: &Connection) -> String {
        let registry = upsert_registry::registry();
        // Arguments are checked by the same registry.
        let Some(description) = registry.description(provider) else {
            return String::new();
        };
        let capabilities = &description.capabilities;
        let credentials = capabilities.credentials.iter();
        let credentials: Vec<String> = credentials
            .map(|name| format!("{name} = {{ env = {:?} }}", self.variable(provider, name)))
            .collect();
        let settings: Vec<String> = settings
            .iter()
            .map(|(name, value)| format!("{name} = {}", quoted(value)))
            .collect();
        format!(
            "
# {title}: {docs}
[[connections]]
name = {provider:?}
provider = {provider:?}
#base_url = {url:?}
credentials = {{ {credentials} }}
settings = {{ {settings} }}
",
            title = capabilities.title,
            docs = capabilities.docs_url,
            url = description.default_base_url,
            credentials = credentials.join(", "),
            settings = settings.join(", "),
        )
    }
}

/// Folders and files for this user alone.
fn create(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// A TOML string: JSON's, which escapes what TOML wants escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
