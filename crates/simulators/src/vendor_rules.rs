//! The one place that lists the simulated vendors.

use serde_json::{Map, Value, json};

use crate::add_update::{self, AddUpdate};
use crate::april::{self, April};
use crate::checks::Field;
use crate::options::SimulatorOptions;
use crate::record::{Record, Written};
use crate::records::Records;
use crate::rotor::Rotor;
use crate::vendor::Vendor;
use crate::wire::{Call, Reply};
use crate::{april_answers, april_reads, rotor_answers};

/// A vendor's rules with what it has stored.
pub(crate) enum VendorRules {
    Rotor(Rotor),
    AddUpdate(AddUpdate),
    April(April),
}

impl VendorRules {
    pub(crate) fn new(vendor: Vendor, options: &SimulatorOptions) -> Self {
        match vendor {
            Vendor::Rotor => Self::Rotor(Rotor::new(options)),
            Vendor::AddUpdate => Self::AddUpdate(AddUpdate::new(options)),
            Vendor::April => Self::April(April::new(options)),
        }
    }

    /// What stands before `/customers` in a path.
    pub(crate) fn prefix(&self) -> &'static str {
        match self {
            Self::Rotor(_) => "/open-api",
            Self::AddUpdate(_) | Self::April(_) => "",
        }
    }

    /// Executes a request by the vendor's rules.
    pub(crate) async fn answer(&self, call: &Call<'_>) -> Reply {
        match self {
            Self::Rotor(rotor) => rotor.answer(call).await,
            Self::AddUpdate(add_update) => add_update.answer(call).await,
            Self::April(april) => april.answer(call).await,
        }
    }

    /// The vendor's documented body for an error status.
    pub(crate) fn error(&self, status: u16) -> Value {
        match self {
            Self::Rotor(rotor) => rotor.error(status),
            Self::AddUpdate(_) => add_update::error(status),
            Self::April(_) => april_answers::error(status, None),
        }
    }

    /// The body of a 429 that names a time to wait. Rotor's documented one speaks of the whole day, which no short wait is of;
    /// this one is on no page.
    pub(crate) fn slow_down(&self) -> Value {
        match self {
            Self::Rotor(_) => json!({
                "status": "error", "message": "Too many requests", "error_code": "RATE_LIMIT_EXCEEDED",
            }),
            other => other.error(429),
        }
    }

    /// Stores what a POST would take, without its checks, its keys and its race.
    pub(crate) fn seed(&self, account: &str, body: Map<String, Value>) -> Written {
        match self {
            Self::Rotor(rotor) => rotor.seed(account, body),
            Self::AddUpdate(add_update) => add_update.seed(account, body),
            Self::April(april) => april.seed(account, body),
        }
    }

    /// A record with its id, as the vendor's events show it.
    pub(crate) fn told(&self, record: &Record) -> Value {
        match self {
            Self::Rotor(_) => Value::Object(rotor_answers::flat(record)),
            Self::AddUpdate(_) => add_update::told(record),
            Self::April(_) => april_reads::flat(record),
        }
    }

    /// Whether a write may have a text field of this name.
    pub(crate) fn knows(&self, field: &str) -> bool {
        let text = |(name, shape): &Field| *name == field && shape.is_text();
        match self {
            Self::Rotor(_) => rotor_answers::FIELDS.iter().any(text),
            Self::AddUpdate(_) => add_update::FIELDS.iter().any(text),
            Self::April(_) => april::CONSUMER_FIELDS
                .iter()
                .chain(&april::ORGANISATION_FIELDS)
                .any(text),
        }
    }

    pub(crate) fn records(&self) -> &Records {
        match self {
            Self::Rotor(rotor) => &rotor.records,
            Self::AddUpdate(add_update) => &add_update.records,
            Self::April(april) => &april.records,
        }
    }

    /// Begins a new day for every key.
    pub(crate) fn new_rate_window(&self) {
        if let Self::Rotor(rotor) = self {
            rotor.new_rate_window();
        }
    }
}
