//! Starting and ending: in a test, and as the binary that docker-compose starts.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use upsert_simulators::{Simulator, SimulatorOptions, Vendor};

use crate::desk::{answer, client};
use crate::receiver::{Receiver, SECRET};

fn free_address() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_upsert-simulators"));
    command
        .args(arguments)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn ready(address: &str) {
    let healthy = async {
        while client()
            .get(format!("http://{address}/__sim/health"))
            .send()
            .await
            .is_err()
        {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), healthy)
        .await
        .expect("it does not listen");
}

#[tokio::test]
async fn the_three_listen_where_they_are_told_and_sigterm_ends_them_with_0() {
    let addresses = [free_address(), free_address(), free_address()];
    let [rotor, add_update, april] = &addresses;
    let mut child = start(&[
        "--rotor",
        rotor,
        "--add-update",
        add_update,
        "--april",
        april,
        "--rotor-key",
        "rotor_a_b=acme",
    ]);
    for address in &addresses {
        ready(address).await;
    }
    let post = |key: &str| {
        let request = client().post(format!("http://{rotor}/open-api/customers"));
        request.header("x-api-key", key).json(&json!({"phone": "+1"}))
    };
    assert_eq!(answer(post("rotor_a_b")).await.0, 201);
    assert_eq!(
        answer(post("rotor_sim_secret")).await.0,
        401,
        "a named key replaces the default"
    );

    let id = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
    let ended = timeout(Duration::from_secs(10), child.wait())
        .await
        .expect("it does not end")
        .unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn hooks_of_a_file_are_told_and_a_file_that_is_none_is_a_failure() {
    let (folder, address, receiver) = (std::env::temp_dir(), free_address(), Receiver::start());
    let file = folder.join(format!("hooks-{}.json", std::process::id()));
    let name = file.to_str().unwrap();
    let hooks = json!({"add_update": [{"url": receiver.url, "secret": SECRET}]});
    std::fs::write(&file, hooks.to_string()).unwrap();
    let _child = start(&["--add-update", &address, "--hooks", name]);
    ready(&address).await;
    let request = client().post(format!("http://{address}/customers/add-update"));
    let request = request.header("x-api-key", "sim-key").header("x-merchant-id", "shop-1");
    let body = json!({"externalId": "e-1", "firstName": "Ann"});
    assert_eq!(answer(request.json(&body)).await.0, 200);
    assert!(receiver.until(1).await[0].verified);

    std::fs::write(&file, r#"{"nobody": []}"#).unwrap();
    let mut wrong = start(&["--april", "127.0.0.1:0", "--hooks", name]);
    let ended = timeout(Duration::from_secs(10), wrong.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(1));
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn nothing_to_start_is_a_failure() {
    let ended = timeout(Duration::from_secs(10), start(&[]).wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ended.code(), Some(1));
}

#[tokio::test]
async fn a_port_in_use_is_an_error_and_a_stopped_simulator_leaves_its_port_free() {
    let first = Simulator::start(Vendor::April, SimulatorOptions::default()).unwrap();
    let first_address = first.address();
    let again = || SimulatorOptions {
        listen: first_address,
        ..SimulatorOptions::default()
    };
    assert!(Simulator::start(Vendor::April, again()).is_err());
    first.stop().await;
    assert!(Simulator::start(Vendor::April, again()).is_ok());
}

#[actix_web::test]
async fn it_runs_inside_an_actix_system_and_stops_when_dropped() {
    let simulator = Simulator::start(Vendor::Rotor, SimulatorOptions::default()).unwrap();
    let address = simulator.address().to_string();
    ready(&address).await;
    drop(simulator);
    let gone = async {
        while TcpStream::connect(&address).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.expect("it listens on");
}

#[tokio::test]
async fn the_help_shows_how_a_vendor_is_made_to_fail() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_upsert-simulators"));
    let shown = command.arg("--help").output().await.unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(
        text.contains("/__sim/faults") && text.contains(r#"{"kind": "hang"}"#),
        "{text}"
    );
}
