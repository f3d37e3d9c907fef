//! One merchant's customers.

use std::fs;

use crate::cases::{CHANGED, Case, NEW};
use crate::copies::merchant;
use crate::customers::Customers;
use crate::folder::add_merchant;
use crate::measure::job_of;
use crate::scenes::Stage;

use super::ground::{Ground, Subject, in_turn};
use super::{Extent, Grown};

pub(super) async fn play(stage: &Stage<'_>, extent: &Extent) -> anyhow::Result<(Vec<Grown>, Option<f64>)> {
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
    let mut all_at_once = None;
    if let (Some(greatest), Some(merchants)) = (greatest, extent.merchants.last()) {
        all_at_once = Some(with_merchants(stage, greatest, *merchants, extent.starts).await?);
    }
    Ok((grown, all_at_once))
}

async fn subject(stage: &Stage<'_>, size: u64, starts: usize) -> anyhow::Result<Subject> {
    let ground = Ground::lay(stage, &format!("customers-{size}"))?;
    add(stage, &ground, 0)?;
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

fn add(stage: &Stage<'_>, ground: &Ground, number: u64) -> anyhow::Result<()> {
    let vendors = &stage.children.launcher.vendors;
    add_merchant(&ground.folder, vendors, &merchant(number), &["add-update"], "")
}

/// So many merchants more, a customer each: milliseconds to the first answer.
async fn with_merchants(stage: &Stage<'_>, subject: Subject, merchants: u64, times: usize) -> anyhow::Result<f64> {
    let Subject { ground, running, .. } = subject;
    running.stop().await;
    for number in 1..merchants {
        add(stage, &ground, number)?;
    }
    let first = 99_000_000 - merchants;
    ground.copy(first..first + merchants, 0..merchants).await?;
    let (running, started) = ground.start(stage, times).await?;
    running.stop().await;
    fs::remove_dir_all(&ground.folder)?;
    Ok(started)
}
