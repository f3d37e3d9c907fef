//! `webhook test`: what an event would become, without secrets and without sending.

use std::fs;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{gateway, run, stderr, stdout, workspace};

/// The shipped configuration, whose secrets are in no environment here, with one source more.
fn folder(source: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants")).unwrap();
    fs::copy(workspace("config/gateway.toml"), folder.path().join("gateway.toml")).unwrap();
    let acme = fs::read_to_string(workspace("config/merchants/acme.toml")).unwrap();
    fs::write(folder.path().join("merchants/acme.toml"), format!("{acme}\n{source}")).unwrap();
    folder
}

fn example(name: &str) -> String {
    fs::read_to_string(workspace("config/webhooks").join(name)).unwrap()
}

fn command(folder: &TempDir, source: &str, more: &[&str]) -> Command {
    let config = folder.path().display().to_string();
    let mut command = gateway(&[
        "webhook",
        "test",
        "--config",
        &config,
        "--merchant",
        "acme",
        "--source",
        source,
    ]);
    command.args(more);
    command
}

fn json_of(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

const LIST: &str = r#"[[webhooks.in]]
source = "list"
verify = { scheme = "standard-webhooks", secret = { env = "NOWHERE" } }
event_id = { header = "webhook-id" }
each = "/changed"
order_by = "/version"
handling = "strict"
only = { "/kind" = "customer" }
map = { reference = "/ref", email = { from = "/mail", required = true }, phone = "/phone", given_name = { from = "/name", part = "given_name" }, family_name = { from = "/name", part = "family_name" } }
"#;

#[test]
fn an_event_is_shown_as_the_upsert_and_the_requests_that_it_would_become() {
    let folder = folder(&example("shopify.toml"));
    let event = workspace("config/webhooks/shopify.json").display().to_string();
    let output = run(&mut command(&folder, "shopify", &[&event]), "");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    insta::assert_snapshot!("webhook_shopify", stdout(&output));
}

#[test]
fn a_change_of_one_property_may_be_too_little_for_a_new_customer() {
    let both = folder(&format!("{}\n{}", example("stripe.toml"), example("hubspot.toml")));
    let event = |name: &str| workspace("config/webhooks").join(name).display().to_string();
    let output = run(&mut command(&both, "stripe", &[&event("stripe.json")]), "");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let output = run(&mut command(&both, "hubspot", &[&event("hubspot.json"), "--json"]), "");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let shown = json_of(&output);
    let results: Vec<&str> = shown["customers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|customer| customer["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["refused", "refused", "left_out", "refused"]);
    let rows = &shown["customers"][0]["plan"]["connections"];
    assert_eq!(rows[0]["refusals"], json!([]), "the first asks for no more: {rows}");
    assert_eq!(
        rows[1]["refusals"][0]["code"],
        json!("required"),
        "the second does: {rows}"
    );
}

#[test]
fn each_customer_of_a_list_is_shown_from_standard_input_or_one_alone() {
    let folder = folder(LIST);
    let event = json!({ "changed": [
        { "kind": "customer", "ref": 1, "version": 7, "mail": "ann@example.com", "phone": "+12025550123", "name": "Ann Smith" },
        { "kind": "company" },
    ] });
    let header = ["--json", "--header", "Webhook-Id: msg_1"];
    let output = run(&mut command(&folder, "list", &header), &event.to_string());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let shown = json_of(&output);
    assert_eq!(shown["ok"], json!(true));
    let first = &shown["customers"][0];
    assert_eq!((&first["event_id"], &first["order"]), (&json!("msg_1#0"), &json!("7")));
    assert_eq!(
        first["body"],
        json!({ "reference": "1", "email": "ann@example.com", "phone": "+12025550123", "given_name": "Ann", "family_name": "Smith" })
    );
    assert_eq!(
        first["plan"]["connections"][2]["request"]["path"],
        json!("/customers/add-update")
    );
    assert_eq!(first["plan"]["connections"].as_array().unwrap().len(), 3);
    assert_eq!(shown["customers"][1]["result"], json!("left_out"));

    let output = run(
        &mut command(&folder, "list", &["-", "--index", "1"]),
        &event.to_string(),
    );
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), "customer 1: left out, by `only`\n")
    );
    let output = run(&mut command(&folder, "list", &["--index", "2"]), &event.to_string());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_mapped_is_told_with_its_pointers_and_its_line() {
    let folder = folder(LIST);
    let event = json!({ "changed": [{ "kind": "customer", "ref": 1, "version": "new" }] }).to_string();
    let output = run(&mut command(&folder, "list", &[]), &event);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("customer 0: refused\n"), "{text}");
    let at = |line: &str| {
        let acme = fs::read_to_string(folder.path().join("merchants/acme.toml")).unwrap();
        let number = acme.lines().position(|other| other.starts_with(line)).unwrap() + 1;
        format!("acme.toml:{number}:")
    };
    for (from, place) in [
        (
            "(the event): the header `webhook-id` is to hold the event's id",
            at("[[webhooks.in]]"),
        ),
        ("/changed/0/version: neither a time", at("[[webhooks.in]]")),
        ("/changed/0/mail → /email: nothing stands there (missing", at("map = ")),
    ] {
        let line = text.lines().find(|line| line.contains(from));
        assert!(
            line.is_some_and(|line| line.contains(&place)),
            "no `{from}` at {place} in:\n{text}"
        );
    }
    let output = run(
        &mut command(&folder, "list", &["--json", "--header", "webhook-id: m"]),
        r#"{ "items": [] }"#,
    );
    let shown = json_of(&output);
    assert_eq!((output.status.code(), &shown["ok"]), (Some(1), &json!(false)));
    assert_eq!(shown["customers"][0]["problems"][0]["pointer"], json!("/changed"));
}

