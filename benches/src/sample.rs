//! The typical body: a person with an address, 300 to 400 bytes.

/// Area codes that the numbers are spread over, and how many numbers each has.
const AREAS: [u32; 8] = [202, 212, 303, 415, 512, 617, 713, 818];
const NUMBERS_PER_EXCHANGE: u64 = 10_000;
const EXCHANGES: u64 = 800;

/// The body of customer `number`. Reference, email and phone belong to that number alone (of the first 64 million).
pub fn body(number: u64) -> String {
    named_body(number, "John")
}

/// The same with another given name.
pub fn named_body(number: u64, given_name: &str) -> String {
    format!(
        r#"{{"reference":"CUST-{number}","given_name":"{given_name}","family_name":"Doe","email":"john.doe.{number}@example.com","phone":"{}","status":"active","addresses":{{"billing":{{"line1":"1 Main St","city":"Springfield","state":"IL","postal_code":"62701","country":"US"}}}},"source":"website","tags":["vip"],"metadata":{{"plan":"gold"}}}}"#,
        phone(number)
    )
}

/// What add-update is sent for customer `number`.
pub fn vendors_body(number: u64) -> String {
    format!(
        r#"{{"externalId":"CUST-{number}","firstName":"John","lastName":"Doe","email":"john.doe.{number}@example.com","phoneNumber":"{}","active":true}}"#,
        phone(number)
    )
}

fn phone(number: u64) -> String {
    let line = number % NUMBERS_PER_EXCHANGE;
    let exchange = 200 + number / NUMBERS_PER_EXCHANGE % EXCHANGES;
    let area = number / (NUMBERS_PER_EXCHANGE * EXCHANGES) % AREAS.len() as u64;
    let area = AREAS.get(usize::try_from(area).unwrap_or_default());
    format!("+1{}{exchange}{line:04}", area.unwrap_or(&AREAS[0]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use upsert_core::{Terms, canonicalise};

    use super::*;

    #[test]
    fn every_body_is_valid_and_of_typical_length() {
        for number in [0, 1, 9_999, 10_000, 7_999_999, 8_000_000, 63_999_999] {
            let body = body(number);
            assert!((300..=400).contains(&body.len()), "{} bytes", body.len());
            let json = serde_json::from_str(&body).unwrap();
            let refused = canonicalise(&json, &Terms::strict(Some("US"))).err();
            assert!(refused.is_none(), "{number}: {refused:?}");
        }
    }

    #[test]
    fn no_two_customers_share_a_phone() {
        let step = 7_919;
        let phones: BTreeSet<String> = (0..5_000).map(|index| phone(index * step)).collect();
        assert_eq!(phones.len(), 5_000);
    }
}
