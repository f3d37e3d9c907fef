//! Looks whether anything is to be sealed or wrapped with the first key, as long as the server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use upsert_store::StoreError;

use crate::config::rotation::{rotate, say_missing_keys_of_audit, seal_older};
use crate::state::State;

/// How often it is looked whether another key than the first seals anything: a question to an index.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks until the server stops.
pub(crate) async fn reseal(state: Arc<State>, stopping: CancellationToken) {
    if let Err(error) = say_missing_keys_of_audit(&state.gateway, &state.merchant_builder).await {
        tracing::error!(%error, "the keys of the audit trail could not be looked at");
    }
    let mut ticks = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            done = reseal_all(&state) => if let Err(error) = done {
                tracing::error!(%error, "what is stored could not be sealed anew");
            }
        }
    }
}

async fn reseal_all(state: &State) -> Result<(), StoreError> {
    rotate(&state.gateway, &state.merchant_builder).await?;
    seal_older(&state.gateway).await
}