#[test]
fn what_the_gateway_or_a_vendor_refuses_is_told_too() {
    let folder = folder(LIST);
    let header = ["--header", "webhook-id: m"];
    let event = |mail: &str| json!({ "changed": { "kind": "customer", "ref": 1, "mail": mail } }).to_string();
    let output = run(&mut command(&folder, "list", &header), &event("no address"));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("422 validation_failed: "),
        "{}",
        stdout(&output)
    );
    assert!(stdout(&output).contains("\n  /email: "), "{}", stdout(&output));
    // Vendors ask for a name.
    let output = run(&mut command(&folder, "list", &header), &event("ann@example.com"));
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains(": refuses /"), "{}", stdout(&output));
}

#[test]
fn wrong_names_are_wrong_usage_and_wrong_files_are_failures() {
    let folder = folder(LIST);
    let config = folder.path().display().to_string();
    let wrong = |merchant: &str, source: &str| {
        let arguments = [
            "webhook",
            "test",
            "--config",
            &config,
            "--merchant",
            merchant,
            "--source",
            source,
        ];
        run(&mut gateway(&arguments), "{}")
    };
    let output = wrong("acme", "lst");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("`lst` is not configured (known: list)"),
        "{}",
        stderr(&output)
    );
    let output = wrong("acm", "list");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("(known: acme)"), "{}", stderr(&output));
    let output = run(&mut command(&folder, "list", &["--header", "webhook-id"]), "{}");
    assert_eq!(output.status.code(), Some(2));
    let output = run(&mut command(&folder, "list", &[]), "{");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not JSON"), "{}", stderr(&output));
    let output = run(&mut command(&folder, "list", &["no-such-file.json"]), "");
    assert_eq!(output.status.code(), Some(1));
    fs::write(
        folder.path().join("merchants/acme.toml"),
        "id = \"acme\"\nnom = \"x\"\n",
    )
    .unwrap();
    let output = run(&mut command(&folder, "list", &[]), "{}");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("acme.toml:2:1: nom: "), "{}", stderr(&output));
}
