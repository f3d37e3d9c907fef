//! After a rotation: what another key than the first one seals is sealed or wrapped with the first one, some at a time, until the
//! other key is needed by none; and what is in the clear is sealed, where a store got its first key.

use upsert_api::KeysRotated;
use upsert_app::Gateway;
use upsert_store::{Encryption, StoreError};

use crate::config::stored_merchants::MerchantBuilder;

/// Merchants, data keys or rows that are looked at in one transaction.
const AT_ONCE: usize = 100;

/// In a word.
pub(crate) fn word(encryption: Encryption, has_key: bool) -> upsert_api::Encryption {
    match encryption {
        Encryption::On => upsert_api::Encryption::On,
        Encryption::Partly | Encryption::Rows => upsert_api::Encryption::Partly,
        Encryption::Off if has_key => upsert_api::Encryption::Credentials,
        Encryption::Off => upsert_api::Encryption::Off,
    }
}

/// Has the first key seal the credentials of merchants in the store, and wrap all data keys. None: there is no key.
pub(crate) async fn rotate(gateway: &Gateway, merchants: &MerchantBuilder) -> Result<Option<KeysRotated>, StoreError> {
    let Some(key) = merchants.seals_with() else {
        return Ok(None);
    };
    let store = gateway.store();
    let mut done = KeysRotated {
        merchants_sealed_anew: reseal(gateway, merchants, &key).await?,
        merchants_left: left(gateway, &key).await?,
        wrapped_anew: 0,
        new_data_keys: 0,
        audit_keys: Vec::new(),
        encryption: word(store.encryption(), true),
        key,
    };
    loop {
        let wrapped = store.wrap_anew(AT_ONCE).await?;
        done.wrapped_anew += wrapped;
        if wrapped < AT_ONCE {
            break;
        }
    }
    if done.wrapped_anew > 0 {
        tracing::info!(keys = done.wrapped_anew, by = done.key, "data keys wrapped anew");
    }
    Ok(Some(done))
}

/// Makes new data keys, for every merchant that has any. How many.
pub(crate) async fn renew(gateway: &Gateway) -> Result<usize, StoreError> {
    let (mut made, mut from) = (0, None);
    loop {
        let walked = gateway.store().renew_data_keys(from, AT_ONCE).await?;
        made += walked.changed;
        from = walked.next;
        if from.is_none() {
            break;
        }
    }
    tracing::info!(keys = made, "new data keys made");
    Ok(made)
}

/// Seals what is in the clear, where any row may be. It is over once a walk through all of them finds nothing.
pub(crate) async fn seal_older(gateway: &Gateway) -> Result<(), StoreError> {
    let store = gateway.store();
    while store.encryption() == Encryption::Partly {
        let (mut sealed, mut from) = (0, None);
        loop {
            let walked = store.seal_older(from, AT_ONCE).await?;
            sealed += walked.changed;
            from = walked.next;
            if from.is_none() {
                break;
            }
        }
        if sealed > 0 {
            tracing::info!(values = sealed, "what was stored in the clear is sealed");
        } else {
            store.seal_rows().await?;
        }
    }
    Ok(())
}

/// Once every row is sealed: what was in the clear is to be nowhere in the file and its log any more, before the store says that
/// all is sealed. Whether nothing is left to do; while somebody reads what is older, as a backup does, something is.
pub(crate) async fn clear_remains(gateway: &Gateway) -> Result<bool, StoreError> {
    let store = gateway.store();
    if store.encryption() != Encryption::Rows {
        return Ok(true);
    }
    match store.scrub().await {
        Ok(()) => store.seal_wholly().await?,
        Err(StoreError::Busy) => {
            tracing::warn!("everything is sealed, but somebody still reads what is older, in the clear");
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    tracing::info!("everything that is stored is sealed");
    Ok(true)
}

/// Merchants that another key seals still.
async fn left(gateway: &Gateway, first: &str) -> Result<Vec<String>, StoreError> {
    let (store, mut left) = (gateway.store(), Vec::new());
    for key in store.sealing_keys().await? {
        if key != first {
            let rows = store.merchants_sealed_with(&key, AT_ONCE).await?;
            left.extend(rows.into_iter().map(|row| row.id));
        }
    }
    left.sort_unstable();
    Ok(left)
}

async fn reseal(gateway: &Gateway, merchants: &MerchantBuilder, first: &str) -> Result<usize, StoreError> {
    let (store, mut all) = (gateway.store(), 0);
    for key in store.sealing_keys().await? {
        // What cannot be opened is left alone: `/readyz` says that its key is missing.
        if key == first || merchants.missing_key(std::slice::from_ref(&key)).is_some() {
            continue;
        }
        loop {
            let rows = store.merchants_sealed_with(&key, AT_ONCE).await?;
            let mut done = 0;
            for row in &rows {
                match merchants.sealed_anew(row) {
                    Ok(anew) => {
                        gateway.operations.put_sealed_anew(anew).await?;
                        done += 1;
                    }
                    Err(error) => tracing::error!(merchant = row.id, error, "a merchant could not be sealed anew"),
                }
            }
            all += done;
            if done > 0 {
                tracing::info!(merchants = done, from = key, to = first, "merchants sealed anew");
            }
            // Those that cannot be sealed anew would be read again and again.
            if rows.len() < AT_ONCE || done == 0 {
                break;
            }
        }
    }
    Ok(all)
}
