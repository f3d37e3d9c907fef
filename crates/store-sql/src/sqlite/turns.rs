//! When a thread of the store gets a core that somebody else has.

/// The calling thread waits for its turn: work that comes for it does not interrupt whoever brings it. Where a core is shared,
/// they bring more of it meanwhile, which is then done in one commit; where one is free, it begins at once as ever.
///
/// Linux by default gives a thread that wakes the core of one that has been running, at whose first changeset the writer
/// would begin to commit: with 64 requests in flight, batches of four. Where it cannot be had, everything works without.
/// The crate sets a niceness with the policy: the one that the thread has, which is what somebody asked for.
pub(super) fn wait_for_turn() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id,
        };

        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        // Of the thread that asks, since Linux keeps one for each.
        let niceness = rustix::process::getpriority_process(None).unwrap_or(0);
        // The crate has a scale of its own, of which several values are one niceness.
        let scale = (0..=*ThreadPriorityValue::MAX).filter_map(|value| ThreadPriorityValue::try_from(value).ok());
        let mut scale = scale.map(ThreadPriority::Crossplatform);
        let Some(as_ever) = scale.find(|priority| priority.to_posix(policy).is_ok_and(|found| found == niceness))
        else {
            return;
        };
        let set = set_thread_priority_and_policy(thread_native_id(), as_ever, policy);
        if let Err(error) = set {
            tracing::debug!(?error, "a thread of the store keeps its turn or its niceness");
        }
    }
}

#[cfg(test)]
mod tests {
    /// The policy and the niceness of the calling thread.
    #[cfg(target_os = "linux")]
    fn policy_and_niceness() -> (u32, i32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        // The name may hold spaces. What follows begins with the third member.
        let members: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (members[41 - 3].parse().unwrap(), members[19 - 3].parse().unwrap())
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_waits_for_its_turn_has_the_policy_for_it_and_is_no_nicer_than_before() {
        const BATCH: u32 = 3;
        let before = policy_and_niceness();
        super::wait_for_turn();
        assert_eq!(policy_and_niceness(), (BATCH, before.1));
    }
}
