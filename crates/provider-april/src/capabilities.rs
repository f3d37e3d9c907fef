//! What April takes, as data: one table for a person `[D]`, one for an organisation `[L]`.

use upsert_core::{Capabilities, Field, FieldMap, Form, KeyKind, Kind, Payload};

use crate::credentials::SECRET_KEY;
use crate::settings::AprilSettings;

/// A person's business key `[S4]`.
pub(crate) const EMAIL: &str = "emailAddress";
/// An organisation's business key `[S4]`.
pub(crate) const REFERENCE: &str = "referenceCustomerId";
/// Sent whole or not at all.
pub(crate) const METADATA: &str = "metadata";

/// What the provider can do under these settings. That it can read holds for connections with a marketplace key.
pub(crate) fn of(settings: &AprilSettings) -> Capabilities {
    Capabilities {
        title: "April",
        docs_url: "https://docs.meetapril.io/openapi/april-public/operation/UpsertCustomer",
        forms: vec![person(settings.strict), organisation()],
        // 200 for both `[S4]`.
        tells_created_from_updated: false,
        can_clear: settings.clear_with.is_some(),
        merges_tags: false,
        // The request has no place for `customerId` `[D]`.
        updates_by_id: false,
        default_payload: Payload::Full,
        credentials: &[SECRET_KEY],
        protected: &[EMAIL, REFERENCE],
        can_read: true,
        known_daily_limit: None,
    }
}

fn person(strict: bool) -> Form {
    Form {
        kinds: vec![Kind::Person],
        fields: vec![
            map(Field::Email, EMAIL, true),
            map(Field::Phone, "phoneNumber", strict),
            map(Field::Reference, REFERENCE, false),
            map(Field::GivenName, "givenName", false),
            map(Field::MiddleName, "middleName", false),
            map(Field::FamilyName, "familyName", strict),
            map(Field::Verified, "isVerified", false),
            map(Field::Metadata, METADATA, false),
        ],
        match_keys: vec![KeyKind::Email],
    }
}

fn organisation() -> Form {
    Form {
        kinds: vec![Kind::Organisation],
        fields: vec![
            map(Field::Reference, REFERENCE, true),
            map(Field::OrganisationName, "organisationName", true),
            map(Field::TaxId, "taxId", true),
            map(Field::Email, EMAIL, true),
            map(Field::Verified, "organisationKyced", false),
            map(Field::Metadata, METADATA, false),
        ],
        match_keys: vec![KeyKind::Reference],
    }
}

/// All of it is taken to be readable, as a mirror of the request `[A]`.
fn map(field: Field, vendor_field: &'static str, required: bool) -> FieldMap {
    FieldMap {
        field,
        vendor_field,
        required,
        soft_limit: None,
        readable: true,
    }
}
