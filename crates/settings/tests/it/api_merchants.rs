//! A merchant that comes over the API is read by what reads files, and may less.

use std::fs;
use std::path::Path;

use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use upsert_settings::{ApiMerchant, ApiRules, Environment, Problem, Reference, Secrets, Settings};

fn read_by(rules: &ApiRules, document: &Json) -> Result<ApiMerchant, Vec<Problem>> {
    let environment = Environment::from_iter([("SHOP_KEY", "from-shop"), ("HOME", "canary")]);
    ApiMerchant::read(document, rules, &environment, Path::new("/nowhere"))
}

fn read(document: &Json) -> Result<ApiMerchant, Vec<Problem>> {
    read_by(&ApiRules::default(), document)
}

/// Where a problem is, and what it says.
fn told(refused: Result<ApiMerchant, Vec<Problem>>) -> Vec<(String, String)> {
    let problems = refused.err().unwrap_or_default().into_iter();
    problems.map(|problem| (problem.file, problem.message)).collect()
}

fn merchant() -> Json {
    json!({
        "id": "acme",
        "sync_deadline": "3s",
        "name": null,
        "connections": [
            { "name": "crm", "provider": "rotor", "credentials": { "api_key": { "value": "given" } } },
        ],
        "webhooks": {
            "in": [{
                "source": "shop", "event_id": "/id", "map": { "email": "/email" },
                "verify": { "scheme": "hmac", "header": "x-signature", "algorithm": "sha256", "encoding": "hex",
                    "secrets": [{ "value": "one" }, { "value": "two" }] },
            }],
            "out": [{ "url": "https://example.com/hooks", "events": ["customer.upserted"],
                "secret": { "value": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" } }],
        },
    })
}

#[test]
fn its_members_are_those_of_a_file_and_it_says_where_secrets_were_given() {
    let read = read(&merchant()).unwrap();
    let mut given: Vec<&str> = read.given.iter().map(AsRef::as_ref).collect();
    given.sort_unstable();
    let pointers = [
        "/connections/0/credentials/api_key",
        "/webhooks/in/0/verify/secrets/0",
        "/webhooks/in/0/verify/secrets/1",
        "/webhooks/out/0/secret",
    ];
    assert_eq!(given, pointers);
    let secret = &read.merchant.connections[0].credentials["api_key"];
    assert_eq!(
        (secret.reference(), secret.value().expose_secret()),
        (&Reference::Given, "given")
    );
    assert_eq!((read.merchant.name, read.merchant.sync_deadline.as_secs()), (None, 3));
    assert!(!format!("{secret:?}").contains("\"given\""));
}

#[test]
fn every_problem_is_told_at_once_by_its_pointer() {
    let mut wrong = merchant();
    wrong["connections"][0]["a/b"] = json!(1);
    wrong["connections"][0]["credentials"]["api_key"] = json!({ "value": " " });
    wrong["webhooks"]["in"][0]["verify"]["secrets"][1] = json!({ "value": "x", "env": "SHOP_KEY" });
    wrong["webhooks"]["out"][0]["url"] = json!("http://localhost:9/");
    let told = told(read(&wrong));
    let pointers: Vec<&str> = told.iter().map(|(pointer, _)| pointer.as_str()).collect();
    let wanted = [
        "/connections/0/a~1b",
        "/connections/0/credentials/api_key/value",
        "/webhooks/in/0/verify/secrets/1",
        "/webhooks/out/0/url",
    ];
    assert_eq!(pointers, wanted, "{told:?}");
}

#[test]
fn it_refers_to_what_the_rules_name_and_learns_nothing_of_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "from-file\n").unwrap();
    let with = |secret: &Json| {
        let mut merchant = merchant();
        merchant["connections"][0]["credentials"]["api_key"] = secret.clone();
        merchant
    };
    let rules = ApiRules {
        may_refer_to: vec!["env:SHOP_*".to_owned(), format!("file:{}/*", folder.path().display())],
        ..ApiRules::default()
    };
    for (secret, value) in [
        (json!({ "env": "SHOP_KEY" }), "from-shop"),
        (json!({ "file": path }), "from-file"),
    ] {
        assert!(read(&with(&secret)).is_err(), "{secret}");
        let read = read_by(&rules, &with(&secret)).unwrap();
        assert_eq!(
            read.merchant.connections[0].credentials["api_key"]
                .value()
                .expose_secret(),
            value
        );
        assert_eq!(read.given.len(), 3, "a reference is nothing to seal");
    }
    // What is there and what is not are answered alike.
    let about = |secret: Json| told(read_by(&rules, &with(&secret)));
    assert_eq!(about(json!({ "env": "HOME" })), about(json!({ "env": "NOT_SET" })));
    assert_eq!(
        about(json!({ "file": "/etc/passwd" })),
        about(json!({ "file": "/no/such/file" }))
    );
    let outside = folder.path().join("../secret");
    assert_eq!(
        about(json!({ "file": outside })),
        about(json!({ "file": "/etc/passwd" }))
    );
}

#[test]
fn loopback_is_for_files_and_where_the_gateways_file_allows_it_and_a_private_network_for_files_alone() {
    let with = |url: &str, private: bool| {
        let mut merchant = merchant();
        merchant["connections"][0]["base_url"] = json!(url);
        merchant["connections"][0]["allow_private_network"] = json!(private);
        merchant
    };
    let loopback = ApiRules {
        may_use_loopback: true,
        ..ApiRules::default()
    };
    for url in ["http://127.0.0.1:9", "https://localhost", "http://[::1]:9"] {
        assert!(read(&with(url, false)).is_err(), "{url}");
        assert!(read_by(&loopback, &with(url, false)).is_ok(), "{url}");
    }
    for url in [
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://db.internal",
        "http://127.0.0.2",
    ] {
        assert!(read_by(&loopback, &with(url, false)).is_err(), "{url}");
        let told = told(read_by(&loopback, &with(url, true)));
        assert!(
            told.iter().any(|(at, _)| at == "/connections/0/allow_private_network"),
            "{url}: {told:?}"
        );
    }
}

#[test]
fn a_key_may_list_a_merchant_that_no_file_has_once_merchants_can_be_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let hash = "0".repeat(64);
    let keys = format!(
        "[[api_keys]]\nname = \"k\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"initech\"]\nscopes = [\"customers:read\"]\n"
    );
    let load = |store: &str| {
        fs::write(folder.path().join("gateway.toml"), format!("{store}{keys}")).unwrap();
        Settings::load(folder.path(), &Environment::default(), Secrets::Skip)
    };
    let refused = load("").unwrap_err();
    assert!(refused[0].message.contains("no merchant `initech`"), "{refused:?}");
    assert!(load("[store]\nencryption_keys = [{ id = \"a\", key = { env = \"A\" } }]\n").is_ok());
}
