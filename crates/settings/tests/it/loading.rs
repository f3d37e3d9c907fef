//! What a right configuration becomes.

use std::time::Duration;

use upsert_core::{IdentifierKind, Payload};
use upsert_settings::{Reach, Scheme, Scope, Secrets, StoreUrl};
use upsert_webhook::HmacHash;

use crate::folder::Folder;

const CONNECTION: &str = "[[connections]]\nname = \"rotor\"\nprovider = \"rotor\"\n";

#[test]
fn an_empty_gateway_file_means_the_defaults() {
    let settings = Folder::new("").load().unwrap();
    assert_eq!(settings.server.bind, "127.0.0.1:8080");
    assert_eq!(settings.server.body_limit, 64 * 1024);
    assert_eq!(settings.server.idempotency_keep, Duration::from_hours(24));
    assert_eq!(settings.server.metrics_bind, None);
    assert_eq!((settings.retention.history, settings.retention.audit), (None, None));
    assert_eq!(settings.retention.upserts, Some(Duration::from_hours(24 * 90)));
    assert_eq!(settings.retention.attempts, Some(Duration::from_hours(24 * 30)));
    assert!(matches!(&settings.store.url, StoreUrl::Sqlite(path) if path.ends_with("data/gateway.db")));
    assert!(settings.store.encryption_keys.is_empty() && settings.api_keys.is_empty() && settings.merchants.is_empty());
}

#[test]
fn what_has_ended_is_kept_for_ever_or_for_a_day_at_least_and_what_leans_on_it_goes_first() {
    let load = |text: &str| Folder::new(&format!("[retention]\n{text}\n")).load();
    let kept = load("history = \"400d\"\nupserts = \"400d\"").unwrap().retention;
    assert_eq!(kept.history, Some(Duration::from_hours(24 * 400)));
    assert_eq!(load("upserts = \"forever\"").unwrap().retention.upserts, None);
    let audit = load("audit = \"400d\"").unwrap().retention.audit;
    assert_eq!(audit, Some(Duration::from_hours(24 * 400)));
    for (text, line, problem) in [
        ("upserts = \"2h\"", 2, "must be a day or longer"),
        ("audit = \"2h\"", 2, "must be a day or longer"),
        ("upserts = \"always\"", 2, "not a length of time"),
        ("history = \"89d\"", 2, "cannot be kept for a shorter time"),
        (
            "upserts = \"forever\"\nhistory = \"900d\"",
            3,
            "cannot be kept for a shorter time",
        ),
        (
            "upserts = \"24h\"\n[server]\nidempotency_keep = \"25h\"",
            2,
            "server.idempotency_keep",
        ),
        ("upsert = \"90d\"", 2, "upserts"),
    ] {
        let problems = load(text).unwrap_err();
        let told = problems[0].to_string();
        assert!(
            problems.len() == 1 && told.contains(&format!(":{line}:")) && told.contains(problem),
            "{text}: {told}"
        );
    }
}

#[test]
fn a_connection_that_says_little_has_the_defaults_of_the_contract() {
    let settings = Folder::with_merchant(&format!("id = \"acme\"\n{CONNECTION}"))
        .load()
        .unwrap();
    let merchant = settings.merchant("acme").unwrap();
    assert_eq!(merchant.match_on, [IdentifierKind::Email, IdentifierKind::Phone]);
    assert_eq!(merchant.sync_deadline, Duration::from_secs(10));
    let connection = merchant.connection("rotor").unwrap();
    assert!(connection.required && connection.payload.is_none() && connection.base_url.is_none());
    assert_eq!(
        (connection.timeout, connection.concurrency.get()),
        (Duration::from_secs(10), 16)
    );
    assert_eq!(
        (connection.retry.attempts.get(), connection.retry.base),
        (4, Duration::from_millis(200))
    );
    assert_eq!(connection.retry.max_age, Duration::from_hours(72));
    assert_eq!(
        (connection.breaker.min_calls.get(), connection.breaker.open_for),
        (10, Duration::from_secs(15))
    );
    assert_eq!(connection.rate_limit.per_second, None);
    // As many as the vendor is known to allow.
    assert_eq!(connection.rate_limit.per_day, None);
}

