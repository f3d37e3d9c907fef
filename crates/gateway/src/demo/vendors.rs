//! The three simulators of a demo, and what the configuration needs to know of them.

use std::io;

use upsert_simulators::{AprilCredential, RotorKey, Running, Simulator, SimulatorOptions, Vendor};

/// What April's simulator calls the merchant.
const APRIL_MERCHANT: &str = "mcht_acme";

/// The simulators; they stop when this is dropped.
pub(super) struct Vendors {
    pub(super) rotor: Simulated,
    pub(super) payments: Simulated,
    pub(super) wallet: Simulated,
}

/// One simulator, as one connection of the demo's merchant.
pub(super) struct Simulated {
    /// The connection's name.
    pub(super) connection: &'static str,
    /// The vendor's.
    pub(super) title: &'static str,
    /// The credential that it takes.
    pub(super) credential: &'static str,
    /// Where the merchant's file that is shipped has it.
    pub(super) shipped_url: &'static str,
    /// The environment variable that has its credential there.
    pub(super) shipped_secret: &'static str,
    running: Running,
}

impl Simulated {
    pub(super) fn base_url(&self) -> String {
        self.running.base_url()
    }

    pub(super) fn control_url(&self) -> String {
        self.running.control_url()
    }
}

impl Vendors {
    /// Starts them on free ports of 127.0.0.1.
    pub(super) fn start() -> io::Result<Self> {
        let (rotor_key, april_key, wallet_key) = ("rotor_demo", "sandbox_sk_demo", "wallet_demo");
        let mut options = SimulatorOptions::default();
        options.rotor.keys = vec![RotorKey::new(rotor_key, "acme")];
        options.april.credentials = vec![AprilCredential::Secret {
            token: april_key.to_owned(),
            merchant: APRIL_MERCHANT.to_owned(),
        }];
        options.add_update.keys = vec![wallet_key.to_owned()];
        let start = |vendor, connection, title, credential, (shipped_url, shipped_secret)| {
            Ok::<_, io::Error>(Simulated {
                connection,
                title,
                credential,
                shipped_url,
                shipped_secret,
                running: Simulator::start(vendor, options.clone())?,
            })
        };
        Ok(Self {
            rotor: start(
                Vendor::Rotor,
                "rotor",
                "Rotor",
                rotor_key,
                ("http://localhost:4101/open-api", "ACME_ROTOR_API_KEY"),
            )?,
            payments: start(
                Vendor::April,
                "payments",
                "April",
                april_key,
                ("http://localhost:4103", "ACME_APRIL_SECRET_KEY"),
            )?,
            wallet: start(
                Vendor::AddUpdate,
                "wallet",
                "add-update",
                wallet_key,
                ("http://localhost:3156", "ACME_WALLET_API_KEY"),
            )?,
        })
    }

    /// All of them.
    pub(super) fn each(&self) -> [&Simulated; 3] {
        [&self.rotor, &self.payments, &self.wallet]
    }

    /// Stops them; their ports are free when this returns.
    pub(super) async fn stop(self) {
        for simulated in [self.rotor, self.payments, self.wallet] {
            simulated.running.stop().await;
        }
    }
}
