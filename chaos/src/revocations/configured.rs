//! What is configured just now: a merchant for each slot, with names that say which of its many keys, credentials and
//! endpoints one is.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use upsert_simulators::{RotorKey, Running};

use super::what::Revocation;

const ALL_SCOPES: &str = "\"customers:read\", \"customers:write\", \"ops:read\"";

/// How often each thing of a slot was replaced, and what is missing of it just now.
#[derive(Debug, Clone, Default)]
struct Slot {
    key: usize,
    credential: usize,
    endpoint: usize,
    lost: Vec<(Revocation, Timestamp)>,
}

impl Slot {
    fn has_lost(&self, revocation: Revocation) -> bool {
        self.lost.iter().any(|(lost, _)| *lost == revocation)
    }
}

pub(in super::super) struct Configured {
    folder: PathBuf,
    address: SocketAddr,
    vendor: String,
    endpoint: SocketAddr,
    slots: Vec<Slot>,
}

fn credential(slot: usize, number: usize) -> String {
    format!("credential-{slot}-{number}")
}

/// All that may ever be used: the vendor takes each of them, so that what goes out too late is no error there.
pub(in super::super) fn credentials_of(slots: usize, replaced: usize) -> Vec<RotorKey> {
    let all = (0..slots).flat_map(|slot| (0..=replaced).map(move |number| (slot, number)));
    all.map(|(slot, number)| RotorKey::new(credential(slot, number), format!("m{slot}")))
        .collect()
}

/// The path of an endpoint: it stands in the journal.
fn hook(slot: usize, number: usize) -> String {
    format!("/hooks/{slot}-{number}")
}

impl Configured {
    pub(in super::super) fn new(
        folder: &Path,
        address: SocketAddr,
        vendor: &Running,
        endpoint: &Running,
        slots: usize,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            address,
            vendor: vendor.base_url(),
            endpoint: endpoint.address(),
            slots: vec![Slot::default(); slots],
        }
    }

    pub(in super::super) fn slots(&self) -> usize {
        self.slots.len()
    }

    pub(in super::super) fn key(&self, slot: usize) -> String {
        format!("key-{slot}-{}", self.slots[slot].key)
    }

    /// Takes it away with the next write. Answers how what may not be used any more is called in a journal.
    pub(in super::super) fn revoke(&mut self, slot: usize, what: Revocation, expires_at: Timestamp) -> Option<String> {
        let own = &mut self.slots[slot];
        own.lost.push((what, expires_at));
        match what {
            Revocation::ConnectionRemoved | Revocation::CredentialChanged => {
                let lost = credential(slot, own.credential);
                own.credential += 1;
                Some(lost)
            }
            Revocation::EndpointRemoved => {
                let lost = hook(slot, own.endpoint);
                own.endpoint += 1;
                Some(lost)
            }
            _ => None,
        }
    }

    /// With the next write everything is there again, as another one.
    pub(in super::super) fn restore(&mut self) {
        for slot in &mut self.slots {
            let of_key = slot.lost.iter().any(|(lost, _)| Revocation::OF_KEYS.contains(lost));
            slot.key += usize::from(of_key);
            slot.lost.clear();
        }
    }

    pub(in super::super) fn write(&self) -> anyhow::Result<()> {
        fs::create_dir_all(self.folder.join("merchants"))?;
        fs::write(
            self.folder.join("hook.secret"),
            "whsec_Y2hhb3MgY2hhb3MgY2hhb3MgY2hhb3MgY2g=",
        )?;
        let mut gateway = format!(
            "[server]\nbind = \"{}\"\ndrain_delay = \"0s\"\n[store]\nurl = \"sqlite:{}\"\n",
            self.address,
            self.folder.join("gateway.db").display()
        );
        // A configuration without any key is refused.
        gateway.push_str(&key_table("stays", "a key that stays", "*", ALL_SCOPES, None));
        // Whom a key speaks for that has lost its own merchant.
        self.put("merchants/somebody-else.toml", "id = \"somebody-else\"\n")?;
        for slot in 0..self.slots.len() {
            gateway.push_str(&self.key_of(slot));
            self.put(&format!("merchants/m{slot}.toml"), &self.merchant_file(slot)?)?;
        }
        self.put("gateway.toml", &gateway)
    }

    /// At once, as a whole: half a file might be a valid one.
    fn put(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let beside = self.folder.join("being-written");
        fs::write(&beside, text)?;
        Ok(fs::rename(beside, self.folder.join(name))?)
    }

    fn key_of(&self, slot: usize) -> String {
        let own = &self.slots[slot];
        if own.has_lost(Revocation::KeyRemoved) {
            return String::new();
        }
        let merchant = if own.has_lost(Revocation::MerchantLost) {
            "somebody-else".to_owned()
        } else {
            merchant(slot)
        };
        let scopes = if own.has_lost(Revocation::ScopesLost) {
            "\"admin\""
        } else {
            ALL_SCOPES
        };
        let expired = own.lost.iter().find(|(lost, _)| *lost == Revocation::KeyExpired);
        let expires_at = expired.map(|(_, at)| *at);
        key_table(&format!("slot-{slot}"), &self.key(slot), &merchant, scopes, expires_at)
    }

    fn merchant_file(&self, slot: usize) -> anyhow::Result<String> {
        let own = &self.slots[slot];
        let mut text = format!("id = \"{}\"\nsync_deadline = \"1s\"\n", merchant(slot));
        if !own.has_lost(Revocation::ConnectionRemoved) {
            let credential = credential(slot, own.credential);
            fs::write(self.folder.join(format!("{credential}.secret")), &credential)?;
            let _ = write!(
                text,
                "[[connections]]\nname = \"crm\"\nprovider = \"rotor\"\nbase_url = \"{}\"\nconcurrency = 2\ntimeout = \"5s\"\n\
                 credentials = {{ api_key = {{ file = \"{credential}.secret\" }} }}\nrate_limit = {{ per_day = 0 }}\n\
                 retry = {{ base = \"100ms\", cap = \"1s\" }}\nbreaker = {{ min_calls = 1000, window = \"1s\" }}\n",
                self.vendor
            );
        }
        if !own.has_lost(Revocation::EndpointRemoved) {
            let _ = write!(
                text,
                "[[webhooks.out]]\nurl = \"http://{}{}\"\nevents = [\"customer.upserted\"]\nsecret = {{ file = \"hook.secret\" }}\n",
                self.endpoint,
                hook(slot, own.endpoint)
            );
        }
        Ok(text)
    }
}

pub(in super::super) fn merchant(slot: usize) -> String {
    format!("m{slot}")
}

fn key_table(name: &str, key: &str, merchant: &str, scopes: &str, expires_at: Option<Timestamp>) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(key));
    let expires_at = expires_at.map_or_else(String::new, |at| format!("expires_at = \"{at}\"\n"));
    format!(
        "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"{merchant}\"]\nscopes = [{scopes}]\n{expires_at}"
    )
}
