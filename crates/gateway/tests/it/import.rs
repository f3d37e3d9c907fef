//! `import` and `export`: every row once, whatever is killed on the way.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demo::Demo;
use crate::process::{Started, gateway, read_to, run, stderr, stdout};

fn with_key(demo: &Demo, arguments: &[&str]) -> Command {
    let mut command = gateway(arguments);
    command
        .env("UPSERT_GATEWAY_URL", demo.url())
        .env("UPSERT_GATEWAY_KEY", demo.key());
    command
}

fn import(demo: &Demo, file: &Path, more: &[&str]) -> Output {
    let mut arguments = vec!["import", file.to_str().unwrap(), "--json"];
    arguments.extend(more);
    run(&mut with_key(demo, &arguments), "")
}

fn summary(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}{}", stdout(output), stderr(output)))
}

fn written(demo: &Demo, name: &str, text: &str) -> PathBuf {
    let file = demo.folder.join(name);
    fs::write(&file, text).unwrap();
    file
}

fn exported(demo: &Demo) -> Vec<Value> {
    let output = run(&mut with_key(demo, &["export"]), "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut all: Vec<Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    all.sort_by_key(|one| one["reference"].as_str().map(str::to_owned));
    all
}

fn many(rows: u32) -> String {
    let mut text = String::new();
    for n in 0..rows {
        let phone = 2_025_550_000_u64 + u64::from(n);
        writeln!(
            text,
            r#"{{"reference":"R-{n}","given_name":"N","family_name":"{n}","email":"n{n}@x.example","phone":"+1{phone}"}}"#
        )
        .unwrap();
    }
    text
}

#[test]
fn rows_are_taken_and_those_refused_stand_in_a_file_without_what_is_in_them() {
    let demo = Demo::start(&[]);
    let text = format!(
        "{}\n{{not json\n{{\"reference\":\"X\",\"email\":\"secret\"}}\n",
        many(3)
    );
    let file = written(&demo, "people.ndjson", &text);
    let output = import(&demo, &file, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let first = summary(&output);
    assert_eq!(
        (&first["created"], &first["refused"]),
        (&Value::from(3), &Value::from(2))
    );
    let refused = fs::read_to_string(demo.folder.join("people.ndjson.refused.ndjson")).unwrap();
    assert!(!refused.contains("secret"), "{refused}");
    let mut lines: Vec<(u64, String)> = refused
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| (row["line"].as_u64().unwrap(), row["code"].as_str().unwrap().to_owned()))
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        [(5, "malformed_json".to_owned()), (6, "validation_failed".to_owned())]
    );

    // The same import again has nothing to do; another file under the same name is another import.
    assert_eq!(summary(&import(&demo, &file, &[])), first);
    fs::write(&file, many(4)).unwrap();
    let other = import(&demo, &file, &[]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("--restart"), "{}", stderr(&other));
    let anew = summary(&import(&demo, &file, &["--restart", "--wait"]));
    assert_eq!(anew["accepted"], 4);
    assert_eq!(exported(&demo).len(), 4);
}

