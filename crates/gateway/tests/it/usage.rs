//! Wrong usage is told from failure, and help is there.

use crate::process::{gateway, run, stderr, stdout};
use crate::scripted::{CUSTOMER, DELIVERY};

#[test]
fn wrong_usage_exits_with_2() {
    let cases: [&[&str]; 20] = [
        &[],
        &["sevre"],
        &["serve", "--confg", "config"],
        &["serve", "--log-level", "upsert=loudest"],
        &["serve", "--log-level", "inof"],
        &["serve", "--log-level", "upsert_ap=debug"],
        &["keys", "new", "--scope", "customers:fly"],
        &["keys", "new", "--merchant", "*", "--merchant", "acme"],
        &["upsert", "-"],
        &["status"],
        &["status", "--url", "ftp://x", "--key", "k"],
        &[
            "deliveries",
            "replay",
            "--connection",
            "rotor",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
        ],
        &["customers", "show", "--url", "http://127.0.0.1:1", "--key", "k"],
        &[
            "customers",
            "show",
            CUSTOMER,
            "--phone",
            "1",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
        ],
        &[
            "deliveries",
            "list",
            "--since",
            "yesterday",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
        ],
        &[
            "deliveries",
            "replay",
            DELIVERY,
            "--connection",
            "x",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
        ],
        &[
            "deliveries",
            "show",
            "../customers",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
        ],
        &["import", "x.txt", "--url", "http://127.0.0.1:1", "--key", "k"],
        &[
            "import",
            "x.ndjson",
            "--map",
            "m.toml",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
        ],
        &[
            "upsert",
            "--url",
            "http://127.0.0.1:1",
            "--key",
            "k",
            "--plan",
            "--async",
        ],
    ];
    for case in cases {
        let output = run(&mut gateway(case), "");
        assert_eq!(output.status.code(), Some(2), "{case:?}: {}", stderr(&output));
        assert!(!output.stderr.is_empty(), "{case:?} says nothing");
    }
}

#[test]
fn every_command_has_its_help() {
    for command in [
        "serve",
        "check",
        "demo",
        "keys",
        "upsert",
        "import",
        "export",
        "webhook",
        "status",
        "deliveries",
        "customers",
    ] {
        let output = run(&mut gateway(&[command, "--help"]), "");
        assert_eq!(output.status.code(), Some(0));
        assert!(
            stdout(&output).contains("Usage: upsert-gateway"),
            "{command}: {}",
            stdout(&output)
        );
    }
}

#[test]
fn the_key_in_the_environment_is_shown_by_no_help() {
    let output = run(
        gateway(&["upsert", "--help"]).env("UPSERT_GATEWAY_KEY", "ugk_canary"),
        "",
    );
    assert!(stdout(&output).contains("UPSERT_GATEWAY_KEY"));
    assert!(!stdout(&output).contains("ugk_canary"));
}

#[test]
fn filters_without_matching_are_told_what_is_missing() {
    let arguments = ["deliveries", "replay", "--connection", "rotor", "--key", "k"];
    let output = run(gateway(&arguments).args(["--url", "http://127.0.0.1:1"]), "");
    let said = stderr(&output);
    assert!(said.contains("or --matching for all that match"), "{said}");
    let output = run(&mut gateway(&["status", "--url", "ftp://x", "--key", "k"]), "");
    let said = stderr(&output);
    assert!(said.contains("has to start with http:// or https://"), "{said}");
}
