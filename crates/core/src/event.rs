//! What merchants' own systems are told of, and how much.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "&'static str")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
pub enum EventKind {
    /// An upsert's required deliveries have ended well.
    #[strum(serialize = "customer.upserted")]
    CustomerUpserted,
    /// A delivery failed for good.
    #[strum(serialize = "customer.delivery_failed")]
    CustomerDeliveryFailed,
    /// A customer was erased.
    #[strum(serialize = "customer.erased")]
    CustomerErased,
    /// A connection was paused.
    #[strum(serialize = "connection.paused")]
    ConnectionPaused,
    /// A connection goes on.
    #[strum(serialize = "connection.resumed")]
    ConnectionResumed,
    /// A day's quota is nearly used up.
    #[strum(serialize = "quota.running_out")]
    QuotaRunningOut,
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for EventKind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::Type::String)
            .description(Some("What merchants' own systems are told of."))
            .enum_values(Some(Self::VARIANTS.iter().map(|kind| <&str>::from(*kind))))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for EventKind {}

/// How much an endpoint is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum EventPayload {
    /// All of it: what the API would show.
    Full,
    /// Ids alone.
    Ids,
}
