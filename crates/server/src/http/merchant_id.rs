//! For whom: the `Merchant-Id` header, or the only merchant that the key lists.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpRequest};

use upsert_api::ProblemCode;
use upsert_app::{Merchant, Refusal};
use upsert_settings::Reach;

use crate::config::key_store::Key;
use crate::config::snapshot::ConfigSnapshot;
use crate::http::access::{Access, Permission};
use crate::http::problem::Problem;

const HEADER: &str = "Merchant-Id";

/// A caller who may do what the route does, and the merchant it speaks for.
#[derive(Debug)]
pub(crate) struct ForMerchant<P> {
    /// Who calls.
    pub(crate) access: Access<P>,
    /// For whom: one unchanging snapshot for the whole request.
    pub(crate) merchant: Arc<Merchant>,
}

impl<P: Permission> FromRequest for ForMerchant<P> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Access::judge(request).and_then(|access| {
            let merchant = required(&access, request.headers())?;
            Ok(Self { access, merchant })
        }))
    }
}

fn required<P>(access: &Access<P>, headers: &HeaderMap) -> Result<Arc<Merchant>, Problem> {
    let id = match given(headers)? {
        Some(id) => id,
        None => access.key.only_merchant().ok_or_else(|| {
            let detail = "the key may speak for several merchants: say for which in `Merchant-Id`";
            Problem::new(ProblemCode::MerchantRequired, detail)
        })?,
    };
    within_reach(&access.key, &access.served, id).cloned()
}

/// On connections and deliveries the header is a filter: the one merchant it names, if it is there.
pub(crate) fn filter<P>(access: &Access<P>, headers: &HeaderMap) -> Result<Option<Arc<Merchant>>, Problem> {
    given(headers)?
        .map(|id| within_reach(&access.key, &access.served, id).cloned())
        .transpose()
}

/// On deliveries too: whose the caller may see. None: everybody's, those of merchants that are not configured any more
/// as well.
pub(crate) fn in_sight<P>(access: &Access<P>, headers: &HeaderMap) -> Result<Option<BTreeSet<String>>, Problem> {
    Ok(match (filter(access, headers)?, &access.key.reach) {
        (Some(merchant), _) => Some(BTreeSet::from([merchant.id.clone()])),
        (None, Reach::All) => None,
        (None, Reach::Merchants(listed)) => Some(listed.iter().cloned().collect()),
    })
}

/// A merchant named in a path: one that the key may not speak for is not there.
pub(crate) fn in_path<P>(
    access: &Access<P>,
    headers: &HeaderMap,
    id: &str,
    what: &str,
) -> Result<Arc<Merchant>, Problem> {
    let wanted = filter(access, headers)?;
    within_reach(&access.key, &access.served, id)
        .ok()
        .filter(|merchant| wanted.is_none_or(|wanted| wanted.id == merchant.id))
        .cloned()
        .ok_or_else(|| Refusal::not_found(what).into())
}

/// A merchant that does not exist is answered like one that the key may not speak for.
fn within_reach<'a>(key: &Key, served: &'a ConfigSnapshot, id: &str) -> Result<&'a Arc<Merchant>, Problem> {
    served
        .directory
        .get(id)
        .filter(|merchant| key.reach.covers(&merchant.id))
        .ok_or_else(|| {
            let detail = "the key may not speak for this merchant";
            Problem::new(ProblemCode::MerchantForbidden, detail)
        })
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
