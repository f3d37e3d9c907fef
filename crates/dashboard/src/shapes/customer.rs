//! `GET /v1/customers/{id}` and its history.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use upsert_app::{cover_pointer, cover_value};
use upsert_core::{CustomerId, Field, UpsertId};

use super::receipt::Ignored;

/// A customer's record. (No `Debug`: it is about a person.)
#[derive(Clone, Deserialize)]
pub(crate) struct Customer {
    pub(crate) id: CustomerId,
    pub(crate) version: u64,
    pub(crate) merchant_id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    #[serde(default)]
    pub(crate) links: Vec<Link>,
    /// The rest is the person.
    #[serde(flatten)]
    person: Map<String, Json>,
}

/// What is known of it at one connection.
#[derive(Clone, Deserialize)]
pub(crate) struct Link {
    pub(crate) connection: String,
    pub(crate) provider_customer_id: Option<String>,
    pub(crate) state: String,
    pub(crate) shared: bool,
    pub(crate) last_delivered_at: Option<Timestamp>,
}

/// One version.
#[derive(Clone, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the API calls it")]
pub(crate) struct Version {
    pub(crate) version: u64,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
    pub(crate) upsert_id: UpsertId,
    pub(crate) changes: Vec<Change>,
    pub(crate) ignored: Vec<Ignored>,
    pub(crate) refused: bool,
}

/// A field that changed.
#[derive(Clone, Deserialize)]
pub(crate) struct Change {
    pub(crate) pointer: String,
    from: Json,
    to: Json,
}

/// Fields that belong together: a heading, and each with its value.
pub(crate) type Group = (&'static str, Vec<(String, String)>);

impl Customer {
    /// Its page.
    pub(crate) fn path(&self) -> String {
        format!("/ops/customers/{}/{}", self.merchant_id, self.id)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.person.get(name)?.as_str()
    }

    /// How people would call it.
    pub(crate) fn name(&self) -> String {
        let parts = ["given_name", "middle_name", "family_name"].map(|name| self.text(name));
        let person = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        match (person.is_empty(), self.text("organisation_name")) {
            (true, Some(organisation)) => organisation.to_owned(),
            (true, None) => "Without a name".to_owned(),
            (false, Some(organisation)) => format!("{person}, {organisation}"),
            (false, None) => person,
        }
    }

    /// The merchant's own id of it.
    pub(crate) fn reference(&self) -> &str {
        self.text("reference").unwrap_or("–")
    }

    /// As it is kept.
    pub(crate) fn email(&self) -> &str {
        self.text("email").unwrap_or("–")
    }

    /// As it is kept.
    pub(crate) fn phone(&self) -> &str {
        self.text("phone").unwrap_or("–")
    }

    /// As it was told; none: nobody has told one.
    pub(crate) fn status(&self) -> Option<&str> {
        self.text("status")
    }

    /// All fields that are set, in the order of the contract.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let record = Json::Object(self.person.clone());
        let mut groups: Vec<Group> = Vec::new();
        let mut put = |title, name: String, value: &Json| {
            let text = text_of(value);
            if text.is_empty() {
                return;
            }
            match groups.iter_mut().find(|(known, _)| *known == title) {
                Some((_, fields)) => fields.push((name, text)),
                None => groups.push((title, vec![(name, text)])),
            }
        };
        for field in Field::ALL.iter().filter(|field| **field != Field::Metadata) {
            let pointer = field.pointer();
            let (title, name) = place_of(pointer);
            put(title, name, record.pointer(pointer).unwrap_or(&Json::Null));
        }
        for (member, title) in [("metadata", "Metadata"), ("provider_fields", "Passed through")] {
            for (name, value) in self.person.get(member).and_then(Json::as_object).into_iter().flatten() {
                put(title, name.clone(), value);
            }
        }
        groups
    }
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

/// A value for people; empty: there is none.
pub(crate) fn text_of(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

impl Change {
    /// Covers what it says of the person.
    pub(crate) fn mask(&mut self) {
        cover_value(&self.pointer, &mut self.from);
        cover_value(&self.pointer, &mut self.to);
        cover_pointer(&mut self.pointer);
    }

    /// What it was; empty: nothing.
    pub(crate) fn from(&self) -> String {
        text_of(&self.from)
    }

    /// What it is; empty: nothing.
    pub(crate) fn to(&self) -> String {
        text_of(&self.to)
    }
}

impl Link {
    /// Whether it can be forgotten.
    pub(crate) fn is_live(&self) -> bool {
        self.provider_customer_id.is_some() && self.state != "superseded"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn customer() -> Customer {
        serde_json::from_value(json!({
            "id": "cus_06GZWEAX2NTGQ9ME3W97QF0HVG", "version": 3, "merchant_id": "acme",
            "created_at": "2026-11-21T12:00:00Z", "updated_at": "2026-11-21T12:04:00Z",
            "reference": "R-CANARY", "kind": "person", "given_name": "CANARY", "family_name": null,
            "email": "canary@x.example", "verified": true, "tags": ["CANARY"],
            "addresses": { "billing": { "line1": "1 CANARY St", "line2": null } },
            "notifications": { "email": true }, "metadata": { "CANARY": "CANARY" },
            "provider_fields": { "rotor": { "nick": "CANARY" } },
            "links": [{ "connection": "rotor", "provider_customer_id": "R-CANARY", "state": "in_sync", "shared": false,
                "last_delivered_at": null }],
        }))
        .unwrap()
    }

    #[test]
    fn a_record_is_shown_by_groups_without_what_is_not_set() {
        let customer = customer();
        let groups = customer.groups();
        let titles: Vec<&str> = groups.iter().map(|(title, _)| *title).collect();
        let all = [
            "Who it is",
            "Billing address",
            "Service and remarks",
            "Metadata",
            "Passed through",
        ];
        assert_eq!(titles, all);
        assert!(groups[0].1.contains(&("given name".to_owned(), "CANARY".to_owned())));
        assert!(groups[1].1.iter().all(|(name, _)| name != "line2"));
        assert_eq!((customer.name().as_str(), customer.phone()), ("CANARY", "–"));
    }
}