#[test]
fn what_a_merchant_file_says_is_what_the_settings_hold() {
    let settings = Folder::with_merchant(include_str!("everything.toml"))
        .env("SECRET", "canary")
        .load()
        .unwrap();
    let merchant = settings.merchant("acme").unwrap();
    let connection = merchant.connection("payments").unwrap();
    assert_eq!(connection.payload, Some(Payload::Full));
    assert_eq!(connection.settings["merchant_id"], "mcht_1");
    assert_eq!(connection.settings["nested"]["list"][1], 2);
    let limit = &connection.rate_limit;
    assert_eq!((limit.burst, limit.per_day), (limit.per_second, Some(1000)));
    assert!((limit.reserve - 0.1).abs() < f64::EPSILON);
    assert_eq!(merchant.routes[0].when.kind, ["organisation"]);
    assert_eq!(merchant.routes[0].when.country, ["AU", "NZ"]);
    assert!(
        matches!(&merchant.webhooks_in[0].verify.scheme, Scheme::StandardWebhooks { tolerance } if *tolerance == Duration::from_mins(5))
    );
    assert_eq!(merchant.webhooks_in[0].only["/type"], ["customer.created"]);
    assert_eq!(merchant.webhooks_in[1].map["/addresses/billing/city"], "/town");
    assert!(
        matches!(&merchant.webhooks_in[1].verify.scheme, Scheme::Hmac(hmac) if hmac.algorithm == HmacHash::Sha512 && hmac.header == "x-signature")
    );
    assert_eq!(merchant.webhooks_in[1].verify.secrets.len(), 2);
    assert_eq!(merchant.webhooks_out[0].events.len(), 2);
}

#[test]
fn a_member_is_found_at_its_line_and_an_absent_one_where_its_section_is() {
    let folder = Folder::with_merchant(include_str!("everything.toml")).env("SECRET", "canary");
    let settings = folder.load().unwrap();
    let merchant = settings.merchant("acme").unwrap();
    let connection = merchant.connection("payments").unwrap();
    let line = |needle: &str| {
        1 + include_str!("everything.toml")
            .lines()
            .position(|line| line.contains(needle))
            .unwrap()
    };
    assert_eq!(connection.location().line, line("[[connections]]"));
    assert_eq!(connection.locate("settings.merchant_id").line, line("merchant_id"));
    assert_eq!(connection.locate("settings.absent").line, line("settings = "));
    assert_eq!(connection.locate("allow_plain_http").line, connection.location().line);
    assert_eq!(
        merchant.locate("connections[0].settings.merchant_id"),
        connection.locate("settings.merchant_id")
    );
    let problem = connection
        .problem("settings.merchant_id", "must start with `mcht_`")
        .to_string();
    assert!(
        problem.contains(&format!("acme.toml:{}:", line("merchant_id"))),
        "{problem}"
    );
    assert!(
        problem.ends_with("connections[0].settings.merchant_id: must start with `mcht_`"),
        "{problem}"
    );
}

#[test]
fn the_environment_overrides_gateway_toml_alone() {
    let folder = Folder::new("[server]\nbind = \"127.0.0.1:1\"\nworkers = 2\n")
        .env("UPSERT_GATEWAY__SERVER__BIND", "0.0.0.0:9000")
        .env("UPSERT_GATEWAY__SERVER__BODY_LIMIT", "1MiB")
        .env("UPSERT_GATEWAY__SERVER__API_MERCHANTS_MAY_USE_LOOPBACK", "true")
        .env("UPSERT_GATEWAY__STORE__URL", "postgres://gateway:canary@db/gateway")
        .env(
            "UPSERT_GATEWAY__STORE__ENCRYPTION_KEYS",
            "[{ id = \"k1\", key = { env = \"K1\" } }]",
        )
        .env("UPSERT_GATEWAY_URL", "http://localhost:8080")
        .env("K1", "key");
    folder.write("merchants/acme.toml", "id = \"acme\"\n");
    let settings = folder.load().unwrap();
    assert_eq!(
        (settings.server.bind.as_str(), settings.server.workers),
        ("0.0.0.0:9000", 2)
    );
    assert_eq!(settings.server.body_limit, 1024 * 1024);
    assert!(settings.server.api_merchants_may_use_loopback);
    assert_eq!(settings.store.encryption_keys[0].id, "k1");
    assert!(!format!("{settings:?}{}", settings.effective()).contains("canary"));
}

