//! Deciding on what was read, and anew whenever somebody else has changed it before it was committed.

use upsert_store::{Applied, Expect};

/// What became of one try to decide and commit.
pub(crate) enum Race<T> {
    /// It is durable.
    Won(T),
    /// Something that was decided on has changed.
    Changed,
    /// Another customer holds a key that the vendor would match by.
    KeyTaken,
}

impl<T> Race<T> {
    /// As the store says of what was expected.
    pub(crate) fn of(applied: Applied, expected: &[Expect], won: T) -> Self {
        match applied {
            Applied::Done => Self::Won(won),
            Applied::Unmet(index) => match expected.get(index) {
                Some(Expect::KeysFree { .. }) => Self::KeyTaken,
                _ => Self::Changed,
            },
        }
    }

    /// With something else that is known then.
    pub(crate) fn map<U>(self, won: impl FnOnce(T) -> U) -> Race<U> {
        match self {
            Self::Won(done) => Race::Won(won(done)),
            Self::Changed => Race::Changed,
            Self::KeyTaken => Race::KeyTaken,
        }
    }

    /// Where no keys are expected to be free.
    pub(crate) fn over(applied: Applied, won: T) -> Self {
        Self::of(applied, &[], won)
    }
}

/// Has `decide` read, decide and commit until it comes through, at most so often; nothing comes back where it never did.
/// It is told whether somebody was found to hold a key.
pub(crate) async fn commit_with_retry<T, E, F>(most: usize, mut decide: impl FnMut(bool) -> F) -> Result<Option<T>, E>
where
    F: Future<Output = Result<Race<T>, E>>,
{
    let mut key_is_taken = false;
    for _race in 0..most {
        match decide(key_is_taken).await? {
            Race::Won(won) => return Ok(Some(won)),
            Race::KeyTaken => key_is_taken = true,
            Race::Changed => tokio::task::yield_now().await,
        }
    }
    Ok(None)
}
