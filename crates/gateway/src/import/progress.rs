//! How far an import is: a bar on a terminal, else a line every few seconds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use crate::import::work::Work;
use crate::output::complain;

const EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Progress {
    /// Hidden where nobody sees it: it is drawn on a terminal alone.
    bar: ProgressBar,
    started: Instant,
    said: Instant,
    before: u64,
}

impl Progress {
    /// `bytes`: how long the file is, if that is known. `before`: rows that earlier runs had answered.
    pub(crate) fn new(bytes: Option<u64>, before: u64) -> Self {
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr());
        let template = if bytes.is_some() {
            "{wide_bar} {percent}%  {msg}  {eta} left"
        } else {
            "{spinner} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            started: Instant::now(),
            said: Instant::now(),
            before,
        }
    }

    pub(crate) fn show(&mut self, work: &Work) {
        let tally = &work.state.tally;
        self.show_counts(tally.accepted + tally.refused, tally.refused, work.bytes_read);
    }

    /// `rows`: how many have been answered; of those so many were refused.
    pub(crate) fn show_counts(&mut self, rows: u64, refused: u64, bytes_read: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = rows.saturating_sub(self.before) as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let text = format!("{rows} rows, {refused} refused, {rate:.0}/s");
        if !self.bar.is_hidden() {
            self.bar.set_position(bytes_read);
            self.bar.set_message(text);
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            complain(&text);
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
