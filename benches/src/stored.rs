//! A gateway whose merchants live in its store, put there over its API: what their number costs a start and an upsert.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;
use tokio::process::Command;
use upsert_settings::generate_key;

use crate::client::{Connection, head};
use crate::folder::{ADD_UPDATE_KEY, base, quoted};
use crate::launch::{Running, free_address, program, start};

/// The merchant that a file has.
pub const IN_A_FILE: &str = "in-a-file";

/// A gateway and its only vendor.
#[derive(Debug)]
pub struct Stage {
    programs: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    vendor: SocketAddr,
    key: String,
    customers: AtomicU64,
    _simulators: Running,
}

impl Stage {
    /// Starts the vendor, and writes what the gateway is configured by.
    ///
    /// # Errors
    /// A program is missing or does not start.
    pub async fn set(programs: &Path, folder: &Path) -> anyhow::Result<Self> {
        let (vendor, address) = (free_address()?, free_address()?);
        let mut command = Command::new(program(programs, "upsert-simulators")?);
        command.args(["--quick", "--add-update", &vendor.to_string()]);
        for unused in ["--rotor", "--april"] {
            command.args([unused, &free_address()?.to_string()]);
        }
        let simulators = start("simulators", command, vendor, "/__sim/health", folder).await?;
        let key = generate_key()?;
        let path = folder.to_str().context("the folder's name is not UTF-8")?;
        fs::create_dir_all(folder.join("merchants"))?;
        fs::write(folder.join("sealing"), "QkVOQ0hCRU5DSEJFTkNIQkVOQ0hCRU5DSEJFTkNIQkU=")?;
        fs::write(folder.join("vendor"), ADD_UPDATE_KEY)?;
        let gateway = format!(
            "[server]\nbind = {}\napi_merchants_may_use_loopback = true\n[store]\nurl = {}\n\
             encryption_keys = [{{ id = \"one\", key = {{ file = {} }} }}]\n[[api_keys]]\nname = \"load\"\nkey_sha256 = \"{}\"\n\
             merchants = [\"*\"]\nscopes = [\"customers:write\", \"admin\"]\n",
            quoted(&address.to_string()),
            quoted(&format!("sqlite:{path}/gateway.db")),
            quoted(&format!("{path}/sealing")),
            key.sha256_hex
        );
        fs::write(folder.join("gateway.toml"), gateway)?;
        let merchant = format!(
            "id = {}\n[[connections]]\nname = \"wallet\"\nprovider = \"add-update\"\nbase_url = {}\n\
             credentials = {{ api_key = {{ file = {} }} }}\nsettings = {{ merchant_id = \"m-1\" }}\n",
            quoted(IN_A_FILE),
            quoted(&base(vendor, "")),
            quoted(&format!("{path}/vendor"))
        );
        fs::write(folder.join("merchants/in-a-file.toml"), merchant)?;
        Ok(Self {
            programs: programs.to_owned(),
            folder: folder.to_owned(),
            address,
            vendor,
            key: key.key,
            customers: AtomicU64::new(0),
            _simulators: simulators,
        })
    }

    /// Starts the gateway over the store as it is.
    ///
    /// # Errors
    /// It does not start.
    pub async fn serve(&self) -> anyhow::Result<Running> {
        let mut command = Command::new(program(&self.programs, "upsert-gateway")?);
        command.arg("serve").arg("--config").arg(&self.folder);
        start("gateway", command, self.address, "/readyz", &self.folder).await
    }

    /// Puts so many merchants, over some connections at once; how long that took.
    ///
    /// # Errors
    /// One is refused.
    pub async fn put(self: &Arc<Self>, merchants: u64) -> anyhow::Result<Duration> {
        let (began, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let putting = (0..16).map(|_| {
            let (stage, next) = (Arc::clone(self), Arc::clone(&next));
            async move {
                let mut connection = Connection::open(stage.address).await?;
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= merchants {
                        return anyhow::Ok(());
                    }
                    let path = format!("/v1/merchants/{}", id(number));
                    let head = head("PUT", &path, &[("x-api-key", &stage.key)]);
                    let status = connection.call(&head, &stage.document()).await?.status;
                    anyhow::ensure!(status == 201, "a merchant was answered {status}");
                }
            }
        });
        try_join_all(putting).await?;
        Ok(began.elapsed())
    }

    fn document(&self) -> String {
        format!(
            "{{\"connections\":[{{\"name\":\"wallet\",\"provider\":\"add-update\",\"base_url\":{},\"settings\":\
             {{\"merchant_id\":\"m-1\"}},\"credentials\":{{\"api_key\":{{\"value\":{}}}}}}}]}}",
            quoted(&base(self.vendor, "")),
            quoted(ADD_UPDATE_KEY)
        )
    }

    /// Upserts a new customer for each of these merchants, one after the other; how long each took, in microseconds.
    ///
    /// # Errors
    /// One is not answered 201.
    pub async fn upsert(&self, merchants: impl Iterator<Item = String>) -> anyhow::Result<Histogram<u64>> {
        let mut took = Histogram::new(3)?;
        let mut connection = Connection::open(self.address).await?;
        for merchant in merchants {
            let number = self.customers.fetch_add(1, Ordering::Relaxed);
            let body = format!(
                "{{\"reference\":\"R-{number}\",\"given_name\":\"Ann\",\"family_name\":\"Lee\",\
                 \"email\":\"a{number}@example.com\",\"phone\":\"+1202555{:04}\"}}",
                number % 10_000
            );
            let head = head(
                "POST",
                "/v1/customers",
                &[("x-api-key", &self.key), ("merchant-id", &merchant)],
            );
            let began = Instant::now();
            let answer = connection.call(&head, &body).await?;
            let body = String::from_utf8_lossy(answer.body).into_owned();
            anyhow::ensure!(
                answer.status == 201,
                "{merchant} was answered {}: {body}",
                answer.status
            );
            took.record(u64::try_from(began.elapsed().as_micros())?)?;
        }
        Ok(took)
    }
}

/// The id of the merchant of this number.
pub fn id(number: u64) -> String {
    format!("m{number:06}")
}
