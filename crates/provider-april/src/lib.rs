//! The adapter for April: `POST /customers` (API 3.0), which creates or updates by a business key: a person's e-mail
//! address, or an organisation's reference, at one merchant.
//!
//! Sans-IO: it words requests and reads answers, and never sends anything. Sources of the facts in it: `[S4]` is the
//! vendor's page of this endpoint (which lacks the body), `[D]` are its other pages, `[L]` those of the API before this
//! one, and `[A]` marks an assumption where all of them are silent. The assumptions:
//!
//! - The wrapper of an organisation is `UpsertOrganisationCustomer`, with the fields of `[L]`; `settings.organisation_wrapper`
//!   names another. The wrapper of a person and its fields are documented `[D]`.
//! - Which fields are required: the e-mail address always, a person's phone and family name while `settings.strict` is
//!   on, and everything but `verified` of an organisation `[L]`.
//! - An absent field is left as it was, and null is refused: so everything known is sent each time, and null never but
//!   with `settings.clear_with`. Whether metadata is merged or replaced is not known: always the whole map is sent.
//! - `verified` feeds lending and identity checks `[L]`: it is sent only if the caller set it or `settings.default_verified`
//!   says so, and never inferred. `organisationCreditChecked` is sent through `provider_fields` alone.
//! - A record that is read looks like the one that was sent, perhaps in a wrapper of one member.

mod capabilities;
mod credentials;
mod decode;
mod encode;
mod reads;
mod refusal;
mod settings;

use http::{HeaderMap, HeaderValue, header};

use upsert_core::{Capabilities, PreparedUpsert, ProviderError, UpsertReceipt, UpsertRequest, Violation};
use upsert_provider_kit::{HttpReads, HttpVendor, SettingProblem, VendorSetup, WireReply};

pub use settings::AprilSettings;

/// One connection to April, without IO. `Debug` leaves the headers out: they hold the key.
#[derive(derive_more::Debug)]
#[debug("April {{ settings: {settings:?}, may_read: {may_read}, .. }}")]
pub struct April {
    settings: AprilSettings,
    capabilities: Capabilities,
    headers: HeaderMap,
    may_read: bool,
}

impl HttpVendor for April {
    const KIND: &'static str = "april";
    const DEFAULT_BASE_URL: &'static str = "https://api.sandbox.au.meetapril.io";

    const UPSERT_PATH: Option<&'static str> = Some(encode::PATH);
    type Settings = AprilSettings;

    fn capabilities(settings: &AprilSettings) -> Capabilities {
        capabilities::of(settings)
    }

    fn new(setup: VendorSetup<AprilSettings>) -> Result<Self, Vec<SettingProblem>> {
        let (headers, key_use) = credentials::check(&setup)?;
        Ok(Self {
            capabilities: capabilities::of(&setup.settings),
            settings: setup.settings,
            headers,
            may_read: key_use == credentials::KeyUse::Marketplace,
        })
    }

    fn authorise(&self, headers: &mut HeaderMap) {
        // April's pages name the character set `[D]`.
        if let Some(content_type) = headers.get_mut(header::CONTENT_TYPE) {
            *content_type = HeaderValue::from_static("application/json; charset=utf-8");
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(self.headers.clone());
    }

    fn encode(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        encode::encode(self, request)
    }

    fn decode(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        decode::decode(self, prepared, reply)
    }

    /// Listing is open to marketplace keys and not to a merchant's secret key `[D]`.
    fn reads(&self) -> Option<&dyn HttpReads> {
        self.may_read.then_some(self as &dyn HttpReads)
    }
}
