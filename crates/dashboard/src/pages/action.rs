//! What can be done with what was given up.

use strum::{EnumString, IntoStaticStr};
use upsert_app::DeadLetterAction;

use crate::error::PageError;

/// What can be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Action {
    Replay,
    Discard,
}

impl Action {
    pub(crate) const ALL: [Self; 2] = [Self::Replay, Self::Discard];

    /// Of an address, which has its word.
    ///
    /// # Errors
    /// 404.
    pub(crate) fn of(word: &str) -> Result<Self, PageError> {
        word.parse().map_err(|_| PageError::not_found("page"))
    }

    /// That word.
    pub(crate) fn word(self) -> &'static str {
        self.into()
    }

    /// On a button.
    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Discard => "Discard",
        }
    }

    /// Of what it was done with.
    pub(crate) const fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Discard => "discarded",
        }
    }
}

impl From<Action> for DeadLetterAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Replay => Self::Replay,
            Action::Discard => Self::Discard,
        }
    }
}
