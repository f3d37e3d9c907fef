//! `demo`: what it prints works as it is pasted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Started, gateway, read_to, run, stderr, stdout, workspace};

/// A demo that is ready, and all that it printed.
pub(crate) struct Demo {
    pub(crate) process: Started,
    pub(crate) guide: String,
    pub(crate) folder: PathBuf,
    ready_after: Duration,
    /// What the demo's folder stands in.
    _outside: TempDir,
}

impl Demo {
    pub(crate) fn start(more: &[&str]) -> Self {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("demo");
        let began = Instant::now();
        let mut command = gateway(&["demo", "--port", "0", "--dir", folder.to_str().unwrap()]);
        let mut process = Started::new(command.args(more));
        let guide = read_to(&mut process.stdout, "Ctrl-C ends it.");
        Self {
            process,
            guide,
            folder,
            ready_after: began.elapsed(),
            _outside: outside,
        }
    }

    /// Where the gateway is.
    pub(crate) fn url(&self) -> String {
        let word = |word: &&str| word.starts_with("http://127.0.0.1:");
        self.guide.split_whitespace().find(word).unwrap().to_owned()
    }

    pub(crate) fn key(&self) -> String {
        std::fs::read_to_string(self.folder.join("secrets/api_key")).unwrap()
    }

    fn curl_line(&self) -> &str {
        self.guide.lines().find(|line| line.starts_with("curl ")).unwrap()
    }

