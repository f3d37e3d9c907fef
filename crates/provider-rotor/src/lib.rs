//! Rotor (getrotor.com), a CRM for field services: `POST /customers` of its Open API 1.1.0, and reading back.
//!
//! Rotor matches by its own id, else by phone, else by e-mail, else it makes a new record. It merges tags, tells
//! created from updated, and cannot show billing addresses and services afterwards. It speaks no idempotency key and
//! no id of ours. Facts are marked by the seed that states them (`[S0]`, `[S1]`, `[S2]`), assumptions by `[INF]`.
//!
//! [`Rotor`] is pure: it encodes requests and decodes answers. It does no IO and knows no clock.

mod daily_limit;
mod decode;
mod encode;
mod reads;
mod refusal;
mod settings;

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use upsert_core::{
    Capabilities, Field, FieldMap, Form, KeyKind, Kind, Payload, PreparedUpsert, ProviderError, UpsertReceipt,
    UpsertRequest, Violation,
};
use upsert_provider_kit::{HttpReads, HttpVendor, SettingProblem, VendorSetup, WireReply, hidden, shown, up_to};

pub use settings::{PhoneFormat, RotorSettings};

const TITLE: &str = "Rotor";

const API_VERSION_HEADER: HeaderName = HeaderName::from_static("rotor-api-version");
const API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// Requests per key and day; the vendor's error names the number `[S1]`.
const DAILY_LIMIT: u32 = 1_000;

/// One merchant's account at Rotor.
#[derive(Debug)]
pub struct Rotor {
    settings: RotorSettings,
    form: Form,
    api_key: HeaderValue,
    api_version: HeaderValue,
}

impl HttpVendor for Rotor {
    const KIND: &'static str = "rotor";
    const DEFAULT_BASE_URL: &'static str = "https://api.getrotor.com/open-api";

    const UPSERT_PATH: Option<&'static str> = Some(encode::PATH);

    type Settings = RotorSettings;

    fn capabilities(settings: &RotorSettings) -> Capabilities {
        Capabilities {
            title: TITLE,
            docs_url: "https://docs.api.getrotor.com/api/resources/customers/methods/create_or_update",
            forms: vec![form()],
            tells_created_from_updated: true,
            can_clear: settings.clear_with.is_some(),
            merges_tags: true,
            updates_by_id: true,
            default_payload: Payload::Changed,
            credentials: &["api_key"],
            protected: &["id", "phone", "email", "api_key"],
            can_read: true,
            known_daily_limit: Some(DAILY_LIMIT),
        }
    }

    fn new(setup: VendorSetup<RotorSettings>) -> Result<Self, Vec<SettingProblem>> {
        let api_key = setup.credentials.require("api_key").and_then(|secret| {
            let mut value = header_value("credentials.api_key", secret.expose_secret())?;
            value.set_sensitive(true);
            Ok(value)
        });
        let api_version = header_value("settings.api_version", &setup.settings.api_version);
        match (api_key, api_version) {
            (Ok(api_key), Ok(api_version)) => Ok(Self {
                settings: setup.settings,
                form: form(),
                api_key,
                api_version,
            }),
            (api_key, api_version) => Err([api_key.err(), api_version.err()].into_iter().flatten().collect()),
        }
    }

    fn authorise(&self, headers: &mut HeaderMap) {
        headers.insert(API_KEY_HEADER, self.api_key.clone());
        headers.insert(API_VERSION_HEADER, self.api_version.clone());
    }

    fn encode(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        encode::encode(self, request)
    }

    fn decode(&self, prepared: &PreparedUpsert, reply: &WireReply) -> Result<UpsertReceipt, ProviderError> {
        decode::decode(self, prepared, reply)
    }

    /// Rotor's ids are UUIDs `[S0]`: the same one may be written in capitals.
    fn canonical_id(&self, id: &str) -> String {
        Uuid::try_parse(id).map_or_else(|_| id.to_owned(), |uuid| uuid.to_string())
    }

    fn reads(&self) -> Option<&dyn HttpReads> {
        Some(self)
    }
}

fn header_value(path: &str, text: &str) -> Result<HeaderValue, SettingProblem> {
    if text.is_empty() {
        return Err(SettingProblem::new(path, "is empty"));
    }
    HeaderValue::from_str(text).map_err(|_| SettingProblem::new(path, "holds a character that no HTTP header may hold"))
}

/// One form for both kinds: `company_name` is all that tells an organisation from a person.
fn form() -> Form {
    Form {
        kinds: vec![Kind::Person, Kind::Organisation],
        fields: FIELDS.to_vec(),
        match_keys: vec![KeyKind::Id, KeyKind::Phone, KeyKind::Email],
    }
}

/// Where each field goes `[S0]`, and whether `GET /customers` shows it `[S2]`.
const FIELDS: [FieldMap; 24] = [
    shown(Field::GivenName, "first_name"),
    shown(Field::FamilyName, "last_name"),
    shown(Field::OrganisationName, "company_name"),
    shown(Field::Phone, "phone"),
    shown(Field::Email, "email"),
    shown(Field::PropertyLine1, "property_street1"),
    shown(Field::PropertyLine2, "property_street2"),
    shown(Field::PropertyCity, "property_city"),
    shown(Field::PropertyState, "property_state"),
    shown(Field::PropertyPostalCode, "property_zip"),
    shown(Field::PropertyCountry, "property_country"),
    hidden(Field::BillingLine1, "billing_street1"),
    hidden(Field::BillingLine2, "billing_street2"),
    hidden(Field::BillingCity, "billing_city"),
    hidden(Field::BillingState, "billing_state"),
    hidden(Field::BillingPostalCode, "billing_zip"),
    hidden(Field::BillingCountry, "billing_country"),
    hidden(Field::BillingSameAsProperty, "billing_same_as_property"),
    shown(Field::Status, "status"),
    // The two limits were seen at the sibling endpoint for leads alone: the text is sent whole, with a warning [INF].
    up_to(2_000, &shown(Field::Notes, "notes")),
    shown(Field::Source, "source"),
    up_to(100, &hidden(Field::ServiceType, "service_type")),
    hidden(Field::ServiceFrequency, "service_frequency"),
    shown(Field::Tags, "tags"),
];
