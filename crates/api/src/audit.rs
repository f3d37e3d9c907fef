//! Who did what when, as the API tells it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::{IntoParams, ToSchema};

use crate::filter::{Filter, Reader, Texts, joined, text_of, texts};

/// What can be done and is audited: what it is about, and the deed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
pub enum AuditAction {
    /// A connection was paused by hand.
    #[serde(rename = "connection.pause")]
    #[strum(serialize = "connection.pause")]
    ConnectionPause,
    /// A connection was resumed by hand.
    #[serde(rename = "connection.resume")]
    #[strum(serialize = "connection.resume")]
    ConnectionResume,
    /// A connection was tried by hand: one call went to its vendor.
    #[serde(rename = "connection.try")]
    #[strum(serialize = "connection.try")]
    ConnectionTry,
    /// It was forgotten which record of a vendor a customer is.
    #[serde(rename = "customer.unlink")]
    #[strum(serialize = "customer.unlink")]
    CustomerUnlink,
    /// A customer was erased.
    #[serde(rename = "customer.erase")]
    #[strum(serialize = "customer.erase")]
    CustomerErase,
    /// Customers were exported.
    #[serde(rename = "customers.export")]
    #[strum(serialize = "customers.export")]
    CustomersExport,
    /// Deliveries that had failed were replayed.
    #[serde(rename = "delivery.replay")]
    #[strum(serialize = "delivery.replay")]
    DeliveryReplay,
    /// Deliveries were given up.
    #[serde(rename = "delivery.discard")]
    #[strum(serialize = "delivery.discard")]
    DeliveryDiscard,
    /// Dead letters of webhooks were tried again.
    #[serde(rename = "event.replay")]
    #[strum(serialize = "event.replay")]
    EventReplay,
    /// Dead letters of webhooks were given up.
    #[serde(rename = "event.discard")]
    #[strum(serialize = "event.discard")]
    EventDiscard,
    /// Events go to an endpoint again.
    #[serde(rename = "endpoint.enable")]
    #[strum(serialize = "endpoint.enable")]
    EndpointEnable,
    /// An endpoint was sent a test event.
    #[serde(rename = "endpoint.test")]
    #[strum(serialize = "endpoint.test")]
    EndpointTest,
    /// A merchant was put into the store.
    #[serde(rename = "merchant.put")]
    #[strum(serialize = "merchant.put")]
    MerchantPut,
    /// A merchant was deleted from the store.
    #[serde(rename = "merchant.delete")]
    #[strum(serialize = "merchant.delete")]
    MerchantDelete,
    /// The first encryption key was to wrap and seal what others do.
    #[serde(rename = "keys.rotate")]
    #[strum(serialize = "keys.rotate")]
    KeysRotate,
    /// New data keys were to be made.
    #[serde(rename = "keys.renew")]
    #[strum(serialize = "keys.renew")]
    KeysRenew,
    /// What is logged was changed.
    #[serde(rename = "logs.change")]
    #[strum(serialize = "logs.change")]
    LogsChange,
    /// Changed files of the configuration were taken over.
    #[serde(rename = "configuration.reload")]
    #[strum(serialize = "configuration.reload")]
    ConfigurationReload,
    /// Somebody signed in at the dashboard.
    #[serde(rename = "session.sign_in")]
    #[strum(serialize = "session.sign_in")]
    SessionSignIn,
    /// Somebody signed out of the dashboard.
    #[serde(rename = "session.sign_out")]
    #[strum(serialize = "session.sign_out")]
    SessionSignOut,
    /// Keys did not open the dashboard.
    #[serde(rename = "session.refused")]
    #[strum(serialize = "session.refused")]
    SessionRefused,
}

/// An entry of the audit trail. It holds no personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, without gaps: what `GET /v1/audit/verify` names it by.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The name of the API key that did it (at the dashboard: that signed in). In brackets stands what is no key: `(files)`,
    /// `(unknown)`.
    pub by: String,
    /// Such as `connection.pause`. A newer version may know more of them.
    pub action: String,
    /// What it was about, such as `connections/acme/rotor`.
    pub subject: String,
    /// Whose; null: the gateway's own.
    pub merchant_id: Option<String>,
    /// What else is told of it; null: nothing.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Json>,
}

