//! After a rotation: merchants that an older key seals are sealed anew with the first one, some at a time, until the older
//! key is needed by none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use upsert_store::StoreError;

use crate::state::State;

/// How often it is looked whether another key than the first seals anything: a question to an index.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Merchants that are read at once.
const AT_ONCE: usize = 100;

/// Looks until the server stops.
pub(crate) async fn reseal(state: Arc<State>, stopping: CancellationToken) {
    let mut ticks = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            done = reseal_all(&state) => if let Err(error) = done {
                tracing::error!(%error, "merchants could not be sealed anew");
            }
        }
    }
}

async fn reseal_all(state: &State) -> Result<(), StoreError> {
    let Some(first) = state.merchant_builder.seals_with() else {
        return Ok(());
    };
    let store = state.gateway.store();
    for key in store.sealing_keys().await? {
        // What cannot be opened is left alone: `/readyz` says that its key is missing.
        if key == first || state.merchant_builder.missing_key(std::slice::from_ref(&key)).is_some() {
            continue;
        }
        loop {
            let rows = store.merchants_sealed_with(&key, AT_ONCE).await?;
            let mut done = 0;
            for row in &rows {
                match state.merchant_builder.sealed_anew(row) {
                    Ok(anew) => {
                        state.gateway.operations.put_sealed_anew(anew).await?;
                        done += 1;
                    }
                    Err(error) => tracing::error!(merchant = row.id, error, "a merchant could not be sealed anew"),
                }
            }
            if done > 0 {
                tracing::info!(merchants = done, from = key, to = first, "merchants sealed anew");
            }
            // Those that cannot be sealed anew would be read again and again.
            if rows.len() < AT_ONCE || done == 0 {
                break;
            }
        }
    }
    Ok(())
}
