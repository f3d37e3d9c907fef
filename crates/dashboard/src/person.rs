//! A customer's record, as people read it.

use serde_json::Value as Json;

use upsert_api::Customer;
use upsert_core::Field;

use crate::words::text_of;

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
    // As the API writes them: each by its pointer. The members of the merchant's own stand one by one.
    let written = serde_json::to_value(customer).unwrap_or_default();
    for field in Field::ALL.iter().filter(|field| **field != Field::Metadata) {
        let (title, name) = place_of(field.pointer());
        put(
            title,
            name,
            written.pointer(field.pointer()).map(text_of).unwrap_or_default(),
        );
    }
    for (name, value) in &customer.metadata {
        put("Metadata", name.clone(), value.clone());
    }
    for (name, value) in &customer.provider_fields {
        put("Passed through", name.clone(), Json::Object(value.clone()).to_string());
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

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use upsert_api::{Address, Addresses, Notifications};

    use super::*;

    fn customer() -> Customer {
        let canary = || Some("CANARY".to_owned());
        Customer {
            reference: Some("R-CANARY".to_owned()),
            kind: Some("person".to_owned()),
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
