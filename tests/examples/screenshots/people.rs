//! The customers in the pictures. Their phones and domains belong to nobody.

use serde_json::{Value as Json, json};

/// The reference of a customer whose record has changed several times.
pub(crate) const MOVED: &str = "CUST-1007";
/// How many there are.
pub(crate) const COUNT: usize = 40;

const GIVEN: [&str; 20] = [
    "Maria", "James", "Aisha", "Noah", "Chloe", "Diego", "Hannah", "Wei", "Olivia", "Samuel", "Priya", "Lucas",
    "Fatima", "Ethan", "Grace", "Mateo", "Ingrid", "Omar", "Ruth", "Caleb",
];
const FAMILY: [&str; 20] = [
    "Alvarez",
    "Bennett",
    "Chowdhury",
    "Dawson",
    "Eriksen",
    "Foster",
    "Garcia",
    "Huang",
    "Ibrahim",
    "Jensen",
    "Kaur",
    "Lindqvist",
    "Moreau",
    "Novak",
    "Okafor",
    "Petrov",
    "Quinn",
    "Rossi",
    "Schmidt",
    "Tanaka",
];
const PLACES: [(&str, &str, &str); 8] = [
    ("Springfield", "IL", "62701"),
    ("Portland", "OR", "97205"),
    ("Austin", "TX", "78701"),
    ("Madison", "WI", "53703"),
    ("Savannah", "GA", "31401"),
    ("Boise", "ID", "83702"),
    ("Albany", "NY", "12207"),
    ("Tucson", "AZ", "85701"),
];
const STREETS: [&str; 6] = ["Main St", "Oak Ave", "Mill Rd", "Lakeview Dr", "2nd St", "Garden Ct"];
const SERVICES: [&str; 3] = ["pest control", "lawn care", "pool cleaning"];

/// The customer of this number.
pub(crate) fn customer(number: usize) -> Json {
    // Steps that have no factor in common with the lengths, so that the same pair does not come twice.
    let (given, family) = (GIVEN[number * 7 % 20], FAMILY[(number * 3 + number / 20) % 20]);
    let (city, state, postal_code) = PLACES[number * 3 % 8];
    let street = STREETS[number * 5 % 6];
    let mailbox = format!("{given}.{family}").to_lowercase();
    json!({
        "reference": reference(number),
        "given_name": given,
        "family_name": family,
        "email": format!("{mailbox}@example.com"),
        "phone": format!("(202) 555-01{number:02}"),
        "addresses": { "billing": {
            "line1": format!("{} {street}", 12 + number * 17), "city": city, "state": state, "postal_code": postal_code,
            "country": "US",
        } },
        "service": { "type": SERVICES[number % 3], "frequency": "monthly" },
        "source": if number.is_multiple_of(2) { "website" } else { "call centre" },
        "tags": if number.is_multiple_of(5) { vec!["vip"] } else { vec![] },
    })
}

/// What the internal platform calls the customer of this number.
pub(crate) fn reference(number: usize) -> String {
    format!("CUST-{}", 1001 + number)
}

/// What happens to [`MOVED`] later, in turn.
pub(crate) fn changes() -> Vec<Json> {
    vec![
        json!({ "reference": MOVED, "phone": "+1 202-555-0177", "notes": "Call after 5 pm" }),
        json!({ "reference": MOVED, "tags": ["vip"], "addresses": { "billing": {
            "line1": "48 Orchard Street", "city": "Portland", "state": "OR", "postal_code": "97205", "country": "US",
        } } }),
        json!({ "reference": MOVED, "service": { "type": "pest control", "frequency": "quarterly" }, "tags_removed": ["vip"] }),
    ]
}
