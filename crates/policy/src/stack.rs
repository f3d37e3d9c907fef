//! The one place where the layers are put in order.

use std::sync::Arc;

use upsert_core::{Clock, CustomerReader, UpsertProvider};

use crate::attempt_timeout::AttemptTimeout;
use crate::breaker::Breaker;
use crate::budget::RetryBudget;
use crate::concurrency::Concurrency;
use crate::day_budget::DayCount;
use crate::jitter::Jitter;
use crate::last_look::LastLook;
use crate::layer::{Seam, wrap};
use crate::observe::Observe;
use crate::rate_limit::RateLimit;
use crate::retry::RetryRule;
use crate::settings::{ConnectionNames, ConnectionPolicy};
use crate::shared_rate::SharedRate;
use crate::status::ConnectionStatus;

/// What the layers need from outside.
#[derive(Debug, Clone)]
pub struct Outside {
    /// Tells the time of day.
    pub clock: Arc<dyn Clock>,
    /// This connection's calls by day.
    pub day_count: Arc<dyn DayCount>,
    /// Where jitter comes from.
    pub jitter: Jitter,
    /// Where turns under its rate come from, if several processes share them.
    pub shared_rate: Option<Arc<dyn SharedRate>>,
}

/// A connection under its policies.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The provider; one call is one attempt.
    pub provider: Arc<dyn UpsertProvider>,
    /// The reader, under the same limits, quota and breaker.
    pub reader: Option<Arc<dyn CustomerReader>>,
    /// How it is doing.
    pub status: Arc<ConnectionStatus>,
    /// What a failed attempt leads to.
    pub retry: Arc<RetryRule>,
}

/// The layers of one connection.
#[derive(Debug)]
struct Layers {
    /// Those that tell how they are doing.
    status: Arc<ConnectionStatus>,
    last_look: Arc<LastLook>,
    attempt_timeout: Arc<AttemptTimeout>,
}

impl Layers {
    /// The order, from the inside out.
    fn around<P: Seam + ?Sized>(&self, inner: Arc<P>) -> Arc<P> {
        // Innermost, so that its time begins when the call has its place, not in the queue for one.
        let stack = wrap(&self.attempt_timeout, inner);
        // Inside the queue for a place: what was learned of the vendor while a call waited there counts for it too.
        let stack = wrap(&self.last_look, stack);
        // Around the time-out, so that every place is free again after a known time; inside the limits, since a call
        // that they refuse must not hold a place. A call that finds no place gives its count of the day back.
        let stack = wrap(&self.status.concurrency, stack);
        // Outside the queue, so that what waits in it is within the vendor's limits already; inside the breaker, since
        // a call that the breaker stops must not use up the day's quota.
        let stack = wrap(&self.status.rate_limit, stack);
        // Around all that may refuse or fail, so that a dead vendor costs neither quota nor places. It sees the
        // time-outs of the layers within and leaves out what they held back themselves.
        let stack = wrap(&self.status.breaker, stack);
        // Outermost, so that what the other layers held back is seen too.
        wrap(&self.status.observe, stack)
    }
}

/// Puts the standard layers around a connection's provider and, with the same state, around its reader.
///
/// Once per connection, when its configuration is loaded: a new stack knows nothing of an open breaker or of a 429.
pub fn standard_stack(
    provider: Arc<dyn UpsertProvider>,
    reader: Option<Arc<dyn CustomerReader>>,
    policy: &ConnectionPolicy,
    merchant: &str,
    connection: &str,
    outside: Outside,
) -> Stack {
    let Outside { clock, .. } = outside;
    let names = ConnectionNames::new(merchant, connection, provider.info().kind);
    let budget = Arc::new(RetryBudget::default());
    let retry = Arc::new(RetryRule::new(
        policy.retry,
        Arc::clone(&budget),
        outside.jitter.clone(),
    ));
    let observe = Arc::new(Observe::new(names.clone(), Arc::clone(&clock), budget));
    let breaker = Arc::new(Breaker::new(policy.breaker, names, Arc::clone(&clock)));
    let rate_limit = Arc::new(RateLimit::new(
        policy.rate_limit,
        clock,
        outside.day_count,
        outside.jitter,
        outside.shared_rate,
    ));
    let layers = Layers {
        last_look: Arc::new(LastLook::new(Arc::clone(&breaker), Arc::clone(&rate_limit))),
        attempt_timeout: Arc::new(AttemptTimeout::new(policy.timeout)),
        status: Arc::new(ConnectionStatus {
            observe,
            breaker,
            rate_limit,
            concurrency: Arc::new(Concurrency::new(policy.concurrency)),
        }),
    };
    Stack {
        provider: layers.around(provider),
        reader: reader.map(|reader| layers.around(reader)),
        status: layers.status,
        retry,
    }
}
