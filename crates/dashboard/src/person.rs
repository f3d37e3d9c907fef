//! A customer's record, as people read it.

use serde_json::{Map, Value as Json};

use upsert_api::{Customer, Status};
use upsert_core::{Field, Kind};

use crate::words::yes_or_no;

/// Fields that belong together: a heading, and each with its value.
pub(crate) type Group = (&'static str, Vec<(String, String)>);

/// How people would call it.
pub(crate) fn name(customer: &Customer) -> String {
    let parts = [&customer.given_name, &customer.middle_name, &customer.family_name];
    let person: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    match (person.is_empty(), &customer.organisation_name) {
        (true, Some(organisation)) => organisation.clone(),
        (true, None) => "Without a name".to_owned(),
        (false, Some(organisation)) => format!("{}, {organisation}", person.join(" ")),
        (false, None) => person.join(" "),
    }
}

/// All fields that are set, in the order of the contract.
pub(crate) fn groups(customer: &Customer) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut put = |title, name: String, text: String| {
        if text.is_empty() {
            return;
        }
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, fields)) => fields.push((name, text)),
            None => groups.push((title, vec![(name, text)])),
        }
    };
    for field in Field::ALL {
        let (title, name) = place_of(field.pointer());
        put(title, name, text_in(customer, *field));
    }
    for (name, value) in &customer.metadata {
        put("Metadata", name.clone(), value.clone());
    }
    for (name, value) in &customer.provider_fields {
        put("Passed through", name.clone(), value.text());
    }
    groups
}

/// Under which heading a field stands, and its name there.
fn place_of(pointer: &str) -> (&'static str, String) {
    let name = |text: &str| text.trim_start_matches('/').replace(['_', '/'], " ");
    if let Some(rest) = pointer.strip_prefix("/addresses/billing/") {
        ("Billing address", name(rest))
    } else if let Some(rest) = pointer.strip_prefix("/addresses/property/") {
        ("Property address", name(rest))
    } else if matches!(pointer, "/notes" | "/source" | "/tags" | "/billing_same_as_property")
        || pointer.starts_with("/service/")
        || pointer.starts_with("/notifications/")
    {
        ("Service and remarks", name(pointer))
    } else {
        ("Who it is", name(pointer))
    }
}

/// What a field holds; empty: nothing.
fn text_in(customer: &Customer, field: Field) -> String {
    let (billing, property) = (&customer.addresses.billing, &customer.addresses.property);
    let value: &dyn Shown = match field {
        Field::Reference => &customer.reference,
        Field::Kind => &customer.kind,
        Field::GivenName => &customer.given_name,
        Field::MiddleName => &customer.middle_name,
        Field::FamilyName => &customer.family_name,
        Field::OrganisationName => &customer.organisation_name,
        Field::TaxId => &customer.tax_id,
        Field::Email => &customer.email,
        Field::Phone => &customer.phone,
        Field::Status => &customer.status,
        Field::Verified => &customer.verified,
        Field::BillingLine1 => &billing.line1,
        Field::BillingLine2 => &billing.line2,
        Field::BillingCity => &billing.city,
        Field::BillingState => &billing.state,
        Field::BillingPostalCode => &billing.postal_code,
        Field::BillingCountry => &billing.country,
        Field::PropertyLine1 => &property.line1,
        Field::PropertyLine2 => &property.line2,
        Field::PropertyCity => &property.city,
        Field::PropertyState => &property.state,
        Field::PropertyPostalCode => &property.postal_code,
        Field::PropertyCountry => &property.country,
        Field::BillingSameAsProperty => &customer.billing_same_as_property,
        Field::ServiceType => &customer.service.r#type,
        Field::ServiceFrequency => &customer.service.frequency,
        Field::NotifyEmail => &customer.notifications.email,
        Field::NotifyPhone => &customer.notifications.phone,
        Field::Notes => &customer.notes,
        Field::Source => &customer.source,
        Field::Tags => &customer.tags,
        // Its members stand one by one.
        Field::Metadata => return String::new(),
    };
    value.text()
}

/// A value for people; empty: there is none.
trait Shown {
    fn text(&self) -> String;
}

impl<T: Shown> Shown for Option<T> {
    fn text(&self) -> String {
        self.as_ref().map(Shown::text).unwrap_or_default()
    }
}

impl Shown for String {
    fn text(&self) -> String {
        self.clone()
    }
}

impl Shown for bool {
    fn text(&self) -> String {
        yes_or_no(*self).to_owned()
    }
}

impl Shown for Kind {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Shown for Status {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Shown for Vec<String> {
    fn text(&self) -> String {
        self.join(", ")
    }
}

impl Shown for Map<String, Json> {
    fn text(&self) -> String {
        Json::Object(self.clone()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use upsert_api::{Address, Addresses, Notifications};

    use super::*;

    fn customer() -> Customer {
        let canary = || Some("CANARY".to_owned());
        Customer {
            reference: Some("R-CANARY".to_owned()),
            kind: Some(Kind::Person),
            given_name: canary(),
            email: Some("canary@x.example".to_owned()),
            verified: Some(true),
            tags: vec!["CANARY".to_owned()],
            addresses: Addresses {
                billing: Address {
                    line1: Some("1 CANARY St".to_owned()),
                    ..Address::default()
                },
                property: Address::default(),
            },
            notifications: Notifications {
                email: Some(true),
                phone: None,
            },
            metadata: [("CANARY".to_owned(), "CANARY".to_owned())].into(),
            provider_fields: [(
                "rotor".to_owned(),
                Map::from_iter([("nick".to_owned(), Json::from("CANARY"))]),
            )]
            .into(),
            ..Customer::default()
        }
    }

    #[test]
    fn a_record_is_shown_by_groups_without_what_is_not_set() {
        let customer = customer();
        let groups = groups(&customer);
        let titles: Vec<&str> = groups.iter().map(|(title, _)| *title).collect();
        let all = [
            "Who it is",
            "Billing address",
            "Service and remarks",
            "Metadata",
            "Passed through",
        ];
        assert_eq!(titles, all);
        let shown =
            |group: usize, name: &str, text: &str| groups[group].1.contains(&(name.to_owned(), text.to_owned()));
        assert!(shown(0, "given name", "CANARY") && shown(0, "verified", "yes"));
        assert!(groups[1].1.iter().all(|(name, _)| name != "line2"));
        assert!(shown(2, "notifications email", "yes") && shown(2, "tags", "CANARY"));
        assert!(shown(4, "rotor", r#"{"nick":"CANARY"}"#));
        assert_eq!(name(&customer), "CANARY");
    }
}
