//! docker-compose.yml and what it mounts, held against the code: no engine is needed for that.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use upsert_settings::{Connection, Environment, Reference, Secrets, Settings};

use crate::process::workspace;

/// A YAML file of the workspace.
pub(crate) fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(workspace(path)).unwrap()).unwrap()
}

fn compose() -> Value {
    yaml("docker-compose.yml")
}

pub(crate) fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap())
        .collect()
}

/// The environment of a service, with nothing set outside: `${NAME:-default}` is its default.
pub(crate) fn environment(service: &Value) -> BTreeMap<String, String> {
    let variables = service["environment"].as_object().unwrap();
    variables
        .iter()
        .map(|(name, value)| (name.clone(), with_defaults(value.as_str().unwrap())))
        .collect()
}

fn with_defaults(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else {
        return text.to_owned();
    };
    let (inner, after) = rest.split_once('}').unwrap();
    let (_, default) = inner
        .split_once(":-")
        .unwrap_or_else(|| panic!("{text} has to be set outside"));
    format!("{before}{default}{}", with_defaults(after))
}

/// The files that are mounted as the configuration, read as the container reads them.
pub(crate) fn settings(service: &Value) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    for volume in texts(&service["volumes"]) {
        let Some((file, mounted)) = volume.strip_suffix(":ro").and_then(|volume| volume.split_once(':')) else {
            continue;
        };
        let inside = mounted.strip_prefix("/etc/upsert-gateway/").unwrap();
        let copy = folder.path().join(inside);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(workspace(file), copy).unwrap();
    }
    Settings::load(
        folder.path(),
        &environment(service).into_iter().collect::<Environment>(),
        Secrets::Resolve,
    )
    .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn the_mounted_configuration_is_right_and_every_connection_can_be_built() {
    let settings = settings(&compose()["services"]["gateway"]);
    assert_eq!(settings.merchants["acme"].connections.len(), 3);
    let checked = upsert_server::check(&settings, upsert_registry::registry());
    assert_eq!(checked, upsert_server::Checked::default());
}

#[test]
fn each_connection_goes_to_a_simulator_that_listens_there_and_knows_its_key() {
    let compose = compose();
    let (services, gateway) = (&compose["services"], &compose["services"]["gateway"]);
    assert_eq!(gateway["network_mode"], "service:simulators");
    assert!(texts(&services["simulators"]["ports"]).contains(&"127.0.0.1:8080:8080"));
    let environment = environment(gateway);
    let command = texts(&services["simulators"]["command"]).join(" ");
    for connection in &settings(gateway).merchants["acme"].connections {
        let url = connection.base_url.as_ref().unwrap();
        // The gateway has no network but the simulators'.
        assert_eq!(url.host_str(), Some("localhost"));
        let port = url.port().unwrap();
        let flag = format!("--{}=0.0.0.0:{port}", connection.provider);
        assert!(command.contains(&flag), "no {flag} in {command}");
        assert!(texts(&services["simulators"]["ports"]).contains(&format!("127.0.0.1:{port}:{port}").as_str()));
        let key = &environment[variable(connection)];
        assert!(
            command.contains(&format!("-key={key}")),
            "nobody knows {}'s key",
            connection.name
        );
    }
}

pub(crate) fn variable(connection: &Connection) -> &str {
    match connection.credentials.values().next().unwrap().reference() {
        Reference::Env(name) => name,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_api_key_in_its_first_lines_is_the_one_that_the_gateway_knows() {
    the_key_is_known("docker-compose.yml", &settings(&compose()["services"]["gateway"]));
}

/// The key that a file's first lines call with.
pub(crate) fn the_key_is_known(file: &str, settings: &Settings) {
    let text = fs::read_to_string(workspace(file)).unwrap();
    let (_, key) = text.split_once("Authorization: Bearer ").unwrap();
    let key = &key[..key.find('\'').unwrap()];
    let known = settings.api_keys[0].key_sha256;
    assert_eq!(HEXLOWER.encode(&known), HEXLOWER.encode(&Sha256::digest(key)));
}

/// No rights, nothing to write to but what is named, a check, and no port for anybody but this machine.
pub(crate) fn is_locked_down(name: &str, service: &Value) {
    assert_eq!(service["read_only"], true, "{name}");
    assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
    assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
    assert_eq!(texts(&service["healthcheck"]["test"])[0], "CMD", "{name}");
    if let Some(ports) = service["ports"].as_array() {
        let is_ours = |port: &Value| port.as_str().unwrap().starts_with("127.0.0.1:");
        assert!(ports.iter().all(is_ours), "{name}");
    }
}

/// A length of time as Compose has it, in seconds.
pub(crate) fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_str().unwrap().trim_end_matches('s').parse().unwrap())
}

#[test]
fn services_are_locked_down_watched_and_reachable_from_this_machine_alone() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.len(), 2);
    for (name, service) in services {
        is_locked_down(name, service);
        assert_eq!(
            texts(&service["healthcheck"]["test"])[..3],
            ["CMD", "upsert-gateway", "health"],
            "{name}"
        );
        assert!(
            !service["network_mode"].is_null() || !service["ports"].is_null(),
            "{name}"
        );
    }
}

#[test]
fn the_store_is_in_a_volume_and_stopping_leaves_time_to_finish() {
    let compose = compose();
    let gateway = &compose["services"]["gateway"];
    let volume = texts(&gateway["volumes"])
        .into_iter()
        .find_map(|volume| volume.strip_suffix(":/data"))
        .unwrap();
    assert!(compose["volumes"].as_object().unwrap().contains_key(volume));
    let settings = settings(gateway);
    assert!(Path::new(settings.store.url.to_string().trim_start_matches("sqlite:")).starts_with("/data"));
    let stop = seconds(&gateway["stop_grace_period"]);
    let server = settings.server;
    assert!(stop > server.drain_delay + server.shutdown_grace + Duration::from_secs(5));
}
