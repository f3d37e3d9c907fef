//! `config/` as it is shipped, with the simulated vendors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use upsert_simulators::{Simulator, SimulatorOptions, Vendor};

use crate::demo::on_a_runtime;
use crate::process::{Started, gateway, workspace};
use crate::serve::ready;

/// The variables of `config/simulators.env`, as a shell reads them.
fn variables() -> BTreeMap<String, String> {
    let text = fs::read_to_string(workspace("config/simulators.env")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        })
        .collect()
}

/// A copy of `config/` in which nothing is different but the ports, which may be somebody else's on this machine.
fn copy(ports: &[(&str, String)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants")).unwrap();
    let with_ports = |file: &Path| {
        let mut text = fs::read_to_string(file).unwrap();
        for (shipped, here) in ports {
            text = text.replace(shipped, here);
        }
        text
    };
    fs::copy(workspace("config/gateway.toml"), folder.path().join("gateway.toml")).unwrap();
    for entry in fs::read_dir(workspace("config/merchants")).unwrap() {
        let path = entry.unwrap().path();
        let copy = folder.path().join("merchants").join(path.file_name().unwrap());
        fs::write(copy, with_ports(&path)).unwrap();
    }
    folder
}

#[test]
fn the_shipped_configuration_runs_as_it_stands_with_the_simulators() {
    let start = |vendor| Simulator::start(vendor, SimulatorOptions::default()).unwrap();
    let (rotor, april, wallet) = (start(Vendor::Rotor), start(Vendor::April), start(Vendor::AddUpdate));
    let folder = copy(&[
        ("localhost:4101", rotor.address().to_string()),
        ("localhost:4103", april.address().to_string()),
        ("localhost:3156", wallet.address().to_string()),
        // The provider's own default is the port that may be taken here.
        (
            "provider = \"add-update\"\ncredentials = { api_key = { env = \"SOLO",
            format!(
                "provider = \"add-update\"\nbase_url = \"http://{}\"\ncredentials = {{ api_key = {{ env = \"SOLO",
                wallet.address()
            ),
        ),
    ]);
    let store = format!("sqlite:{}", folder.path().join("gateway.db").display());
    let mut command = gateway(&["serve", "--config", folder.path().to_str().unwrap(), "--log", "json"]);
    command.envs(variables()).env("UPSERT_GATEWAY__STORE__URL", store);
    command.env("UPSERT_GATEWAY__SERVER__BIND", "127.0.0.1:0");
    command.env("UPSERT_GATEWAY__SERVER__DRAIN_DELAY", "0s");
    let mut serving = Started::new(&mut command);
    let (_, address) = ready(&mut serving);

    let person = |n: u8| {
        json!({ "reference": format!("C-{n}"), "given_name": "Ann", "family_name": "Smith", "email": format!("ann{n}@example.com"),
            "phone": "+61401234567", "status": "active", "addresses": { "billing": { "country": "AU" } } })
    };
    let organisation = json!({ "reference": "ORG-7", "organisation_name": "Doe and Sons", "tax_id": "51824753556",
        "email": "accounts@doe.example" });
    for (merchant, body, connections) in [
        ("acme", person(1), vec!["rotor", "payments", "wallet"]),
        ("acme", organisation, vec!["payments"]),
        ("globex", person(2), vec!["april"]),
        ("solo", person(3), vec!["wallet"]),
    ] {
        let request = reqwest::Client::builder().build().unwrap();
        let request = request
            .post(format!("http://{address}/v1/customers"))
            .bearer_auth("local-compose-key");
        let request = request.header("Merchant-Id", merchant).json(&body);
        let (status, answer): (u16, Value) = on_a_runtime(async {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json().await.unwrap())
        });
        assert_eq!(status, 201, "{merchant}: {answer:#}");
        for connection in connections {
            let delivery = answer["deliveries"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["connection"] == connection);
            assert_eq!(delivery.unwrap()["state"], "succeeded", "{merchant}: {answer:#}");
        }
    }
    serving.signal("TERM");
    assert_eq!(serving.ended(), Some(0));
}
