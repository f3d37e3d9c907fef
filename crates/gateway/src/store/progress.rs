//! How far a copy is: a line that changes on a terminal, else a line every few seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use upsert_store_sql::copy::CopyStep;

use crate::output::complain;

const EVERY: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    /// Hidden where nobody sees it: it is drawn on a terminal alone.
    bar: ProgressBar,
    started: Instant,
    said: Instant,
    /// What the rate is of: rows that were copied, or compared.
    is_checking: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            started: Instant::now(),
            said: Instant::now(),
            is_checking: false,
        }
    }

    pub(super) fn show(&mut self, step: CopyStep) {
        let text = match step {
            CopyStep::Copied {
                part,
                rows,
                in_all,
                by_this_run,
            } => format!(
                "copying {part}: {rows} rows, {in_all} in all, {}/s",
                self.rate(by_this_run)
            ),
            CopyStep::Checked { part, rows } => {
                if !self.is_checking {
                    self.is_checking = true;
                    self.started = Instant::now();
                }
                format!("comparing {part}: {rows} rows of both stores, {}/s", self.rate(rows))
            }
        };
        if !self.bar.is_hidden() {
            self.bar.tick();
            self.bar.set_message(text);
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            complain(&text);
        }
    }

    fn rate(&self, rows: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = rows as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        format!("{rate:.0}")
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
