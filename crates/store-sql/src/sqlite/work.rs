//! What the writer is asked to do, and what it answers.

use jiff::Timestamp;
use upsert_store::{Applied, Changeset, Walked};

use super::seal_work::SealWork;
use super::session_work::SessionWork;

/// What the writer can be asked to do.
pub(super) enum Work {
    Apply(Changeset),
    Forget {
        now: Timestamp,
        limit: usize,
    },
    ForgetEvents {
        done_before: Timestamp,
        failed_before: Timestamp,
        limit: usize,
    },
    Session(SessionWork),
    Seal(SealWork),
    Check,
    /// To have done what was answered before it was durable.
    CatchUp,
    /// To have what was left behind in these pages zeroed.
    ZeroGaps(Vec<u32>),
    /// To have all of the log moved into the file, and the log cut to nothing.
    EmptyLog,
}

/// What it answers.
pub(super) enum Done {
    Applied(Applied),
    Forgot(usize),
    Sessions(usize),
    Sealed(Walked),
    Checked,
    CaughtUp,
}

/// Values that a changeset seals at most: a delivery has three.
pub(super) fn most_sealed(changes: &Changeset) -> u32 {
    u32::try_from(changes.write.len()).map_or(u32::MAX, |writes| writes.saturating_mul(3))
}
