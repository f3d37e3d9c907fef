//! The API keys, known by their hashes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use subtle::ConstantTimeEq as _;

use upsert_settings::{ApiKey, KeyRateLimit, Reach, Scope, key_hash};

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) reach: Reach,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) hash: [u8; 32],
    limit: Option<Limit>,
}

/// How often a key may call.
#[derive(Debug)]
struct Limit {
    configured: KeyRateLimit,
    limiter: Arc<DefaultDirectRateLimiter>,
}

/// A key that calls too often: how long to wait, and the policy that says so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooOften {
    /// Seconds, rounded up, at least 1.
    pub(crate) retry_after: u64,
    /// `RateLimit`.
    pub(crate) state: String,
    /// `RateLimit-Policy`.
    pub(crate) policy: String,
}

impl Key {
    /// Whether it has this scope.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The one merchant that it lists, if it lists one.
    pub(crate) fn only_merchant(&self) -> Option<&str> {
        match &self.reach {
            Reach::Merchants(merchants) if merchants.len() == 1 => merchants.first().map(String::as_str),
            _ => None,
        }
    }

    /// Takes one call from its limit.
    pub(crate) fn take_call(&self) -> Result<(), TooOften> {
        let Some(limit) = &self.limit else { return Ok(()) };
        limit.limiter.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            too_often(limit.configured, wait)
        })
    }
}

/// Header fields after the draft of RateLimit header fields for HTTP: quota and window in seconds, what remains, and
/// when there is more.
fn too_often(limit: KeyRateLimit, wait: Duration) -> TooOften {
    let retry_after = (wait.as_millis().div_ceil(1000).max(1)).try_into().unwrap_or(u64::MAX);
    let window = limit.burst.get().div_ceil(limit.per_second.get());
    TooOften {
        retry_after,
        state: format!("\"key\";r=0;t={retry_after}"),
        policy: format!("\"key\";q={};w={window}", limit.burst),
    }
}

/// All keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Vec<Arc<Key>>);

impl Keys {
    /// Of these keys. One that was there before under the same limit goes on with what it has used of it.
    pub(crate) fn new(keys: &[ApiKey], before: &Self) -> Self {
        Self(keys.iter().map(|key| Arc::new(before.renewed(key))).collect())
    }

    fn renewed(&self, key: &ApiKey) -> Key {
        let limit = key.rate_limit.map(|configured| {
            let earlier = self.0.iter().find(|earlier| earlier.name == key.name);
            let same = earlier
                .and_then(|earlier| earlier.limit.as_ref())
                .filter(|limit| limit.configured == configured);
            Limit {
                configured,
                limiter: same.map_or_else(
                    || limiter(configured.per_second, configured.burst),
                    |limit| limit.limiter.clone(),
                ),
            }
        });
        Key {
            name: key.name.clone(),
            reach: key.merchants.clone(),
            scopes: key.scopes.clone(),
            hash: key.key_sha256,
            limit,
        }
    }

    /// The key that was presented. All are compared, each in constant time: neither a hit nor a near miss can be told
    /// by how long it took.
    pub(crate) fn find(&self, presented: &str) -> Option<&Arc<Key>> {
        self.by_hash(&key_hash(presented))
    }

    /// The key with this hash.
    pub(crate) fn by_hash(&self, hash: &[u8; 32]) -> Option<&Arc<Key>> {
        self.0.iter().fold(None, |found, key| {
            let is_it = bool::from(key.hash.ct_eq(hash));
            if is_it { Some(key) } else { found }
        })
    }
}

fn limiter(per_second: NonZeroU32, burst: NonZeroU32) -> Arc<DefaultDirectRateLimiter> {
    Arc::new(RateLimiter::direct(Quota::per_second(per_second).allow_burst(burst)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use upsert_settings::Location;

    fn api_key(name: &str, secret: &str, rate_limit: Option<(u32, u32)>) -> ApiKey {
        ApiKey {
            name: name.to_owned(),
            key_sha256: key_hash(secret),
            merchants: Reach::Merchants(vec!["acme".to_owned()]),
            scopes: vec![Scope::CustomersRead],
            rate_limit: rate_limit.map(|(per_second, burst)| KeyRateLimit {
                per_second: NonZeroU32::new(per_second).unwrap(),
                burst: NonZeroU32::new(burst).unwrap(),
            }),
            location: Location::whole("gateway.toml"),
        }
    }

    #[test]
    fn a_key_is_found_by_its_secret_alone() {
        let keys = Keys::new(
            &[api_key("one", "1", None), api_key("other", "2", None)],
            &Keys::default(),
        );
        assert_eq!(keys.find("1").map(|key| key.name.as_str()), Some("one"));
        assert_eq!(keys.find("2").map(|key| key.name.as_str()), Some("other"));
        assert!(keys.find("").is_none() && keys.find("one").is_none());
    }

    #[test]
    fn a_key_that_calls_too_often_is_told_when_to_come_again() {
        let keys = Keys::new(&[api_key("slow", "1", Some((1, 2)))], &Keys::default());
        let key = keys.find("1").unwrap();
        assert_eq!([key.take_call(), key.take_call()], [Ok(()), Ok(())]);
        let refused = key.take_call().unwrap_err();
        assert_eq!((refused.retry_after, refused.policy.as_str()), (1, "\"key\";q=2;w=2"));
        assert_eq!(refused.state, "\"key\";r=0;t=1");
    }

    #[test]
    fn a_reload_does_not_give_a_key_its_burst_again() {
        let configured = [api_key("slow", "1", Some((1, 1)))];
        let before = Keys::new(&configured, &Keys::default());
        before.find("1").unwrap().take_call().unwrap();
        let after = Keys::new(&configured, &before);
        assert!(after.find("1").unwrap().take_call().is_err());
        let changed = Keys::new(&[api_key("slow", "1", Some((1, 3)))], &after);
        assert!(changed.find("1").unwrap().take_call().is_ok());
    }
}
