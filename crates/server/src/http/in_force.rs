//! What the configuration in force says of a caller by now. A body, a wait for a vendor, a batch that stays open for hours: each
//! may outlive what was said of key and merchant before it.

use std::sync::Arc;

use upsert_api::Visibility;
use upsert_app::{Answer, Merchant, Refusal};
use upsert_settings::Scope;

use crate::config::key_store::Key;
use crate::http::problem::Problem;
use crate::http::standing::{Standing, forbidden};
use crate::state::State;

/// A caller who was let in, to be asked for again.
#[derive(Debug, Clone)]
pub(crate) struct CallerInForce {
    state: Arc<State>,
    standing: Standing,
}

impl CallerInForce {
    /// Who was let in for this.
    pub(crate) fn new(state: &Arc<State>, standing: Standing) -> Self {
        Self {
            state: Arc::clone(state),
            standing,
        }
    }

    /// Its key, if it still may do what it was let in for.
    ///
    /// # Errors
    /// 401, 403.
    pub(crate) fn key(&self) -> Result<Arc<Key>, Problem> {
        let now = self.state.gateway.clock().now();
        let served = self.state.served.load();
        self.standing.among(&served.keys, now).cloned()
    }

    /// The same, for those who need not know the key.
    ///
    /// # Errors
    /// 401, 403.
    pub(crate) fn still_may(&self) -> Result<(), Refusal> {
        self.key().map(drop).map_err(|problem| problem.refusal)
    }

    /// The merchant with this id, if it can be told without a look at the store.
    pub(crate) fn known_merchant(&self, id: &str) -> Option<Arc<Merchant>> {
        self.state.served.load().directory.get(id)
    }

    /// The merchant with this id.
    ///
    /// # Errors
    /// 403: it is there no more. It cannot be served, or the store failed.
    pub(crate) async fn merchant(&self, id: &str) -> Result<Arc<Merchant>, Refusal> {
        if let Some(merchant) = self.known_merchant(id) {
            return Ok(merchant);
        }
        self.state.gateway.load_merchant(id).await?;
        self.known_merchant(id).ok_or_else(|| forbidden().refusal)
    }

    /// An answer that was waited for, as this caller may be told it by now: whoever could read customers when it asked, and
    /// cannot any more, is not told what they are.
    ///
    /// # Errors
    /// 401, 403: it may be told nothing any more. What was done is done.
    pub(crate) fn may_be_told(&self, answer: Answer, asked_with: Visibility) -> Result<Answer, Problem> {
        let key = self.key()?;
        let now = visibility_of(&key);
        Ok(if now == asked_with {
            answer
        } else {
            answer.shown_to(now)
        })
    }
}

/// How much of customers this key is shown.
pub(crate) fn visibility_of(key: &Key) -> Visibility {
    Visibility::of(key.may(Scope::CustomersRead))
}
