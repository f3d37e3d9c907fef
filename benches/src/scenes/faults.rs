//! A vendor that refuses some calls and lets others hang: what callers notice, and whether it holds every accepted customer
//! once and no more.

use std::time::Duration;

use crate::backlog;
use crate::flood::Flooded;
use crate::scenes::Stage;
use crate::sheet::Sheet;
use crate::text;
use crate::vendor::{self, Counts, Faults};

/// How many calls of a hundred go wrong.
pub const FAULTS: Faults = Faults { limited: 5, hung: 1 };

/// Otherwise a call that hangs is given up after ten seconds, longer than a round.
const POLICIES: &str = "timeout = \"1s\"\n";
const PATIENCE: Duration = Duration::from_secs(300);

const HEADER: [&str; 13] = [
    "requests/s",
    "accepted",
    "201",
    "202",
    "others",
    "p50 ms",
    "p99 ms",
    "through after s",
    "calls",
    "429",
    "hung",
    "records",
    "duplicates",
];

/// Offers each rate for a while, and waits until everything is through. Gives what is wrong with what the vendor holds, too.
///
/// # Errors
/// The gateway or the vendor does not answer.
pub async fn play(stage: &Stage<'_>, rates: &[u32], time: Duration) -> anyhow::Result<(Sheet, Vec<String>)> {
    let gateway = stage.gateway("faults", POLICIES).await?;
    let vendor = stage.children.launcher.vendors.add_update;
    vendor::control(vendor, "faults", &serde_json::to_string(&FAULTS)?).await?;
    let note = format!(
        "New customers of the gateway with one connection, {} s a rate, while the vendor answers {} of 100 calls with 429 and \
         lets {} of 100 hang; every other one of these was done nevertheless. The connection's time-out is 1 s, and each 429 asks it to wait for 1 s. `duplicates` counts \
         records made for an e-mail address that has one.",
        time.as_secs(),
        FAULTS.limited,
        FAULTS.hung
    );
    let mut sheet = Sheet::new("With 5 % 429 and 1 % time-outs", note, &HEADER);
    let mut wrong = Vec::new();
    for rate in rates {
        vendor::control(vendor, "reset", "").await?;
        let flood = stage.flood(&gateway, *rate, time).begin()?;
        let flooded = tokio::task::spawn_blocking(move || flood.join()).await?;
        let flooded = flooded.map_err(|_| anyhow::anyhow!("the load panicked"))??;
        let through = backlog::settled(gateway.address, &gateway.key, PATIENCE).await?;
        let counts = vendor::control(vendor, "counts", "").await?;
        sheet.rows.push(row(*rate, &flooded, through, counts));
        wrong.extend(lost(&flooded, through, counts));
    }
    vendor::control(vendor, "faults", &serde_json::to_string(&Faults::default())?).await?;
    gateway.stop().await;
    Ok((sheet, wrong))
}

fn row(rate: u32, flooded: &Flooded, through: Option<Duration>, counts: Counts) -> Vec<String> {
    let mut row = vec![
        rate.to_string(),
        flooded.good().to_string(),
        flooded.of(201).to_string(),
        flooded.of(202).to_string(),
        text::others(flooded, &[201, 202]),
        text::milliseconds(&flooded.accepted, 0.5),
        text::milliseconds(&flooded.accepted, 0.99),
        text::seconds(through),
    ];
    let counts = [
        counts.calls,
        counts.limited,
        counts.hung,
        counts.records,
        counts.duplicates,
    ];
    row.extend(counts.map(|count| count.to_string()));
    row
}

/// What is wrong, unless everything that was accepted is at the vendor, once.
fn lost(flooded: &Flooded, through: Option<Duration>, counts: Counts) -> Option<String> {
    // Whether a request was accepted whose connection broke, nobody knows.
    let (accepted, unknown) = (flooded.good(), flooded.of(0));
    let is_whole =
        through.is_some() && (accepted..=accepted + unknown).contains(&counts.records) && counts.duplicates == 0;
    (!is_whole).then(|| {
        format!("{accepted} accepted ({unknown} unknown), through: {through:?}, but the vendor holds {counts:?}")
    })
}
