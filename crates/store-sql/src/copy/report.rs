//! What is told of a copy: how far it is, what came of it, why it stopped.

use jiff::Timestamp;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStep {
    /// Rows of a part were copied.
    Copied {
        /// Its name.
        part: &'static str,
        /// Rows of this part that are at the target.
        rows: u64,
        /// Rows of all parts that are at the target, those of earlier runs too.
        in_all: u64,
        /// Of these, rows that this run has copied.
        by_this_run: u64,
    },
    /// Rows of both stores were read once more.
    Checked {
        /// The part's name.
        part: &'static str,
        /// Rows of both, of all parts.
        rows: u64,
    },
}

/// One kind of things in both stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What people call them.
    pub thing: &'static str,
    /// How many the source has.
    pub from: u64,
    /// How many the target has.
    pub to: u64,
    /// A digest of those at the source, whatever their order.
    pub from_digest: u128,
    /// The same at the target.
    pub to_digest: u128,
}

impl Compared {
    /// Whether they are the same.
    pub const fn is_same(&self) -> bool {
        self.from == self.to && self.from_digest == self.to_digest
    }
}

/// What came of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Each kind of things, in the order of their names. Where any differ, the copy has not ended, and nobody can open the
    /// target.
    pub compared: Vec<Compared>,
    /// Rows that earlier runs had copied.
    pub before: u64,
    /// Rows that this run has copied.
    pub rows: u64,
}

impl Copied {
    /// Whether both stores hold the same.
    pub fn is_same(&self) -> bool {
        self.compared.iter().all(Compared::is_same)
    }
}

/// Why a copy has not come to its end. Texts hold neither a URL nor a value.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// An end cannot be opened.
    #[error("the {end} cannot be used: {why}")]
    Open {
        /// `source` or `target`.
        end: &'static str,
        /// Why.
        why: String,
    },
    /// An end failed.
    #[error("the {end} failed: {why}; run the same command again to go on")]
    Failed {
        /// `source` or `target`.
        end: &'static str,
        /// Why.
        why: String,
    },
    /// There is no store at the source.
    #[error("there is no store at the source")]
    NoSource,
    /// The source is itself the target of a copy that has not ended.
    #[error("the source is itself being filled from {from}: let that copy end first")]
    SourceIsUnfinished {
        /// From where it is copied to.
        from: String,
    },
    /// The target holds something.
    #[error("the target is not empty: a store can be copied into an empty one only")]
    NotEmpty,
    /// The target was filled by a copy.
    #[error("the target is complete: the copy from {from} ended at {at}")]
    Ended {
        /// From where.
        from: String,
        /// When.
        at: Timestamp,
    },
    /// A copy to the target was begun from another store.
    #[error(
        "the copy to this target was begun from {from}, which is another store: go on from there, or take an empty target"
    )]
    BegunFromAnother {
        /// From where.
        from: String,
    },
    /// Somebody else copies to the target as well.
    #[error("another copy is writing to the target")]
    Overtaken,
    /// Whoever was told how far it is wanted it to stop.
    #[error("stopped; run the same command again to go on")]
    Stopped,
}
