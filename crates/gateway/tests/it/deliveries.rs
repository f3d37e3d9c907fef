//! `deliveries`: dead letters are found, replayed and discarded, never by mistake.

use serde_json::{Value, json};

use crate::demo::Demo;
use crate::operator::{
    answer, assert_fits_a_terminal, dead_letters, post, refused_by_a_vendor, said, say, until, upsert,
};
use crate::process::{gateway, run, stderr, stdout};
use crate::scripted::{DELIVERY, MOMENT, Scripted, problem, upserted};

fn page(done: u64, cursor: Option<&str>) -> (u16, Value) {
    let answer = json!({ "dry_run": false, "counted_at": MOMENT, "matched": done, "done": done, "refused": 0,
        "refusals": [], "more": true, "next_cursor": cursor });
    (202, answer)
}

fn replay_all(url: &str) -> std::process::Output {
    let arguments = ["deliveries", "replay", "--matching", "--connection", "crm", "--yes"];
    run(gateway(&arguments).args(["--url", url, "--key", "k"]), "")
}

#[test]
fn all_pages_are_done_each_from_the_cursor_of_the_one_before_and_summed_up() {
    let scripted = Scripted::start(vec![
        page(0, None),
        page(1_000, Some("c1")),
        page(1_000, Some("c2")),
        page(7, None),
    ]);
    let output = replay_all(&scripted.url);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "2007 replayed, 0 refused\n");
    assert_eq!(
        scripted.bodies(),
        [
            json!({ "connection": "crm", "limit": 1_000, "dry_run": true }),
            json!({ "connection": "crm", "limit": 1_000, "counted_at": MOMENT }),
            json!({ "connection": "crm", "limit": 1_000, "counted_at": MOMENT, "cursor": "c1" }),
            json!({ "connection": "crm", "limit": 1_000, "counted_at": MOMENT, "cursor": "c2" }),
        ]
    );
}

