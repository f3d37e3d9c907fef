//! Addresses inside: in whatever way they are written as a vendor's or an endpoint's, whatever a name resolves to, and wherever a
//! vendor or an endpoint sends us on, nothing is connected to that is not for everybody.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::net::TcpListener;
use upsert_provider_kit::{Outgoing, Transport as _, TransportError, TransportOptions, Transports};
use upsert_settings::{Environment, Secrets, Settings, UrlRules, check_url, is_public};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Plan, World};

/// Listens on loopback, as something inside would, and counts who comes.
struct Trap {
    port: u16,
    came: Arc<AtomicUsize>,
}

impl Trap {
    /// On every address of this machine, of both families where it has both.
    async fn set() -> Self {
        let came = Arc::new(AtomicUsize::new(0));
        let first = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = first.local_addr().unwrap().port();
        let second = TcpListener::bind(format!("[::1]:{port}")).await.ok();
        for listener in [Some(first), second].into_iter().flatten() {
            let came = came.clone();
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    came.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { port, came }
    }

    fn came(&self) -> usize {
        self.came.load(Ordering::Relaxed)
    }
}

/// One of each network that is not for everybody.
const INSIDE: [[u8; 4]; 14] = [
    [127, 0, 0, 1],
    [127, 8, 9, 10],
    [0, 0, 0, 0],
    [10, 0, 0, 1],
    [172, 16, 5, 4],
    [192, 168, 1, 1],
    [169, 254, 169, 254],
    [100, 64, 0, 1],
    [100, 100, 100, 200],
    [168, 63, 129, 16],
    [192, 0, 0, 192],
    [198, 18, 0, 1],
    [224, 0, 0, 1],
    [255, 255, 255, 255],
];

/// Digits of other scripts and in other shapes that stand for ours.
fn in_digits_from(text: &str, zero: u32) -> String {
    let other = |c: char| {
        c.to_digit(10)
            .and_then(|digit| char::from_u32(zero + digit))
            .unwrap_or(c)
    };
    text.chars().map(other).collect()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut all, byte| {
        let _ = write!(all, "%{byte:02x}");
        all
    })
}

/// Every way in which one address of IPv4 is known to be written as a host.
fn spellings(octets: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = octets;
    let whole = u32::from_be_bytes(octets);
    let dotted = Ipv4Addr::from(octets).to_string();
    let [high, low] = [whole >> 16, whole & 0xffff];
    let mut all = vec![
        dotted.clone(),
        format!("{dotted}."),
        whole.to_string(),
        format!("{whole}."),
        format!("0x{whole:x}"),
        format!("0X{whole:X}"),
        format!("0{whole:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.000{b:o}.000{c:o}.000{d:o}"),
        format!("{a}.{}", whole & 0x00ff_ffff),
        format!("{a}.{b}.{low}"),
        format!("0x{a:x}.{b}.0{low:o}"),
        in_digits_from(&dotted, 0xff10),
        in_digits_from(&dotted, 0x1d7ce),
        in_digits_from(&dotted, 0x0660),
        dotted.replace('.', "\u{3002}"),
        dotted.replace('.', "\u{ff0e}"),
        dotted.replace('.', "\u{ff61}"),
        percent_encoded(&dotted),
        format!("{}%00", dotted),
        format!("vendor.example@{dotted}"),
        format!("vendor.example:443@{dotted}"),
        format!("user:secret@{dotted}"),
        format!("vendor.example\\@{dotted}"),
        format!("{dotted}\\.vendor.example"),
        format!("{dotted}\t"),
        format!("[::ffff:{dotted}]"),
        format!("[::FFFF:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:ffff:{high:04x}:{low:04x}]"),
        format!("[::{dotted}]"),
        format!("[::{high:x}:{low:x}]"),
        format!("[::ffff:0:{dotted}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[64:ff9b:1::{dotted}]"),
        format!("[2002:{high:x}:{low:x}::]"),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:{high:x}:{low:x}::1]"),
        format!("[fe80::5efe:{dotted}]"),
    ];
    all.push(format!("[::ffff:{}]", in_digits_from(&dotted, 0xff10)));
    all
}

/// Addresses of IPv6, and names, that are inside by themselves.
const OTHERS: [&str; 44] = [
    "[::]",
    "[::0]",
    "[0:0:0:0:0:0:0:0]",
    "[::1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fe80::1%lo]",
    "[fe80::1%251]",
    "[febf::1]",
    "[fec0::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[ff02::1]",
    "[ff05::2]",
    "[100::1]",
    "[2001:db8::1]",
    "[2001:10::1]",
    "[3fff::1]",
    "[5f00::1]",
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "localhost..",
    "a.localhost",
    "localhost.localdomain",
    "localhost6.localdomain6",
    "ip6-localhost",
    "metadata",
    "metadata.",
    "metadata.google.internal",
    "metadata.google.internal.",
    "METADATA.GOOG",
    "instance-data",
    "instance-data.ec2.internal",
    "kubernetes.default.svc.cluster.local",
    "host.docker.internal",
    "printer.local",
    "router.lan",
    "nas.home.arpa",
    "vault.intranet",
    "db",
];

