//! Looks whether anything is to be sealed or wrapped with the first key, as long as the server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use upsert_store::StoreError;

use crate::config::rotation::{clear_remains, rotate, seal_older};
use crate::state::State;

/// How often it is looked whether another key than the first seals anything: a question to an index.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often the store is asked to let go of what was in the clear, while it cannot: each time holds up writers for a little.
const CLEAR_EVERY: Duration = Duration::from_secs(60);

/// Looks until the server stops.
pub(crate) async fn reseal(state: Arc<State>, stopping: CancellationToken) {
    tokio::select! {
        () = stopping.cancelled() => {}
        () = reseal_again_and_again(&state) => {}
    }
}

async fn reseal_again_and_again(state: &State) {
    let mut ticks = interval(LOOK_EVERY);
    let (mut clear_from, mut has_looked_at_audit) = (Instant::now(), false);
    loop {
        ticks.tick().await;
        if let Err(error) = reseal_all(state, &mut clear_from).await {
            tracing::error!(%error, "what is stored could not be sealed anew");
        }
        if !has_looked_at_audit {
            has_looked_at_audit = true;
            if let Err(error) = state
                .audit_keys
                .say_missing(&state.gateway, &state.merchant_builder)
                .await
            {
                tracing::error!(%error, "the keys of the audit trail could not be looked at");
            }
        }
    }
}

async fn reseal_all(state: &State, clear_from: &mut Instant) -> Result<(), StoreError> {
    rotate(&state.gateway, &state.merchant_builder).await?;
    seal_older(&state.gateway).await?;
    if Instant::now() >= *clear_from && !clear_remains(&state.gateway).await? {
        *clear_from = Instant::now() + CLEAR_EVERY;
    }
    Ok(())
}
