//! Named places at which a process can be made to die, as a `kill -9` right there would: what the crash tests aim at.
//!
//! A program that is built as always has none of it: without the feature `crash-points`, which only tests and the chaos
//! run turn on, [`crash_point`] is empty and [`arm`] does nothing.

macro_rules! points {
    ($($(#[$doc:meta])* $constant:ident = $name:literal;)+) => {
        $($(#[$doc])* pub const $constant: &str = $name;)+
        /// Every point, so that a test can prove that each is reached.
        pub const ALL: &[&str] = &[$($constant),+];
    };
}

points! {
    /// The idempotency key is looked up and claimed in memory.
    UPSERT_CLAIMED = "upsert.claimed";
    /// All is worked out, nothing is stored.
    UPSERT_BEFORE_COMMIT = "upsert.before_commit";
    /// The upsert is durable, nothing is sent.
    UPSERT_AFTER_COMMIT = "upsert.after_commit";
    /// The deliveries' tasks are started.
    UPSERT_STARTED = "upsert.started";
    /// The answer is known and not kept.
    UPSERT_BEFORE_ANSWER = "upsert.before_answer";
    /// The final answer is about to be kept for its idempotency key.
    ANSWER_BEFORE_KEEPING = "answer.before_keeping";
    /// The final answer is kept and not given.
    ANSWER_AFTER_KEEPING = "answer.after_keeping";
    /// A used key's upsert has ended since; its answer is about to be kept.
    REPEAT_BEFORE_KEEPING = "repeat.before_keeping";
    /// A used key's answer is kept and not given.
    REPEAT_AFTER_KEEPING = "repeat.after_keeping";
    /// A newer delivery takes the place of one that waits; nothing is stored of it.
    COALESCE_BEFORE_COMMIT = "coalesce.before_commit";
    /// The attempt is durable, nothing is sent.
    DELIVER_BEFORE_SEND = "deliver.before_send";
    /// The vendor accepted, nothing is recorded.
    DELIVER_AFTER_ACCEPTED = "deliver.after_accepted";
    /// The vendor refused for good, nothing is recorded.
    DELIVER_AFTER_REFUSED = "deliver.after_refused";
    /// The call failed and is to be made again, nothing is recorded.
    DELIVER_AFTER_FAILED = "deliver.after_failed";
    /// The connection holds the call back, nothing is recorded.
    DELIVER_AFTER_HELD = "deliver.after_held";
    /// The result is about to be recorded.
    RECORD_BEFORE_COMMIT = "record.before_commit";
    /// The result is durable, nobody knows of it.
    RECORD_AFTER_COMMIT = "record.after_commit";
    /// All is said about a delivery; what waits behind it has not been looked at.
    LANE_BEFORE_NEXT = "lane.before_next";
    /// The next of a lane is claimed and not sent.
    LANE_AFTER_CLAIM = "lane.after_claim";
    /// A delivery that waited is about to be claimed.
    CLAIM_BEFORE_COMMIT = "claim.before_commit";
    /// It is claimed, its attempt durable.
    CLAIM_AFTER_COMMIT = "claim.after_commit";
    /// It ended without a call.
    CLAIM_ENDED = "claim.ended";
    /// The background pass knows where something is due, and no worker of it.
    SCHEDULER_BEFORE_WAKE = "scheduler.before_wake";
    /// A worker is about to take a delivery.
    WORKER_BEFORE_CLAIM = "worker.before_claim";
    /// A worker has claimed a delivery and is about to drive it.
    WORKER_BEFORE_DRIVE = "worker.before_drive";
    /// A delivery is about to be parked for a pause.
    PARK_BEFORE_COMMIT = "park.before_commit";
    /// It is parked.
    PARK_AFTER_COMMIT = "park.after_commit";
    /// A pause is about to be set or lifted.
    PAUSE_BEFORE_COMMIT = "pause.before_commit";
    /// The pause is set or lifted durably, and not in memory.
    PAUSE_AFTER_COMMIT = "pause.after_commit";
    /// A pause is lifted, what waits is not released.
    RESUME_BEFORE_RELEASE = "resume.before_release";
    /// A connection is free again, its worker has not been told.
    RELEASE_BEFORE_WAKE = "release.before_wake";
    /// Failed deliveries are about to be replaced by a replay.
    REPLAY_BEFORE_COMMIT = "replay.before_commit";
    /// The replay is durable and not started.
    REPLAY_AFTER_COMMIT = "replay.after_commit";
    /// A delivery is about to be discarded.
    DISCARD_BEFORE_COMMIT = "discard.before_commit";
    /// It is discarded, its upsert has not been settled.
    DISCARD_AFTER_COMMIT = "discard.after_commit";
    /// An upsert is about to be ended.
    SETTLE_BEFORE_COMMIT = "settle.before_commit";
    /// It has ended.
    SETTLE_AFTER_COMMIT = "settle.after_commit";
    /// The way back to the version before is worked out, nothing is stored.
    ROLLBACK_BEFORE_COMMIT = "rollback.before_commit";
    /// The customer is back at the version before.
    ROLLBACK_AFTER_COMMIT = "rollback.after_commit";
    /// After a restart: a delivery that was in flight is about to be taken back.
    RECOVER_BEFORE_TAKE_BACK = "recover.before_take_back";
    /// It is taken back, others are not yet.
    RECOVER_AFTER_TAKE_BACK = "recover.after_take_back";
    /// What the process before had left unsettled is about to be settled.
    RECOVER_BEFORE_SETTLING = "recover.before_settling";
    /// All are taken back; what waits is about to be called.
    RECOVER_BEFORE_CALLING = "recover.before_calling";
    /// What is to be done is about to be written down, and is not done.
    AUDIT_BEFORE_RECORD = "audit.before_record";
    /// It is written down, and not done.
    AUDIT_AFTER_RECORD = "audit.after_record";
    /// The erasure of a customer is worked out, nothing is stored.
    ERASE_BEFORE_COMMIT = "erase.before_commit";
    /// The customer is gone and its tombstone stands; what its upserts and events hold is still there.
    ERASE_AFTER_COMMIT = "erase.after_commit";
    /// A page of the customer's upserts is gone.
    ERASE_AFTER_UPSERTS = "erase.after_upserts";
    /// All of its upserts are gone, its events are still there.
    ERASE_BEFORE_EVENTS = "erase.before_events";
    /// All is removed, and the store still has it in its log.
    ERASE_BEFORE_SCRUB = "erase.before_scrub";
    /// The store has let go of it; the erasure has not been ended.
    ERASE_BEFORE_END = "erase.before_end";
    /// The erasure has ended and nobody has been told.
    ERASE_BEFORE_ANSWER = "erase.before_answer";
    /// The store's transaction is written and not committed.
    STORE_BEFORE_COMMIT = "store.before_commit";
    /// It is committed, nobody has been told.
    STORE_AFTER_COMMIT = "store.after_commit";
    /// The store's log is about to be moved into its file.
    STORE_BEFORE_CHECKPOINT = "store.before_checkpoint";
    /// It is moved.
    STORE_AFTER_CHECKPOINT = "store.after_checkpoint";
}

/// Before and after the commit that ends an upsert.
pub const SETTLE: (&str, &str) = (SETTLE_BEFORE_COMMIT, SETTLE_AFTER_COMMIT);
/// Before and after the commit that ends an upsert and takes its version back.
pub const ROLLBACK: (&str, &str) = (ROLLBACK_BEFORE_COMMIT, ROLLBACK_AFTER_COMMIT);

/// The environment variable that names a point, and which time it is reached the process dies: `record.after_commit@3`.
pub const VARIABLE: &str = "UPSERT_CRASH_POINT";

#[cfg(any(test, feature = "crash-points"))]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Aim {
        point: String,
        left: AtomicU64,
    }

    static AIM: OnceLock<Aim> = OnceLock::new();

    pub(super) fn arm(aim: &str) {
        let (point, time) = aim.split_once('@').unwrap_or((aim, "1"));
        assert!(super::ALL.contains(&point), "no crash point is called {point}");
        let left = AtomicU64::new(time.parse().unwrap_or(1));
        let point = point.to_owned();
        // Armed once: the first aim stands.
        let _ = AIM.set(Aim { point, left });
    }

    pub(super) fn reached(point: &str) {
        let Some(aim) = AIM.get().filter(|aim| aim.point == point) else {
            return;
        };
        if aim.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            std::process::abort();
        }
    }
}

/// Aims at a point, as `VARIABLE` names it. Without the feature nothing is ever aimed at.
pub fn arm(aim: Option<&str>) {
    #[cfg(any(test, feature = "crash-points"))]
    if let Some(aim) = aim {
        armed::arm(aim);
    }
    #[cfg(not(any(test, feature = "crash-points")))]
    let _ = aim;
}

/// The process dies here if this point was aimed at and is reached for the named time: no destructor runs, nothing is
/// flushed.
#[inline]
pub fn crash_point(point: &str) {
    #[cfg(any(test, feature = "crash-points"))]
    armed::reached(point);
    #[cfg(not(any(test, feature = "crash-points")))]
    let _ = point;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::{Command, Stdio};

    use super::*;

    /// Says in a child process, which is this program again, that it is one.
    const CHILD: &str = "UPSERT_CRASH_POINT_TEST_AIM";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child is told by its environment what to do")]
    fn a_process_dies_at_the_point_that_was_aimed_at_when_it_is_reached_for_the_named_time() {
        if let Ok(aim) = std::env::var(CHILD) {
            arm(Some(aim.as_str()).filter(|aim| !aim.is_empty()));
            for point in [SETTLE_BEFORE_COMMIT, SETTLE_AFTER_COMMIT, SETTLE_AFTER_COMMIT] {
                eprintln!("reached {point}");
                crash_point(point);
            }
            return;
        }
        for (aim, reached) in [
            ("", 3),
            ("rollback.after_commit", 3),
            ("settle.before_commit", 1),
            ("settle.before_commit@2", 3),
            ("settle.after_commit", 2),
            ("settle.after_commit@1", 2),
            ("settle.after_commit@2", 3),
            ("settle.after_commit@3", 3),
        ] {
            let itself = std::thread::current().name().unwrap().to_owned();
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &itself, "--nocapture"])
                .env(CHILD, aim)
                .stdout(Stdio::null())
                .output()
                .unwrap();
            let said = String::from_utf8(child.stderr).unwrap();
            assert_eq!(said.matches("reached").count(), reached, "{aim}: {said}");
            let survives = [
                "",
                "rollback.after_commit",
                "settle.before_commit@2",
                "settle.after_commit@3",
            ];
            assert_eq!(child.status.success(), survives.contains(&aim), "{aim}");
        }
    }

    #[test]
    fn no_two_points_share_a_name() {
        let names: BTreeSet<&str> = ALL.iter().copied().collect();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.len() >= 25);
    }
}
