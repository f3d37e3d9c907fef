//! Settings, credentials and headers.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde_json::{Value as Json, json};

use upsert_provider_kit::{Credentials, HttpVendor, VendorSetup};
use upsert_provider_rotor::{Rotor, RotorSettings};

use crate::samples::{assert_golden, rotor};

fn problems(settings: RotorSettings, secrets: &[(&str, &str)]) -> Vec<String> {
    let secrets: BTreeMap<_, _> = secrets
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into()))
        .collect();
    let setup = VendorSetup {
        settings,
        credentials: Credentials::new(secrets),
        base_url: Rotor::DEFAULT_BASE_URL.parse().unwrap(),
    };
    let problems = Rotor::new(setup).unwrap_err();
    problems
        .into_iter()
        .map(|problem| format!("{} {}", problem.path, problem.message))
        .collect()
}

#[test]
fn what_rotor_can_do_is_data() {
    assert_golden!("capabilities", Rotor::capabilities(&RotorSettings::default()));
}

#[test]
fn clearing_is_a_capability_only_once_it_is_configured() {
    for (settings, can_clear) in [
        (json!({}), false),
        (json!({ "clear_with": "null" }), true),
        (json!({ "clear_with": "empty" }), true),
    ] {
        let settings: RotorSettings = serde_json::from_value(settings).unwrap();
        assert_eq!(Rotor::capabilities(&settings).can_clear, can_clear);
    }
}

#[test]
fn a_setting_that_rotor_does_not_know_is_refused() {
    for settings in [
        json!({ "clear": "null" }),
        json!({ "clear_with": "zero" }),
        json!({ "phone_format": "local" }),
        json!({ "api_version": 1 }),
    ] {
        assert!(
            serde_json::from_value::<RotorSettings>(settings.clone()).is_err(),
            "{settings}"
        );
    }
}

#[test]
fn every_problem_of_a_connection_is_named_at_once_and_no_secret_is_repeated() {
    let broken_version = RotorSettings {
        api_version: "1.1\n".to_owned(),
        ..RotorSettings::default()
    };
    assert_eq!(
        problems(broken_version, &[("api_key", "canary\n")]),
        [
            "credentials.api_key holds a character that no HTTP header may hold",
            "settings.api_version holds a character that no HTTP header may hold",
        ]
    );
    assert_eq!(
        problems(RotorSettings::default(), &[("api_key", "")]),
        ["credentials.api_key is empty"]
    );
    assert_eq!(
        problems(RotorSettings::default(), &[]),
        ["credentials.api_key is required by this provider"]
    );
}

#[test]
fn each_call_carries_the_key_and_the_version_and_the_key_is_never_shown() {
    let headers_of = |settings: Json| {
        let rotor = rotor(settings);
        let mut headers = HeaderMap::new();
        rotor.authorise(&mut headers);
        assert!(!format!("{rotor:?} {headers:?}").contains("rotor_id_secret"));
        headers
    };
    let headers = headers_of(json!({}));
    assert_eq!(headers["x-api-key"], "rotor_id_secret");
    assert_eq!(headers["rotor-api-version"], "1.1.0");
    assert_eq!(headers.len(), 2);
    assert_eq!(
        headers_of(json!({ "api_version": "1.2.0" }))["rotor-api-version"],
        "1.2.0"
    );
}
