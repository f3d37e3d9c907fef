//! The process dies at a named point of an erasure: nothing of it was done, or all of it is once the next process has started.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value as Json, json};
use upsert_core::crash_point as points;

use super::{Places, Report, Run};
use crate::vendors::ACME;
use crate::world::{KEY, PATIENCE};

/// Where a process passes over an erasure alone.
pub(super) const BEGINS: &str = "erase.";

/// Of whom it is: in every field, and nowhere else.
const PERSON: &str = "canaryperson";

/// Nobody else has it.
const PHONE: &str = "2025550199";

/// What of the person's name in Base64 does not depend on what stands around it.
const BASE64: [&str; 3] = ["Y2FuYXJ5cGVyc29u", "NhbmFyeXBlcnNvb", "jYW5hcnlwZXJzb2"];

const LOOK_AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn one_point(places: &Places, name: &str, point: &str, seed: u64) -> anyhow::Result<Report> {
    let mut run = Run::new(places, name, seed)?;
    run.world.start().await?;
    // Nothing of the person reaches a vendor: there would be calls whose attempts are gone.
    for connection in ["rotor", "april", "wallet"] {
        say(
            &run,
            Method::POST,
            &format!("/v1/connections/{ACME}/{connection}/pause"),
        )
        .await?;
    }
    let id = person(&run).await?;
    run.world.gateway().kill()?;
    let died = run.world.gateway().start_aimed(Some(&format!("{point}@1"))).await?;
    ensure!(died.is_none(), "it died at its start");
    let url = run.world.url(&format!("/v1/customers/{id}"));
    let erase = run
        .world
        .client
        .delete(&url)
        .bearer_auth(KEY)
        .header("Merchant-Id", ACME);
    // The answer is lost with the process.
    drop(erase.send().await);
    let has_died = run.world.gateway().dies_within(PATIENCE).await?;
    ensure!(has_died, "{point} was never reached by an erasure");
    run.look_at_the_store()?;
    if point == points::ERASE_BEFORE_COMMIT {
        ensure!(
            !traces(&run).is_empty(),
            "the person is looked for where it is not: nothing was removed yet"
        );
    }
    run.world.start().await?;
    let (customer, _) = say(&run, Method::GET, &format!("/v1/customers/{id}")).await?;
    let certificate = format!("/v1/erasures/{}", id.replace("cus_", "ers_"));
    let (erasure, _) = say(&run, Method::GET, &certificate).await?;
    ensure!(
        (customer, erasure) == (200, 404) || (customer, erasure) == (404, 200),
        "neither nothing nor all of it: the customer is answered {customer}, the certificate {erasure}"
    );
    if customer == 200 {
        let (status, erased) = say(&run, Method::DELETE, &format!("/v1/customers/{id}")).await?;
        ensure!(status == 200, "it cannot be erased once more: {erased}");
    }
    until_no_trace_is_left(&run).await?;
    run.finish().await
}

/// Made, and waiting for vendors that are paused. Its id.
async fn person(run: &Run) -> anyhow::Result<String> {
    let body = json!({ "reference": PERSON, "given_name": PERSON, "family_name": PERSON, "phone": format!("+1{PHONE}"),
        "email": format!("{PERSON}@x.example"), "notes": PERSON });
    let request = run.world.client.post(run.world.url("/v1/customers")).bearer_auth(KEY);
    let request = request.header("Merchant-Id", ACME).header("Prefer", "respond-async");
    let (status, made) = run
        .world
        .ask(request.header("Idempotency-Key", PERSON).json(&body))
        .await?;
    ensure!(status == 202, "the person is answered {status}: {made}");
    let id = made["customer"]["id"].as_str();
    Ok(id.context("the answer has no customer")?.to_owned())
}

async fn say(run: &Run, method: Method, path: &str) -> anyhow::Result<(u16, Json)> {
    let request = run.world.client.request(method, run.world.url(path)).bearer_auth(KEY);
    run.world.ask(request.header("Merchant-Id", ACME)).await
}

/// The files of the store in which the person is left.
fn traces(run: &Run) -> Vec<OsString> {
    let files = ["", "-wal", "-shm"].map(|suffix| {
        let mut file = run.world.store().into_os_string();
        file.push(suffix);
        file
    });
    let is_left = |file: &OsString| {
        let bytes = std::fs::read(file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.to_lowercase().contains(PERSON)
            || text.contains(PHONE)
            || BASE64.iter().any(|digits| text.contains(digits))
    };
    files.into_iter().filter(is_left).collect()
}

/// The next process goes on with it when it starts.
async fn until_no_trace_is_left(run: &Run) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let left = traces(run);
        if left.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the person is left in {left:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
