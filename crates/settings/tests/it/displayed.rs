//! The configuration as people are shown it, and what one changed in another: complete, and without a secret.

use proptest::prelude::*;
use upsert_settings::{Line, Settings, changes};

use crate::folder::Folder;

const CANARY: &str = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";

const GATEWAY: &str = r#"
[server]
body_limit = "32KiB"

[telemetry]
log = "warn"
otlp_endpoint = "http://localhost:4318"
otlp_headers = { authorization = { env = "SECRET" } }
sample_ratio = 0.25

[[api_keys]]
name = "shop"
key_sha256 = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"
merchants = ["acme"]
scopes = ["customers:write", "ops:read"]
"#;

const MERCHANT: &str = r#"
id = "acme"
name = "Acme"

[[connections]]
name = "pay"
provider = "april"
base_url = "https://api.example.com/v1"
credentials = { secret_key = { env = "SECRET" } }
settings = { merchant_id = "m-1", apiToken = "canary-1", hooks = { url = "https://canary-2:canary-3@h.example/x?t=canary-4#canary-5" }, list = [{ password = "canary-6", region = "au" }], words = ["a", "b"] }
timeout = "3s"

[[routes]]
when = { country = ["AU", "NZ"] }
to = ["pay"]

[[webhooks.in]]
source = "crm"
event_id = "/id"
map = { reference = "/ref", addresses = { billing = { city = "/town" } } }
verify = { scheme = "standard-webhooks", secrets = [{ env = "SECRET" }, { file = "second" }] }

[[webhooks.out]]
name = "erp"
url = "https://hooks.example.com/in?tenant=canary-7"
events = ["customer.upserted", "quota.running_out"]
secret = { env = "SECRET" }
"#;

fn folder() -> Folder {
    let folder = Folder::new(GATEWAY).env("SECRET", CANARY);
    folder.write("second", CANARY);
    folder.write("merchants/acme.toml", MERCHANT);
    folder
}

fn load(folder: &Folder) -> Settings {
    folder.load().unwrap()
}

fn all_lines(settings: &Settings) -> Vec<Line> {
    let merchants = settings.merchants.values().flat_map(upsert_settings::Merchant::lines);
    settings.lines().into_iter().chain(merchants).collect()
}

fn text_of(lines: &[Line], path: &str) -> Option<String> {
    lines
        .iter()
        .find(|line| line.path == path)
        .map(|line| line.text.clone())
}

/// As `place: from → to`.
fn told(before: &Settings, after: &Settings) -> Vec<String> {
    let word = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    changes(before, after)
        .into_iter()
        .map(|change| format!("{}: {} → {}", change.place(), word(change.from), word(change.to)))
        .collect()
}

#[test]
fn everything_that_is_configured_is_a_line() {
    let settings = load(&folder());
    let lines = settings.merchant("acme").unwrap().lines();
    for (path, text) in [
        ("", "Acme"),
        ("match_on", "email, phone"),
        ("never_match.phone", "1 value"),
        ("never_match.email", "0 values"),
        ("sync_deadline", "10s"),
        ("connections.pay", "provider april"),
        ("connections.pay.base_url", "https://api.example.com/v1"),
        ("connections.pay.timeout", "3s"),
        ("connections.pay.retry.attempts", "4"),
        ("connections.pay.credentials.secret_key", "env SECRET"),
        ("connections.pay.settings.merchant_id", "m-1"),
        ("connections.pay.settings.apiToken", "(not shown)"),
        ("connections.pay.settings.hooks.url", "https://h.example/x"),
        ("connections.pay.settings.list[0].password", "(not shown)"),
        ("connections.pay.settings.list[0].region", "au"),
        ("connections.pay.settings.words", "a, b"),
        ("routes[0]", "to pay"),
        ("routes[0].when.country", "AU, NZ"),
        ("webhooks.in.crm", "signed by standard-webhooks"),
        ("webhooks.in.crm.event_id", "/id"),
        ("webhooks.in.crm.verify.tolerance", "5m"),
        ("webhooks.in.crm.verify.secrets[0]", "env SECRET"),
        ("webhooks.in.crm.verify.secrets[1]", "file second"),
        ("webhooks.in.crm.map./reference", "/ref"),
        ("webhooks.out.erp", "https://hooks.example.com/in"),
        ("webhooks.out.erp.events", "customer.upserted, quota.running_out"),
        ("webhooks.out.erp.secret", "env SECRET"),
    ] {
        assert_eq!(text_of(&lines, path).as_deref(), Some(text), "{path} in {lines:#?}");
    }
    let lines = settings.lines();
    for (path, text) in [
        ("server.body_limit", "32768"),
        ("store.url", "sqlite:data/gateway.db"),
        ("telemetry.log", "warn"),
        ("telemetry.log_format", "text"),
        ("telemetry.otlp_endpoint", "http://localhost:4318/"),
        ("telemetry.otlp_headers.authorization", "env SECRET"),
        ("telemetry.service_name", "upsert-gateway"),
        ("telemetry.sample_ratio", "0.25"),
        ("api_keys.shop", "known by its hash"),
        ("api_keys.shop.merchants", "acme"),
        ("api_keys.shop.scopes", "customers:write, ops:read"),
    ] {
        assert_eq!(text_of(&lines, path).as_deref(), Some(text), "{path} in {lines:#?}");
    }
}