#[test]
fn no_merchants_file_is_overridden_from_the_environment() {
    let merchant =
        format!("id = \"acme\"\nname = \"Acme\"\nsync_deadline = \"7s\"\n{CONNECTION}rate_limit = {{ per_day = 5 }}\n");
    for (name, value) in [
        ("ID", "other"),
        ("NAME", "Other"),
        ("DEFAULT_REGION", "AU"),
        ("MATCH_ON", "[]"),
        ("SYNC_DEADLINE", "1s"),
        ("CONNECTIONS", "[]"),
        ("CONNECTIONS__0__NAME", "other"),
        ("ROUTES", "[{ to = [] }]"),
        ("WEBHOOKS__IN", "[]"),
        ("MERCHANTS__ACME__NAME", "Other"),
        ("ACME__NAME", "Other"),
    ] {
        let variable = format!("UPSERT_GATEWAY__{name}");
        let folder = Folder::with_merchant(&merchant).env(&variable, value);
        // It is a variable for gateway.toml, where no such member is: that is all there is to say of it.
        let problems = folder.problems();
        assert!(
            matches!(problems.as_slice(), [one] if one.starts_with("environment variable UPSERT_GATEWAY__")),
            "{variable}: {problems:?}"
        );
    }
    let settings = Folder::with_merchant(&merchant)
        .env("UPSERT_GATEWAY__SERVER__BIND", "127.0.0.1:1")
        .load()
        .unwrap();
    let acme = settings.merchant("acme").unwrap();
    assert_eq!(
        (settings.server.bind.as_str(), acme.name.as_deref()),
        ("127.0.0.1:1", Some("Acme"))
    );
    assert_eq!(acme.connections[0].rate_limit.per_day, Some(5));
}

#[test]
fn what_config_cannot_hold_is_refused_with_its_line_in_every_file() {
    for (line, message) in [
        ("x = 99999999999999999999", "a number that 64 bits do not hold"),
        ("x = -9223372036854775809", "a number that 64 bits do not hold"),
        ("x = 0xFFFFFFFFFFFFFFFFFF", "a number that 64 bits do not hold"),
        ("x = 1e999", "a number that 64 bits do not hold"),
        (
            "x = { y = [1, 99999999999999999999] }",
            "a number that 64 bits do not hold",
        ),
        ("x = 9223372036854775807", "there is no member `x` here"),
        ("x = -inf", "there is no member `x` here"),
        ("x = nan", "there is no member `x` here"),
        ("x = 2026-11-29T00:00:00Z", "there is no member `x` here"),
        ("\"x[9999999999999]\" = 1", "there is no member `x[9999999999999]` here"),
        ("\"x.y\" = 1", "there is no member `x.y` here"),
        ("\"\" = 1", "there is no member `` here"),
    ] {
        let folder = Folder::new(&format!("# first\n{line}\n"));
        folder.write("merchants/acme.toml", format!("id = \"acme\"\n{line}\n"));
        let problems = folder.problems();
        for (problem, file) in problems.iter().zip(["gateway.toml:2:", "merchants/acme.toml:2:"]) {
            assert!(
                problem.starts_with(&format!("config/{file}")) && problem.contains(message),
                "{line}: {problem}"
            );
        }
        assert_eq!(problems.len(), 2, "{line}: {problems:?}");
    }
}

#[test]
fn an_override_that_is_wrong_is_reported_with_its_variable() {
    let folder = Folder::new("store = 3\n")
        .env("UPSERT_GATEWAY__SERVER__BINDD", "x")
        .env("UPSERT_GATEWAY__SERVER__WORKERS", "many")
        .env("UPSERT_GATEWAY__SERVER__[0]", "x")
        .env("UPSERT_GATEWAY__API_KEYS", "[]")
        .env("UPSERT_GATEWAY__API_KEYS__NAME", "x")
        .env("UPSERT_GATEWAY__STORE__URL", "sqlite:x.db");
    insta::assert_snapshot!(folder.problems().join("\n"));
}

#[test]
fn api_keys_are_read_by_hash() {
    let folder = Folder::new(&format!(
        "[[api_keys]]\nname = \"crm\"\nkey_sha256 = \"{}\"\nmerchants = [\"acme\"]\nscopes = [\"customers:write\", \"customers:read\"]\nrate_limit = {{ per_second = 5 }}\n",
        "aB".repeat(32)
    ));
    folder.write("merchants/acme.toml", "id = \"acme\"\n");
    let settings = folder.load().unwrap();
    let key = &settings.api_keys[0];
    assert_eq!(key.key_sha256, [0xab; 32]);
    assert_eq!(key.scopes, [Scope::CustomersRead, Scope::CustomersWrite]);
    assert!(key.merchants.covers("acme") && !key.merchants.covers("other") && Reach::All.covers("other"));
    assert_eq!(key.rate_limit.unwrap().burst.get(), 5);
}

/// A key of this name, whose hash is this digit over and over.
fn named_key(name: &str, digit: char, more: &str) -> String {
    let hash = digit.to_string().repeat(64);
    format!("[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{hash}\"\n{more}\n")
}

