//! The adapter for the add-update API: `POST /customers/add-update`, which creates or updates by the merchant's own id.
//!
//! Sans-IO: it words requests and reads answers, and never sends anything. Sources of the facts in it: `[S3]` is the
//! vendor's reference page of this endpoint, `[D]` are its other pages, and `[A]` marks an assumption where both are
//! silent. The assumptions:
//!
//! - `x-merchant-id` is always sent `[S3]`, and the key goes into `x-api-key` `[S3]` unless `settings.auth` says
//!   otherwise: the guides speak of a bearer token `[D]`.
//! - An absent field is left as it was, and null is refused `[A]`: so everything known is sent each time, and null never
//!   but with `settings.clear_with`.
//! - 201 means created, and so does `createdAt` equal to `updatedAt` `[A]`: only 200 is sure to come.
//! - The vendor has persons only `[S3]`; an organisation is refused but with `settings.organisation_as_first_name`.

mod capabilities;
mod decode;
mod encode;
mod reads;
mod refusal;
mod settings;

use http::HeaderMap;

use upsert_core::{Capabilities, PreparedUpsert, ProviderError, UpsertReceipt, UpsertRequest, Violation};
use upsert_provider_kit::{HttpReads, HttpVendor, SettingProblem, VendorSetup, WireReply};

pub use settings::{AddUpdateSettings, Auth};

/// One connection to the add-update API, without IO. `Debug` leaves the headers out: they hold the key.
#[derive(derive_more::Debug)]
#[debug("AddUpdate {{ settings: {settings:?}, .. }}")]
pub struct AddUpdate {
    settings: AddUpdateSettings,
    capabilities: Capabilities,
    headers: HeaderMap,
}

impl HttpVendor for AddUpdate {
    const KIND: &'static str = "add-update";
    const DEFAULT_BASE_URL: &'static str = "http://localhost:3156";

    const UPSERT_PATH: Option<&'static str> = Some(encode::PATH);
    type Settings = AddUpdateSettings;

    fn capabilities(settings: &AddUpdateSettings) -> Capabilities {
        capabilities::of(settings)
    }

    fn new(setup: VendorSetup<AddUpdateSettings>) -> Result<Self, Vec<SettingProblem>> {
        let headers = settings::headers(&setup)?;
        Ok(Self {
            capabilities: capabilities::of(&setup.settings),
            settings: setup.settings,
            headers,
        })
    }

    fn authorise(&self, headers: &mut HeaderMap) {
        headers.extend(self.headers.clone());
    }

    fn encode(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        encode::encode(self, request)
    }

    fn decode(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        decode::decode(self, prepared, reply)
    }

    fn reads(&self) -> Option<&dyn HttpReads> {
        Some(self)
    }
}
