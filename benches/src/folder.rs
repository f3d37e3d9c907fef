//! The gateway's configuration for a run: a merchant with one connection and a merchant with three, an API key made for
//! the run, and the vendors' credentials as files.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use upsert_settings::{NewKey, generate_key};

/// The merchant whose customers go to add-update alone.
pub const ONE: &str = "one";
/// The merchant whose customers go to all three vendors.
pub const THREE: &str = "three";

/// Where the three vendors listen.
#[derive(Debug, Clone, Copy)]
pub struct Vendors {
    /// Rotor's.
    pub rotor: SocketAddr,
    /// add-update's.
    pub add_update: SocketAddr,
    /// April's.
    pub april: SocketAddr,
}

/// What simulators take unless they are told otherwise; the vendor of `crate::vendor` takes anything.
pub(crate) const CREDENTIALS: [(&str, &str); 3] = [
    ("rotor", "rotor_sim_secret"),
    ("add-update", ADD_UPDATE_KEY),
    ("april", "sandbox_sk_sim"),
];

/// The key of add-update.
pub const ADD_UPDATE_KEY: &str = "sim-key";

/// Writes a configuration into `folder` for a gateway that listens on `bind`, with lines of `policies` for every connection;
/// gives the API key.
///
/// # Errors
/// The disk's; no randomness for the key.
pub fn write(folder: &Path, bind: SocketAddr, vendors: &Vendors, policies: &str) -> anyhow::Result<NewKey> {
    let key = generate_key()?;
    let path = folder.to_str().context("the folder's name is not UTF-8")?;
    for name in ["merchants", "data"] {
        fs::create_dir_all(folder.join(name))?;
    }
    write_secrets(folder)?;
    fs::write(folder.join("gateway.toml"), gateway(path, bind, &key))?;
    let add_update = connection(
        "add-update",
        "api_key",
        &base(vendors.add_update, ""),
        path,
        Some("m-1"),
    );
    let rotor = connection("rotor", "api_key", &base(vendors.rotor, "/open-api"), path, None);
    // What is measured is not the day.
    let rotor = format!("{rotor}rate_limit = {{ per_day = 0 }}\n");
    let april = connection("april", "secret_key", &base(vendors.april, ""), path, Some("mcht_acme"));
    let merchant = |id: &str| format!("id = {}\ndefault_region = \"US\"\n", quoted(id));
    let one = [merchant(ONE), add_update.clone(), policies.to_owned()].concat();
    let three = [
        &merchant(THREE),
        &rotor,
        policies,
        &april,
        policies,
        &add_update,
        policies,
    ]
    .concat();
    fs::write(folder.join("merchants/one.toml"), one)?;
    fs::write(folder.join("merchants/three.toml"), three)?;
    Ok(key)
}

/// Writes what the vendors' credentials are into `folder`.
///
/// # Errors
/// The disk's.
pub fn write_secrets(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("secrets"))?;
    for (provider, secret) in CREDENTIALS {
        fs::write(folder.join("secrets").join(provider), secret)?;
    }
    Ok(())
}

/// The file of a merchant with these connections to add-update, and with lines of `rest` behind them. The credentials are
/// those of `folder`.
///
/// # Errors
/// The folder has a name that cannot be written.
pub fn merchant(
    folder: &Path,
    vendors: &Vendors,
    id: &str,
    connections: &[&str],
    rest: &str,
) -> anyhow::Result<String> {
    let path = folder.to_str().context("the folder's name is not UTF-8")?;
    let address = base(vendors.add_update, "");
    let usual = connection("add-update", "api_key", &address, path, Some("m-1"));
    let mut text = format!("id = {}\ndefault_region = \"US\"\n", quoted(id));
    for name in connections {
        text.push_str(&usual.replace("name = \"add-update\"", &format!("name = {}", quoted(name))));
    }
    text.push_str(rest);
    Ok(text)
}

pub(crate) fn gateway(folder: &str, bind: SocketAddr, key: &NewKey) -> String {
    format!(
        "[server]\nbind = {}\n\n[store]\nurl = {}\n\n[[api_keys]]\nname = \"load\"\nkey_sha256 = \"{}\"\nmerchants = [\"*\"]\n\
         scopes = [\"customers:read\", \"customers:write\", \"ops:read\", \"ops:write\"]\n",
        quoted(&bind.to_string()),
        quoted(&format!("sqlite:{folder}/data/gateway.db")),
        key.sha256_hex
    )
}

/// As a merchant would have it, but for the bulkhead: 16 calls at once would be what is measured.
fn connection(provider: &str, secret: &str, base_url: &str, folder: &str, merchant: Option<&str>) -> String {
    let file = quoted(&format!("{folder}/secrets/{provider}"));
    let settings = merchant.map_or(String::new(), |id| {
        format!("settings = {{ merchant_id = {} }}\n", quoted(id))
    });
    format!(
        "\n[[connections]]\nname = \"{provider}\"\nprovider = \"{provider}\"\nbase_url = {}\n\
         credentials = {{ {secret} = {{ file = {file} }} }}\n{settings}concurrency = 1024\n",
        quoted(base_url)
    )
}

pub(crate) fn base(address: SocketAddr, prefix: &str) -> String {
    format!("http://{address}{prefix}")
}

/// A TOML string: JSON's, which escapes what TOML wants escaped.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use upsert_settings::{Environment, Secrets, Settings};

    use super::*;

    #[test]
    fn the_gateway_takes_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let vendors = Vendors {
            rotor: at(4101),
            add_update: at(4102),
            april: at(4103),
        };
        write(folder.path(), at(8080), &vendors, "timeout = \"1s\"\n").unwrap();
        let environment = Environment::default();
        let settings = Settings::load(folder.path(), &environment, Secrets::Resolve).unwrap();
        assert_eq!(settings.merchants[ONE].connections.len(), 1);
        let three = &settings.merchants[THREE].connections;
        assert!(three.iter().all(|connection| connection.timeout.as_secs() == 1));
        assert_eq!(settings.merchants[THREE].connections.len(), 3);
    }
}
