//! The simulated vendors, each behind a fault proxy of its own, and the weather that they are in.

use std::net::{Ipv4Addr, SocketAddr};

use upsert_simulators::{
    Answer, AprilCredential, Cut, Effect, Fault, RotorKey, Running, Simulator, SimulatorOptions, Vendor, When,
};

use crate::proxy::{FaultProxy, Odds, ProxyOptions};

/// Merchant with all three vendors.
pub const ACME: &str = "acme";
/// Merchant with one connection, to a vendor that refuses customers for good now and then.
pub const SOLO: &str = "solo";

/// One connection of a merchant: a vendor's simulator and the proxy in front of it.
pub struct Vendored {
    /// Whose connection.
    pub merchant: &'static str,
    /// Its name, unique over all merchants here.
    pub connection: &'static str,
    /// The provider in the gateway.
    pub provider: &'static str,
    /// The vendor.
    pub simulator: Running,
    /// What the gateway talks to.
    pub proxy: FaultProxy,
}

/// What goes wrong on the way to the vendors and in them.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// On the way.
    pub odds: Odds,
    /// In every vendor.
    pub faults: Vec<Fault>,
    /// In addition at the vendors of [`ACME`].
    pub acme: Vec<Fault>,
    /// In addition at the vendor of [`SOLO`].
    pub solo: Vec<Fault>,
}

impl Weather {
    /// Slow enough that a kill meets calls under way; nothing fails.
    pub fn slow() -> Self {
        Self {
            faults: vec![
                Fault::always(Effect::Delay { millis: 4 }),
                Fault::always(Effect::Delay { millis: 60 }).probability(0.3),
            ],
            ..Self::default()
        }
    }

    /// Everything at once, a little of each: the network's faults and the vendors' own.
    pub fn rough() -> Self {
        let answer = |answer: Answer, share: f64| Fault::always(Effect::Answer(answer)).probability(share);
        let mut faults = Self::slow().faults;
        faults.extend([
            Fault::always(Effect::Cut { at: Cut::AfterWrite }).probability(0.01),
            Fault::always(Effect::Cut { at: Cut::BeforeWrite }).probability(0.01),
            answer(Answer::new(429).retry_after(1), 0.002),
            answer(Answer::new(503), 0.01),
            answer(Answer::new(500), 0.01),
            answer(Answer::new(500).after_write(), 0.01),
            Fault::always(Effect::Hang { when: When::AfterWrite }).probability(0.002),
        ]);
        Self {
            odds: Odds::everything(0.004),
            faults,
            // "Not executed", and it was: where such a vendor then refuses for good, nobody can know what it holds.
            acme: vec![answer(Answer::new(503).after_write(), 0.01)],
            solo: vec![
                answer(Answer::new(422), 0.15),
                answer(Answer::new(429), 0.01),
                // An error under a status of success: nobody can tell what happened.
                Fault::always(Effect::EmptyObject).probability(0.01),
            ],
        }
    }

    /// Only cut connections, this share of the calls.
    pub fn resets(share: f64) -> Self {
        Self {
            odds: Odds::resets(share),
            ..Self::default()
        }
    }
}

/// Starts all of them, in fair weather.
///
/// # Errors
/// A port cannot be had.
pub fn start(seed: u64) -> anyhow::Result<Vec<Vendored>> {
    [
        (ACME, "rotor", "rotor", Vendor::Rotor),
        (ACME, "april", "april", Vendor::April),
        (ACME, "wallet", "add-update", Vendor::AddUpdate),
        (SOLO, "till", "add-update", Vendor::AddUpdate),
    ]
    .into_iter()
    .zip(1_u64..)
    .map(|((merchant, connection, provider, vendor), number)| {
        let seed = seed.wrapping_mul(8).wrapping_add(number);
        let simulator = Simulator::start(vendor, options(seed))?;
        let proxy = FaultProxy::start(ProxyOptions {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            upstream: simulator.address(),
            control: None,
            seed,
        })?;
        Ok(Vendored {
            merchant,
            connection,
            provider,
            simulator,
            proxy,
        })
    })
    .collect()
}

/// Puts all of them into this weather.
pub fn set(vendors: &[Vendored], weather: &Weather) {
    for vendor in vendors {
        let mut faults = if vendor.merchant == SOLO {
            weather.solo.clone()
        } else {
            weather.acme.clone()
        };
        faults.extend(weather.faults.iter().cloned());
        vendor.simulator.faults().set(faults);
        vendor.proxy.set(weather.odds.clone());
    }
}

/// The credential that every simulator takes.
pub(crate) const CREDENTIAL: &str = "sk_chaos";

/// What April's simulator calls the merchant.
pub(crate) const APRIL_MERCHANT: &str = "mcht_acme";

impl Vendored {
    /// Its table in the merchant's file; `more` are further lines. A run makes more calls than Rotor allows a day.
    pub(crate) fn table(&self, more: &str) -> String {
        let (credential, settings) = match self.provider {
            "april" => ("secret_key", format!("merchant_id = \"{APRIL_MERCHANT}\"")),
            "rotor" => ("api_key", String::new()),
            _ => ("api_key", "merchant_id = \"m-1\"".to_owned()),
        };
        let prefix = if self.provider == "rotor" { "/open-api" } else { "" };
        format!(
            "[[connections]]\nname = \"{}\"\nprovider = \"{}\"\nbase_url = \"http://{}{prefix}\"\n\
             credentials = {{ {credential} = {{ file = \"vendor.secret\" }} }}\nsettings = {{ {settings} }}\n\
             send_traceparent = true\nrate_limit = {{ per_day = 0 }}\n{more}\n",
            self.connection,
            self.provider,
            self.proxy.address(),
        )
    }
}

fn options(seed: u64) -> SimulatorOptions {
    let mut options = SimulatorOptions {
        fault_seed: seed,
        ..SimulatorOptions::default()
    };
    options.rotor.daily_limit = None;
    options.rotor.keys = vec![RotorKey::new(CREDENTIAL, "acme")];
    options.april.credentials = vec![AprilCredential::Secret {
        token: CREDENTIAL.to_owned(),
        merchant: APRIL_MERCHANT.to_owned(),
    }];
    options.add_update.keys = vec![CREDENTIAL.to_owned()];
    options
}
