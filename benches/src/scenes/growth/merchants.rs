//! Merchants, each with a file and a connection of its own. All sizes have as many customers, spread over them.

use std::fs;
use std::path::Path;

use crate::cases::NEW;
use crate::copies::merchant;
use crate::measure::job_of;
use crate::scenes::Stage;

use super::ground::{Ground, Subject, in_turn};
use super::{Extent, Grown};

/// Leaves the files of the most merchants in `kept`: to write and remove them takes longer than to measure.
pub(super) async fn play(stage: &Stage<'_>, extent: &Extent, kept: &Path) -> anyhow::Result<Vec<Grown>> {
    let customers = extent.merchants.iter().max().copied().unwrap_or_default();
    let mut subjects = Vec::new();
    for size in &extent.merchants {
        let ground = Ground::lay(stage, &format!("merchants-{size}"))?;
        for number in 0..*size {
            ground.add(stage, number, &["add-update"], "")?;
        }
        ground.write_original(stage, None, None).await?;
        ground.copy(0..customers, 0..*size).await?;
        let mut subject = Subject::begin(stage, *size, ground, extent.starts).await?;
        let all: Vec<String> = (0..*size).map(merchant).collect();
        let all = all.iter().map(String::as_str);
        subject.add(job_of(&subject.running, NEW, all, &stage.numbers));
        subjects.push(subject);
    }
    in_turn(stage, &mut subjects, extent).await?;
    let grown = subjects.iter().map(Subject::grown).collect::<anyhow::Result<_>>()?;
    if let Some(greatest) = subjects.last() {
        fs::rename(greatest.ground.merchants(), kept)?;
    }
    for subject in subjects {
        subject.end().await?;
    }
    Ok(grown)
}
