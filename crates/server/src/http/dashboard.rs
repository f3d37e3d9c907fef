//! The dashboard, as this server has it: who comes in, by the keys of the configuration in force.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::HttpRequest;
use tokio_util::sync::CancellationToken;

use upsert_app::ConfigurationRefused;
use upsert_dashboard::{AuthError, Configuration, Dashboard, DashboardParts, KeyStore, Principal};
use upsert_settings::looks_mistyped;

use crate::config::key_store::{Found, Key};
use crate::http::middleware::{has_left, is_signed};
use crate::state::State;

/// The API keys.
#[derive(Debug)]
struct KeyDoors(Arc<State>);

impl KeyStore for KeyDoors {
    fn open(&self, request: &HttpRequest, key: &str) -> Result<Principal, AuthError> {
        let served = self.0.served.load();
        let now = self.0.gateway.clock().now();
        let found = match served.keys.find(key, now) {
            Found::Valid(found) => found,
            Found::Expired => return Err(AuthError::Expired),
            Found::Unknown if looks_mistyped(key) => return Err(AuthError::Mistyped),
            Found::Unknown => return Err(AuthError::Unknown),
        };
        take_call(request, found).map_err(|_| AuthError::TooOften)?;
        Ok(visitor(found))
    }

    fn still_open(&self, key_hash: &[u8; 32]) -> Option<Principal> {
        let served = self.0.served.load();
        let now = self.0.gateway.clock().now();
        let key = served.keys.by_hash(key_hash, now).valid();
        key.map(|key| visitor(key))
    }

    fn count(&self, request: &HttpRequest, key_hash: &[u8; 32], is_call: bool) -> Result<(), u64> {
        is_signed(request);
        let served = self.0.served.load();
        let now = self.0.gateway.clock().now();
        match served.keys.by_hash(key_hash, now).valid() {
            Some(key) if is_call => take_call(request, key),
            _ => Ok(()),
        }
    }
}

/// Takes one call from the key's limit. What is left of it the answer says; the error is seconds until there is more.
fn take_call(request: &HttpRequest, key: &Key) -> Result<(), u64> {
    let (left, taken) = match key.take_call() {
        Ok(left) => (left, Ok(())),
        Err(limit) => (Some(limit.left), Err(limit.retry_after)),
    };
    has_left(request, left);
    taken
}

/// The configuration in force.
#[derive(Debug)]
struct InForce(Arc<State>);

impl Configuration for InForce {
    fn shown(&self, merchants: Option<&BTreeSet<String>>, merchant: Option<&str>) -> upsert_api::Configuration {
        self.0.history.shown(merchants, merchant)
    }

    fn refused(&self) -> Option<ConfigurationRefused> {
        self.0.history.refused()
    }
}

fn visitor(key: &Key) -> Principal {
    Principal {
        key_hash: key.hash,
        name: key.name.clone(),
        reach: key.reach.clone(),
        scopes: key.scopes.clone(),
    }
}

/// The dashboard over this state.
pub(crate) fn dashboard(state: &Arc<State>, stopping: CancellationToken) -> Dashboard {
    Dashboard::new(DashboardParts {
        gateway: state.gateway.clone(),
        keys: Arc::new(KeyDoors(state.clone())),
        configuration: Arc::new(InForce(state.clone())),
        form_timeout: state.body_timeout,
        stopping,
    })
}
