//! What the copies of a delivery's record share: warnings are long, and stay as they are. For `#[serde(with = "…")]`.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use upsert_core::Warning;

pub(super) fn is_empty(warnings: &[Warning]) -> bool {
    warnings.is_empty()
}

pub(super) fn serialize<S: Serializer>(warnings: &[Warning], serializer: S) -> Result<S::Ok, S::Error> {
    warnings.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Warning]>, D::Error> {
    Ok(Vec::deserialize(deserializer)?.into())
}
