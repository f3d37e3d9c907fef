//! docker-compose.replicas.yml and what it mounts, held against the code and against each other.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use upsert_settings::{Settings, StoreUrl};

use crate::compose::{environment, is_locked_down, seconds, settings, texts, the_key_is_known, variable, yaml};
use crate::process::workspace;

const FILE: &str = "docker-compose.replicas.yml";
const REPLICAS: [&str; 2] = ["gateway-1", "gateway-2"];

fn services() -> Value {
    yaml(FILE)["services"].clone()
}

/// The proxy's configuration, a list of words a line.
fn proxy() -> Vec<Vec<String>> {
    let text = fs::read_to_string(workspace("deploy/compose/replicas/haproxy.cfg")).unwrap();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| line.split_whitespace().map(str::to_owned).collect());
    words.filter(|words: &Vec<String>| !words.is_empty()).collect()
}

/// The time-out that holds in a section of the proxy's configuration.
fn proxy_timeout(section: [&str; 2], name: &str) -> Option<Duration> {
    let lines = proxy();
    let begins = |line: &[String]| line[0] == section[0] && line.get(1).map_or("", String::as_str) == section[1];
    let from = lines.iter().position(|line| begins(line)).unwrap() + 1;
    let is_section =
        |line: &[String]| ["global", "defaults", "resolvers", "frontend", "backend"].contains(&line[0].as_str());
    let mut inside = lines[from..].iter().take_while(|line| !is_section(line));
    let found = inside.find(|line| line[0] == "timeout" && line[1] == name)?;
    Some(humantime::parse_duration(&found[2]).unwrap())
}

fn port(bind: &str) -> u16 {
    bind.rsplit_once(':').unwrap().1.parse().unwrap()
}

fn of_replicas() -> Settings {
    settings(&services()[REPLICAS[0]])
}

#[test]
fn both_replicas_have_one_configuration_which_is_right() {
    let services = services();
    assert_eq!(services[REPLICAS[0]], services[REPLICAS[1]]);
    let settings = of_replicas();
    assert_eq!(settings.merchants["acme"].connections.len(), 3);
    let checked = upsert_server::check(&settings, upsert_registry::registry());
    assert_eq!(checked, upsert_server::Checked::default());
    the_key_is_known(FILE, &settings);
}

#[test]
fn their_store_is_the_database_beside_them_and_they_know_its_password() {
    let services = services();
    let replica = environment(&services[REPLICAS[0]]);
    assert!(matches!(of_replicas().store.url, StoreUrl::Postgres(_)));
    let url = Url::parse(&replica["UPSERT_GATEWAY__STORE__URL"]).unwrap();
    let database = environment(&services["postgres"]);
    assert_eq!(url.host_str(), Some("postgres"));
    assert_eq!(url.username(), database["POSTGRES_USER"]);
    assert_eq!(url.password(), Some(database["POSTGRES_PASSWORD"].as_str()));
    assert_eq!(url.path().trim_start_matches('/'), database["POSTGRES_DB"]);
    let image = services["postgres"]["image"].as_str().unwrap();
    let major: u32 = image.strip_prefix("postgres:").unwrap().parse().unwrap();
    // docs/operations.md says from which version on; up to 17 the image keeps its data where the volume is.
    assert!((15..=17).contains(&major), "{image}");
}

#[test]
fn each_connection_goes_to_a_simulator_that_listens_there_and_knows_its_key() {
    let services = services();
    let environment = environment(&services[REPLICAS[0]]);
    let command = texts(&services["simulators"]["command"]).join(" ");
    for connection in &of_replicas().merchants["acme"].connections {
        let url = connection.base_url.as_ref().unwrap();
        assert_eq!(url.host_str(), Some("simulators"));
        let flag = format!("--{}=0.0.0.0:{}", connection.provider, url.port().unwrap());
        assert!(command.contains(&flag), "no {flag} in {command}");
        let key = format!("-key={}=", environment[variable(connection)]);
        let simple = format!("-key={}", environment[variable(connection)]);
        assert!(
            command.contains(&key) || command.ends_with(&simple),
            "{}",
            connection.name
        );
    }
}

#[test]
fn every_service_is_locked_down_and_everything_that_is_mounted_is_there() {
    let file = yaml(FILE);
    let volumes: BTreeSet<&String> = file["volumes"].as_object().unwrap().keys().collect();
    let mut used = BTreeSet::new();
    for (name, service) in file["services"].as_object().unwrap() {
        is_locked_down(name, service);
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let parts: Vec<&str> = volume.as_str().unwrap().split(':').collect();
            if parts[0].starts_with("./") {
                assert_eq!(parts.get(2), Some(&"ro"), "{name}: {volume}");
                assert!(workspace(parts[0]).exists(), "{name}: {volume}");
            } else {
                used.insert(parts[0].to_owned());
            }
        }
        for needed in service["depends_on"].as_object().into_iter().flatten() {
            assert!(!file["services"][needed.0].is_null(), "{name} needs {}", needed.0);
        }
    }
    assert_eq!(volumes, used.iter().collect());
}

