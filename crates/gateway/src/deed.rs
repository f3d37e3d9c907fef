//! What is done to dead letters.

/// Which.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Replay,
    Discard,
}

impl Deed {
    /// As the path has it, and people say it.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Discard => "discard",
        }
    }

    /// As people say it of what was done.
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Discard => "discarded",
        }
    }
}
