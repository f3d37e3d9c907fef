//! The proxy does what it says, one fault at a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use upsert_chaos::proxy::{FaultProxy, Odds, ProxyOptions, Strike};
use upsert_simulators::{Running, Simulator, SimulatorOptions, Vendor};

fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn world(control: Option<SocketAddr>) -> (Running, FaultProxy) {
    let vendor = Simulator::start(Vendor::AddUpdate, SimulatorOptions::default()).unwrap();
    let proxy = FaultProxy::start(ProxyOptions {
        listen: anywhere(),
        upstream: vendor.address(),
        control,
        seed: 1,
    });
    (vendor, proxy.unwrap())
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_millis(700));
    client.build().unwrap()
}

async fn call(client: &reqwest::Client, proxy: &FaultProxy) -> Result<Json, reqwest::Error> {
    let request = client
        .post(format!("http://{}/customers/add-update", proxy.address()))
        .header("x-api-key", "sim-key")
        .header("x-merchant-id", "m-1")
        .json(&json!({"externalId": "1", "firstName": "Ann"}));
    request.send().await?.json().await
}

#[tokio::test]
async fn without_faults_everything_comes_through_on_connections_that_stay() {
    let (vendor, proxy) = world(None);
    let client = client();
    for _ in 0..20 {
        assert_eq!(call(&client, &proxy).await.unwrap()["externalId"], "1");
    }
    assert_eq!((vendor.journal().counts().writes, proxy.requests()), (20, 20));
    assert!(proxy.strikes().is_empty());
}

#[tokio::test]
async fn each_fault_keeps_the_answer_back_and_lets_the_vendor_work_or_not() {
    let share = |set: fn(&mut Odds)| {
        let mut odds = Odds::default();
        set(&mut odds);
        odds
    };
    let cases = [
        (
            share(|odds| odds.reset_before_request = 1.0),
            Strike::ResetBeforeRequest,
            false,
        ),
        (
            share(|odds| odds.reset_mid_request = 1.0),
            Strike::ResetMidRequest,
            false,
        ),
        (
            share(|odds| odds.reset_after_request = 1.0),
            Strike::ResetAfterRequest,
            true,
        ),
        (share(|odds| odds.reset_mid_answer = 1.0), Strike::ResetMidAnswer, true),
        (
            share(|odds| odds.stall_before_request = 1.0),
            Strike::StallBeforeRequest,
            false,
        ),
        (
            share(|odds| odds.stall_mid_request = 1.0),
            Strike::StallMidRequest,
            false,
        ),
        (
            share(|odds| odds.stall_after_request = 1.0),
            Strike::StallAfterRequest,
            true,
        ),
        (share(|odds| odds.stall_mid_answer = 1.0), Strike::StallMidAnswer, true),
        (share(|odds| odds.drip = 1.0), Strike::Drip, true),
    ];
    let (vendor, proxy) = world(None);
    for (odds, strike, is_written) in cases {
        let before = vendor.journal().counts().writes;
        proxy.set(odds);
        let (client, began) = (client(), Instant::now());
        let error = call(&client, &proxy).await.unwrap_err();
        let is_slow = matches!(
            strike,
            Strike::StallBeforeRequest
                | Strike::StallMidRequest
                | Strike::StallAfterRequest
                | Strike::StallMidAnswer
                | Strike::Drip
        );
        assert_eq!(
            error.is_timeout(),
            is_slow,
            "{strike:?}: {error:?} after {:?}",
            began.elapsed()
        );
        assert_eq!(
            vendor.journal().counts().writes - before,
            u64::from(is_written),
            "{strike:?}"
        );
        assert!(proxy.strikes()[&strike] >= 1, "{strike:?}");
    }
    proxy.calm();
    call(&client(), &proxy).await.unwrap();
}

#[tokio::test]
async fn an_early_close_gives_the_answer_and_takes_the_connection() {
    let (_vendor, proxy) = world(None);
    proxy.set(Odds {
        early_close: 1.0,
        ..Odds::default()
    });
    call(&client(), &proxy).await.unwrap();
    assert_eq!(proxy.strikes()[&Strike::EarlyClose], 1);
}

#[tokio::test]
async fn a_shut_door_refuses_a_black_hole_does_not_answer_and_both_open_again() {
    let (_vendor, proxy) = world(None);
    for (odds, is_timeout) in [
        (
            Odds {
                refuse: 1.0,
                ..Odds::default()
            },
            false,
        ),
        (
            Odds {
                black_hole: 1.0,
                ..Odds::default()
            },
            true,
        ),
    ] {
        proxy.set(odds);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let error = call(&client(), &proxy).await.unwrap_err();
        assert_eq!(
            (error.is_timeout(), error.is_connect()),
            (is_timeout, !is_timeout || error.is_connect())
        );
        assert!(error.is_connect() || is_timeout, "{error:?}");
        proxy.calm();
        tokio::time::sleep(Duration::from_millis(400)).await;
        call(&client(), &proxy).await.unwrap();
    }
}

#[tokio::test]
async fn the_control_port_sets_odds_and_counts() {
    let control = std::net::TcpListener::bind(anywhere()).unwrap().local_addr().unwrap();
    let (_vendor, proxy) = world(Some(control));
    let stream = TcpStream::connect(control).await.unwrap();
    let (answers, mut orders) = stream.into_split();
    let mut answers = BufReader::new(answers).lines();
    orders.write_all(b"{\"reset_before_request\":1}\n").await.unwrap();
    assert_eq!(answers.next_line().await.unwrap().unwrap(), "{}");
    call(&client(), &proxy).await.unwrap_err();
    orders.write_all(b"\n").await.unwrap();
    let counts: Json = serde_json::from_str(&answers.next_line().await.unwrap().unwrap()).unwrap();
    assert!(counts["reset_before_request"].as_u64().unwrap() >= 1, "{counts}");
    orders.write_all(b"{\"reset\":1}\n").await.unwrap();
    assert!(answers.next_line().await.unwrap().unwrap().contains("unknown field"));
}