#[test]
fn the_proxy_sends_to_both_replicas_and_waits_longer_than_they_ever_take() {
    let (services, settings, lines) = (services(), of_replicas(), proxy());
    for backend in ["gateway", "batch", "dashboard"] {
        let from = lines.iter().position(|line| *line == ["backend", backend]).unwrap();
        let inside = lines[from + 1..].iter().take_while(|line| line[0] != "backend");
        let servers: Vec<String> = inside
            .filter(|line| line[0] == "server")
            .map(|line| line[2].clone())
            .collect();
        let wanted = REPLICAS.map(|name| format!("{name}:{}", port(&settings.server.bind)));
        assert_eq!(servers, wanted, "{backend}");
    }
    let bind = lines.iter().find(|line| line[0] == "bind").unwrap();
    let published = format!("127.0.0.1:8080:{}", port(&bind[1]));
    assert_eq!(texts(&services["proxy"]["ports"]), [published]);

    // A commit may take ten seconds, and there are two to an upsert.
    let longest = settings
        .merchants
        .values()
        .map(|merchant| merchant.sync_deadline)
        .max()
        .unwrap();
    let usual = proxy_timeout(["defaults", ""], "server").unwrap();
    assert!(usual > longest + Duration::from_secs(20), "{usual:?}");
    // `PATIENCE` of crates/server/src/batch.rs.
    let patience = Duration::from_mins(5);
    assert!(proxy_timeout(["backend", "batch"], "server").unwrap() > patience);
    assert!(proxy_timeout(["defaults", ""], "client").unwrap() > patience);
    // `PATIENCE` of crates/server/src/routes/process.rs: a busy replica answers, and is not to be taken out for being busy.
    assert!(proxy_timeout(["defaults", ""], "check").unwrap() > Duration::from_secs(3));
    // Events that wait for something to tell.
    assert!(proxy_timeout(["backend", "dashboard"], "server").unwrap() >= Duration::from_hours(1));
}

#[test]
fn the_network_of_the_file_is_all_that_is_believed_of_whom_it_speaks_for() {
    let subnet = &yaml(FILE)["networks"]["default"]["ipam"]["config"][0]["subnet"];
    let trusted = serde_json::to_value(&of_replicas().server.trusted_proxies).unwrap();
    assert_eq!(trusted, serde_json::json!([subnet]));
}

#[test]
fn stopping_leaves_time_to_finish() {
    let (services, server) = (services(), of_replicas().server);
    let (delay, grace) = (server.drain_delay, server.shutdown_grace);
    for name in REPLICAS {
        assert!(seconds(&services[name]["stop_grace_period"]) > delay + grace + Duration::from_secs(5));
    }
    let lines = proxy();
    // By then the proxy has seen it, however busy the replica is: one check that fails is enough.
    let check = lines.iter().find(|line| line[0] == "default-server").unwrap();
    let between = check.iter().skip_while(|word| *word != "inter").nth(1).unwrap();
    let takes = proxy_timeout(["defaults", ""], "check").unwrap();
    assert!(delay > takes + humantime::parse_duration(between).unwrap());
    let hard = lines.iter().find(|line| line[0] == "hard-stop-after").unwrap();
    let hard = humantime::parse_duration(&hard[1]).unwrap();
    assert!(hard > grace && seconds(&services["proxy"]["stop_grace_period"]) > hard);
}

#[test]
fn prometheus_asks_each_replica_where_its_metrics_are_and_grafana_asks_prometheus() {
    let (services, settings) = (services(), of_replicas());
    let prometheus = yaml("deploy/compose/replicas/prometheus.yml");
    let port = port(settings.server.metrics_bind.as_deref().unwrap());
    let targets = REPLICAS.map(|name| format!("{name}:{port}"));
    let job = &prometheus["scrape_configs"][0];
    assert_eq!(texts(&job["static_configs"][0]["targets"]), targets);
    // The alerts' own example names the same job.
    let example = yaml("deploy/prometheus/prometheus.yml");
    assert_eq!(job["job_name"], example["scrape_configs"][0]["job_name"]);
    let mounted = |service: &str, inside: &str| {
        let volumes = texts(&services[service]["volumes"]);
        volumes.iter().any(|volume| volume.split(':').nth(1) == Some(inside))
    };
    for file in texts(&prometheus["rule_files"]) {
        assert!(mounted("prometheus", &format!("/etc/prometheus/{file}")), "{file}");
    }

    let source = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    let url = Url::parse(source["datasources"][0]["url"].as_str().unwrap()).unwrap();
    assert_eq!(
        (url.host_str(), source["datasources"][0]["isDefault"].as_bool()),
        (Some("prometheus"), Some(true))
    );
    let provider = yaml("deploy/grafana/provisioning/dashboards/upsert-gateway.yml");
    let folder = provider["providers"][0]["options"]["path"].as_str().unwrap();
    assert!(mounted("grafana", &format!("{folder}/upsert-gateway.json")));
    assert!(mounted("grafana", "/etc/grafana/provisioning"));
}
