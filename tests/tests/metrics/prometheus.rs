//! What a real Prometheus makes of the metrics: whether it takes the rules, and draws something in every panel once things have
//! happened.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Url;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::time::sleep;

use super::{HOOK_SECRET, Receiver, alerts, asked, post, round, workspace, world};

/// Between two looks at something that is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A program that starts on a slow machine.
const START: Duration = Duration::from_secs(20);
/// The scene, as often as it is played again until all is drawn.
const SCENE: Duration = Duration::from_secs(40);
/// Grafana's least for a scrape each second.
const RATE_INTERVAL: &str = "5s";

/// A Prometheus that scrapes one gateway each second.
struct Prometheus {
    program: Child,
    url: Url,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to end.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Prometheus {
    async fn start(gateway: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (config, log) = (folder.path().join("prometheus.yml"), folder.path().join("log"));
        let target = Url::parse(gateway).unwrap();
        let target = format!("{}:{}", target.host_str().unwrap(), target.port().unwrap());
        let settings = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [workspace("deploy/prometheus/alerts.yml").canonicalize().unwrap()],
            "scrape_configs": [{ "job_name": "upsert-gateway", "static_configs": [{ "targets": [target] }] }],
        });
        // JSON is YAML.
        fs::write(&config, settings.to_string()).unwrap();
        let program = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn();
        let program = program.unwrap_or_else(|error| {
            panic!(
                "prometheus cannot be started ({error}): it has to be on the PATH. scripts/test fetches Debian's package \
                 `prometheus` and puts it there; else install it"
            )
        });
        let mut started = Self {
            program,
            url: "http://127.0.0.1".parse().unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            _folder: folder,
        };
        let port = started.port(&log).await;
        started.url.set_port(Some(port)).unwrap();
        started
    }

    /// Where it says that it listens.
    async fn port(&mut self, log: &Path) -> u16 {
        let began = Instant::now();
        loop {
            let said = fs::read_to_string(log).unwrap();
            let named = said.split("\"Listening on\" address=127.0.0.1:").nth(1);
            let port = named.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                return port;
            }
            let ended = self.program.try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < START, "{ended:?}: {said}");
            sleep(LOOK_EVERY).await;
        }
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Json {
        let request = self.client.get(self.url.join(path).unwrap()).query(query);
        // It listens a little before it answers.
        let mut answer = Json::Null;
        let began = Instant::now();
        while answer.is_null() && began.elapsed() < START {
            match request.try_clone().unwrap().send().await {
                Ok(answered) => answer = answered.json().await.unwrap_or_default(),
                Err(_) => sleep(LOOK_EVERY).await,
            }
        }
        answer
    }

    /// The series of an expression, each with the numbers of its points since then.
    ///
    /// # Errors
    /// What Prometheus says against it.
    async fn drawn(&self, expr: &str, since: f64) -> Result<Vec<Json>, String> {
        let (start, end) = (since.to_string(), (now() + 1.0).to_string());
        let query = [("query", expr), ("start", &*start), ("end", &*end), ("step", "1")];
        let answer = self.get("api/v1/query_range", &query).await;
        match answer["data"]["result"].as_array() {
            Some(series) if answer["status"] == "success" && answer.get("warnings").is_none() => Ok(series.clone()),
            _ => Err(answer.to_string()),
        }
    }

    /// Waits until an expression has a series in which there is a number.
    async fn until_drawn(&self, expr: &str, since: f64) {
        let began = Instant::now();
        while !has_numbers(&self.drawn(expr, since).await.unwrap()) {
            assert!(began.elapsed() < START, "nothing is drawn: {expr}");
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Seconds since 1970, as Prometheus has them.
fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

/// Whether anything is to be seen: a NaN is not.
fn has_numbers(series: &[Json]) -> bool {
    let points = series
        .iter()
        .flat_map(|series| series["values"].as_array().into_iter().flatten());
    let numbers = points.filter_map(|point| point[1].as_str()?.parse::<f64>().ok());
    numbers.into_iter().any(f64::is_finite)
}

#[tokio::test]
async fn a_real_prometheus_takes_every_rule_and_draws_something_in_every_panel() {
    let receiver = Receiver::start(HOOK_SECRET);
    let (world, since) = (world(&receiver).await, now());
    let prometheus = Prometheus::start(&world.url()).await;
    prometheus.until_drawn("up{job=\"upsert-gateway\"} == 1", since).await;
    round(&world, 1).await;
    // A pause is short in the scene: long enough that it is seen.
    post(&world, "/v1/connections/acme/rotor/pause").await;
    prometheus
        .until_drawn("upsert_gateway_connection_paused == 1", since)
        .await;
    post(&world, "/v1/connections/acme/rotor/resume").await;

    // Alerts are well if nothing is wrong. What they ask for is held against the metrics elsewhere.
    let (rules, panels): (Vec<_>, Vec<_>) = asked()
        .into_iter()
        .partition(|asked| asked.place.starts_with("the alert"));
    for asked in &rules {
        let drawn = prometheus.drawn(&asked.text, since).await;
        assert!(drawn.is_ok(), "{}: {drawn:?}", asked.place);
    }
    let mut empty: Vec<_> = panels.iter().collect();
    let (began, mut number) = (Instant::now(), 2);
    while !empty.is_empty() {
        let places: Vec<&String> = empty.iter().map(|asked| &asked.place).collect();
        assert!(began.elapsed() < SCENE, "nothing is drawn in {places:?}");
        // A rate is of what happens between two scrapes.
        round(&world, number).await;
        number += 1;
        let mut left = Vec::new();
        for asked in empty {
            let expr = asked.text.replace("[1m]", &format!("[{RATE_INTERVAL}]"));
            match prometheus.drawn(&expr, since).await {
                Ok(series) if has_numbers(&series) => {}
                Ok(_) => left.push(asked),
                Err(error) => panic!("{}: {expr}: {error}", asked.place),
            }
        }
        empty = left;
    }
    has_evaluated_every_rule(&prometheus).await;
}

/// As Prometheus itself tells of the rules that it was given.
async fn has_evaluated_every_rule(prometheus: &Prometheus) {
    let began = Instant::now();
    loop {
        let told = prometheus.get("api/v1/rules", &[]).await;
        let groups = told["data"]["groups"].as_array().unwrap();
        let rules: Vec<&Json> = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
            .collect();
        assert_eq!(rules.len(), alerts().len(), "{told}");
        let in_error = rules.iter().find(|rule| rule["health"] == "err");
        assert!(in_error.is_none(), "{in_error:?}");
        if rules.iter().all(|rule| rule["health"] == "ok") {
            let down = rules.iter().filter(|rule| rule["state"] != "inactive").count();
            assert!(down > 0, "a vendor is down, and no alert is about it: {told}");
            return;
        }
        assert!(began.elapsed() < START, "{told}");
        sleep(LOOK_EVERY).await;
    }
}
