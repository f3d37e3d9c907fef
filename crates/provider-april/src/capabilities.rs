//! What April takes, as data: one table for a person `[D]`, one for an organisation `[L]`.

use upsert_core::{Capabilities, Field, Form, KeyKind, Kind, Payload};
use upsert_provider_kit::{required, shown};

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

/// All of it is taken to be readable, as a mirror of the request `[A]`.
fn person(strict: bool) -> Form {
    let asked = if strict { required } else { shown };
    Form {
        kinds: vec![Kind::Person],
        fields: vec![
            required(Field::Email, EMAIL),
            asked(Field::Phone, "phoneNumber"),
            shown(Field::Reference, REFERENCE),
            shown(Field::GivenName, "givenName"),
            shown(Field::MiddleName, "middleName"),
            asked(Field::FamilyName, "familyName"),
            shown(Field::Verified, "isVerified"),
            shown(Field::Metadata, METADATA),
        ],
        match_keys: vec![KeyKind::Email],
    }
}

fn organisation() -> Form {
    Form {
        kinds: vec![Kind::Organisation],
        fields: vec![
            required(Field::Reference, REFERENCE),
            required(Field::OrganisationName, "organisationName"),
            required(Field::TaxId, "taxId"),
            required(Field::Email, EMAIL),
            shown(Field::Verified, "organisationKyced"),
            shown(Field::Metadata, METADATA),
        ],
        match_keys: vec![KeyKind::Reference],
    }
}