#[test]
fn no_secret_is_in_any_line_or_change() {
    let before = load(&folder());
    let other = folder().env("SECRET", CANARY);
    let changed = MERCHANT.replace("canary-", "canary-other-");
    other.write("merchants/acme.toml", changed);
    other.write("gateway.toml", GATEWAY.replace("c0ffee", "decade"));
    let after = load(&other);
    let said = format!(
        "{:?} {:?} {:#?}",
        all_lines(&before),
        changes(&before, &after),
        told(&before, &after)
    );
    for secret in ["canary", CANARY, "c0ffee", "decade"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    // That something is not shown does not hide that it changed.
    let paths: Vec<String> = changes(&before, &after).into_iter().map(|change| change.path).collect();
    assert_eq!(
        paths,
        [
            "api_keys.shop",
            "connections.pay.settings.apiToken",
            "connections.pay.settings.hooks.url",
            "connections.pay.settings.list[0].password",
            "webhooks.out.erp",
        ]
    );
}

#[test]
fn a_change_is_told_with_what_was_and_what_is() {
    let before = load(&folder());
    assert_eq!(told(&before, &before), Vec::<String>::new());
    let other = folder();
    let changed = MERCHANT.replace("\"3s\"", "\"4s\"").replace("name = \"Acme\"", "");
    other.write("merchants/acme.toml", changed);
    other.write("gateway.toml", GATEWAY.replace("32KiB", "48KiB"));
    let wanted = [
        "gateway: server.body_limit: 32768 → 49152",
        "merchants/acme: Acme → acme",
        "merchants/acme: connections.pay.timeout: 3s → 4s",
    ];
    assert_eq!(told(&before, &load(&other)), wanted);
}

#[test]
fn what_is_new_or_gone_is_one_change_however_much_belongs_to_it() {
    let before = load(&folder());
    let other = folder();
    let (rest, _) = MERCHANT.split_once("[[webhooks.out]]").unwrap();
    let more = "[[connections]]\nname = \"pay-two\"\nprovider = \"rotor\"\n";
    other.write("merchants/acme.toml", format!("{rest}\n{more}"));
    other.write("merchants/globex.toml", "id = \"globex\"\nmatch_on = []\n");
    let after = load(&other);
    let wanted = [
        "merchants/acme: webhooks.out.erp: https://hooks.example.com/in → –",
        "merchants/acme: connections.pay-two: – → provider rotor",
        "merchants/globex: – → globex",
    ];
    assert_eq!(told(&before, &after), wanted);
    let back = [
        "merchants/acme: connections.pay-two: provider rotor → –",
        "merchants/acme: webhooks.out.erp: – → https://hooks.example.com/in",
        "merchants/globex: globex → –",
    ];
    assert_eq!(told(&after, &before), back);
}

#[test]
fn a_secret_with_another_value_under_the_same_reference_is_seen() {
    let (one, other) = (folder(), folder());
    other.write("second", "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXI=");
    let said = told(&load(&one), &load(&other));
    let wanted = "merchants/acme: webhooks.in.crm.verify.secrets[1]: file second → file second (what is not shown of it has changed)";
    assert_eq!(said, [wanted]);
}

#[test]
fn what_is_sent_with_traces_is_told_as_a_reference() {
    let (one, other) = (folder(), folder());
    let headers = "{ authorization = { file = \"second\" }, x-tenant = { env = \"SECRET\" } }";
    let changed = GATEWAY.replace("{ authorization = { env = \"SECRET\" } }", headers);
    other.write("gateway.toml", changed.replace("\"warn\"", "\"debug\""));
    // The same value, kept elsewhere.
    let wanted = [
        "gateway: telemetry.log: warn → debug",
        "gateway: telemetry.otlp_headers.authorization: env SECRET → file second",
        "gateway: telemetry.otlp_headers.x-tenant: – → env SECRET",
    ];
    assert_eq!(told(&load(&one), &load(&other)), wanted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_value_of_a_secret_is_shown_whatever_it_is(value in "[A-Z]{12,40}", name in "(api|client|x)[_-](secret|token|key|password)") {
        let folder = Folder::with_merchant(&format!(
            "id = \"acme\"\n[[connections]]\nname = \"a\"\nprovider = \"x\"\n\
             credentials = {{ api_key = {{ env = \"KEY\" }} }}\nsettings = {{ {name} = \"{value}\", deep = [{{ {name} = [\"{value}\"] }}] }}\n"
        ))
        .env("KEY", &value);
        let said = format!("{:?}", all_lines(&folder.load().unwrap()));
        prop_assert!(!said.contains(&value), "{said}");
    }
}
