//! Deliveries that wait at a paused connection: what they cost requests to another connection of the same merchant, and how
//! fast they go once they may.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::cases::NEW;
use crate::copies::merchant;
use crate::measure::job_of;
use crate::process::cpu_time;
use crate::samples::number;
use crate::scenes::Stage;
use crate::vendor;

use super::ground::{Ground, Subject, in_turn};
use super::{Extent, Grown, Released};

/// The connection where everything waits, and the one where requests go.
const CONNECTIONS: [&str; 2] = ["held", "open"];

const ROUTES: &str = "\n[[routes]]\nwhen = { source = [\"held\"] }\nto = [\"held\"]\n\n[[routes]]\nto = [\"open\"]\n";

/// So many deliveries are timed once they may go: as many at each size.
const TIMED: u64 = 5_000;

const LOOKED_AT_EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn play(stage: &Stage<'_>, extent: &Extent) -> anyhow::Result<Vec<Grown>> {
    let mut subjects = Vec::new();
    for size in &extent.waiting {
        let ground = Ground::lay(stage, &format!("waiting-{size}"))?;
        ground.add(stage, 0, &CONNECTIONS, ROUTES)?;
        ground
            .write_original(stage, Some(CONNECTIONS[0]), Some(CONNECTIONS[0]))
            .await?;
        // The original is one of them.
        if *size > 1 {
            ground.copy(1..*size, 0..1).await?;
        }
        let mut subject = Subject::begin(stage, *size, ground, extent.starts).await?;
        let of_it = merchant(0);
        subject.add(job_of(&subject.running, NEW, [of_it.as_str()], &stage.numbers));
        subjects.push(subject);
    }
    in_turn(stage, &mut subjects, extent).await?;
    let mut all = Vec::new();
    for (subject, size) in subjects.into_iter().zip(&extent.waiting) {
        let mut grown = subject.grown()?;
        if *size >= TIMED {
            grown.released = Some(release(stage, &subject).await?);
        }
        all.push(grown);
        subject.end().await?;
    }
    Ok(all)
}

async fn release(stage: &Stage<'_>, subject: &Subject) -> anyhow::Result<Released> {
    stage.children.forget_vendors_records().await?;
    let vendor = stage.children.launcher.vendors.add_update;
    let (used, began) = (cpu_time(subject.running.process)?, Instant::now());
    let status = subject.ground.connection(CONNECTIONS[0], "resume").await?;
    ensure!(status == 200, "the connection could not be resumed: {status}");
    loop {
        let calls = vendor::control(vendor, "counts", "").await?.calls;
        if calls >= TIMED {
            let used = cpu_time(subject.running.process)?.saturating_sub(used);
            return Ok(Released {
                rate: number(calls) / began.elapsed().as_secs_f64(),
                cpu: used.as_secs_f64() * 1e6 / number(calls),
            });
        }
        ensure!(began.elapsed() < PATIENCE, "{calls} of {TIMED} deliveries went in time");
        tokio::time::sleep(LOOKED_AT_EVERY).await;
    }
}
