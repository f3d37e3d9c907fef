//! The rule against forged requests, form by form.

use std::net::IpAddr;

use upsert_settings::{UrlRules, check_url};

const FILE: UrlRules = UrlRules {
    allow_plain_http: false,
    allow_private_network: false,
    allow_literal_loopback: true,
};
const API: UrlRules = UrlRules {
    allow_literal_loopback: false,
    ..FILE
};
const PLAIN: UrlRules = UrlRules {
    allow_plain_http: true,
    ..FILE
};
const PRIVATE: UrlRules = UrlRules {
    allow_private_network: true,
    ..FILE
};

/// Allowed under every rule.
const PUBLIC: [&str; 12] = [
    "https://api.getrotor.com/open-api",
    "https://api.sandbox.au.meetapril.io",
    "https://api.example.com:8443/v1",
    "https://API.Example.COM",
    "https://example.com.",
    "https://8.8.8.8/",
    "https://134744072/",
    "https://[2606:4700:4700::1111]/",
    "https://bücher.example",
    "https://xn--bcher-kva.example",
    "https://hooks.example.com/in?tenant=1",
    "https://localhost.example.com",
];

/// Refused unless private networks are allowed.
const INSIDE: [&str; 66] = [
    // loopback in other spellings than the three literal ones
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.2/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://0x7f.1/",
    "https://127.0.0.1./",
    "https://127.000.000.001/",
    "https://１２７.0.0.1/",
    "https://127。0。0。1/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::0001]/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://app.localhost/",
    "https://app.localhost./",
    "https://localhost.localdomain/",
    // unspecified
    "https://0.0.0.0/",
    "https://0/",
    "https://0x0/",
    "https://[::]/",
    "https://0.0.0.1/",
    // private, shared, link-local
    "https://10.0.0.1/",
    "https://10.1/",
    "https://167772161/",
    "https://012.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://192.168.257/",
    "https://0xc0a80101/",
    "https://3232235777/",
    "https://100.64.0.1/",
    "https://169.254.1.1/",
    "https://[fc00::1]/",
    "https://[fd12:3456::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    // metadata
    "https://169.254.169.254/latest/meta-data",
    "https://169.254.43518/",
    "https://2852039166/",
    "https://0xa9fea9fe/",
    "https://0251.0376.0251.0376/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.192/",
    "https://metadata.google.internal/",
    "https://METADATA.google.internal./",
    "https://metadata/",
    "https://metadata.goog/",
    "https://instance-data/",
    // IPv4 within IPv6
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001::1]/",
    // nobody's
    "https://224.0.0.1/",
    "https://[ff02::1]/",
    "https://255.255.255.255/",
    "https://db/",
];

/// Refused under every rule.
const NEVER: [&str; 29] = [
    "",
    "/",
    "example.com",
    "//example.com",
    "ftp://example.com",
    "file:///etc/passwd",
    "gopher://example.com",
    "javascript:alert(1)",
    "https:example.com",
    "https:/example.com",
    "https:///example.com",
    "https://",
    "https:// example.com",
    "https://exa mple.com",
    "https://example.com\n",
    "\thttps://example.com",
    "https://user@example.com",
    "https://user:pass@example.com",
    "https://@example.com",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/#fragment",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://%31%32%37.0.0.1/",
    "https://[::1",
    "https://1.2.3.4.5/",
    "https://[fe80::1%25eth0]/",
];

#[test]
fn a_public_https_url_is_allowed_under_every_rule() {
    for url in PUBLIC {
        for rules in [FILE, API, PLAIN, PRIVATE] {
            assert!(check_url(url, rules).is_ok(), "{url}: {:?}", check_url(url, rules));
        }
    }
}

#[test]
fn no_spelling_of_an_inside_address_is_allowed_unless_private_networks_are() {
    for url in INSIDE {
        for rules in [FILE, API, PLAIN] {
            assert!(check_url(url, rules).is_err(), "{url} was allowed");
        }
        assert!(check_url(url, PRIVATE).is_ok(), "{url}: {:?}", check_url(url, PRIVATE));
    }
}

#[test]
fn what_url_readers_disagree_about_is_refused_under_every_rule() {
    let everything = UrlRules {
        allow_plain_http: true,
        allow_private_network: true,
        allow_literal_loopback: true,
    };
    for url in NEVER {
        assert!(check_url(url, everything).is_err(), "{url:?} was allowed");
    }
}

#[test]
fn a_file_may_name_loopback_in_exactly_three_spellings_with_plain_http_too() {
    for url in [
        "http://127.0.0.1:4101/open-api",
        "http://localhost:3156",
        "http://[::1]:4103",
        "https://localhost",
        "https://127.0.0.1/",
    ] {
        assert!(check_url(url, FILE).is_ok(), "{url}");
        assert!(check_url(url, API).is_err(), "{url} was allowed to the API");
    }
    for url in [
        "http://127.1:4101",
        "http://2130706433/",
        "http://LocalHost:1/",
        "http://localhost.:1/",
        "http://[0::1]/",
    ] {
        assert!(
            check_url(url, FILE).is_err() && check_url(url, PLAIN).is_err(),
            "{url} was allowed"
        );
    }
}

#[test]
fn plain_http_needs_its_own_permission_and_gives_no_other() {
    assert!(check_url("http://api.example.com", FILE).is_err());
    assert!(check_url("http://api.example.com", PLAIN).is_ok());
    assert!(check_url("http://10.0.0.1", PLAIN).is_err());
    assert!(check_url("http://10.0.0.1", PRIVATE).is_err());
}

#[test]
fn no_refusal_repeats_a_user_or_a_password() {
    for url in [
        "https://canary:canary@example.com",
        "https://canary@[bad",
        "http://canary:canary@10.0.0.1/",
    ] {
        let refusal = check_url(url, FILE).expect_err("refused");
        assert!(!refusal.contains("canary"), "{refusal}");
    }
}

#[test]
fn what_a_name_resolves_to_is_held_against_the_same_rules() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    assert!(FILE.allows("api.example.com", address("8.8.8.8")));
    assert!(!FILE.allows("api.example.com", address("127.0.0.1")));
    assert!(!FILE.allows("api.example.com", address("169.254.169.254")));
    assert!(FILE.allows("localhost", address("127.0.0.1")) && FILE.allows("localhost", address("::1")));
    assert!(!FILE.allows("localhost", address("10.0.0.1")) && !API.allows("localhost", address("127.0.0.1")));
    assert!(PRIVATE.allows("db.inside", address("10.0.0.1")));
}
