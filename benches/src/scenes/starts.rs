//! How long each program takes from its start to its first good answer, and its memory then and under load.

use std::fs;
use std::time::Duration;

use crate::cases::Case;
use crate::drive::{Load, Pace, drive};
use crate::launch::Running;
use crate::measure::job;
use crate::process::resident_bytes;
use crate::programs::Program;
use crate::samples::{median, number};
use crate::scenes::Stage;
use crate::sheet::Sheet;

const AT_REST: Duration = Duration::from_millis(500);

/// How many requests are in flight while memory is measured.
pub const IN_FLIGHT: [usize; 2] = [64, 256];

/// How often, and how long each load.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Starts of each program.
    pub rounds: usize,
    /// Length of each load.
    pub time: Duration,
}

/// What the starts of one program gave: medians, or why there are none.
#[derive(Debug, Clone)]
pub struct Started {
    /// Which.
    pub program: Program,
    /// Milliseconds to the first answer, then bytes at rest and after each load.
    pub figures: Result<[f64; 4], String>,
}

/// Starts every program over and over, in turn.
///
/// # Errors
/// One that is installed does not start, or answers wrongly.
pub async fn play(stage: &Stage<'_>, extent: Extent) -> anyhow::Result<Vec<Started>> {
    let mut all: Vec<(Program, Vec<[f64; 4]>, Option<String>)> = Program::ALL
        .into_iter()
        .map(|program| (program, Vec::new(), None))
        .collect();
    for round in 0..extent.rounds {
        for (program, figures, missing) in &mut all {
            let folder = stage.folder.join(format!("start-{}-{round}", program.name()));
            stage.children.forget_vendors_records().await?;
            match stage.children.launcher.launch(*program, &folder, "").await? {
                Ok(running) => {
                    figures.push(watched(stage, *program, &running, extent.time).await?);
                    running.stop().await;
                }
                Err(reason) => *missing = Some(reason),
            }
            // What it has stored is of no more use.
            let _ = fs::remove_dir_all(&folder);
        }
    }
    let summed = |(program, figures, missing): (Program, Vec<[f64; 4]>, Option<String>)| Started {
        program,
        figures: missing.map_or_else(|| Ok(medians(&figures)), Err),
    };
    Ok(all.into_iter().map(summed).collect())
}

async fn watched(stage: &Stage<'_>, program: Program, running: &Running, time: Duration) -> anyhow::Result<[f64; 4]> {
    tokio::time::sleep(AT_REST).await;
    let memory = || resident_bytes(running.process).map(number);
    let at_rest = memory()?;
    let mut loaded = [0.0; 2];
    for (connections, after) in IN_FLIGHT.into_iter().zip(&mut loaded) {
        let load = Load {
            connections,
            pace: Pace::Closed,
            time,
            most: 200_000,
            tolerant: false,
        };
        drive(&job(running, Case::of(program), &stage.numbers), load).await?;
        *after = memory()?;
    }
    Ok([running.ready_after.as_secs_f64() * 1e3, at_rest, loaded[0], loaded[1]])
}

fn medians(figures: &[[f64; 4]]) -> [f64; 4] {
    [0, 1, 2, 3].map(|place| median(figures.iter().map(|figures| figures[place]).collect()))
}

/// The table.
pub fn sheet(all: &[Started], extent: Extent) -> Sheet {
    let note = format!(
        "Medians of {} starts in turn, each in an empty folder. Memory is what is in RAM: half a second after the first answer, \
         and at the end of {} ms of new customers over 64 and then over 256 connections.",
        extent.rounds,
        extent.time.as_millis()
    );
    let header = ["", "first answer after ms", "MB at rest", "MB at 64", "MB at 256"];
    let mut sheet = Sheet::new("Start and memory", note, &header);
    for started in all {
        match &started.figures {
            Ok([ready, memory @ ..]) => {
                let mut row = vec![started.program.title().to_owned(), format!("{ready:.0}")];
                row.extend(memory.iter().map(|bytes| format!("{:.0}", bytes / 1e6)));
                sheet.rows.push(row);
            }
            Err(reason) => sheet.missing(started.program.title(), reason),
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_own_median_and_what_is_missing_says_why() {
        let figures = medians(&[[9.0, 1e6, 2e6, 3e6], [1.0, 3e6, 4e6, 5e6], [5.0, 2e6, 3e6, 4e6]]);
        let started = |program, figures| Started { program, figures };
        let all = [
            started(Program::Gateway, Ok(figures)),
            started(Program::Node, Err("no node".to_owned())),
        ];
        let extent = Extent {
            rounds: 3,
            time: Duration::from_secs(1),
        };
        let sheet = sheet(&all, extent);
        assert_eq!(sheet.rows[0][1..], ["5", "2", "3", "4"]);
        assert_eq!(sheet.rows[1][1], "not measured: no node");
    }
}