fn forms() -> BTreeSet<String> {
    let of_v4 = INSIDE.into_iter().flat_map(spellings);
    of_v4.chain(OTHERS.map(str::to_owned)).collect()
}

/// The rules of a merchant that was put over the API: not even loopback as files may write it.
const OF_THE_API: UrlRules = UrlRules {
    allow_plain_http: true,
    allow_private_network: false,
    allow_literal_loopback: false,
};

fn outgoing(url: reqwest::Url) -> Outgoing {
    Outgoing {
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: None,
    }
}

#[tokio::test]
async fn no_form_of_an_address_inside_is_connected_to() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let trap = Trap::set().await;
    let transports = Transports::new(Arc::new(is_public));
    let options = TransportOptions {
        allow_plain_http: true,
        allow_private_network: false,
    };
    let forms = forms();
    assert!(forms.len() >= 500, "{}", forms.len());
    for form in &forms {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{form}:{}/hooks", trap.port);
            let Ok(url) = check_url(&url, OF_THE_API) else { continue };
            // What is a name by its looks the client looks up, and goes nowhere.
            assert!(
                url.host_str().is_some_and(|host| host.parse::<IpAddr>().is_err()),
                "{form}"
            );
            for client in ["rotor", "webhooks"] {
                let sent = transports
                    .get(client, options)
                    .unwrap()
                    .send(outgoing(url.clone()))
                    .await;
                assert!(matches!(sent, Err(TransportError::NotSent(_))), "{form}");
            }
        }
    }
    assert_eq!(trap.came(), 0);
    // The trap is one.
    let url = format!("http://localhost:{}/", trap.port).parse().unwrap();
    let client = transports.get("rotor", options).unwrap();
    let _nobody_answers = tokio::time::timeout(Duration::from_millis(300), client.send(outgoing(url))).await;
    assert_eq!(trap.came(), 1);
}

/// Files may write loopback, as three words and in no other way.
#[test]
fn a_file_with_any_other_form_of_an_address_inside_is_refused_at_a_connection_and_at_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("merchants")).unwrap();
    write("gateway.toml", "[server]\nbind = \"127.0.0.1:0\"\n");
    write("a.secret", "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgMTIz");
    let allowed = ["127.0.0.1", "[::1]", "localhost"];
    // A tab is none in a file.
    let wanted = |form: &&String| !form.contains('\t');
    for form in forms().iter().filter(wanted) {
        let url = format!("https://{}/x", form.replace('\\', "\\\\"));
        write(
            "merchants/acme.toml",
            &format!(
                "id = \"acme\"\n[[connections]]\nname = \"rotor\"\nprovider = \"rotor\"\nbase_url = \"{url}\"\n\
                 credentials = {{ api_key = {{ file = \"a.secret\" }} }}\n[[webhooks.out]]\nname = \"hooks\"\nurl = \"{url}\"\n\
                 events = [\"customer.upserted\"]\nsecret = {{ file = \"a.secret\" }}\n"
            ),
        );
        let loaded = Settings::load(folder.path(), &Environment::default(), Secrets::Resolve);
        let refused: Vec<String> = loaded
            .err()
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect();
        if allowed.contains(&form.as_str()) {
            assert!(refused.is_empty(), "{form}: {refused:?}");
        } else {
            for member in ["base_url", "url"] {
                let is_it = |problem: &String| problem.contains(member);
                assert!(refused.iter().any(is_it), "{form} is taken as {member}: {refused:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_vendor_and_an_endpoint_that_send_us_inside_are_not_followed() {
    let trap = Trap::set().await;
    let redirects = [301, 302, 303, 307, 308];
    let targets = [
        format!("http://127.0.0.1:{}/", trap.port),
        format!("//127.0.0.1:{}/", trap.port),
        format!("http://[::1]:{}/", trap.port),
        format!("http://2130706433:{}/", trap.port),
    ];
    let plan = Plan {
        only: vec!["rotor"],
        rotor: "retry = { attempts = 1 }".to_owned(),
        ..Plan::default()
    };
    let world = World::with(plan).await;
    let mut number = 0;
    for status in redirects {
        for target in &targets {
            number += 1;
            let away = Answer::new(status).header("location", target.as_str());
            world.rotor.faults().set(vec![Fault::always(Effect::Answer(away))]);
            let body = json!({ "reference": format!("r-{number}"), "given_name": "A", "email": format!("a{number}@example.com") });
            let answer = world.upsert(&body).await;
            assert_eq!(answer.status, 502, "{status} {target}: {}", answer.text);
            assert_eq!(
                answer.delivery("rotor")["error"]["kind"],
                "broken_contract",
                "{}",
                answer.text
            );
        }
    }
    assert_eq!(trap.came(), 0);
}