#[test]
fn what_was_done_before_a_page_failed_is_told() {
    let problem = problem(503, "overloaded", "too much");
    let scripted = Scripted::start(vec![page(0, None), page(1_000, Some("c1")), problem]);
    let output = replay_all(&scripted.url);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(&output), "1000 replayed, 0 refused; then it ended early\n");
    assert!(
        stderr(&output).contains("503 overloaded: too much"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_was_done_before_the_gateway_went_away_is_told_to_programs_too() {
    let done = upserted(json!({ "not_known_yet": 1.50 }));
    let scripted = Scripted::start(vec![(202, done.clone())]);
    let arguments = ["deliveries", "replay", DELIVERY, DELIVERY, "--json", "--key", "k"];
    let output = run(gateway(&arguments).args(["--url", &scripted.url]), "");
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told, json!({ "data": [done] }), "what the gateway said, all of it");
    assert!(stderr(&output).contains("does not answer"), "{}", stderr(&output));
}

#[test]
fn dead_letters_are_listed_shown_and_replayed_one_and_all() {
    let demo = Demo::start(&[]);
    refused_by_a_vendor(&demo, 3);
    let failed = dead_letters(&demo);
    assert_eq!(failed.len(), 3);

    let filters = [
        "--state",
        "failed",
        "--connection",
        "payments",
        "--error-kind",
        "rejected",
    ];
    let list = |more: &[&str]| {
        let arguments = [&["deliveries", "list", "--since", "2h"][..], &filters, more].concat();
        said(&demo, 0, &arguments)
    };
    let text = list(&["--limit", "2"]);
    assert_fits_a_terminal(
        &text
            .lines()
            .filter(|line| line.starts_with('│'))
            .collect::<String>()
            .replace("││", "│\n│"),
    );
    assert!(
        text.contains(&failed[0]) && text.contains(&failed[1]) && !text.contains(&failed[2]),
        "{text}"
    );
    assert!(text.contains("there are more: --all"), "{text}");
    let text = list(&["--all"]);
    assert!(text.contains(&failed[2]) && text.ends_with("3 deliveries\n"), "{text}");
    assert_eq!(
        said(&demo, 0, &["deliveries", "list", "--until", "2h"]),
        "No delivery matches.\n"
    );

    let shown = said(&demo, 0, &["deliveries", "show", &failed[0]]);
    assert!(
        shown.contains("error          rejected") && shown.contains("│ 1       ┆"),
        "{shown}"
    );
    let shown = answer(&demo, &["deliveries", "show", &failed[0], "--json"]);
    assert_eq!(shown["attempt_log"][0]["vendor_status"], 422);

    let text = said(&demo, 0, &["deliveries", "replay", &failed[0]]);
    assert!(text.starts_with(&format!("{} replayed by ups_", failed[0])), "{text}");
    let again = say(&demo, &["deliveries", "replay", &failed[0]]);
    assert_eq!(again.status.code(), Some(1), "it has not failed any more");
    assert!(stderr(&again).contains("422 validation_failed"), "{}", stderr(&again));

    let all = ["deliveries", "replay", "--matching", "--connection", "payments"];
    let text = said(&demo, 0, &[&all[..], &["--dry-run"]].concat());
    assert_eq!(text, "2 deliveries match\n");
    let done = answer(&demo, &[&all[..], &["--yes", "--json"]].concat());
    assert_eq!((&done["done"], &done["refused"]), (&2.into(), &0.into()), "{done:#}");
    until("all have succeeded", || {
        let page = answer(
            &demo,
            &[
                "deliveries",
                "list",
                "--connection",
                "payments",
                "--state",
                "succeeded",
                "--json",
            ],
        );
        page["data"].as_array().unwrap().len() == 3
    });
    assert!(dead_letters(&demo).is_empty());
}

#[test]
fn without_a_terminal_and_a_yes_nothing_is_done() {
    let demo = Demo::start(&[]);
    refused_by_a_vendor(&demo, 1);
    let before = dead_letters(&demo);
    for deed in ["replay", "discard"] {
        let output = say(&demo, &["deliveries", deed, "--matching", "--state", "failed"]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains("needs --yes"), "{}", stderr(&output));
    }
    let output = say(&demo, &["deliveries", "discard", "--matching", "--yes"]);
    assert_eq!(output.status.code(), Some(2), "everything is not discarded by mistake");
    assert_eq!(dead_letters(&demo), before);
}

#[test]
fn what_failed_and_what_waits_can_be_discarded() {
    let demo = Demo::start(&[]);
    refused_by_a_vendor(&demo, 2);
    let failed = dead_letters(&demo);
    assert_eq!(
        said(&demo, 0, &["deliveries", "discard", &failed[0]]),
        format!("{} discarded\n", failed[0])
    );
    let text = said(
        &demo,
        0,
        &[
            "deliveries",
            "discard",
            "--matching",
            "--connection",
            "payments",
            "--yes",
        ],
    );
    assert_eq!(text, "1 discarded, 0 refused\n");
    assert!(dead_letters(&demo).is_empty());

    post(&demo, "/v1/connections/acme/payments/pause");
    upsert(&demo, 5);
    let waiting = ["--matching", "--waiting-for", "paused", "--state", "waiting", "--yes"];
    let text = said(&demo, 0, &[&["deliveries", "discard"][..], &waiting].concat());
    assert_eq!(text, "1 discarded, 0 refused\n");
}

#[test]
fn a_filter_that_the_gateway_does_not_know_is_told_with_what_is_known() {
    let demo = Demo::start(&[]);
    let output = say(&demo, &["deliveries", "list", "--state", "lost"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("'--state <STATE>': is not known here; known are: pending, in_flight,"),
        "{}",
        stderr(&output)
    );
    let output = say(
        &demo,
        &["deliveries", "replay", "--matching", "--state", "waiting", "--yes"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("/state: only `failed` ones can be replayed"),
        "{}",
        stderr(&output)
    );
}
