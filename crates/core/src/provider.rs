//! The seam: what a vendor is to the gateway.
//!
//! A provider that speaks HTTP is written against `HttpVendor` of the provider kit and gets this trait for free; one
//! that speaks anything else implements it directly. Policies (time-outs, limits, breaker) are wrappers with the same
//! trait, so one call of the stack is one attempt.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use tokio::time::Instant;

use crate::customer::Customer;
use crate::error::ProviderError;
use crate::exchange::Exchange;
use crate::field::{Field, Kind};
use crate::ids::{CustomerId, DeliveryId};
use crate::in_line::InLine;
use crate::matching::{KeyKind, MatchKey};
use crate::receipt::{UpsertReceipt, Warning};

/// One merchant's account at one vendor, able to create or update a customer there.
#[async_trait]
pub trait UpsertProvider: fmt::Debug + Send + Sync + 'static {
    /// What it can do, as data.
    fn info(&self) -> &ProviderInfo;

    /// Works out the vendor's request. Pure: no network, no clock, no state.
    ///
    /// # Errors
    /// What this vendor asks for and the customer does not have.
    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>>;

    /// A vendor's id of a record in the one form that ids are compared and kept in here: two ids are of one record where
    /// their forms are equal. By default an id is its very text.
    fn canonical_id(&self, id: &str) -> String {
        id.to_owned()
    }

    /// Sends it once. Dropping the future may leave the outcome unknown.
    ///
    /// # Errors
    /// Kind, state at the vendor and retry advice.
    async fn upsert(&self, context: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError>;
}

/// Which provider this is, and what it can do.
#[derive(Debug, Clone)]
pub struct ProviderInfo {
    /// The provider's name, such as `rotor`.
    pub kind: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// What of the customer a connection sends when something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Payload {
    /// What differs from the last accepted request, what the vendor requires, and the match key.
    Changed,
    /// Everything known.
    Full,
}

/// What a provider can do, as data: planner, `GET /v1/providers` and tests read the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact about a vendor, read by name"
)]
pub struct Capabilities {
    /// Name for people.
    pub title: &'static str,
    /// The vendor's own page.
    pub docs_url: &'static str,
    /// The shapes of request it knows, by kind of customer.
    pub forms: Vec<Form>,
    /// Whether its answer tells a created record from an updated one.
    pub tells_created_from_updated: bool,
    /// Whether it can clear a field (as configured).
    pub can_clear: bool,
    /// Whether it adds tags and never removes any.
    pub merges_tags: bool,
    /// Whether a known record is updated by the vendor's own id, so that its match keys may change.
    pub updates_by_id: bool,
    /// What it sends unless configured otherwise.
    pub default_payload: Payload,
    /// Names of the credentials it needs.
    pub credentials: &'static [&'static str],
    /// Vendor fields that `provider_fields` may not name: match keys and credentials.
    pub protected: &'static [&'static str],
    /// Whether it can list and read what the vendor holds.
    pub can_read: bool,
    /// Calls a day that the vendor is known to allow.
    pub known_daily_limit: Option<u32>,
}

impl Capabilities {
    /// The form for this kind of customer.
    pub fn form(&self, kind: Kind) -> Option<&Form> {
        self.forms.iter().find(|form| form.kinds.contains(&kind))
    }
}

/// One shape of request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Form {
    /// The kinds of customer it is for.
    pub kinds: Vec<Kind>,
    /// Where each canonical field goes. A field that is not here has no home at this vendor.
    pub fields: Vec<FieldMap>,
    /// What the vendor matches by, in its order.
    pub match_keys: Vec<KeyKind>,
}

/// Where one canonical field goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldMap {
    /// Our field.
    #[serde(rename = "pointer", serialize_with = "as_pointer")]
    pub field: Field,
    /// The vendor's member; `/` goes one object deeper.
    pub vendor_field: &'static str,
    /// Whether the vendor asks for it.
    pub required: bool,
    /// Longer texts may be cut by the vendor, in characters.
    pub soft_limit: Option<usize>,
    /// Whether it can be read back.
    pub readable: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde calls it")]
fn as_pointer<S: serde::Serializer>(field: &Field, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(field.pointer())
}

/// What is to be brought about at the vendor.
#[derive(Debug, Clone, Copy)]
pub struct UpsertRequest<'a> {
    /// The customer as it should be.
    pub customer: &'a Customer,
    /// The gateway's id of it: what a vendor keyed by our id gets where there is no reference.
    pub customer_id: CustomerId,
    /// The vendor's record, if it is known.
    pub link: Option<LinkView<'a>>,
    /// Which vendor fields to send.
    pub selection: Selection<'a>,
    /// Fields that the vendor holds from us and that are gone from the customer.
    pub cleared: &'a BTreeSet<Field>,
    /// Whether the vendor holds tags from us that are gone from the customer.
    pub tags_lost: bool,
    /// Passed through over what the mapping made.
    pub provider_fields: Option<&'a Map<String, Json>>,
}

/// The vendor's record as the gateway knows it.
#[derive(Clone, Copy)]
pub struct LinkView<'a> {
    /// The vendor's id.
    pub provider_customer_id: &'a str,
    /// The key that the record was made with.
    pub key: &'a MatchKey,
    /// Whether the caller brought the vendor's id: a vendor that takes its ids from us goes on with that one.
    pub adopted: bool,
}

impl fmt::Debug for LinkView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkView(…)")
    }
}

