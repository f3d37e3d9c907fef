//! For whom: the `Merchant-Id` header, or the only merchant that the key lists.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::web::Path;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{Either, LocalBoxFuture};
use serde::Deserialize;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::{IntoParams, PartialSchema as _};

use upsert_api::ProblemCode;
use upsert_app::{Merchant, Refusal};
use upsert_settings::{Reach, is_name};

use crate::config::key_store::Key;
use crate::config::snapshot::ConfigSnapshot;
use crate::http::access::{Access, Permission};
use crate::http::in_force::CallerInForce;
use crate::http::middleware::speaks_for;
use crate::http::problem::Problem;
use crate::http::standing::forbidden;
use crate::state::State;

const HEADER: &str = "Merchant-Id";

/// A caller who may do what the route does, and the merchant it speaks for.
#[derive(Debug)]
pub(crate) struct ForMerchant<P> {
    access: Access<P>,
    /// For whom: one unchanging snapshot for the whole request.
    pub(crate) merchant: Arc<Merchant>,
}

impl<P> ForMerchant<P> {
    /// To be asked for again.
    pub(crate) fn in_force(&self, state: &Arc<State>) -> CallerInForce {
        CallerInForce::new(state, self.standing.clone().for_merchant(&self.merchant.id))
    }
}

impl<P: Permission> FromRequest for ForMerchant<P> {
    type Error = Problem;
    type Future = Known<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let access = match Access::judge(request) {
            Ok(access) => access,
            Err(problem) => return Known::Left(ready(Err(problem))),
        };
        let id = match required(&access, request.headers()) {
            Ok(id) => id,
            Err(problem) => return Known::Left(ready(Err(problem))),
        };
        speaks_for(request, id);
        // Nearly always: an upsert's way is as short as a look-up in a map.
        if let Ok(merchant) = within_reach(&access.key, &access.served, id) {
            return Known::Left(ready(Ok(Self { access, merchant })));
        }
        let id = id.to_owned();
        once_known(request, access, vec![id.clone()], Unserved::IsRefused, move |access| {
            let merchant = within_reach(&access.key, &access.served, &id)?;
            Ok(Self { access, merchant })
        })
    }
}

fn required<'a, P>(access: &'a Access<P>, headers: &'a HeaderMap) -> Result<&'a str, Problem> {
    match given(headers)? {
        Some(id) => Ok(id),
        None => access.key.only_merchant().ok_or_else(|| {
            let detail = "the key may speak for several merchants: say for which in `Merchant-Id`";
            Problem::new(ProblemCode::MerchantRequired, detail)
        }),
    }
}

/// At once, unless a merchant lives in the store and was not needed before.
pub(crate) type Known<T> = Either<Ready<Result<T, Problem>>, LocalBoxFuture<'static, Result<T, Problem>>>;

/// What becomes of a request where a merchant is there and cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unserved {
    /// It is about this merchant.
    IsRefused,
    /// It is about others too.
    IsLeftOut,
}

/// Goes on once it is known which of these merchants are there.
fn once_known<P: Permission, T: 'static>(
    request: &HttpRequest,
    access: Access<P>,
    mut ids: Vec<String>,
    unserved: Unserved,
    then: impl FnOnce(Access<P>) -> Result<T, Problem> + 'static,
) -> Known<T> {
    ids.retain(|id| access.key.reach.covers(id) && is_name(id) && access.served.directory.get(id).is_none());
    let state = State::of(request).cloned();
    let Some(state) = state.filter(|_| !ids.is_empty()) else {
        return Known::Left(ready(then(access)));
    };
    Known::Right(Box::pin(async move {
        for id in ids {
            let loaded = state.gateway.load_merchant(&id).await;
            if unserved == Unserved::IsRefused {
                loaded?;
            }
        }
        then(access)
    }))
}

/// A caller who may do what the route does, and whose rows it may see: the header is a filter.
#[derive(Debug)]
pub(crate) struct InSight<P> {
    access: Access<P>,
    /// The one merchant that the header names.
    pub(crate) only: Option<Arc<Merchant>>,
    /// None: everybody's, those of merchants that are not configured any more as well.
    pub(crate) merchants: Option<BTreeSet<String>>,
}

impl<P> InSight<P> {
    /// To be asked for again.
    pub(crate) fn in_force(&self, state: &Arc<State>) -> CallerInForce {
        let standing = self.standing.clone();
        let standing = match &self.only {
            Some(merchant) => standing.for_merchant(&merchant.id),
            None => standing,
        };
        CallerInForce::new(state, standing)
    }

    /// Whether it may see this merchant, and asks for it.
    pub(crate) fn covers(&self, merchant: &Merchant) -> bool {
        self.merchants.as_ref().is_none_or(|all| all.contains(&merchant.id))
    }
}