#[test]
fn a_table_is_read_by_its_columns_and_a_map() {
    let demo = Demo::start(&[]);
    let text = "No,Mail,given_name,family_name,phone,tags,addresses.billing.city,x\n\
                R-1,a@x.example,\"Ann\",Doe,+12025550101,vip;new,\"Spring, field\",?\n\
                R-2,b@x.example,Bob,Doe,+12025550102,,,?\n";
    let file = written(&demo, "people.csv", text);
    let map = written(
        &demo,
        "map.toml",
        "ignore = [\"x\"]\n[columns]\nNo = \"reference\"\nMail = \"email\"\n[constants]\nsource = \"crm\"\n",
    );
    let unmapped = import(&demo, &file, &[]);
    assert_eq!(unmapped.status.code(), Some(1));
    assert!(stderr(&unmapped).contains("No, Mail, x"), "{}", stderr(&unmapped));
    let output = import(&demo, &file, &["--map", map.to_str().unwrap(), "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let all = exported(&demo);
    assert_eq!(all[0]["addresses"]["billing"]["city"], "Spring, field");
    assert_eq!(all[0]["tags"], serde_json::json!(["new", "vip"]));
    assert_eq!(
        (&all[1]["source"], &all[1]["reference"]),
        (&Value::from("crm"), &Value::from("R-2"))
    );
    assert!(all[0]["links"].as_array().is_some_and(|links| !links.is_empty()));
}

#[test]
fn what_was_exported_can_be_imported_and_changes_nothing() {
    let demo = Demo::start(&[]);
    let file = written(&demo, "people.ndjson", &many(5));
    assert_eq!(import(&demo, &file, &["--wait"]).status.code(), Some(0));
    let before = exported(&demo);
    for format in ["ndjson", "csv"] {
        let out = demo.folder.join(format!("out.{format}"));
        let arguments = ["export", "--format", format, "--out", out.to_str().unwrap()];
        assert_eq!(run(&mut with_key(&demo, &arguments), "").status.code(), Some(0));
        let output = import(&demo, &out, &["--wait"]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        assert_eq!(summary(&output)["unchanged"], 5, "{format}: {}", stdout(&output));
    }
    let versions = |all: &[Value]| all.iter().map(|one| one["version"].clone()).collect::<Vec<_>>();
    assert_eq!(versions(&exported(&demo)), versions(&before));
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was_and_does_no_row_twice() {
    let demo = Demo::start(&[]);
    let rows = 3_000;
    let file = written(&demo, "people.ndjson", &many(rows));
    let mut command = with_key(&demo, &["import", file.to_str().unwrap()]);
    let mut first = Started::new(&mut command);
    let state = demo.folder.join("people.ndjson.import-state");
    let began = Instant::now();
    let answered = || -> u64 {
        let text = fs::read_to_string(&state).unwrap_or_default();
        let state: Value = serde_json::from_str(&text).unwrap_or_default();
        state["answered_to"].as_u64().unwrap_or_default()
    };
    while answered() == 0 {
        assert!(began.elapsed() < Duration::from_secs(30), "no state is written");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.signal("KILL");
    first.ended();
    let left_off = answered();
    assert!(left_off < u64::from(rows), "it was done before it could be killed");
    let output = import(&demo, &file, &[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(summary(&output)["accepted"], rows);
    let all = exported(&demo);
    let references: BTreeSet<&str> = all.iter().map(|one| one["reference"].as_str().unwrap()).collect();
    assert_eq!((all.len(), references.len()), (rows as usize, rows as usize));
    assert!(all.iter().all(|one| one["version"] == 1));
}

/// A gateway of its own process beside the demo's vendors; the demo's key opens it too.
fn serve(demo: &Demo, address: &str) -> Started {
    let folder = demo.folder.join("second");
    if !folder.exists() {
        for part in ["merchants", "secrets"] {
            fs::create_dir_all(folder.join(part)).unwrap();
            for entry in fs::read_dir(demo.folder.join(part)).unwrap() {
                let from = entry.unwrap().path();
                fs::copy(&from, folder.join(part).join(from.file_name().unwrap())).unwrap();
            }
        }
        let text = fs::read_to_string(demo.folder.join("gateway.toml")).unwrap();
        let line = |line: &str| match line.split_once(" = ") {
            Some(("bind", _)) => format!("bind = \"{address}\"\n"),
            _ => format!("{line}\n").replace("data/gateway.db", "second/gateway.db"),
        };
        let text = text.lines().map(line).collect::<Vec<_>>().concat();
        fs::write(folder.join("gateway.toml"), text).unwrap();
    }
    // Nobody reads its log: a full pipe would hold it up.
    let mut command = gateway(&["serve", "--log-level", "error", "--config", folder.to_str().unwrap()]);
    let process = Started::new(&mut command);
    let began = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "it does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    process
}

#[test]
fn an_import_outlives_a_gateway_that_is_killed() {
    let demo = Demo::start(&[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let mut first = serve(&demo, &address);
    let rows = 2_000;
    let file = written(&demo, "people.ndjson", &many(rows));
    let url = format!("http://{address}");
    let at = |arguments: &[&str]| {
        let mut command = with_key(&demo, arguments);
        command.env("UPSERT_GATEWAY_URL", &url);
        command
    };
    let mut import = Started::new(&mut at(&["import", file.to_str().unwrap(), "--json"]));
    let state = demo.folder.join("people.ndjson.import-state");
    let began = Instant::now();
    while !fs::read_to_string(&state).is_ok_and(|text| !text.contains("\"answered_to\":0,")) {
        assert!(began.elapsed() < Duration::from_secs(30), "no row is answered");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.signal("KILL");
    first.ended();
    assert!(
        !fs::read_to_string(&state)
            .unwrap()
            .contains(&format!("\"answered_to\":{rows},"))
    );
    let _second = serve(&demo, &address);
    let told = read_to(&mut import.stdout, "}");
    assert_eq!(import.ended(), Some(0), "{told}");
    assert!(told.contains(&format!("\"accepted\": {rows}")), "{told}");
    let output = run(&mut at(&["export"]), "");
    let exported = stdout(&output);
    assert_eq!(exported.lines().count(), rows as usize);
    let once = |line: &str| serde_json::from_str::<Value>(line).unwrap()["version"] == 1;
    assert!(exported.lines().all(once), "each row once");
}
