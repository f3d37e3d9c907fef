//! The one place that lists the simulated vendors.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::add_update::AddUpdate;
use crate::april::April;
use crate::options::SimulatorOptions;
use crate::records::Records;
use crate::rotor::Rotor;
use crate::wire::{Call, Reply};

/// A simulated vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Rotor, a field-service CRM.
    Rotor,
    /// The API whose path is `/customers/add-update`.
    AddUpdate,
    /// April, a payments platform.
    April,
}

/// A vendor's rules with what it has stored.
pub(crate) enum Desk {
    Rotor(Rotor),
    AddUpdate(AddUpdate),
    April(April),
}

impl Desk {
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
            Self::AddUpdate(_) => crate::add_update::error(status),
            Self::April(_) => crate::april::error(status, None),
        }
    }

    /// Stores what a POST would take, without its checks, its keys and its race. Gives the vendor's own id.
    pub(crate) fn seed(&self, account: &str, body: Map<String, Value>) -> String {
        match self {
            Self::Rotor(rotor) => rotor.seed(account, body),
            Self::AddUpdate(add_update) => add_update.seed(account, body),
            Self::April(april) => april.seed(account, body),
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
