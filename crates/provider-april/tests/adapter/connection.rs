//! Settings, credentials, headers.

use http::{HeaderMap, HeaderValue, header};
use serde_json::{Value as Json, json};
use upsert_provider_april::{April, AprilSettings};
use upsert_provider_kit::{Credentials, HttpVendor, VendorSetup};

use crate::fixture::{MARKETPLACE, SECRET, golden, marketplace, try_vendor, vendor};

const SANDBOX: &str = "https://api.sandbox.au.meetapril.io";
const LIVE: &str = "https://api.au.meetapril.io/";
const ELSEWHERE: &str = "http://localhost:9000/april";

fn refused(settings: Json, key: &str, base_url: &str) -> Vec<String> {
    match try_vendor(settings, key, base_url) {
        Ok(_) => Vec::new(),
        Err(problems) => {
            assert!(!format!("{problems:?}").contains("canary"));
            problems.into_iter().map(|problem| problem.path).collect()
        }
    }
}

#[test]
fn every_request_carries_the_key_and_the_merchant_if_one_is_set() {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    vendor().authorise(&mut headers);
    assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {SECRET}"));
    assert_eq!(headers[header::ACCEPT], "application/json");
    assert_eq!(headers[header::CONTENT_TYPE], "application/json; charset=utf-8");
    assert!(!headers.contains_key("merchant-id"));

    let mut headers = HeaderMap::new();
    marketplace().authorise(&mut headers);
    assert_eq!(headers[header::AUTHORIZATION], format!("Bearer {MARKETPLACE}"));
    assert_eq!(headers["merchant-id"], "mcht_1");
    assert!(
        !headers.contains_key(header::CONTENT_TYPE),
        "a request without a body has no type"
    );
}

#[test]
fn a_key_of_the_other_environment_is_refused_on_aprils_own_hosts() {
    let key = ["credentials.secret_key"];
    assert_eq!(refused(json!({}), "live_sk_canary", SANDBOX), key);
    assert_eq!(refused(json!({}), "sandbox_sk_canary", LIVE), key);
    assert_eq!(refused(json!({ "merchant_id": "m" }), "sandbox_api_canary", LIVE), key);
    for (name, base_url) in [
        ("sandbox_sk_canary", SANDBOX),
        ("live_sk_canary", LIVE),
        ("live_sk_canary", ELSEWHERE),
    ] {
        assert!(refused(json!({}), name, base_url).is_empty(), "{name} at {base_url}");
    }
    assert!(
        refused(json!({}), "eyJhbGciOi.canary.x", LIVE).is_empty(),
        "a token has no environment"
    );
}

#[test]
fn a_public_key_is_refused_anywhere() {
    for key in ["sandbox_pk_canary", "live_pk_canary"] {
        assert_eq!(refused(json!({}), key, ELSEWHERE), ["credentials.secret_key"]);
    }
}

#[test]
fn a_marketplace_key_needs_a_merchant() {
    assert_eq!(refused(json!({}), "live_api_canary", LIVE), ["settings.merchant_id"]);
    assert!(refused(json!({ "merchant_id": "mcht_1" }), "live_api_canary", LIVE).is_empty());
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let settings = json!({ "merchant_id": " ", "organisation_wrapper": "" });
    let all = [
        "credentials.secret_key",
        "settings.merchant_id",
        "settings.organisation_wrapper",
    ];
    assert_eq!(refused(settings.clone(), "canary\n", SANDBOX), all);
    assert_eq!(refused(settings, "", SANDBOX), all);
    let missing = April::new(VendorSetup {
        settings: AprilSettings::default(),
        credentials: Credentials::default(),
        base_url: url::Url::parse(SANDBOX).unwrap(),
    });
    assert_eq!(missing.unwrap_err()[0].path, "credentials.secret_key");
}

#[test]
fn an_unknown_setting_is_refused() {
    let parsed = serde_json::from_value::<AprilSettings>(json!({ "merchant": "m-1" }));
    assert!(parsed.unwrap_err().to_string().contains("unknown field"));
}

#[test]
fn no_secret_shows_in_debug_output() {
    let vendor = marketplace();
    let mut headers = HeaderMap::new();
    vendor.authorise(&mut headers);
    for shown in [format!("{vendor:?}"), format!("{vendor:#?}"), format!("{headers:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn what_the_provider_can_do_is_data() {
    golden!("capabilities", April::capabilities(&AprilSettings::default()));
    let lenient = serde_json::from_value(json!({ "strict": false, "clear_with": "null" })).unwrap();
    let lenient = April::capabilities(&lenient);
    assert!(lenient.can_clear);
    let required: Vec<&str> = lenient.forms[0]
        .fields
        .iter()
        .filter(|map| map.required)
        .map(|map| map.vendor_field)
        .collect();
    assert_eq!(required, ["emailAddress"]);
}
