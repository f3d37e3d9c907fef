//! Settings, credentials, headers.

use http::HeaderMap;
use serde_json::json;
use upsert_provider_add_update::{AddUpdate, AddUpdateSettings};
use upsert_provider_kit::{Credentials, HttpVendor, VendorSetup};

use crate::fixture::{KEY, golden, try_vendor, vendor, vendor_with};

fn headers(vendor: &AddUpdate) -> Vec<(String, String)> {
    let mut headers = HeaderMap::new();
    vendor.authorise(&mut headers);
    let mut shown: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    shown.sort();
    shown
}

#[test]
fn the_key_goes_where_the_setting_says_and_the_merchant_always() {
    let merchant = ("x-merchant-id".to_owned(), "m-1".to_owned());
    let plain = ("x-api-key".to_owned(), KEY.to_owned());
    let bearer = ("authorization".to_owned(), format!("Bearer {KEY}"));
    assert_eq!(headers(&vendor()), [plain.clone(), merchant.clone()]);
    assert_eq!(
        headers(&vendor_with(json!({ "auth": "x_api_key" }))),
        [plain.clone(), merchant.clone()]
    );
    assert_eq!(
        headers(&vendor_with(json!({ "auth": "bearer" }))),
        [bearer.clone(), merchant.clone()]
    );
    assert_eq!(
        headers(&vendor_with(json!({ "auth": "both" }))),
        [bearer, plain, merchant]
    );
}

#[test]
fn everything_wrong_is_reported_at_once_and_without_the_key() {
    let paths = |problems: Vec<upsert_provider_kit::SettingProblem>| {
        assert!(!format!("{problems:?}").contains("canary"));
        problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
    };
    let both = ["settings.merchant_id", "credentials.api_key"];
    assert_eq!(paths(try_vendor(&json!({}), "canary\n").unwrap_err()), both);
    assert_eq!(paths(try_vendor(&json!({ "merchant_id": " " }), "").unwrap_err()), both);
    assert_eq!(
        paths(try_vendor(&json!({ "merchant_id": "a\u{7}" }), KEY).unwrap_err()),
        [both[0]]
    );
    let missing = AddUpdate::new(VendorSetup {
        settings: AddUpdateSettings::default(),
        credentials: Credentials::default(),
        base_url: url::Url::parse(AddUpdate::DEFAULT_BASE_URL).unwrap(),
    });
    assert_eq!(paths(missing.unwrap_err()), both);
}

#[test]
fn an_unknown_setting_is_refused() {
    let parsed = serde_json::from_value::<AddUpdateSettings>(json!({ "merchant": "m-1" }));
    assert!(parsed.unwrap_err().to_string().contains("unknown field"));
}

#[test]
fn no_secret_shows_in_debug_output() {
    let vendor = vendor_with(json!({ "auth": "both" }));
    let mut headers = HeaderMap::new();
    vendor.authorise(&mut headers);
    for shown in [format!("{vendor:?}"), format!("{vendor:#?}"), format!("{headers:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn what_the_provider_can_do_is_data() {
    golden!("capabilities", AddUpdate::capabilities(&AddUpdateSettings::default()));
    let settings = serde_json::from_value(json!({ "organisation_as_first_name": true, "clear_with": "null" })).unwrap();
    let lenient = AddUpdate::capabilities(&settings);
    assert!(lenient.can_clear);
    assert_eq!(lenient.forms.len(), 2);
}
