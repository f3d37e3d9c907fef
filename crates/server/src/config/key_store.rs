//! The API keys, known by their hashes.

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::http::header::{HeaderName, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use upsert_settings::{ApiKey, KeyRateLimit, Reach, Scope, key_hash};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) reach: Reach,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) hash: [u8; 32],
    expires_at: Option<Timestamp>,
    limit: Option<Limit>,
}

/// How often a key may call.
#[derive(Debug)]
struct Limit {
    configured: KeyRateLimit,
    limiter: Arc<Limiter>,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// What a key has left of its limit, as header fields: after the draft of RateLimit header fields for HTTP, with quota and
/// window in seconds, what remains, and when there is more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// `RateLimit`.
    pub(crate) state: String,
    /// `RateLimit-Policy`.
    pub(crate) policy: String,
}

impl Left {
    /// As every answer to the key says it.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let headers = [(RATE_LIMIT, &self.state), (RATE_LIMIT_POLICY, &self.policy)];
        headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)))
    }
}

/// A key that calls too often: how long to wait, and the policy that says so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooOften {
    /// Seconds, rounded up, at least 1.
    pub(crate) retry_after: u64,
    pub(crate) left: Left,
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

    /// Takes one call from its limit; what is left of it, if it has one.
    pub(crate) fn take_call(&self) -> Result<Option<Left>, TooOften> {
        let Some(limit) = &self.limit else { return Ok(None) };
        match limit.limiter.check() {
            Ok(state) => {
                let used = limit
                    .configured
                    .burst
                    .get()
                    .saturating_sub(state.remaining_burst_capacity());
                let whole_after = u64::from(used.div_ceil(limit.configured.per_second.get()));
                Ok(Some(left(
                    limit.configured,
                    state.remaining_burst_capacity(),
                    whole_after,
                )))
            }
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let retry_after = (wait.as_millis().div_ceil(1000).max(1)).try_into().unwrap_or(u64::MAX);
                let left = left(limit.configured, 0, retry_after);
                Err(TooOften { retry_after, left })
            }
        }
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

fn left(limit: KeyRateLimit, remaining: u32, seconds: u64) -> Left {
    let window = limit.burst.get().div_ceil(limit.per_second.get());
    Left {
        state: format!("\"key\";r={remaining};t={seconds}"),
        policy: format!("\"key\";q={};w={window}", limit.burst),
    }
}

/// All keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(Vec<Arc<Key>>);

impl Keys {
    /// Of these keys. One that was there before under the same limit goes on with what it has used of it.
    pub(crate) fn new(keys: &[ApiKey], before: &Self) -> Self {
        let mut all = Self::default();
        for key in keys {
            // Keys of one name are one caller's, with one limit.
            let renewed = Arc::new(key_of(key, &[&all.0, &before.0]));
            all.0.push(renewed);
        }
        all
    }

    /// The key that was presented. All are compared, each in constant time: neither a hit nor a near miss can be told
    /// by how long it took. One that has expired by `now` is none.
    pub(crate) fn find(&self, presented: &str, now: Timestamp) -> Found<'_> {
        self.by_hash(&key_hash(presented), now)
    }

    /// The key with this hash.
    pub(crate) fn by_hash(&self, hash: &[u8; 32], now: Timestamp) -> Found<'_> {
        let found = self.0.iter().fold(None, |found, key| {
            let is_it = bool::from(key.hash.ct_eq(hash));
            if is_it { Some(key) } else { found }
        });
        match found {
            None => Found::Unknown,
            Some(key) if key.has_expired(now) => Found::Expired,
            Some(key) => Found::Valid(key),
        }
    }
}

/// Whether a key opens anything.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Valid(&'a Arc<Key>),
    Expired,
    Unknown,
}

impl<'a> Found<'a> {
    /// The key, if it opens anything.
    pub(crate) fn valid(self) -> Option<&'a Arc<Key>> {
        match self {
            Self::Valid(key) => Some(key),
            Self::Expired | Self::Unknown => None,
        }
    }
}

