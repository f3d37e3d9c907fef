//! Many times the load that can be served, and normal load before and after it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::backlog;
use crate::flood::Flooded;
use crate::memory::Memory;
use crate::samples::number;
use crate::scenes::Stage;
use crate::sheet::Sheet;
use crate::text;
use crate::vendor;

const PATIENCE: Duration = Duration::from_secs(180);

const HEADER: [&str; 12] = [
    "requests/s",
    "accepted/s",
    "201",
    "202",
    "503",
    "others",
    "accepted p50 ms",
    "p99 ms",
    "p99 × normal",
    "refused p99 ms",
    "MB",
    "all through after s",
];

/// How much.
#[derive(Debug, Clone)]
pub struct Extent {
    /// Requests a second that are normal.
    pub normal: u32,
    /// Requests a second that are too many; one after the other, with normal load between them.
    pub floods: Vec<u32>,
    /// How long each.
    pub time: Duration,
}

/// Plays it. Gives what is wrong with what the vendor holds, too.
///
/// # Errors
/// The gateway or the vendor does not answer.
pub async fn play(stage: &Stage<'_>, extent: &Extent) -> anyhow::Result<(Sheet, Vec<String>)> {
    let gateway = stage.gateway("overload", "").await?;
    let vendor = stage.children.launcher.vendors.add_update;
    vendor::control(vendor, "reset", "").await?;
    let note = format!(
        "New customers of the gateway with one connection, each on a connection that is free or on a new one, {} s a row. \
         `× normal` is to the first row.",
        extent.time.as_secs()
    );
    let mut sheet = Sheet::new("Overload", note, &HEADER);
    let (mut accepted, mut unknown, mut normal) = (0, 0, None);
    let back = extent.floods.iter().flat_map(|flood| [*flood, extent.normal]);
    for per_second in [extent.normal].into_iter().chain(back) {
        let memory = Memory::watch(gateway.process);
        let flood = stage.flood(&gateway, per_second, extent.time).begin()?;
        let flooded = tokio::task::spawn_blocking(move || flood.join()).await?;
        let flooded = flooded.map_err(|_| anyhow::anyhow!("the load panicked"))??;
        accepted += flooded.good();
        unknown += flooded.of(0);
        let p99 = number(flooded.accepted.value_at_quantile(0.99));
        let normal = *normal.get_or_insert(p99);
        // The load goes down at once: what comes next is measured while the rest is brought.
        let through = backlog::settled(gateway.address, &gateway.key, Duration::ZERO).await?;
        sheet
            .rows
            .push(row(per_second, &flooded, p99 / normal, memory.most(), through));
    }
    let through = backlog::settled(gateway.address, &gateway.key, PATIENCE).await?;
    let records = vendor::control(vendor, "counts", "").await?.records;
    gateway.stop().await;
    let later = text::seconds(through);
    write!(
        sheet.note,
        " {accepted} were accepted ({unknown} connections broke); {later} s after the last row all is through, and the vendor holds {records}."
    )?;
    let is_whole = through.is_some() && (accepted..=accepted + unknown).contains(&records);
    let wrong = (!is_whole).then(|| format!("overload: {}", sheet.note));
    Ok((sheet, wrong.into_iter().collect()))
}

fn row(per_second: u32, flooded: &Flooded, ratio: f64, memory: u64, through: Option<Duration>) -> Vec<String> {
    let others = if flooded.not_sent > 0 {
        format!(
            "{} not sent {}",
            text::others(flooded, &[201, 202, 503]),
            flooded.not_sent
        )
    } else {
        text::others(flooded, &[201, 202, 503])
    };
    vec![
        per_second.to_string(),
        format!("{:.0}", number(flooded.good()) / flooded.elapsed.as_secs_f64()),
        flooded.of(201).to_string(),
        flooded.of(202).to_string(),
        flooded.of(503).to_string(),
        others,
        text::milliseconds(&flooded.accepted, 0.5),
        text::milliseconds(&flooded.accepted, 0.99),
        format!("{ratio:.1}"),
        text::milliseconds(&flooded.refused, 0.99),
        format!("{:.0}", number(memory) / 1e6),
        text::seconds(through),
    ]
}