/// Which vendor fields to send.
#[derive(Debug, Clone, Copy)]
pub enum Selection<'a> {
    /// Everything known.
    All,
    /// These, what the vendor requires, and the match key.
    Only(&'a BTreeSet<String>),
}

/// Whether this very request may be sent again after an unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Repeat {
    /// The vendor would match the same record again.
    Safe,
    /// It might make another record.
    Unsafe,
}

/// What the vendor is expected to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Intent {
    /// Make a record.
    Create,
    /// Change the known record.
    Update,
    /// One of the two: the vendor decides by its match keys.
    Upsert,
}

/// A request in the vendor's words, without credentials.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WireRequest {
    /// HTTP method, or the verb of whatever the vendor speaks.
    pub method: String,
    /// Path under the base URL, with a leading slash, percent-encoded.
    pub path: String,
    /// The body; null for none.
    pub body: Json,
}

impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireRequest({})", self.method)
    }
}

/// One value on its way: which of our fields it is.
#[derive(Clone, PartialEq)]
pub struct Sent {
    /// Pointer of our field.
    pub pointer: Cow<'static, str>,
    /// The value as the vendor gets it.
    pub value: Json,
    /// Whether the vendor adds it to what it has (tags) instead of replacing.
    pub merged: bool,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sent({})", self.pointer)
    }
}

/// Ready to send.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedUpsert {
    /// What goes over the wire.
    pub request: WireRequest,
    /// Every value in it, by the vendor's field (`/` goes one object deeper).
    pub sent: BTreeMap<String, Sent>,
    /// The first key in the vendor's order that is sent.
    pub match_key: Option<MatchKey>,
    /// Every key that the vendor would match this request by: they must belong to nobody else.
    pub matches_by: Vec<MatchKey>,
    /// Every key that the vendor's record will be known by afterwards.
    pub known_by: Vec<MatchKey>,
    /// The key that the record is made with, or would be: what must not change where the vendor cannot update by id.
    pub link_key: MatchKey,
    /// The vendor's id that the answer has to carry, if one is known.
    pub expected_id: Option<String>,
    /// Whether the record was known before.
    pub intent: Intent,
    /// Whether it may be sent again after an unknown outcome.
    pub repeat: Repeat,
    /// What this vendor cannot hold or do.
    pub warnings: Vec<Warning>,
}

/// Something that this vendor asks for and that the customer does not have. It refuses the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Pointer of our field.
    pub pointer: String,
    /// Stable code, such as `required`.
    pub code: &'static str,
    /// A sentence for people; it repeats no value.
    pub detail: String,
}

/// How urgent a call is: imports may not use the reserve of a daily quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody waits for the answer.
    Interactive,
    /// Imports and batches.
    Bulk,
}

/// What one attempt is told.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// When the attempt has to be over.
    pub deadline: Instant,
    /// Which attempt of the delivery this is, from 1.
    pub attempt: u32,
    /// Whose work it is; none for reads.
    pub delivery_id: Option<DeliveryId>,
    /// W3C trace context to pass on, where the connection allows it.
    pub traceparent: Option<String>,
    /// What other systems say of that trace.
    pub tracestate: Option<String>,
    /// How urgent.
    pub priority: Priority,
    /// Whether it is counted among the day's calls already, and within their limit.
    pub is_counted: bool,
    /// Whether somebody wants to know what the vendor says now: neither an open breaker nor what the vendor said of waiting holds
    /// it back. Our own limits do.
    pub is_trial: bool,
    /// Whether it still waits for its turn: of a call that is dropped then, nothing has gone out.
    pub in_line: InLine,
    /// Where the adapter says what went over the wire.
    pub exchange: Exchange,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Says nothing of its ids.
    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl UpsertProvider for Silent {
        fn info(&self) -> &ProviderInfo {
            unreachable!("nobody asks")
        }

        fn prepare(&self, _: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
            Err(Vec::new())
        }

        async fn upsert(&self, _: &CallContext, _: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
            unreachable!("nobody calls")
        }
    }

    #[test]
    fn a_vendors_id_is_its_very_text_unless_the_provider_knows_better() {
        assert_eq!(Silent.canonical_id(" CRM-1"), " CRM-1");
    }

    #[test]
    fn a_form_is_found_by_the_kind_of_customer_and_shown_with_our_pointers() {
        let field = FieldMap {
            field: Field::GivenName,
            vendor_field: "firstName",
            required: true,
            soft_limit: Some(50),
            readable: false,
        };
        assert_eq!(
            json!(field),
            json!({ "pointer": "/given_name", "vendor_field": "firstName", "required": true, "soft_limit": 50, "readable": false })
        );
        let form = |kind| Form {
            kinds: vec![kind],
            fields: vec![field.clone()],
            match_keys: Vec::new(),
        };
        let capabilities = Capabilities {
            title: "A vendor",
            docs_url: "https://vendor.example",
            forms: vec![form(Kind::Organisation)],
            tells_created_from_updated: false,
            can_clear: false,
            merges_tags: false,
            updates_by_id: false,
            default_payload: Payload::Full,
            credentials: &[],
            protected: &[],
            can_read: false,
            known_daily_limit: None,
        };
        assert_eq!(capabilities.form(Kind::Organisation), Some(&form(Kind::Organisation)));
        assert_eq!(capabilities.form(Kind::Person), None);
    }
}
