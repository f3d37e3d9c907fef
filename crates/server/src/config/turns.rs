//! Turns under a connection's rate, taken from the store that several processes share.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use upsert_policy::{RateLimitPolicy, SharedRate, TurnsTaken};
use upsert_store::{Pace, Store};

/// One connection's.
#[derive(Debug)]
pub(crate) struct TurnsOfStore {
    store: Arc<dyn Store>,
    merchant: String,
    connection: String,
    pace: Pace,
}

impl TurnsOfStore {
    /// None: the connection has no rate.
    pub(crate) fn new(
        store: &Arc<dyn Store>,
        merchant: &str,
        connection: &str,
        policy: RateLimitPolicy,
    ) -> Option<Self> {
        let per_second = policy.per_second?;
        Some(Self {
            store: Arc::clone(store),
            merchant: merchant.to_owned(),
            connection: connection.to_owned(),
            pace: Pace {
                every: Duration::from_secs(1) / per_second.get(),
                burst: policy.burst.unwrap_or(per_second).get(),
            },
        })
    }
}

#[async_trait]
impl SharedRate for TurnsOfStore {
    async fn take(&self, most: u32, ahead: Duration) -> TurnsTaken {
        let Self {
            merchant,
            connection,
            pace,
            ..
        } = self;
        let taken = self.store.take_turns(merchant, connection, *pace, most, ahead).await;
        let now = Instant::now();
        match taken {
            Ok(Some(turns)) => {
                let first_in = Duration::try_from(turns.first_in).unwrap_or_default();
                if turns.count == 0 {
                    return TurnsTaken::NoneUntil(now + first_in);
                }
                // Those of a burst have all come.
                let comes = |number: u32| {
                    let in_micros = turns.first_in.as_micros() + (pace.every * number).as_micros().cast_signed();
                    now + Duration::from_micros(u64::try_from(in_micros).unwrap_or_default())
                };
                TurnsTaken::Some((0..turns.count).map(comes).collect())
            }
            Ok(None) => TurnsTaken::Some(vec![now; usize::try_from(most).unwrap_or(1)]),
            Err(error) => {
                tracing::warn!(merchant, connection, %error, "turns under the rate limit could not be taken");
                TurnsTaken::Unknown
            }
        }
    }
}
