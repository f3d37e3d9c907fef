//! Two people with one phone and two e-mails stay two when they come out of a file, or by the command, in every order with the
//! other ways in.

use serde_json::{Value as Json, json};
use upsert_webhook::{SigningKey, sign};

use crate::own_gateway::{OwnGateway, Vendors};
use crate::process::{stderr, stdout};

const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBzb3VyY2VzIG9mIGV2ZW50cw==";

const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
map = { email = "/email", phone = "/phone", given_name = "/given_name", family_name = "/family_name", notes = "/notes" }
"#;

const MAP: &str =
    "email = \"Mail\"\nphone = \"Tel\"\ngiven_name = \"First\"\nfamily_name = \"Last\"\nnotes = \"Memo\"\n";

/// The ways by which somebody comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A file of one row, over the command.
    Import,
    /// The same, and what cannot be read is left out.
    LenientImport,
    /// What a dry run of that file does, which is to do nothing.
    DryRun,
    Request,
    Batch,
    Webhook,
}

const WAYS: [Way; 6] = [
    Way::Import,
    Way::LenientImport,
    Way::DryRun,
    Way::Request,
    Way::Batch,
    Way::Webhook,
];

fn ann(notes: &str) -> Json {
    json!({ "email": "ann@x.example", "phone": "+12025550123", "given_name": "Ann", "family_name": "Lee", "notes": notes })
}

fn bob(notes: &str) -> Json {
    json!({ "email": "bob@x.example", "phone": "+12025550123", "given_name": "Bob", "family_name": "Lee", "notes": notes })
}

fn bring(gateway: &OwnGateway, way: Way, body: &Json, number: usize) {
    match way {
        Way::Import => import(gateway, body, number, &[]),
        Way::LenientImport => import(gateway, body, number, &["--lenient"]),
        Way::DryRun => dry_run(gateway, body, number),
        Way::Request => is_taken(gateway.post("/v1/customers", "application/json", &body.to_string(), &[])),
        Way::Batch => {
            let kind = "application/x-ndjson";
            is_taken(gateway.post("/v1/customers/batch", kind, &body.to_string(), &[]));
        }
        Way::Webhook => hook(gateway, body, number),
    }
}

fn is_taken((status, text): (u16, String)) {
    assert!(
        (200..300).contains(&status) && !text.contains("\"problem\""),
        "{status}: {text}"
    );
}

/// A file of one row, as a spreadsheet writes it.
fn file(gateway: &OwnGateway, body: &Json, number: usize) -> [String; 2] {
    let text = |member: &str| body[member].as_str().unwrap();
    let row = format!(
        "Mail;Tel;First;Last;Memo\r\n{};'{};{};{};{}\r\n",
        text("email"),
        text("phone"),
        text("given_name"),
        text("family_name"),
        text("notes")
    );
    [
        gateway.written(&format!("one-{number}.csv"), &row),
        gateway.written("map.toml", MAP),
    ]
}

fn told(gateway: &OwnGateway, body: &Json, number: usize, more: &[&str]) -> Json {
    let [file, map] = file(gateway, body, number);
    let mut arguments = vec!["import", &file, "--map", &map, "--json"];
    arguments.extend(more);
    let output = gateway.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn import(gateway: &OwnGateway, body: &Json, number: usize, more: &[&str]) {
    let told = told(gateway, body, number, &[&["--wait"], more].concat());
    assert_eq!((&told["accepted"], &told["rows"]), (&json!(1), &json!(1)), "{told:#}");
}

fn dry_run(gateway: &OwnGateway, body: &Json, number: usize) {
    let before = gateway.customers();
    let told = told(gateway, body, number, &["--dry-run"]);
    assert_eq!((&told["taken"], &told["rows"]), (&json!(1), &json!(1)), "{told:#}");
    assert_eq!(gateway.customers(), before);
}

fn hook(gateway: &OwnGateway, body: &Json, number: usize) {
    let mut event = body.clone();
    let id = format!("evt-{number}");
    event["id"] = json!(id);
    #[expect(clippy::disallowed_methods, reason = "the sender's clock is the machine's")]
    let at = jiff::Timestamp::now();
    let event = event.to_string();
    let key = SigningKey::standard(SECRET).unwrap();
    let signature = sign(&[key], &id, at, event.as_bytes());
    let at = at.as_second().to_string();
    let headers = [
        ("webhook-id", id.as_str()),
        ("webhook-timestamp", &at),
        ("webhook-signature", &signature),
    ];
    is_taken(gateway.post("/v1/webhooks/acme/shop", "application/json", &event, &headers));
}

fn nobody_has_anothers_data(vendors: &Vendors) {
    for (_, records) in vendors.records() {
        for record in records {
            let shown = format!("{:?}", record.fields).to_lowercase();
            // Names as they stand in a field or an e-mail: an id may spell "ann" by chance.
            let names = |name: &str| shown.contains(&format!("\"{name}\"")) || shown.contains(&format!("{name}@"));
            assert!(!(names("ann") && names("bob")), "a record of both: {shown}");
        }
    }
}

#[test]
fn two_people_with_one_phone_stay_two_out_of_a_file_in_every_order_with_the_other_ways_in() {
    let vendors = Vendors::start();
    // What Rotor refuses is told in its own delivery, so that the other vendors are seen too.
    let (connections, secrets) = vendors.connections("required = false");
    let secrets = [&secrets[..], &[("hook.secret", SECRET)]].concat();
    let gateway = OwnGateway::start(&format!("{connections}{SOURCE}"), &secrets);
    let pairs = WAYS.into_iter().map(|way| (Way::Import, way));
    let pairs = pairs.chain(WAYS.into_iter().skip(1).map(|way| (way, Way::Import)));
    let mut number = 0;
    for (at, (first, second)) in pairs.enumerate() {
        let (one, other) = if at % 2 == 0 {
            (ann as fn(&str) -> Json, bob as fn(&str) -> Json)
        } else {
            (bob as _, ann as _)
        };
        // Who comes first, who comes second, and both again.
        for (way, who) in [(first, one), (second, other), (second, one), (first, other)] {
            number += 1;
            bring(&gateway, way, &who(&number.to_string()), number);
        }
    }
    gateway.until_all_is_delivered(std::time::Duration::from_secs(60));
    let known = gateway.customers();
    assert_eq!(known.len(), 2, "{known:#?}");
    for customer in &known {
        let name = customer["given_name"].as_str().unwrap().to_lowercase();
        assert_eq!(customer["email"], format!("{name}@x.example"));
        let history = gateway.get(&format!(
            "/v1/customers/{}/history?limit=200",
            customer["id"].as_str().unwrap()
        ));
        let other = if name == "ann" { "bob" } else { "ann" };
        assert!(!history.to_string().to_lowercase().contains(other), "{history:#}");
    }
    nobody_has_anothers_data(&vendors);
    let [rotor, _, april] = vendors.records().map(|(_, records)| records.len());
    assert_eq!(april, 2, "April knows people by e-mail");
    assert_eq!(rotor, 1, "Rotor would take one for the other, so it has one");
}