impl<P: Permission> FromRequest for InSight<P> {
    type Error = Problem;
    type Future = Known<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (access, named) = match judged(request) {
            Ok(judged) => judged,
            Err(problem) => return Known::Left(ready(Err(problem))),
        };
        if let Some(id) = &named {
            speaks_for(request, id);
        }
        let (ids, unserved) = match (&named, &access.key.reach) {
            (Some(id), _) => (vec![id.clone()], Unserved::IsRefused),
            (None, Reach::All) => (Vec::new(), Unserved::IsLeftOut),
            (None, Reach::Merchants(listed)) => (listed.clone(), Unserved::IsLeftOut),
        };
        once_known(request, access, ids, unserved, move |access| {
            let only = filter(&access, named.as_deref())?;
            let merchants = match (&only, &access.key.reach) {
                (Some(merchant), _) => Some(BTreeSet::from([merchant.id.clone()])),
                (None, Reach::All) => None,
                (None, Reach::Merchants(listed)) => Some(listed.iter().cloned().collect()),
            };
            Ok(Self {
                access,
                only,
                merchants,
            })
        })
    }
}

/// A caller, and the merchant that the header names.
fn judged<P: Permission>(request: &HttpRequest) -> Result<(Access<P>, Option<String>), Problem> {
    let access = Access::judge(request)?;
    let named = given(request.headers())?.map(str::to_owned);
    Ok((access, named))
}

/// A caller who may do what the route does, and what the path names: `{merchant}/{name}`. A merchant that the key may
/// not speak for is not there.
#[derive(Debug)]
pub(crate) struct At<P> {
    access: Access<P>,
    /// Whose it is.
    pub(crate) merchant: Arc<Merchant>,
    /// What the merchant calls it.
    pub(crate) name: String,
}

impl<P> At<P> {
    /// To be asked for again.
    pub(crate) fn in_force(&self, state: &Arc<State>) -> CallerInForce {
        CallerInForce::new(state, self.standing.clone().for_merchant(&self.merchant.id))
    }
}

#[derive(Deserialize)]
struct Named {
    merchant: String,
    name: String,
}

impl<P: Permission> FromRequest for At<P> {
    type Error = Problem;
    type Future = Known<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (access, wanted) = match judged(request) {
            Ok(judged) => judged,
            Err(problem) => return Known::Left(ready(Err(problem))),
        };
        let Ok(named) = Path::<Named>::extract(request).into_inner() else {
            return Known::Left(ready(Err(Refusal::not_found("page").into())));
        };
        let named = named.into_inner();
        speaks_for(request, &named.merchant);
        let is_endpoint = request.path().starts_with("/v1/endpoints/");
        let ids = wanted.iter().chain([&named.merchant]).cloned().collect();
        once_known(request, access, ids, Unserved::IsRefused, move |access| {
            let wanted = filter(&access, wanted.as_deref())?;
            let merchant = within_reach(&access.key, &access.served, &named.merchant)
                .ok()
                .filter(|merchant| wanted.is_none_or(|wanted| wanted.id == merchant.id));
            let what = if is_endpoint { "endpoint" } else { "connection" };
            Ok(Self {
                merchant: merchant.ok_or_else(|| Refusal::not_found(what))?,
                name: named.name,
                access,
            })
        })
    }
}

/// Each of them is a caller first.
macro_rules! callers {
    ($($name:ident, $header:literal, $path:expr;)*) => {
        $(
            impl<P> Deref for $name<P> {
                type Target = Access<P>;

                fn deref(&self) -> &Access<P> {
                    &self.access
                }
            }

            /// What it reads of a request.
            impl<P> IntoParams for $name<P> {
                fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                    let path = $path.map(|(name, says)| parameter(name, ParameterIn::Path, says));
                    path.into_iter().chain([parameter(HEADER, ParameterIn::Header, $header)]).collect()
                }
            }
        )*
    };
}

callers! {
    ForMerchant, "For whom; required unless the key lists exactly one merchant", [];
    InSight, "Only this merchant's", [];
    At, "Has to be the path's merchant, if given", PATH;
}

const PATH: [(&str, &str); 2] = [
    ("merchant", "The merchant's id"),
    ("name", "The connection's or endpoint's name, as its list shows it"),
];

fn parameter(name: &str, place: ParameterIn, says: &str) -> Parameter {
    let in_path = matches!(place, ParameterIn::Path);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(if in_path { Required::True } else { Required::False })
        .schema(Some(String::schema()))
        .description(Some(says))
        .build()
}

/// The one merchant that the header names, if it is there.
fn filter<P>(access: &Access<P>, named: Option<&str>) -> Result<Option<Arc<Merchant>>, Problem> {
    named
        .map(|id| within_reach(&access.key, &access.served, id))
        .transpose()
}

/// A merchant that does not exist is answered like one that the key may not speak for.
fn within_reach(key: &Key, served: &ConfigSnapshot, id: &str) -> Result<Arc<Merchant>, Problem> {
    let merchant = served.directory.get(id).filter(|_| key.reach.covers(id));
    merchant.ok_or_else(forbidden)
}

fn given(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut all = headers.get_all(HEADER);
    let Some(first) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Problem::invalid_header(HEADER, "is given more than once"));
    }
    let id = first
        .to_str()
        .map_err(|_| Problem::invalid_header(HEADER, "is not visible ASCII"))?;
    Ok(Some(id.trim()))
}
