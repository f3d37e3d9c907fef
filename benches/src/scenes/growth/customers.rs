//! One merchant's customers.

use std::fs;
use std::path::Path;

use crate::cases::{CHANGED, Case, NEW};
use crate::copies::merchant;
use crate::customers::Customers;
use crate::measure::job_of;
use crate::scenes::Stage;

use super::ground::{Ground, Subject, in_turn};
use super::{Extent, Grown};

/// Numbers of customers that nobody else has.
const OTHERS: u64 = 99_000_000;

/// Besides, milliseconds to the first answer with the most customers and all merchants whose files lie in `merchants`.
pub(super) async fn play(
    stage: &Stage<'_>,
    extent: &Extent,
    merchants: Option<&Path>,
) -> anyhow::Result<(Vec<Grown>, Option<f64>)> {
    let mut subjects = Vec::new();
    for size in &extent.customers {
        subjects.push(subject(stage, *size, extent.starts).await?);
    }
    in_turn(stage, &mut subjects, extent).await?;
    let grown = subjects.iter().map(Subject::grown).collect::<anyhow::Result<_>>()?;
    let greatest = subjects.pop();
    for subject in subjects {
        subject.end().await?;
    }
    let all_at_once = match (greatest, merchants) {
        (Some(greatest), Some(merchants)) => Some(with(stage, greatest, merchants, extent).await?),
        _ => None,
    };
    Ok((grown, all_at_once))
}

async fn subject(stage: &Stage<'_>, size: u64, starts: usize) -> anyhow::Result<Subject> {
    let ground = Ground::lay(stage, &format!("customers-{size}"))?;
    ground.add(stage, 0, &["add-update"], "")?;
    ground.write_original(stage, None, None).await?;
    ground.copy(0..size, 0..1).await?;
    let mut subject = Subject::begin(stage, size, ground, starts).await?;
    let changed = Case {
        customers: Customers::Grown(size),
        ..CHANGED
    };
    let of_it = merchant(0);
    for case in [changed, NEW] {
        subject.add(job_of(&subject.running, case, [of_it.as_str()], &stage.numbers));
    }
    Ok(subject)
}

/// All these merchants, a customer each.
async fn with(stage: &Stage<'_>, subject: Subject, merchants: &Path, extent: &Extent) -> anyhow::Result<f64> {
    let Subject { ground, running, .. } = subject;
    running.stop().await;
    fs::remove_dir_all(ground.merchants())?;
    fs::rename(merchants, ground.merchants())?;
    let count = extent.merchants.last().copied().unwrap_or_default();
    ground.copy(OTHERS..OTHERS + count, 0..count).await?;
    let (running, started) = ground.start(stage, extent.starts).await?;
    running.stop().await;
    fs::remove_dir_all(&ground.folder)?;
    Ok(started)
}
