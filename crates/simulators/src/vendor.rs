//! Which vendors are simulated.

use serde::{Deserialize, Serialize};

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