/// One that was there before, by the first of these that has it, goes on with what it has used of the same limit.
fn key_of(key: &ApiKey, before: &[&[Arc<Key>]]) -> Key {
    let limit = key.rate_limit.map(|configured| {
        let mut earlier = before
            .iter()
            .copied()
            .flatten()
            .filter(|earlier| earlier.name == key.name);
        let same = earlier.find_map(|earlier| {
            let limit = earlier.limit.as_ref()?;
            (limit.configured == configured).then_some(limit)
        });
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
        expires_at: key.expires_at,
        limit,
    }
}

fn limiter(per_second: NonZeroU32, burst: NonZeroU32) -> Arc<Limiter> {
    let limiter = RateLimiter::direct(Quota::per_second(per_second).allow_burst(burst));
    Arc::new(limiter.with_middleware())
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
            expires_at: None,
            location: Location::whole("gateway.toml"),
        }
    }

    fn now() -> Timestamp {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    fn name_of(keys: &Keys, presented: &str) -> Option<String> {
        keys.find(presented, now()).valid().map(|key| key.name.clone())
    }

    #[test]
    fn a_key_is_found_by_its_secret_alone() {
        let keys = Keys::new(
            &[api_key("one", "1", None), api_key("other", "2", None)],
            &Keys::default(),
        );
        assert_eq!(name_of(&keys, "1").as_deref(), Some("one"));
        assert_eq!(name_of(&keys, "2").as_deref(), Some("other"));
        assert!(name_of(&keys, "").is_none() && name_of(&keys, "one").is_none());
    }

    #[test]
    fn a_key_opens_nothing_from_the_moment_on_that_it_expires() {
        let until = |seconds: i64| ApiKey {
            expires_at: Some(now() + jiff::SignedDuration::from_secs(seconds)),
            ..api_key("one", "1", None)
        };
        for (seconds, is_valid) in [(1, true), (0, false), (-1, false)] {
            let keys = Keys::new(&[until(seconds)], &Keys::default());
            assert_eq!(name_of(&keys, "1").is_some(), is_valid, "{seconds}");
            assert_eq!(matches!(keys.find("1", now()), Found::Expired), !is_valid);
        }
    }

    #[test]
    fn a_key_that_calls_too_often_is_told_when_to_come_again_and_before_that_how_much_is_left() {
        let keys = Keys::new(&[api_key("slow", "1", Some((1, 2)))], &Keys::default());
        let key = keys.find("1", now()).valid().unwrap();
        let policy = "\"key\";q=2;w=2".to_owned();
        let left = |state: &str| Left {
            state: state.to_owned(),
            policy: policy.clone(),
        };
        let calls = [key.take_call(), key.take_call()].map(|taken| taken.unwrap().unwrap());
        assert_eq!(calls, [left("\"key\";r=1;t=1"), left("\"key\";r=0;t=2")]);
        let refused = key.take_call().unwrap_err();
        assert_eq!((refused.retry_after, refused.left), (1, left("\"key\";r=0;t=1")));
    }

    #[test]
    fn keys_of_one_name_have_one_limit() {
        let configured = ["1", "2"].map(|secret| api_key("slow", secret, Some((1, 1))));
        let keys = Keys::new(&configured, &Keys::default());
        keys.find("1", now()).valid().unwrap().take_call().unwrap();
        assert!(keys.find("2", now()).valid().unwrap().take_call().is_err());
    }

    #[test]
    fn a_reload_does_not_give_a_key_its_burst_again() {
        let take = |keys: &Keys| keys.find("1", now()).valid().unwrap().take_call();
        let configured = [api_key("slow", "1", Some((1, 1)))];
        let before = Keys::new(&configured, &Keys::default());
        take(&before).unwrap();
        let after = Keys::new(&configured, &before);
        assert!(take(&after).is_err());
        let changed = Keys::new(&[api_key("slow", "1", Some((1, 3)))], &after);
        assert!(take(&changed).is_ok());
    }
}
