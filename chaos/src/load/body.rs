//! The people that clients write about.

use rand::Rng;
use serde_json::{Map, Value as Json, json};

/// A person with everything that vendors need. Two people never share an e-mail address or a phone.
#[derive(Debug, Clone)]
pub struct Person {
    /// The e-mail address.
    pub email: String,
    /// The merchant's reference, where the person is known by one.
    pub reference: Option<String>,
    /// E.164.
    pub phone: String,
}

impl Person {
    /// The person of this number in this group of people; groups do not meet.
    pub fn new(group: u64, number: u64, has_reference: bool) -> Self {
        let email = format!("p{group}-{number}@example.com");
        // Area code, then seven digits: each group has ten thousand numbers of its own.
        let (area, line) = (202 + group / 500, (group % 500) * 10_000 + number % 10_000);
        Self {
            reference: has_reference.then(|| format!("R-{group}-{number}")),
            phone: format!("+1{area}{:07}", 2_000_000 + line),
            email,
        }
    }

    /// All that a new person needs.
    pub fn whole(&self, name: &str) -> Json {
        let mut body = self.known_by();
        body.insert("phone".to_owned(), json!(self.phone));
        body.insert("given_name".to_owned(), json!(name));
        body.insert("family_name".to_owned(), json!("Load"));
        Json::Object(body)
    }

    /// A change of one to three fields.
    pub fn change(&self, name: &str, dice: &mut impl Rng) -> Json {
        let mut body = self.known_by();
        for _ in 0..dice.random_range(1..=3) {
            let (field, value) = match dice.random_range(0..8) {
                0 | 1 => ("given_name", json!(name)),
                2 => ("family_name", json!(format!("F{name}"))),
                3 => ("middle_name", json!(format!("M{name}"))),
                4 => ("notes", json!(format!("seen by {name}"))),
                5 => ("notes", Json::Null),
                6 => ("tags", json!([format!("t{}", dice.random_range(0..5))])),
                _ => ("status", json!(["active", "inactive"][dice.random_range(0..2)])),
            };
            body.insert(field.to_owned(), value);
        }
        Json::Object(body)
    }

    fn known_by(&self) -> Map<String, Json> {
        let mut body = Map::new();
        body.insert("email".to_owned(), json!(self.email));
        if let Some(reference) = &self.reference {
            body.insert("reference".to_owned(), json!(reference));
        }
        body
    }
}
