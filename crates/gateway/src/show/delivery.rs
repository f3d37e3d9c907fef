//! A delivery in a few words.

use upsert_api::{Delivery, DeliveryError};
use upsert_core::ErrorKind;

use crate::show::plain;

/// Such as `waiting for quota`.
pub(crate) fn state(delivery: &Delivery) -> String {
    match delivery.waiting_for {
        Some(waiting_for) => format!("{} for {waiting_for}", delivery.state),
        None => delivery.state.to_string(),
    }
}

/// What an error means, and its code.
pub(crate) fn meaning(error: &DeliveryError) -> String {
    with_code(error.kind, error.code.as_deref())
}

/// The same, unless the code says no more than what it means: some vendors' do not.
pub(crate) fn short_meaning(error: &DeliveryError) -> String {
    let code = error.code.as_deref();
    with_code(error.kind, code.filter(|code| *code != error.kind.to_string()))
}

fn with_code(kind: ErrorKind, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("{kind} {}", plain(code)),
        None => kind.to_string(),
    }
}
