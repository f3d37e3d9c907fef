//! `status`: what needs attention, told to people and to monitoring.

use serde_json::Value;

use crate::demo::Demo;
use crate::operator::{
    answer, assert_fits_a_terminal, configure, post, refused_by_a_vendor, said, say_as, until, upsert,
};
use crate::process::{gateway, run, stderr, stdout};
use crate::scripted::{CUSTOMER, DELIVERY, Scripted, problem};

/// Rows without their borders, and without what is another one each time: the port, times, ages, latencies.
fn redacted(demo: &Demo, text: &str) -> String {
    let text = text
        .replace(&demo.url(), "URL")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION");
    let rows = text.lines().filter(|line| !line.starts_with(['┌', '╞', '├', '└']));
    let rows = rows.map(|row| match row.strip_prefix('│') {
        Some(cells) => {
            let cells = cells.trim_end_matches('│').split('┆').map(str::trim);
            without_measures(&cells.collect::<Vec<_>>().join(" | "))
        }
        None => without_measures(row),
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn without_measures(row: &str) -> String {
    let words: Vec<&str> = row.split(' ').collect();
    let shown = words.iter().enumerate().map(|(index, word)| {
        let is_measured = words
            .get(index + 1)
            .is_some_and(|unit| matches!(unit.trim_end_matches([',', ';', ':']), "ms" | "s" | "min"));
        if is_measured { "N" } else { word }
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_healthy_gateway_is_ready_and_needs_nothing() {
    let demo = Demo::start(&[]);
    upsert(&demo, 1);
    let text = said(&demo, 0, &["status", "--check"]);
    assert_fits_a_terminal(&text);
    insta::assert_snapshot!("healthy", redacted(&demo, &text));

    let shown = answer(&demo, &["status", "--json", "--merchant", "acme"]);
    assert_eq!(shown["ready"]["status"], "ready");
    assert_eq!(shown["connections"]["data"].as_array().unwrap().len(), 3);
    assert_eq!(shown["attention"], Value::Array(Vec::new()));
}

#[test]
fn a_troubled_gateway_says_what_is_wrong_and_the_command_that_puts_it_right() {
    let demo = Demo::start(&[]);
    refused_by_a_vendor(&demo, 2);
    post(&demo, "/v1/connections/acme/rotor/pause");
    upsert(&demo, 3);
    configure(&demo, "\n[sever]\n");
    until("the configuration is refused", || {
        let shown = answer(&demo, &["status", "--json"]);
        shown["ready"]["configuration"]["last_reading"] == "refused"
    });
    let text = said(&demo, 0, &["status"]);
    assert_fits_a_terminal(&text);
    insta::assert_snapshot!("troubled", redacted(&demo, &text));
    said(&demo, 1, &["status", "--check"]);

    // To programs it is the gateway's own judgement, the most urgent first.
    let shown = answer(&demo, &["status", "--json"]);
    let entries = shown["attention"].as_array().unwrap().iter();
    let codes: Vec<&str> = entries.map(|entry| entry["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["configuration_refused", "paused_by_operator", "dead_letters"]);
    assert_eq!(shown["attention"][1]["actions"][0], "resume");

    // The command that resumes does so, as it stands there.
    let resume = text
        .find("upsert-gateway connections")
        .map(|from| &text[from..])
        .unwrap();
    let (resume, _) = resume.split_once("\n\n").unwrap();
    assert_eq!(resume, "upsert-gateway connections resume acme/rotor");
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_upsert-gateway"));
    let path = format!("{}:/usr/bin:/bin", program.parent().unwrap().display());
    let mut shell = std::process::Command::new("sh");
    let resumed = run(
        shell
            .args(["-c", resume])
            .env("PATH", path)
            .env("UPSERT_GATEWAY_URL", demo.url())
            .env("UPSERT_GATEWAY_KEY", demo.key()),
        "",
    );
    assert!(resumed.status.success(), "{}", stderr(&resumed));
    until("nothing is paused", || !said(&demo, 0, &["status"]).contains("paused"));
}

#[test]
fn a_merchant_that_the_key_may_not_speak_for_is_refused() {
    let demo = Demo::start(&[]);
    let output = say_as(&demo, &demo.key(), &["status", "--merchant", "other"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("merchant_forbidden"), "{}", stderr(&output));
}

/// A key of the demo's gateway with one scope.
fn key_with(demo: &Demo, scope: &str) -> String {
    let made = run(
        &mut gateway(&["keys", "new", "--merchant", "acme", "--scope", scope, "--json"]),
        "",
    );
    let made: Value = serde_json::from_str(&stdout(&made)).unwrap();
    configure(demo, &format!("\n{}\n", made["toml"].as_str().unwrap()));
    made["key"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_without_the_scope_is_told_which_one_is_missing() {
    let demo = Demo::start(&[]);
    let key = key_with(&demo, "customers:read");
    until("the key is known", || {
        say_as(&demo, &key, &["customers", "show", "--reference", "nobody", "--json"])
            .stdout
            .starts_with(b"{\n  \"data\"")
    });
    for arguments in [&["status"][..], &["deliveries", "list"]] {
        let output = say_as(&demo, &key, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(
            stderr(&output),
            "403 scope_missing: the key lacks the scope `ops:read`\n",
            "{arguments:?}"
        );
    }
    let refused = say_as(&demo, &key, &["deliveries", "discard", DELIVERY, "--json"]);
    let refused: Value = serde_json::from_str(&stdout(&refused)).unwrap();
    assert_eq!(refused["data"][0]["code"], "scope_missing");
}

#[test]
fn a_gateway_that_is_not_there_is_told_from_one_that_is_not_ready() {
    for arguments in [
        &["status"][..],
        &["deliveries", "list"],
        &["deliveries", "replay", DELIVERY],
        &["customers", "show", CUSTOMER],
    ] {
        let mut command = gateway(arguments);
        let output = run(command.args(["--url", "http://127.0.0.1:9", "--key", "ugk_canary"]), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&output);
        assert!(said.contains("http://127.0.0.1:9/ does not answer"), "{said}");
        assert!(!said.contains("canary") && !said.contains("not ready"), "{said}");
    }
}

#[test]
fn a_gateway_that_is_stopping_is_reached_and_not_ready() {
    let stopping = Scripted::start(vec![problem(503, "shutting_down", "the gateway is stopping")]);
    let output = run(&mut gateway(&["status", "--url", &stopping.url, "--key", "k"]), "");
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("is reached, but it is not ready: 503 shutting_down: the gateway is stopping"),
        "{said}"
    );
}

#[test]
fn a_path_at_which_there_is_no_gateway_is_told_from_a_gateway_that_is_not_ready() {
    let other = Scripted::start(vec![problem(404, "not_found", "there is no such route")]);
    let url = format!("{}/foo", other.url);
    let output = run(&mut gateway(&["status", "--url", &url, "--key", "k", "--json"]), "");
    assert_eq!(output.status.code(), Some(1));
    let (out, said) = (stdout(&output), stderr(&output));
    assert!(
        out.is_empty() && said.contains(&format!("no gateway answers at {url}")),
        "{out}{said}"
    );
}