    /// Lets the second connection's vendor take so long to answer.
    pub(crate) fn delay_a_vendor(&self, millis: u64) {
        self.set_faults(&format!(r#"[{{"effect":{{"kind":"delay","millis":{millis}}}}}]"#));
    }

    /// Sets what goes wrong at the second connection's vendor.
    pub(crate) fn set_faults(&self, body: &str) {
        let control = self
            .guide
            .split_whitespace()
            .find(|word| word.ends_with("/__sim/faults"))
            .unwrap();
        let client = reqwest::Client::builder().build().unwrap();
        let request = client
            .put(control)
            .header("content-type", "application/json")
            .body(body.to_owned());
        let status = on_a_runtime(async { request.send().await.unwrap().status() });
        assert!(status.is_success());
    }
}

pub(crate) fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn there_is_curl() -> bool {
    Command::new("curl").arg("--version").output().is_ok()
}

/// Status and body of the answer to a printed line: of curl where there is one, else of the request that a shell says
/// the line describes.
fn pasted(line: &str) -> (u16, Value) {
    let (status, body) = if there_is_curl() {
        let output = run(Command::new("sh").args(["-c", line]), "");
        assert!(output.status.success(), "{}", stderr(&output));
        let answer = stdout(&output);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split_whitespace().nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    } else {
        sent_without_curl(line)
    };
    (
        status,
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}")),
    )
}

fn sent_without_curl(line: &str) -> (u16, String) {
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{line}");
    let words = stdout(&run(Command::new("sh").args(["-c", &script]), ""));
    let words: Vec<&str> = words.lines().collect();
    let url = words.iter().find(|word| word.starts_with("http://")).unwrap();
    let mut request = reqwest::Client::builder().build().unwrap().post(*url);
    for pair in words.windows(2) {
        request = match pair[0] {
            "-H" => {
                let (name, value) = pair[1].split_once(": ").unwrap();
                request.header(name, value)
            }
            "-d" => request.body(pair[1].to_owned()),
            _ => request,
        };
    }
    on_a_runtime(async {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    })
}

fn of_deliveries(answer: &Value, member: &str) -> Vec<String> {
    let deliveries = answer["deliveries"].as_array().unwrap().iter();
    deliveries
        .map(|delivery| delivery[member].as_str().unwrap_or("-").to_owned())
        .collect()
}

#[test]
fn the_curl_line_gives_201_with_three_succeeded_deliveries_and_200_unchanged_after() {
    let mut demo = Demo::start(&[]);
    // For whoever reads the output: a second is what it may take.
    println!("ready after {} ms", demo.ready_after.as_millis());
    let line = demo.curl_line().to_owned();
    for member in [
        "Authorization: Bearer ",
        "Merchant-Id: acme",
        "Content-Type: application/json",
    ] {
        assert!(line.contains(member), "{line}");
    }
    let (status, first) = pasted(&line);
    assert_eq!(
        (status, of_deliveries(&first, "state")),
        (201, vec!["succeeded".to_owned(); 3]),
        "{first:#}"
    );
    let (status, again) = pasted(&line);
    assert_eq!(
        (status, of_deliveries(&again, "outcome")),
        (200, vec!["unchanged".to_owned(); 3]),
        "{again:#}"
    );
    assert_eq!(again["customer"]["version"], 1);

    let status = run(
        &mut gateway(&["status", "--url", &demo.url(), "--key", &demo.key()]),
        "",
    );
    assert!(stdout(&status).contains("Encryption: on"), "{}", stdout(&status));
    let organisation = demo
        .guide
        .lines()
        .filter(|line| line.starts_with("curl "))
        .nth(1)
        .unwrap();
    let (status, answer) = pasted(organisation);
    assert_eq!(status, 201, "{answer:#}");
    let found: Vec<String> = ["connection", "state", "matched_by"]
        .into_iter()
        .flat_map(|member| of_deliveries(&answer, member))
        .collect();
    assert_eq!(found, ["payments", "succeeded", "reference"], "{answer:#}");

    demo.process.signal("TERM");
    assert_eq!(demo.process.ended(), Some(0));
    assert!(!demo.folder.exists(), "the folder is removed");
}

/// The commands below the first one, as a script: each answer is on a line of its own.
fn script_of(guide: &str) -> String {
    let (_, next) = guide.split_once("Then, in the same terminal:").unwrap();
    let commands: Vec<&str> = next.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(commands.len() > 10, "{guide}");
    format!("{}\n{}", exports_of(guide), commands.join("\n"))
}

/// What a terminal needs first.
fn exports_of(guide: &str) -> String {
    let exports: Vec<&str> = guide.lines().filter(|line| line.starts_with("export ")).collect();
    assert_eq!(exports.len(), 5, "{guide}");
    exports.join("\n")
}

/// The lines of all shell blocks of a page.
fn shell_of(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(workspace(page)).unwrap();
    let mut blocks = text.split("```sh\n").skip(1);
    let of = |block: &str| {
        block
            .split("```")
            .next()
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    blocks.by_ref().flat_map(of).collect()
}

#[test]
fn every_command_of_the_readme_and_of_the_demos_page_can_be_pasted_in_order() {
    // What builds or installs the program that runs here, and what is this test's own runner.
    let is_for_later = |line: &String| ["cargo ", "scripts/"].iter().any(|start| line.starts_with(start));
    let program = Path::new(env!("CARGO_BIN_EXE_upsert-gateway")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = format!("{}:{}", program.display(), path.display());
    for (page, at_least, said) in [
        ("README.md", 4, vec!["201 Created", "Written:"]),
        ("docs/demo.md", 2, vec![]),
    ] {
        let demo = Demo::start(&[]);
        let lines: Vec<String> = shell_of(page).into_iter().filter(|line| !is_for_later(line)).collect();
        assert!(lines.len() >= at_least, "{lines:?}");
        let script = format!("{}\n{}", exports_of(&demo.guide), lines.join("\n"));
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        let shell = shell
            .args(["-euc", &script])
            .env("PATH", &path)
            .current_dir(folder.path());
        let output = run(shell, "");
        let text = stdout(&output);
        assert!(output.status.success(), "{page}: {text}{}", stderr(&output));
        for words in said {
            assert!(text.contains(words), "{page}: {words}: {text}");
        }
    }
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    assert!(
        there_is_curl(),
        "this test pastes what the demo prints, and needs curl for it"
    );
    let demo = Demo::start(&[]);
    assert_eq!(pasted(demo.curl_line()).0, 201);
    let output = run(Command::new("sh").args(["-euc", &script_of(&demo.guide)]), "");
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    let answers: Vec<Value> = text
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [again, plan, found, customer, history, at_vendor, connections, changed] = answers.as_slice() else {
        panic!("{} answers:\n{text}", answers.len());
    };
    assert_eq!(of_deliveries(again, "outcome"), ["unchanged"; 3]);
    assert!(plan.to_string().contains("Johnny"), "{plan:#}");
    assert_eq!(found["data"][0]["reference"], "CUST-123");
    assert_eq!(customer["links"].as_array().unwrap().len(), 3, "{customer:#}");
    assert_eq!(history["data"].as_array().unwrap().len(), 1, "the plan left no trace");
    assert_eq!(
        at_vendor["data"][0]["customer"]["email"], "john.doe@example.com",
        "{at_vendor:#}"
    );
    assert_eq!(connections["data"].as_array().unwrap().len(), 3);
    assert_eq!(of_deliveries(changed, "state"), ["succeeded"; 3], "{changed:#}");
    let attempts: Vec<_> = changed["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["attempts"].as_u64())
        .collect();
    assert!(attempts.contains(&Some(3)), "{changed:#}");
    assert_eq!(crate::operator::dead_letters(&demo).len(), 1);
}

#[test]
fn a_kept_folder_stays_and_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let mut demo = Demo::start(&["--keep"]);
    demo.process.signal("INT");
    assert_eq!(demo.process.ended(), Some(0));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&demo.folder), 0o700);
    for secret in ["rotor", "encryption_key"] {
        assert_eq!(mode(&demo.folder.join("secrets").join(secret)), 0o600);
    }
    assert!(demo.folder.join("data/gateway.db").exists());
    let check = run(&mut gateway(&["check", "--config", demo.folder.to_str().unwrap()]), "");
    assert_eq!(check.status.code(), Some(0), "{}", stdout(&check));
}

#[test]
fn a_second_signal_does_not_wait_for_what_is_under_way() {
    let mut demo = Demo::start(&[]);
    demo.delay_a_vendor(30_000);
    let body =
        r#"{"reference":"R-1","given_name":"A","family_name":"B","email":"a@example.com","phone":"+12025550124"}"#;
    let mut upsert = gateway(&["upsert", "--url", &demo.url(), "--key", &demo.key()]);
    let waiting = std::thread::spawn(move || run(&mut upsert, body));
    let journal = demo
        .guide
        .split_whitespace()
        .find(|word| word.ends_with("/__sim/faults"))
        .unwrap();
    let journal = journal.replace("/faults", "/journal");
    let client = reqwest::Client::builder().build().unwrap();
    let arrived = || on_a_runtime(async { client.get(&journal).send().await.unwrap().text().await.unwrap() });
    while !arrived().contains("a@example.com") {
        std::thread::sleep(Duration::from_millis(20));
    }
    demo.process.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    let insisted = Instant::now();
    demo.process.signal("TERM");
    assert_eq!(demo.process.ended(), Some(1));
    assert!(insisted.elapsed() < Duration::from_secs(10), "it waited for the vendor");
    assert_eq!(waiting.join().unwrap().status.code(), Some(1));
}

#[test]
fn the_guide_says_where_the_dashboard_is_and_its_key_may_do_everything_of_its_merchant() {
    let demo = Demo::start(&[]);
    let (url, key) = (demo.url(), demo.key());
    assert!(demo.guide.contains(&format!("{url}/ops\n")), "{}", demo.guide);
    assert!(
        demo.guide.contains(&format!("Sign in with the API key: {key}\n")),
        "{}",
        demo.guide
    );
    let client = reqwest::Client::builder().build().unwrap();
    let request = client.get(format!("{url}/v1/logs")).bearer_auth(key);
    let status = on_a_runtime(async { request.send().await.unwrap().status() });
    assert_eq!(status, 200);
}
