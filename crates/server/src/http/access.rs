//! Who calls, and whether the key may do this: an extractor that stands first in a handler's arguments.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use upsert_api::{ProblemCode, Visibility};
use upsert_app::Caller;
use upsert_settings::{Scope, looks_mistyped};

use crate::config::key_store::{Found, Key, TooOften};
use crate::config::snapshot::ConfigSnapshot;
use crate::http::headers::accepts;
use crate::http::in_force::{CallerInForce, visibility_of};
use crate::http::middleware::{Observed, has_left};
use crate::http::pacing::shows_key;
use crate::http::problem::Problem;
use crate::http::standing::{Standing, unauthenticated};
use crate::state::State;

/// `X-Api-Key`.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a route asks of a key.
pub(crate) trait Permission: 'static {
    /// None: any key will do.
    const SCOPE: Option<Scope>;
    /// Another scope that will do as well, for less.
    const OR: Option<Scope> = None;
    /// Whether the key has to be one for every merchant.
    const FOR_ALL: bool = false;
    /// The media type of its answers.
    const ANSWERS: &str = "application/json";
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $scope:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub(crate) struct $name;

            impl Permission for $name {
                const SCOPE: Option<Scope> = $scope;
            }
        )*
    };
}

permissions! {
    /// Any key.
    AnyKey = None;
    /// Upsert, plan.
    WriteCustomers = Some(Scope::CustomersWrite);
    /// Customers, history, upserts, a vendor's customers.
    ReadCustomers = Some(Scope::CustomersRead);
    /// Deliveries, connections, the configuration.
    ReadOperations = Some(Scope::OpsRead);
    /// Replay, discard, pause, resume, unlink.
    WriteOperations = Some(Scope::OpsWrite);
    /// What is told of the process itself.
    Administer = Some(Scope::Admin);
}

/// What is everybody's: merchants, the process itself.
#[derive(Debug)]
pub(crate) struct AdministerAll;

impl Permission for AdministerAll {
    const SCOPE: Option<Scope> = Some(Scope::Admin);
    const FOR_ALL: bool = true;
}

/// One upsert: any, or only what the key made itself.
#[derive(Debug)]
pub(crate) struct ReadUpserts;

impl Permission for ReadUpserts {
    const SCOPE: Option<Scope> = Some(Scope::CustomersRead);
    const OR: Option<Scope> = Some(Scope::CustomersWrite);
}

/// What is told of everybody's at once.
#[derive(Debug)]
pub(crate) struct ReadAllOperations;

impl Permission for ReadAllOperations {
    const SCOPE: Option<Scope> = Some(Scope::OpsRead);
    const FOR_ALL: bool = true;
}

/// A caller who may do what the route does.
#[derive(Debug)]
pub(crate) struct Access<P> {
    /// The caller's key.
    pub(crate) key: Arc<Key>,
    /// The configuration that the whole request is served by.
    pub(crate) served: Arc<ConfigSnapshot>,
    /// What it was let in for.
    pub(crate) standing: Standing,
    permission: PhantomData<P>,
}

/// Upserts, a line each.
#[derive(Debug)]
pub(crate) struct WriteBatches;

impl Permission for WriteBatches {
    const SCOPE: Option<Scope> = Some(Scope::CustomersWrite);
    const ANSWERS: &str = "application/x-ndjson";
}

