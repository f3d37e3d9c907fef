//! The worked examples in `config/webhooks/`: each is read in a merchant, and its event becomes what it says.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use upsert_settings::{Secrets, WebhookIn};
use upsert_webhook::Read;

use crate::folder::Folder;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/webhooks")
}

fn example(name: &str) -> (WebhookIn, Value) {
    let read = |extension: &str| fs::read_to_string(folder().join(format!("{name}.{extension}"))).unwrap();
    let merchant = Folder::with_merchant(&format!("id = \"acme\"\n{}", read("toml")));
    let settings = merchant
        .load_with(Secrets::Skip)
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let sources = &settings.merchant("acme").unwrap().webhooks_in;
    assert_eq!((sources.len(), sources[0].source.as_str()), (1, name));
    (sources[0].clone(), serde_json::from_str(&read("json")).unwrap())
}

/// What the customers of the event become.
fn becomes(name: &str) -> Value {
    let (source, event) = example(name);
    assert_eq!(source.unsigned_id_header(), None, "the id of {name} is signed");
    assert!(
        source.names_people() && source.tells_the_age(),
        "`check` warns of {name}"
    );
    let parts = source.mapping.parts(event).unwrap();
    let read = |part| match source.mapping.read(part, &|_| None) {
        Read::LeftOut => json!("left out"),
        Read::Mapped(mapped) => json!({
            "event_id": mapped.event_id,
            "order": mapped.order.map(|order| order.to_string()),
            "body": mapped.body,
        }),
        refused @ Read::Refused { .. } => panic!("{refused:?}"),
    };
    parts.iter().map(read).collect()
}

#[test]
fn a_customer_of_a_shopify_shop() {
    insta::assert_json_snapshot!(becomes("shopify"));
}

#[test]
fn a_customer_of_a_stripe_account() {
    insta::assert_json_snapshot!(becomes("stripe"));
}

#[test]
fn changes_of_hubspot_contacts_one_property_each() {
    insta::assert_json_snapshot!(becomes("hubspot"));
}

#[test]
fn a_customer_of_a_square_seller() {
    insta::assert_json_snapshot!(becomes("square"));
}

#[test]
fn a_customer_of_a_woocommerce_shop() {
    insta::assert_json_snapshot!(becomes("woocommerce"));
}

#[test]
fn every_example_is_tested() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let tested = ["hubspot", "shopify", "square", "stripe", "woocommerce"];
    let expected: Vec<String> = tested
        .iter()
        .flat_map(|name| ["json", "toml"].map(|extension| format!("{name}.{extension}")))
        .collect();
    assert_eq!(names, expected);
}
