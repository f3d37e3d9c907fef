//! How many connections there is place for: as many as the process may have files open, less what it needs itself.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for everything else that is a file: the store, calls to vendors, secrets, the log. At least so many.
const LEAST_RESERVE: usize = 128;
/// More connections than this are not for one process, whatever the system allows.
const MOST_CONNECTIONS: usize = 16_384;
/// Connections whose caller has not shown a key, in all and of one address.
const MOST_STRANGERS: usize = 1_024;
const MOST_OF_AN_ADDRESS: usize = 256;
/// What all of those may cost together.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The same where metrics have an address of their own, of what is kept for everything else.
const APART: Places = Places {
    files: 40,
    accepted: 40,
    connections: 32,
    strangers: 32,
    of_an_address: 16,
    bytes: 2 * 1024 * 1024,
};

/// How many may be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// Files that the process may have open.
    pub(crate) files: usize,
    /// Connections that are accepted before it is looked who they are.
    pub(crate) accepted: usize,
    /// Connections that stay.
    pub(crate) connections: usize,
    /// Of these, without a key.
    pub(crate) strangers: usize,
    /// Of these, from one address.
    pub(crate) of_an_address: usize,
    /// Bytes that all without a key may cost together.
    pub(crate) bytes: usize,
}

impl Places {
    /// With so many files.
    pub(crate) fn of(files: usize) -> Self {
        let reserve = LEAST_RESERVE.max(files / 4);
        let accepted = files.saturating_sub(reserve).clamp(16, MOST_CONNECTIONS);
        // Between the two is room for those that are on their way out.
        let connections = accepted - accepted / 8;
        let strangers = MOST_STRANGERS.min(connections / 2);
        Self {
            files,
            accepted,
            connections,
            strangers,
            of_an_address: MOST_OF_AN_ADDRESS.min(strangers.div_ceil(2)),
            bytes: MOST_BYTES,
        }
    }

    /// Of an address for metrics alone: scrapers show no key, and there are few.
    pub(crate) const fn of_metrics() -> Self {
        APART
    }

    /// Of this process, whose limit is raised as far as it may raise it itself.
    pub(crate) fn of_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            let raised = Rlimit {
                current: limit.maximum,
                ..limit
            };
            if let Err(error) = setrlimit(Resource::Nofile, raised) {
                tracing::warn!(%error, "the limit of open files stays as it is");
            }
        }
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::of(usize::try_from(files).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_all_files_and_strangers_never_all_connections() {
        for files in [256, 1_024, 4_096, 20_000, 1_048_576, usize::MAX] {
            let places = Places::of(files);
            assert!(places.accepted + LEAST_RESERVE <= files, "{places:?}");
            assert!(places.connections < places.accepted, "{places:?}");
            assert!(places.strangers * 2 <= places.connections, "{places:?}");
            assert!(places.of_an_address * 2 <= places.strangers + 1, "{places:?}");
        }
        let usual = Places::of(1_024);
        assert_eq!(
            (usual.accepted, usual.connections, usual.strangers, usual.of_an_address),
            (768, 672, 336, 168)
        );
    }

    #[test]
    fn the_limit_of_this_process_is_as_high_as_it_may_be() {
        let places = Places::of_process();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert!(places.connections >= 14);
    }
}