#[test]
fn keys_of_one_name_can_do_the_same_so_that_one_can_be_replaced_while_both_are_in_use() {
    let load = |old: &str, new: &str| {
        let folder = Folder::new(&(named_key("crm", 'a', old) + &named_key("crm", 'b', new)));
        folder.write("merchants/acme.toml", "id = \"acme\"\n");
        folder.write("merchants/globex.toml", "id = \"globex\"\n");
        folder.problems_or(|settings| settings.api_keys.len())
    };
    let (both, read) = ("merchants = [\"acme\", \"globex\"]", "scopes = [\"customers:read\"]");
    let same = format!("{both}\n{read}\nexpires_at = \"2027-06-30T00:00:00Z\"");
    assert_eq!(
        load(&same, &format!("merchants = [\"globex\", \"acme\"]\n{read}")),
        Ok(2)
    );
    for other in [
        format!("merchants = [\"acme\"]\n{read}"),
        format!("merchants = [\"*\"]\n{read}"),
        format!("{both}\nscopes = [\"customers:read\", \"admin\"]"),
    ] {
        let said = "config/gateway.toml:7:1: api_keys[1]: the key `crm` has other merchants or scopes than the key of the \
                    same name at config/gateway.toml:1:1 (keys of one name are one caller's; give another caller another name)";
        assert_eq!(load(&same, &other), Err(vec![said.to_owned()]), "{other}");
    }
}

#[test]
fn a_key_may_have_a_last_day_that_says_when() {
    let load = |at: &str| {
        let more = format!("merchants = [\"*\"]\nscopes = [\"admin\"]\nexpires_at = {at}");
        Folder::new(&named_key("crm", 'a', &more)).problems_or(|settings| settings.api_keys[0].expires_at)
    };
    let at = |text: &str| Ok(Some(text.parse().unwrap()));
    assert_eq!(load("\"2027-06-30T00:00:00Z\""), at("2027-06-30T00:00:00Z"));
    assert_eq!(load("\"2027-06-30T02:00:00+02:00\""), at("2027-06-30T00:00:00Z"));
    for wrong in ["\"2027-06-30\"", "\"2027-06-30T00:00:00\"", "\"soon\"", "\"\"", "7"] {
        let problems = load(wrong).unwrap_err();
        assert!(
            problems.len() == 1 && problems[0].contains("api_keys[0].expires_at"),
            "{problems:?}"
        );
    }
}

#[test]
fn each_merchant_file_stands_for_itself_and_others_are_passed_over() {
    let folder = Folder::new("");
    folder.write("merchants/b.toml", format!("id = \"b\"\nname = \"B\"\n{CONNECTION}"));
    folder.write("merchants/a.toml", "id = \"a\"\n");
    folder.write("merchants/.a.toml.swp.toml", "not TOML");
    folder.write("merchants/README.md", "not TOML");
    let settings = folder.load().unwrap();
    let names: Vec<_> = settings
        .files
        .iter()
        .map(|file| file.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["gateway.toml", "a.toml", "b.toml"]);
    assert_eq!(settings.merchant("a").unwrap().name, None);
    assert!(settings.merchant("a").unwrap().connections.is_empty());
}

#[test]
fn the_fingerprint_changes_with_every_file_and_with_nothing_else() {
    let folder = Folder::with_merchant("id = \"acme\"\n");
    let first = folder.load().unwrap().fingerprint;
    assert_eq!(first.len(), 64);
    assert_eq!(folder.load_with(Secrets::Skip).unwrap().fingerprint, first);
    folder.write("merchants/acme.toml", "id = \"acme\"\n# a word\n");
    let second = folder.load().unwrap().fingerprint;
    folder.write("merchants/other.toml", "id = \"other\"\n");
    let third = folder.load().unwrap().fingerprint;
    assert!(first != second && second != third && first != third);
}

#[test]
fn a_connection_is_another_one_when_its_credentials_or_settings_change() {
    let of = |secret: &str, settings: &str| {
        let credentials = "credentials = { api_key = { env = \"KEY\" } }";
        let merchant = format!("id = \"acme\"\n{CONNECTION}{credentials}\nsettings = {settings}\n");
        Folder::with_merchant(&merchant)
            .env("KEY", secret)
            .load()
            .unwrap()
            .merchant("acme")
            .unwrap()
            .connections[0]
            .fingerprint()
    };
    assert_eq!(of("a", "{}"), of("a", "{ }"));
    assert_ne!(of("a", "{}"), of("b", "{}"));
    assert_ne!(of("a", "{}"), of("a", "{ x = 1 }"));
}

#[test]
fn the_effective_configuration_shows_defaults_and_references_and_no_secret() {
    let folder = Folder::with_merchant(include_str!("everything.toml")).env("SECRET", "canary");
    let effective = folder.load().unwrap().effective();
    assert!(!effective.to_string().contains("canary"));
    insta::assert_json_snapshot!(effective);
}

#[test]
fn settings_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&Folder::new("").load().unwrap());
}