impl<P: Permission> Access<P> {
    /// The caller as the history names it.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            name: self.key.name.clone(),
        }
    }

    /// To be asked for again.
    pub(crate) fn in_force(&self, state: &Arc<State>) -> CallerInForce {
        CallerInForce::new(state, self.standing.clone())
    }

    /// What of customers it may see.
    pub(crate) fn visibility(&self) -> Visibility {
        visibility_of(&self.key)
    }

    /// Judges the request: key, limit, scope, and whether an answer in JSON is wanted at all.
    pub(crate) fn judge(request: &HttpRequest) -> Result<Self, Problem> {
        let state = State::of(request)
            .ok_or_else(|| Problem::new(ProblemCode::Internal, "the request could not be handled"))?;
        let served = state.served.load_full();
        let presented = presented(request.headers())?;
        let key = match served.keys.find(presented, state.gateway.clock().now()) {
            Found::Valid(key) => key.clone(),
            Found::Expired => return Err(unauthenticated("the API key has expired", true)),
            Found::Unknown => return Err(unknown(presented)),
        };
        if let Some(observed) = request.extensions_mut().get_mut::<Observed>() {
            observed.key = Some(key.clone());
        }
        shows_key(request);
        has_left(request, key.take_call().map_err(|limit| rate_limited(&limit))?);
        let standing = Standing::of(&key, [P::SCOPE, P::OR], P::FOR_ALL)?;
        if let Some(observed) = request.extensions_mut().get_mut::<Observed>() {
            observed.standing = Some(standing.clone());
        }
        if !accepts(request.headers(), P::ANSWERS) {
            let detail = format!("answers are {}", P::ANSWERS);
            return Err(Problem::new(ProblemCode::NotAcceptable, detail));
        }
        Ok(Self {
            key,
            served,
            standing,
            permission: PhantomData,
        })
    }
}

impl<P: Permission> FromRequest for Access<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::judge(request))
    }
}

/// Counts a request that no route takes against the limit of the key that it came with, if that is one.
///
/// # Errors
/// 429: it calls more often than it may.
pub(crate) fn count_in_vain(request: &HttpRequest) -> Result<(), Problem> {
    let (Some(state), Ok(presented)) = (State::of(request), presented(request.headers())) else {
        return Ok(());
    };
    let served = state.served.load();
    if let Some(key) = served.keys.find(presented, state.gateway.clock().now()).valid() {
        shows_key(request);
        has_left(request, key.take_call().map_err(|limit| rate_limited(&limit))?);
    }
    Ok(())
}

/// `Authorization: Bearer …` or `X-Api-Key`. Two keys are none: what stands before the gateway may have looked at the
/// other one.
fn presented(headers: &HeaderMap) -> Result<&str, Problem> {
    let bearers = headers.get_all(header::AUTHORIZATION).filter_map(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let own = headers.get_all(X_API_KEY).filter_map(|value| value.to_str().ok());
    let mut given = bearers.chain(own).filter(|key| !key.is_empty());
    let key = given
        .next()
        .ok_or_else(|| unauthenticated("no API key was given", false))?;
    if given.any(|other| other != key) {
        return Err(unauthenticated("more than one API key was given", true));
    }
    Ok(key)
}

fn unknown(presented: &str) -> Problem {
    if looks_mistyped(presented) {
        unauthenticated("the API key is not whole: its checksum does not fit", true)
    } else {
        unauthenticated("the API key is not known", true)
    }
}

fn rate_limited(limit: &TooOften) -> Problem {
    let mut problem = Problem::new(ProblemCode::RateLimited, "this key calls more often than it may");
    problem.refusal.retry_after = Some(limit.retry_after);
    for (name, value) in limit.left.headers() {
        problem = problem.with(name, value);
    }
    problem
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_taken_from_either_header_and_two_keys_are_none() {
        for (pairs, wanted) in [
            (vec![(header::AUTHORIZATION, "Bearer k")], Some("k")),
            (vec![(header::AUTHORIZATION, "bearer  k ")], Some("k")),
            (vec![(X_API_KEY, "k")], Some("k")),
            (vec![(header::AUTHORIZATION, "Bearer k"), (X_API_KEY, "k")], Some("k")),
            (vec![(header::AUTHORIZATION, "Bearer k"), (X_API_KEY, "other")], None),
            (
                vec![
                    (header::AUTHORIZATION, "Bearer k"),
                    (header::AUTHORIZATION, "Bearer other"),
                ],
                None,
            ),
            (vec![(header::AUTHORIZATION, "Basic eA=="), (X_API_KEY, "k")], Some("k")),
            (vec![(header::AUTHORIZATION, "Basic eA==")], None),
            (vec![(header::AUTHORIZATION, "Bearer ")], None),
            (vec![(X_API_KEY, "")], None),
            (vec![], None),
        ] {
            assert_eq!(presented(&headers(&pairs)).ok(), wanted, "{pairs:?}");
        }
    }
}
