//! What the vendor takes, as data: the table of `[S3]`.

use upsert_core::{Capabilities, Field, Form, KeyKind, Kind, Payload};
use upsert_provider_kit::{required, shown};

use crate::settings::{API_KEY, AddUpdateSettings};

/// The vendor's member that a record is recognised by: the merchant's own id `[S3]`.
pub(crate) const EXTERNAL_ID: &str = "externalId";

/// What the provider can do under these settings.
///
/// `tells_created_from_updated` is false: the only answer that is sure is a 200 for both. Where the vendor does answer
/// 201, or equal `createdAt` and `updatedAt`, the receipt says so with its evidence, but nobody may count on it.
pub(crate) fn of(settings: &AddUpdateSettings) -> Capabilities {
    let mut forms = vec![form(Kind::Person, Field::GivenName)];
    if settings.organisation_as_first_name {
        forms.push(form(Kind::Organisation, Field::OrganisationName));
    }
    Capabilities {
        title: "add-update (Cheqpay)",
        docs_url: "https://docs.cheqpay.mx/api-reference/customer/create-or-update-a-customer",
        forms,
        tells_created_from_updated: false,
        can_clear: settings.clear_with.is_some(),
        merges_tags: false,
        updates_by_id: false,
        default_payload: Payload::Full,
        credentials: &[API_KEY],
        protected: &[EXTERNAL_ID],
        can_read: true,
        known_daily_limit: None,
    }
}

/// The table for one kind: `first_name` is what goes into `firstName`, the one member beside the key that the vendor
/// requires `[S3]`. `externalId` is required there too, but never missing: without a reference the gateway's id serves.
/// Everything the endpoint takes its answer shows too `[S3]`.
fn form(kind: Kind, first_name: Field) -> Form {
    let mut fields = vec![
        shown(Field::Reference, EXTERNAL_ID),
        required(first_name, "firstName"),
        shown(Field::Email, "email"),
        shown(Field::Phone, "phoneNumber"),
        shown(Field::Status, "active"),
        shown(Field::NotifyEmail, "notificationOptions/notifyEmail"),
        shown(Field::NotifyPhone, "notificationOptions/notifyPhone"),
    ];
    if kind == Kind::Person {
        fields.insert(2, shown(Field::FamilyName, "lastName"));
    }
    Form {
        kinds: vec![kind],
        fields,
        match_keys: vec![KeyKind::Reference],
    }
}
