//! The folder of a demo: configuration, secrets as files, and the store, all of it for this user alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::ExposeSecret as _;
use upsert_settings::{NewKey, generate_encryption_key};

use super::vendors::Vendors;
use crate::output::complain;

const GATEWAY: &str = include_str!("gateway.toml");
/// The merchant that the repository ships, whose vendors and secrets are elsewhere in a demo.
const MERCHANT: &str = include_str!("../../../../config/merchants/acme.toml");

/// Where the API key lies in it.
pub(super) const KEY_FILE: &str = "secrets/api_key";

/// Where the key lies that seals what is stored.
const ENCRYPTION_KEY_FILE: &str = "secrets/encryption_key";

/// The folder; it is removed when this is dropped, unless it is to be kept.
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Makes the folder, a temporary one unless it is named.
    ///
    /// # Errors
    /// It cannot be made, or holds something: what is somebody else's is neither overwritten nor removed.
    pub(super) fn create(named: Option<PathBuf>, keep: bool) -> anyhow::Result<Self> {
        let path = match named {
            Some(path) => {
                make(&path).with_context(|| format!("{} cannot be made", path.display()))?;
                let path = path.canonicalize()?;
                anyhow::ensure!(
                    fs::read_dir(&path)?.next().is_none(),
                    "{} is not empty: name a folder that is new or empty",
                    path.display()
                );
                path
            }
            None => tempfile::Builder::new()
                .prefix("upsert-gateway-demo-")
                .tempdir()?
                .keep(),
        };
        Ok(Self { path, keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_kept(&self) -> bool {
        self.keep
    }

    /// Writes configuration and secrets.
    pub(super) fn write(&self, bind: SocketAddr, key: &NewKey, vendors: &Vendors) -> anyhow::Result<()> {
        for folder in ["merchants", "secrets", "data"] {
            make(&self.path.join(folder))?;
        }
        let store = self.path.join("data/gateway.db");
        let store = store.to_str().context("the folder's name is not UTF-8")?;
        let gateway = GATEWAY
            .replace("@BIND@", &quoted(&bind.to_string()))
            .replace("@STORE@", &quoted(&format!("sqlite:{store}")))
            .replace("@KEY_SHA256@", &key.sha256_hex);
        let mut merchant = MERCHANT.to_owned();
        self.file(KEY_FILE, &key.key)?;
        self.file(ENCRYPTION_KEY_FILE, generate_encryption_key()?.expose_secret())?;
        for vendor in vendors.each() {
            let secret = format!("secrets/{}", vendor.connection);
            self.file(&secret, vendor.credential)?;
            let here = [
                (quoted(vendor.shipped_url), quoted(&vendor.base_url())),
                (
                    format!("{{ env = {} }}", quoted(vendor.shipped_secret)),
                    format!("{{ file = {} }}", quoted(&secret)),
                ),
            ];
            for (shipped, here) in here {
                anyhow::ensure!(
                    merchant.matches(&shipped).count() == 1,
                    "the shipped merchant has no {shipped}"
                );
                merchant = merchant.replace(&shipped, &here);
            }
        }
        self.file("gateway.toml", &gateway)?;
        self.file("merchants/acme.toml", &merchant)?;
        Ok(())
    }

    fn file(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.path.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            complain(&format!("{} could not be removed: {error}", self.path.display()));
        }
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A TOML string: JSON's, which escapes what TOML wants escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_something_is_refused_and_left_alone() {
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("precious"), "x").unwrap();
        let refused = Folder::create(Some(other.path().to_owned()), false).err().unwrap();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert!(other.path().join("precious").exists());
    }

    #[test]
    fn it_is_gone_at_the_end_unless_it_is_kept() {
        for keep in [false, true] {
            let folder = Folder::create(None, keep).unwrap();
            let path = folder.path().to_owned();
            folder.file("a", "b").unwrap();
            drop(folder);
            assert_eq!(path.exists(), keep);
            let _ = fs::remove_dir_all(path);
        }
    }
}
