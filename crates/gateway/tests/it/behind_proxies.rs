//! `import` through what stands in front of gateways: a real nginx with its defaults, and answers that are no gateway's.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use upsert_testkit::nginx::Nginx;

use crate::demo::Demo;
use crate::process::{gateway, run, stderr, stdout, workspace};

fn rows(count: u32, padding: usize) -> String {
    let mut text = String::new();
    for n in 0..count {
        let (phone, notes) = (2_025_550_000_u64 + u64::from(n), "x".repeat(padding));
        writeln!(
            text,
            r#"{{"reference":"R-{n}","given_name":"N","family_name":"{n}","email":"n{n}@x.example","phone":"+1{phone}","notes":"{notes}"}}"#
        )
        .unwrap();
    }
    text
}

fn import(demo: &Demo, url: &str, file: &str) -> Output {
    let mut command = gateway(&["import", file, "--json", "--url", url]);
    run(command.env("UPSERT_GATEWAY_KEY", demo.key()), "")
}

fn nginx(demo: &Demo, more: &str) -> Nginx {
    let site = fs::read_to_string(workspace("deploy/nginx/gateway.conf")).unwrap();
    let site = site.replace("listen 80;", &format!("listen 80;\n{more}"));
    Nginx::start(&site, demo.url().trim_start_matches("http://").parse().unwrap())
}

#[test]
fn three_thousand_rows_come_through_an_nginx_with_its_defaults() {
    let demo = Demo::start(&[]);
    let nginx = nginx(&demo, "");
    let file = demo.folder.join("people.ndjson");
    // Five requests of 500 rows would have more than 1 MB.
    fs::write(&file, rows(3_000, 2_000)).unwrap();
    let output = import(&demo, &format!("http://{}", nginx.address()), file.to_str().unwrap());
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&told["accepted"], &told["created"]),
        (&Value::from(3_000), &Value::from(3_000)),
        "{told:#}"
    );
    let mut export = gateway(&["export", "--url", &demo.url()]);
    let all = stdout(&run(export.env("UPSERT_GATEWAY_KEY", demo.key()), ""));
    assert_eq!(all.lines().count(), 3_000);
    let once = |line: &str| serde_json::from_str::<Value>(line).unwrap()["version"] == 1;
    assert!(all.lines().all(once), "each row once");
}

#[test]
fn a_path_in_the_address_is_kept_with_and_without_its_slash() {
    let demo = Demo::start(&[]);
    let site = fs::read_to_string(workspace("deploy/nginx/prefix.conf")).unwrap();
    let nginx = Nginx::start(&site, demo.url().trim_start_matches("http://").parse().unwrap());
    for (count, path) in [(3, "/gw"), (5, "/gw/")] {
        let file = demo.folder.join(format!("{count}.ndjson"));
        fs::write(&file, rows(count, 1)).unwrap();
        let url = format!("http://{}{path}", nginx.address());
        let output = import(&demo, &url, file.to_str().unwrap());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{path}: {}{}",
            stdout(&output),
            stderr(&output)
        );
        let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(told["accepted"], Value::from(count), "{told:#}");
    }
}

#[test]
fn a_request_that_a_proxy_lets_not_through_is_told_as_what_it_is() {
    let demo = Demo::start(&[]);
    let nginx = nginx(&demo, "client_max_body_size 10k;");
    let file = demo.folder.join("people.ndjson");
    fs::write(&file, rows(300, 100)).unwrap();
    let output = import(&demo, &format!("http://{}", nginx.address()), file.to_str().unwrap());
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    let told = stderr(&output);
    for says in [
        "413",
        "text/html",
        "proxy",
        "client_max_body_size 1m",
        &nginx.address().to_string(),
    ] {
        assert!(told.contains(says), "{says} is not in {told}");
    }
    let output = import(&demo, &demo.url(), file.to_str().unwrap());
    assert_eq!(
        output.status.code(),
        Some(0),
        "and comes in by another way: {}",
        stderr(&output)
    );
}

#[test]
fn the_documented_nginx_is_the_one_that_tests_run() {
    let site = fs::read_to_string(workspace("deploy/nginx/gateway.conf")).unwrap();
    let server = &site[site.find("server {").unwrap()..];
    let documented = fs::read_to_string(workspace("docs/operations.md")).unwrap();
    assert!(
        documented.contains(&format!("```nginx\n{server}```")),
        "docs/operations.md has another nginx"
    );
}

/// Answers each request with this, whatever it is; how long the bodies were.
fn answers(answer: &'static str, times: usize) -> (String, std::thread::JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = None;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let length = length.unwrap();
        reader.read_exact(&mut vec![0; length]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        length
    };
    (url, std::thread::spawn(move || (0..times).map(|_| serve()).collect()))
}

#[test]
fn a_page_in_the_gateways_place_ends_the_command_and_says_where_to_look() {
    let demo = Demo::start(&[]);
    let file = demo.folder.join("people.ndjson");
    fs::write(&file, rows(1_000, 1_500)).unwrap();
    for (answer, says) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
            "--url",
        ),
        (
            "HTTP/1.1 404 No\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "--url",
        ),
        (
            "HTTP/1.1 301 Moved\r\nLocation: https://gw.example/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "https://gw.example/",
        ),
    ] {
        let (url, lengths) = answers(answer, 1);
        let output = import(&demo, &url, file.to_str().unwrap());
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains(says) && stderr(&output).contains(&url),
            "{}",
            stderr(&output)
        );
        let lengths = lengths.join().unwrap();
        assert!(
            lengths.iter().all(|length| (800_000..=900_000).contains(length)),
            "{lengths:?}"
        );
    }
}

#[test]
fn a_gateway_that_is_not_there_ends_the_command_after_a_while_with_what_to_do() {
    let demo = Demo::start(&[]);
    let file = demo.folder.join("people.ndjson");
    fs::write(&file, rows(3, 0)).unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let began = Instant::now();
    let output = import(&demo, &url, file.to_str().unwrap());
    assert_eq!(output.status.code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let told = stderr(&output);
    for says in [
        url.as_str(),
        "refused",
        "upsert-gateway serve",
        "--url",
        "the same command",
    ] {
        assert!(told.contains(says), "{says} is not in {told}");
    }
    // A proxy with nothing behind it is no gateway either, and says so.
    let nginx = Nginx::start(
        &fs::read_to_string(workspace("deploy/nginx/gateway.conf")).unwrap(),
        url.trim_start_matches("http://").parse().unwrap(),
    );
    let output = import(&demo, &format!("http://{}", nginx.address()), file.to_str().unwrap());
    let told = stderr(&output);
    assert!(
        told.contains("502") && told.contains("it finds no gateway behind it"),
        "{told}"
    );
}
