//! `merchants`: put, listed, shown and deleted at a running gateway, which serves them at once.

use std::process::Output;

use crate::own_gateway::{OwnGateway, Vendors};
use crate::process::{stderr, stdout};

const ANN: &str =
    r#"{"reference":"R-1","given_name":"Ann","family_name":"Lee","email":"ann@example.com","phone":"+12025550123"}"#;

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    out + &err
}

#[test]
fn a_merchants_file_is_put_with_its_secrets_and_served_until_it_is_deleted() {
    let vendors = Vendors::start();
    let gateway = OwnGateway::start("", &[]);
    let (mut connections, secrets) = vendors.connections("");
    for (name, secret) in secrets {
        let path = gateway.written(name, secret);
        connections = connections.replace(&format!("\"{name}\""), &format!("\"{path}\""));
    }
    let head = "id = \"initech\"\nname = \"Initech\"\ndefault_region = \"US\"\n";
    let file = gateway.written("initech.toml", &format!("{head}{connections}"));
    let platform = |arguments: &[&str]| gateway.run_by_platform(arguments, "");

    let refused = said(&platform(&["merchants", "put", &file]), 1);
    assert!(refused.contains("api_merchants_may_refer_to"), "{refused}");
    assert_eq!(
        said(&platform(&["merchants", "list"]), 0),
        "No merchant is in the store.\n"
    );

    let put = said(&platform(&["merchants", "put", &file, "--read-secrets", "--if-new"]), 0);
    assert_eq!(put, "initech: put, generation 1\n");
    let shown = said(&platform(&["merchants", "show", "initech"]), 0);
    assert!(
        shown.contains("\"set\": true") && !shown.contains(secrets[0].1),
        "{shown}"
    );
    let list = said(&platform(&["merchants", "list"]), 0);
    assert!(
        list.contains("Initech") && list.contains("by platform") && list.contains("1 merchant"),
        "{list}"
    );
    let receipt = said(&gateway.run_by_platform(&["upsert", "--merchant", "initech"], ANN), 0);
    assert!(receipt.contains("rotor"), "{receipt}");
    assert_eq!(vendors.records().map(|(_, records)| records.len()), [1, 1, 1]);

    let stale = ["merchants", "put", &file, "--read-secrets", "--if-generation", "7"];
    let refused = said(&platform(&stale), 1);
    assert!(
        refused.contains("412 precondition_failed") && refused.contains("generation 1"),
        "{refused}"
    );
    let again = ["merchants", "put", &file, "--read-secrets", "--json"];
    let put: serde_json::Value = serde_json::from_str(&said(&platform(&again), 0)).unwrap();
    assert_eq!(put["generation"], 2);

    assert_eq!(
        said(&platform(&["merchants", "delete", "initech"]), 0),
        "initech: deleted\n"
    );
    let refused = said(&gateway.run_by_platform(&["upsert", "--merchant", "initech"], ANN), 1);
    assert!(refused.contains("merchant_forbidden"), "{refused}");
    let refused = said(&platform(&["merchants", "delete", "initech"]), 1);
    assert!(refused.contains("404 not_found"), "{refused}");
    let of_a_file = said(&platform(&["merchants", "show", "acme"]), 1);
    assert!(of_a_file.contains("409 merchant_in_file"), "{of_a_file}");
}
