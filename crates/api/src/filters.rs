//! Which customers, deliveries, upserts and vendors' records are meant.

use std::collections::BTreeSet;

use jiff::Timestamp;
use utoipa::{IntoParams, ToSchema};

use upsert_core::{CustomerId, DeliveryId, ErrorKind, Kind, UpsertId, WaitingFor};

use crate::customer::CustomerStatus;
use crate::filter::{Filter, Reader, Texts, after, before, joined, text_of, texts};
use crate::states::{DeliveryState, UpsertState};

/// Which customers to list; every filter that is given has to hold. (No `Debug`: it is about a person.)
#[derive(Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CustomerFilter {
    /// The merchant's own id.
    pub reference: Option<String>,
    /// Canonicalised like a request's.
    pub email: Option<String>,
    /// Canonicalised like a request's.
    pub phone: Option<String>,
    /// A label that it carries.
    pub tag: Option<String>,
    /// Whether it is a customer still.
    #[param(value_type = Option<CustomerStatus>)]
    pub status: Option<String>,
    /// What it is.
    #[param(value_type = Option<Kind>)]
    pub kind: Option<String>,
    /// Changed at or after this moment, RFC 3339.
    pub updated_since: Option<Timestamp>,
}

impl Filter for CustomerFilter {
    const NAMES: &'static [&'static str] = &["reference", "email", "phone", "tag", "status", "kind", "updated_since"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            reference: reader.text("reference"),
            email: reader.text("email"),
            phone: reader.text("phone"),
            tag: reader.text("tag"),
            status: reader.text("status"),
            kind: reader.text("kind"),
            updated_since: reader.time("updated_since"),
        }
    }
}

/// Which deliveries are meant; every filter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeliveryFilter {
    /// Only of these merchants; none: of all.
    #[param(ignore)]
    #[schema(ignore)]
    pub merchants: Option<BTreeSet<String>>,
    /// One state or more, with commas between. Dead letters are `failed`.
    #[param(style = Form, explode = false, value_type = Option<Vec<DeliveryState>>, example = json!(["failed"]))]
    #[schema(value_type = States, required = false)]
    pub state: BTreeSet<DeliveryState>,
    /// The connection's name.
    pub connection: Option<String>,
    /// What the error means.
    pub error_kind: Option<ErrorKind>,
    /// The vendor's code, or one of ours.
    pub error_code: Option<String>,
    /// Why it waits.
    pub waiting_for: Option<WaitingFor>,
    /// `cus_…`
    pub customer_id: Option<CustomerId>,
    /// `ups_…`
    pub upsert_id: Option<UpsertId>,
    /// Made at or after this moment, RFC 3339.
    pub since: Option<Timestamp>,
    /// Made before this moment, RFC 3339.
    pub until: Option<Timestamp>,
}

/// States by name.
#[derive(ToSchema, serde::Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is how a body may write them")]
pub(crate) enum States {
    /// One, or several with commas between.
    Text(String),
    /// Several.
    List(Vec<DeliveryState>),
}

impl Filter for DeliveryFilter {
    const NAMES: &'static [&'static str] = &[
        "state",
        "connection",
        "error_kind",
        "error_code",
        "waiting_for",
        "customer_id",
        "upsert_id",
        "since",
        "until",
    ];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            merchants: None,
            state: reader.words("state"),
            connection: reader.text("connection"),
            error_kind: reader.word("error_kind"),
            error_code: reader.text("error_code"),
            waiting_for: reader.word("waiting_for"),
            customer_id: reader.id("customer_id", CustomerId::PREFIX),
            upsert_id: reader.id("upsert_id", UpsertId::PREFIX),
            since: reader.time("since"),
            until: reader.time("until"),
        }
    }
}

impl DeliveryFilter {
    /// As it is written.
    pub fn texts(&self) -> Texts {
        texts([
            ("state", joined(&self.state)),
            ("connection", self.connection.clone()),
            ("error_kind", text_of(self.error_kind)),
            ("error_code", self.error_code.clone()),
            ("waiting_for", text_of(self.waiting_for)),
            ("customer_id", text_of(self.customer_id)),
            ("upsert_id", text_of(self.upsert_id)),
            ("since", text_of(self.since)),
            ("until", text_of(self.until)),
        ])
    }

    /// Whether it asks for anything, merchants apart.
    pub fn is_narrowed(&self) -> bool {
        !self.texts().is_empty()
    }

    /// No delivery that matches has an id below this one.
    pub fn oldest(&self) -> Option<DeliveryId> {
        self.since.map(|since| DeliveryId::oldest_at(before(since)))
    }

    /// No delivery that matches has an id above this one.
    pub fn newest(&self) -> Option<DeliveryId> {
        self.until.map(|until| DeliveryId::oldest_at(after(until)))
    }
}

/// Which upserts of one merchant to list; every filter that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UpsertFilter {
    /// Whose.
    #[param(ignore)]
    pub merchant: String,
    /// One state or more, with commas between.
    #[param(style = Form, explode = false, value_type = Option<Vec<UpsertState>>)]
    pub state: BTreeSet<UpsertState>,
    /// With a delivery to this connection.
    pub connection: Option<String>,
    /// `cus_…`
    pub customer_id: Option<CustomerId>,
    /// Accepted at or after this moment, RFC 3339.
    pub since: Option<Timestamp>,
    /// Accepted before this moment, RFC 3339.
    pub until: Option<Timestamp>,
}

impl Filter for UpsertFilter {
    const NAMES: &'static [&'static str] = &["state", "connection", "customer_id", "since", "until"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            merchant: String::new(),
            state: reader.words("state"),
            connection: reader.text("connection"),
            customer_id: reader.id("customer_id", CustomerId::PREFIX),
            since: reader.time("since"),
            until: reader.time("until"),
        }
    }
}

impl UpsertFilter {
    /// No upsert that matches has an id below this one.
    pub fn oldest(&self) -> Option<UpsertId> {
        self.since.map(|since| UpsertId::oldest_at(before(since)))
    }

    /// No upsert that matches has an id above this one.
    pub fn newest(&self) -> Option<UpsertId> {
        self.until.map(|until| UpsertId::oldest_at(after(until)))
    }
}

/// Which of a vendor's records to list; a filter that the vendor does not know is refused. (No `Debug`: it may be about a
/// person.)
#[derive(Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VendorFilter {
    /// Free text.
    pub search: Option<String>,
    /// Whether it is a customer still.
    #[param(value_type = Option<CustomerStatus>)]
    pub status: Option<String>,
    /// A label that the record carries.
    pub tag: Option<String>,
    /// Archived records too.
    pub archived: Option<bool>,
}

impl Filter for VendorFilter {
    const NAMES: &'static [&'static str] = &["search", "status", "tag", "archived"];

    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            search: reader.text("search"),
            status: reader.text("status"),
            tag: reader.text("tag"),
            archived: reader.flag("archived"),
        }
    }
}