/// Which entries of the audit trail to list; every filter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Only of these merchants; none: of all, and the gateway's own.
    #[param(ignore)]
    pub merchants: Option<BTreeSet<String>>,
    /// The name of the key that did it.
    pub by: Option<String>,
    /// One action or more, with commas between.
    #[param(style = Form, explode = false, value_type = Option<Vec<AuditAction>>, example = json!(["connection.pause"]))]
    pub action: BTreeSet<AuditAction>,
    /// Only about this merchant.
    pub merchant: Option<String>,
    /// At or after this moment, RFC 3339.
    pub since: Option<Timestamp>,
    /// Before this moment, RFC 3339.
    pub until: Option<Timestamp>,
}

impl Filter for AuditFilter {
    const NAMES: &'static [&'static str] = &["by", "action", "merchant", "since", "until"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            merchants: None,
            by: reader.text("by"),
            action: reader.words("action"),
            merchant: reader.text("merchant"),
            since: reader.time("since"),
            until: reader.time("until"),
        }
    }
}

impl AuditFilter {
    /// The one merchant that can have entries that match; none: several can, or the gateway.
    pub fn only_merchant(&self) -> Option<&str> {
        let seen = self.merchants.as_ref().filter(|seen| seen.len() == 1);
        let of_seen = seen.and_then(|seen| seen.first()).map(String::as_str);
        self.merchant.as_deref().or(of_seen)
    }

    /// Whether entries of that merchant, or all where there is none, have to be looked at one by one.
    pub fn is_narrowed(&self) -> bool {
        let is_of_several = self.merchants.is_some() && self.only_merchant().is_none();
        self.by.is_some() || !self.action.is_empty() || is_of_several
    }

    /// As it is written.
    pub fn texts(&self) -> Texts {
        texts([
            ("by", self.by.clone()),
            ("action", joined(&self.action)),
            ("merchant", self.merchant.clone()),
            ("since", text_of(self.since)),
            ("until", text_of(self.until)),
        ])
    }
}

/// What does not fit in the audit trail.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AuditFault {
    /// The entry is not what its hash was made of.
    Changed,
    /// The entry does not follow the one before it: one was put in, taken out or exchanged.
    Unconnected,
    /// Entries are missing before it, or all from it on.
    Missing,
    /// It is not keyed, though entries before it are.
    Unkeyed,
    /// It is keyed with a key that is not configured, so nobody can tell.
    UnknownKey,
    /// It stands beyond the end of the chain, or before its beginning.
    Outside,
    /// Where the chain ends was changed, or is missing.
    HeadChanged,
    /// The chain does not have the entry that was noted.
    NotedDiffers,
}

/// The first thing in the audit trail that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditMisfit {
    /// The number of the entry.
    pub number: u64,
    /// What is wrong with it.
    pub code: AuditFault,
    /// The same in a sentence.
    pub detail: String,
}

/// A place in the chain that somebody may note elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditMark {
    /// The number of an entry.
    pub number: u64,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
}

/// What became of walking through a part of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditCheck {
    /// Whether everything fits that was walked through.
    pub fits: bool,
    /// The first thing that does not.
    pub misfit: Option<AuditMisfit>,
    /// Entries that were walked through for this answer.
    pub checked: u64,
    /// How many of them are keyed with an encryption key: whoever lacks it could not have made them.
    pub keyed: u64,
    /// Entries up to this number were forgotten, since they were older than they are kept; 0: none.
    pub forgotten: u64,
    /// The last entry of the chain: to be noted elsewhere, and given as `noted` later. Null: there is none.
    pub head: Option<AuditMark>,
    /// Where the walk goes on; null: it is over.
    pub next_cursor: Option<String>,
}
