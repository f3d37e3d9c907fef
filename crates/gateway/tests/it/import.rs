//! `import` and `export`: every row once, whatever is killed on the way.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::demo::Demo;
use crate::operator::{answer, said};
use crate::process::{Started, gateway, read_to, run, stderr, stdout, workspace};
use crate::scripted::upserted;

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
    let mut again = summary(&import(&demo, &file, &[]));
    assert_eq!(
        (again["answered_before"].take(), &first["answered_before"]),
        (Value::from(5), &Value::from(0))
    );
    again["answered_before"] = Value::from(0);
    assert_eq!(again, first);
    let told = stdout(&run(&mut with_key(&demo, &["import", file.to_str().unwrap()]), ""));
    assert!(
        told.contains("this import was done before, so nothing was sent"),
        "{told}"
    );
    fs::write(&file, many(4)).unwrap();
    let other = import(&demo, &file, &[]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("--restart"), "{}", stderr(&other));
    let anew = summary(&import(&demo, &file, &["--restart", "--wait"]));
    assert_eq!(anew["accepted"], 4);
    assert_eq!(exported(&demo).len(), 4);
}

#[test]
fn a_file_without_a_row_is_said_to_be_one_and_is_no_success() {
    let demo = Demo::start(&[]);
    for (name, text) in [
        ("nothing.ndjson", ""),
        ("blank.ndjson", "\n \n"),
        ("nothing.csv", ""),
        ("header.csv", "email,reference\n"),
    ] {
        let file = written(&demo, name, text);
        for more in [&[][..], &["--dry-run"]] {
            let output = import(&demo, &file, more);
            assert_eq!(output.status.code(), Some(1), "{name} {more:?}");
            let said = stderr(&output);
            assert!(
                said.contains("there is no row in it") || said.contains("the file is empty"),
                "{name} {more:?}: {said}"
            );
        }
    }
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
    assert!(stderr(&unmapped).contains("`No`, `Mail`, `x`"), "{}", stderr(&unmapped));
    let output = import(&demo, &file, &["--map", map.to_str().unwrap(), "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let all = exported(&demo);
    assert_eq!(all[0]["addresses"]["billing"]["city"], "Spring, field");
    assert_eq!(all[0]["tags"], json!(["new", "vip"]));
    assert_eq!(
        (&all[1]["source"], &all[1]["reference"]),
        (&Value::from("crm"), &Value::from("R-2"))
    );
    assert!(all[0]["links"]["rotor"].is_string(), "{:#}", all[0]);
}

/// A Shopify export of so many rows with everything in it that happens to a file: guards, blank and short lines, breaks in
/// cells, phones as floats. Beside it the lines that cannot come in, and why.
fn shopify(rows: u32) -> (String, Vec<(u64, &'static str)>) {
    let header = fs::read_to_string(workspace("config/imports/shopify.csv")).unwrap();
    let mut text = format!("{}\r\n", header.lines().next().unwrap());
    let (mut line, mut refused) = (2, Vec::new());
    for n in 0..rows {
        if n % 37 == 0 {
            text.push_str("\r\n");
            line += 1;
        }
        let number = 12_025_550_000_u64 + u64::from(n % 9_000) + u64::from(n / 9_000) * 1_000_000_000;
        let phone = match n % 3 {
            0 => format!("'+{number}"),
            1 => format!("{number}.0"),
            _ => format!("=\"+{number}\""),
        };
        let email = if n % 503 == 7 {
            "nobody at all".to_owned()
        } else {
            format!("n{n}@x.example")
        };
        let more = if n % 499 == 11 { ",shifted" } else { "" };
        let end = if n % 5 == 0 && more.is_empty() {
            ""
        } else {
            ",\"a \"\"quoted\"\" word\r\nand a line\",no,\"VIP, two\""
        };
        let written = format!(
            "'{n:06},Given {n},'s Family,{email},yes,,{n} High St,,Dover,DE,US,'0{},,{phone},no,1.00,2{end}{more}\r\n",
            n % 9_000 + 1_000
        );
        if email == "nobody at all" || !more.is_empty() {
            refused.push((
                line,
                if more.is_empty() {
                    "validation_failed"
                } else {
                    "too_many_cells"
                },
            ));
        }
        line += written.matches('\n').count() as u64;
        text.push_str(&written);
    }
    (text, refused)
}

#[test]
fn three_thousand_customers_of_a_shop_come_in_or_are_named_by_their_line_in_a_file() {
    let demo = Demo::start(&[]);
    let (text, expected) = shopify(3_000);
    let file = written(&demo, "customers_export.csv", &text);
    let map = workspace("config/imports/shopify.toml").display().to_string();
    let output = import(&demo, &file, &["--map", &map]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = summary(&output);
    let number = |name: &str| told[name].as_u64().unwrap();
    assert_eq!(
        (number("rows"), number("accepted") + number("refused")),
        (3_000, 3_000),
        "{told:#}"
    );
    assert_eq!(told["read_as"]["delimiter"], ",");
    assert!(number("guards_taken_off") > 7_000, "{told:#}");
    let refused = fs::read_to_string(demo.folder.join("customers_export.csv.refused.ndjson")).unwrap();
    let lines: BTreeSet<(u64, String)> = refused
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|row| (row["line"].as_u64().unwrap(), row["code"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(
        lines,
        expected
            .iter()
            .map(|(line, code)| (*line, (*code).to_owned()))
            .collect()
    );
    let all = exported(&demo);
    assert_eq!(all.len() as u64, number("accepted"));
    for one in &all {
        let n: u64 = one["reference"].as_str().unwrap().parse().unwrap();
        assert_eq!(one["email"], format!("n{n}@x.example"));
        assert_eq!(one["given_name"], format!("Given {n}"));
        assert_eq!(one["family_name"], "'s Family");
        assert_eq!(
            one["phone"],
            format!("+{}", 12_025_550_000_u64 + n % 9_000 + n / 9_000 * 1_000_000_000)
        );
        let address = &one["addresses"]["billing"];
        assert_eq!(address["postal_code"], format!("0{}", n % 9_000 + 1_000));
        assert_eq!(address["line1"], format!("{n} High St"));
    }
}

#[test]
fn a_lost_quote_stops_an_import_where_it_was_opened_and_nothing_after_it_comes_in() {
    let demo = Demo::start(&[]);
    let text = "reference;given_name;family_name;email;phone\n\nR-1;A;B;a@x.example;+12025550101\nR-2;\"C;D;c@x.example;+12025550102\n\
                R-3;E;F;e@x.example;+12025550103\n";
    let file = written(&demo, "people.csv", text);
    let output = import(&demo, &file, &["--wait"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stderr(&output).contains("the quote opened in line 4 is never closed"),
        "{}",
        stderr(&output)
    );
    let told = summary(&output);
    assert_eq!(
        (
            &told["rows"],
            &told["accepted"],
            &told["refused"],
            &told["stopped"]["line"]
        ),
        (&Value::from(2), &Value::from(1), &Value::from(1), &Value::from(4))
    );
    let refused = fs::read_to_string(demo.folder.join("people.csv.refused.ndjson")).unwrap();
    assert!(
        refused.contains("\"line\":4") && refused.contains("unclosed_quote"),
        "{refused}"
    );
    assert_eq!(exported(&demo).len(), 1);
}

#[test]
fn a_file_that_is_not_utf8_says_so_by_its_line_and_comes_in_when_it_is_said_what_it_is() {
    let demo = Demo::start(&[]);
    let file = demo.folder.join("people.csv");
    let mut bytes =
        b"reference;given_name;family_name;email;phone\r\nR-1;A;B;a@x.example;+12025550101\r\nR-2;Zo".to_vec();
    bytes.extend(b"\xeb;D;c@x.example;+12025550102\r\n");
    fs::write(&file, bytes).unwrap();
    let output = import(&demo, &file, &["--wait"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("not UTF-8 in line 3"), "{}", stderr(&output));
    let other = import(&demo, &file, &["--encoding", "windows-1252"]);
    assert!(stderr(&other).contains("--restart"), "{}", stderr(&other));
    let output = import(&demo, &file, &["--encoding", "windows-1252", "--wait", "--restart"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(summary(&output)["read_as"]["encoding"], "windows-1252");
    assert_eq!(exported(&demo)[1]["given_name"], "Zoë");
}

/// Takes one batch and answers its one line with this; what was asked, with its body.
fn answers_a_batch(answer: Value) -> (String, std::thread::JoinHandle<String>) {
    use std::io::{Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        let mut until = |stream: &mut std::net::TcpStream, end: &str| {
            while !asked.ends_with(end) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(char::from(byte[0]));
            }
            asked.clone()
        };
        until(&mut stream, "\r\n\r\n");
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let asked = until(&mut stream, "}\n");
        writeln!(stream, "{answer}").unwrap();
        asked
    };
    (url, std::thread::spawn(serve))
}

#[test]
fn a_late_row_about_somebody_who_was_erased_is_refused_and_the_others_come_in() {
    let demo = Demo::start(&[]);
    assert_eq!(
        summary(&import(&demo, &written(&demo, "first.ndjson", &many(2)), &["--wait"]))["created"],
        2
    );
    let id = exported(&demo)[0]["id"].as_str().unwrap().to_owned();
    let erased = said(&demo, 0, &["customers", "erase", &id, "--merchant", "acme"]);
    let certificate = id.replace("cus_", "ers_");
    assert!(
        erased.starts_with(&format!("{id} is erased: certificate {certificate}\n")),
        "{erased}"
    );
    assert_eq!(erased.matches(" is left there").count(), 3, "{erased}");
    // Who lost the certificate asks again, and is told no vendor's id.
    let again = answer(&demo, &["customers", "erase", &id, "--json"]);
    assert_eq!(again["erasure_id"], certificate.as_str());
    assert_eq!(again["vendors"].as_array().unwrap().len(), 3);
    assert!(
        again["vendors"]
            .as_array()
            .unwrap()
            .iter()
            .all(|vendor| vendor["provider_customer_id"].is_null())
    );
    let unknown = said(&demo, 1, &["customers", "erase", "cus_01JD0000000000000000000000"]);
    assert_eq!(unknown, "");
    said(&demo, 1, &["customers", "show", &id]);
    said(&demo, 2, &["customers", "erase", "nobody"]);

    let late = written(&demo, "late.ndjson", &many(3));
    let output = import(&demo, &late, &["--wait"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = summary(&output);
    assert_eq!(
        (&told["created"], &told["refused"]),
        (&Value::from(1), &Value::from(1)),
        "{told}"
    );
    let refused = fs::read_to_string(demo.folder.join("late.ndjson.refused.ndjson")).unwrap();
    assert!(refused.contains("\"erased\"") && !refused.contains("n0@"), "{refused}");
    let left: Vec<Value> = exported(&demo).iter().map(|one| one["reference"].clone()).collect();
    assert_eq!(left, ["R-1", "R-2"]);
}

#[test]
fn an_import_asks_for_lenient_handling_sends_links_and_counts_what_was_left_out() {
    let ignored = [json!({ "pointer": "/phone", "code": "invalid_phone", "detail": "x" })];
    let answer = upserted(
        json!({ "line": 1, "status": 200, "idempotent_replayed": true, "state": "succeeded", "ignored": ignored }),
    );
    let (url, asked) = answers_a_batch(answer);
    let arguments = [
        "import",
        "-",
        "--format",
        "csv",
        "--lenient",
        "--json",
        "--url",
        &url,
        "--key",
        "k",
    ];
    let output = run(&mut gateway(&arguments), "reference,links.rotor\n'01,r-1\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = summary(&output);
    assert_eq!(
        (
            &told["ignored"]["invalid_phone"],
            &told["repeated"],
            &told["accepted"],
            &told["guards_taken_off"]
        ),
        (&Value::from(1), &Value::from(1), &Value::from(1), &Value::from(1))
    );
    let asked = asked.join().unwrap();
    assert!(asked.contains("prefer: respond-async, handling=lenient\r\n"), "{asked}");
    assert!(asked.contains(r#""links":{"rotor":"r-1"},"reference":"01""#), "{asked}");
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

const KNOWN: &str = r#"{"reference":"K-1","given_name":"Kay","family_name":"One","email":"k1@x.example","phone":"+12025550101"}
{"reference":"K-2","given_name":"Kay","family_name":"Two","email":"k2@x.example","phone":"+12025550102"}
"#;

/// Unchanged, changed, new twice, without a phone, no JSON, an e-mail address that is none.
const MIXED: &str = r#"{"reference":"K-1","given_name":"Kay","family_name":"One","email":"k1@x.example","phone":"+12025550101"}
{"idempotency_key":"own","reference":"K-2","given_name":"Kate"}
{"reference":"N-1","given_name":"New","family_name":"One","email":"n1@x.example","phone":"+12025550103"}
{"reference":"N-2","given_name":"New","family_name":"One","email":"N1@x.example","phone":"+12025550104"}

{"reference":"N-3","given_name":"No","family_name":"Phone","email":"n3@x.example"}
{not json
{"reference":"N-4","given_name":"Bad","family_name":"Mail","email":"secret-canary","phone":"+12025550105"}
"#;

fn dry_run(demo: &Demo, key: &str, file: &Path, more: &[&str]) -> Output {
    let mut arguments = vec!["import", file.to_str().unwrap(), "--dry-run"];
    arguments.extend(more);
    run(with_key(demo, &arguments).env("UPSERT_GATEWAY_KEY", key), "")
}

/// How long it takes depends on how fast the simulators were.
fn without_times(text: &str) -> String {
    let mut shown = text.to_owned();
    for time in ["not known", "2s", "3s"] {
        shown = shown.replace(&format!("┆ {time:<11} │"), "┆ 1s          │");
    }
    shown
}

#[test]
fn a_dry_run_tells_what_would_become_of_each_row_and_changes_nothing() {
    let demo = Demo::start(&[]);
    let known = written(&demo, "known.ndjson", KNOWN);
    assert_eq!(import(&demo, &known, &["--wait"]).status.code(), Some(0));
    let before = exported(&demo);
    let file = written(&demo, "mixed.ndjson", MIXED);
    let output = dry_run(&demo, &demo.key(), &file, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    insta::assert_snapshot!("dry_run", without_times(&stdout(&output)));
    assert!(!stdout(&output).contains("canary") && !stderr(&output).contains("canary"));
    assert_eq!(exported(&demo), before, "it stored something");
    for left in ["import-state", "refused.ndjson"] {
        assert!(!demo.folder.join(format!("mixed.ndjson.{left}")).exists(), "{left}");
    }

    let output = dry_run(&demo, &demo.key(), &known, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = summary(&output);
    for name in ["rotor", "payments", "wallet"] {
        let of = &told["connections"][name];
        assert_eq!(
            (&of["unchanged"], &of["calls"], &of["estimate"]["takes_seconds"]),
            (&Value::from(2), &Value::from(0), &Value::from(0)),
            "{told:#}"
        );
    }
}

#[test]
fn a_dry_run_of_a_table_counts_what_the_import_of_it_then_does() {
    let demo = Demo::start(&[]);
    let file = written(
        &demo,
        "people.csv",
        "No,given_name,family_name,email,phone\nR-1,Ann,Doe,a@x.example,+12025550101\nR-2,Bob,Doe,b@x.example,12\n",
    );
    let map = written(&demo, "map.toml", "[columns]\nNo = \"reference\"\n");
    let more = ["--map", map.to_str().unwrap()];
    let told = summary(&dry_run(&demo, &demo.key(), &file, &[more[0], more[1], "--json"]));
    let done = summary(&import(&demo, &file, &more));
    assert_eq!(
        (&told["taken"], &told["refused"]),
        (&done["accepted"], &done["refused"])
    );
    assert_eq!(
        told["refused_as_a_whole"]["reasons"],
        json!([{ "code": "invalid_phone", "pointer": "/phone", "rows": 1 }])
    );
}

#[test]
fn a_dry_run_foresees_that_the_days_quota_makes_it_wait_for_tomorrow() {
    let demo = Demo::start(&[]);
    let file = written(&demo, "many.ndjson", &many(1_050));
    let output = dry_run(&demo, &demo.key(), &file, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = summary(&output);
    let rotor = &told["connections"]["rotor"];
    assert_eq!(
        (&rotor["calls"], &rotor["estimate"]["rate_limit"]["per_day"]),
        (&Value::from(1_050), &Value::from(1_000))
    );
    let time = |value: &Value| value.as_str().unwrap()[..19].to_owned();
    let (opens, through) = (
        time(&rotor["estimate"]["rate_limit"]["opens_at"]),
        time(&rotor["estimate"]["through_at"]),
    );
    // What is too much for today is less than a tenth of tomorrow's.
    assert!(through > opens && through[..13] == opens[..13], "{rotor:#}");
    let text = stdout(&dry_run(&demo, &demo.key(), &file, &[]));
    assert!(
        text.contains("rotor: 1050 calls to make") && text.contains("through about "),
        "{text}"
    );
}

#[test]
fn a_dry_run_with_a_key_that_may_not_see_connections_counts_all_the_same() {
    use sha2::{Digest as _, Sha256};

    let demo = Demo::start(&[]);
    let settings = demo.folder.join("gateway.toml");
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest("ugk_writes_only_writes_only_writes_only"));
    let more = format!(
        "\n[[api_keys]]\nname = \"writes\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"acme\"]\nscopes = [\"customers:write\"]\n"
    );
    fs::write(&settings, fs::read_to_string(&settings).unwrap() + &more).unwrap();
    demo.process.signal("HUP");
    let file = written(&demo, "known.ndjson", KNOWN);
    let began = Instant::now();
    let output = loop {
        let output = dry_run(&demo, "ugk_writes_only_writes_only_writes_only", &file, &["--json"]);
        if !stderr(&output).contains("401") {
            break output;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{}", stderr(&output));
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = summary(&output);
    assert_eq!(
        (&told["taken"], &told["connections"]["rotor"]["estimate"]),
        (&Value::from(2), &Value::Null)
    );
    assert!(told["note"].as_str().unwrap().contains("ops:read"), "{told:#}");
    let text = stdout(&dry_run(&demo, "ugk_writes_only_writes_only_writes_only", &file, &[]));
    assert!(
        text.ends_with("ops:read: how long it will take is not known\n"),
        "{text}"
    );
}

#[test]
fn a_dry_run_keeps_no_state_and_takes_no_arguments_that_are_about_it() {
    let output = run(
        &mut gateway(&[
            "import",
            "x.ndjson",
            "--dry-run",
            "--wait",
            "--url",
            "http://127.0.0.1:9",
            "--key",
            "k",
        ]),
        "",
    );
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// Answers one request after the other, each on a connection of its own, with what stands here.
fn answers_in_turn(answers: Vec<(&'static str, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move |(head, body): (&str, String)| {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        let size = body.len();
        write!(
            stream,
            "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n{body}"
        )
        .unwrap();
        first.split_whitespace().nth(1).unwrap().to_owned()
    };
    (
        url,
        std::thread::spawn(move || answers.into_iter().map(serve).collect()),
    )
}

#[test]
fn a_dry_run_waits_as_long_as_the_gateway_says_and_asks_again() {
    let rotor = json!({ "connection": "rotor", "provider": "rotor", "required": true, "action": "create", "match_key": null,
        "request": null, "repeat": null, "warnings": [], "refusals": [] });
    let plan = json!({ "customer_id": null, "customer": {}, "connections": [rotor], "ignored": [] });
    let (url, asked) = answers_in_turn(vec![
        ("503 Busy\r\nRetry-After: 2", "{}".to_owned()),
        ("429 Slow\r\nRetry-After: 0", "{}".to_owned()),
        ("200 OK", plan.to_string()),
        ("403 No", "{}".to_owned()),
    ]);
    let began = Instant::now();
    let arguments = ["import", "-", "--dry-run", "--json", "--url", &url, "--key", "k"];
    let output = run(&mut gateway(&arguments), "{\"reference\":\"R\"}\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(began.elapsed() >= Duration::from_secs(2), "it did not wait");
    let told = summary(&output);
    assert_eq!(
        (&told["rows"], &told["connections"]["rotor"]["create"]),
        (&Value::from(1), &Value::from(1))
    );
    let plan = "/v1/customers/plan";
    assert_eq!(asked.join().unwrap(), [plan, plan, plan, "/v1/connections"]);
}
