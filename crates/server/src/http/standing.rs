//! Whether a caller still may do what it was let in for. A body that trickles in, a batch that stays open for hours: whatever
//! takes its time asks the configuration in force again before it does anything.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderValue};
use jiff::Timestamp;

use upsert_api::ProblemCode;
use upsert_core::Word as _;
use upsert_settings::{Reach, Scope};

use crate::config::key_store::{Found, Key, Keys};
use crate::http::problem::Problem;

/// What a caller was let in for.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// As it was then.
    key: Arc<Key>,
    /// What will do: the one scope or the other. Without any, any key will.
    scopes: [Option<Scope>; 2],
    /// The one merchant that it speaks for; none: all of the key's.
    merchant: Option<String>,
}

impl Standing {
    /// With this key. `for_all`: only a key for every merchant will do.
    ///
    /// # Errors
    /// 403: it may not.
    pub(crate) fn of(key: &Arc<Key>, scopes: [Option<Scope>; 2], for_all: bool) -> Result<Self, Problem> {
        let lacks_all = !scopes.iter().flatten().any(|scope| key.may(*scope));
        if let Some(scope) = scopes[0].filter(|_| lacks_all) {
            let detail = format!("the key lacks the scope `{}`", scope.as_str());
            return Err(Problem::new(ProblemCode::ScopeMissing, detail));
        }
        if for_all && key.reach != Reach::All {
            let detail = "this is about every merchant, and takes a key for every merchant (`*`)";
            return Err(Problem::new(ProblemCode::MerchantForbidden, detail));
        }
        Ok(Self {
            key: Arc::clone(key),
            scopes,
            merchant: None,
        })
    }

    /// The same for one merchant alone.
    pub(crate) fn for_merchant(self, id: &str) -> Self {
        Self {
            merchant: Some(id.to_owned()),
            ..self
        }
    }

    /// The caller's key as these keys have it, if it may do all of it still.
    ///
    /// # Errors
    /// 401: it is gone, or has expired by `now`; 403: it lacks the scope by now, or speaks for fewer merchants.
    pub(crate) fn among<'k>(&self, keys: &'k Keys, now: Timestamp) -> Result<&'k Arc<Key>, Problem> {
        let key = match keys.by_hash(&self.key.hash, now) {
            Found::Valid(key) => key,
            Found::Expired => return Err(unauthenticated("the API key has expired", true)),
            Found::Unknown => return Err(unauthenticated("the API key was removed", true)),
        };
        Self::of(key, self.scopes, false)?;
        let covers = match (&self.merchant, &self.key.reach) {
            (Some(merchant), _) => key.reach.covers(merchant),
            (None, Reach::All) => key.reach == Reach::All,
            (None, Reach::Merchants(all)) => all.iter().all(|merchant| key.reach.covers(merchant)),
        };
        if covers { Ok(key) } else { Err(forbidden()) }
    }
}

/// A merchant that does not exist is answered like one that the key may not speak for.
pub(crate) fn forbidden() -> Problem {
    let detail = "the key may not speak for this merchant";
    Problem::new(ProblemCode::MerchantForbidden, detail)
}

/// 401, as RFC 6750 has it. `was_given`: a key was, and is not valid.
pub(crate) fn unauthenticated(detail: &str, was_given: bool) -> Problem {
    let challenge = if was_given {
        HeaderValue::from_static("Bearer realm=\"upsert-gateway\", error=\"invalid_token\"")
    } else {
        HeaderValue::from_static("Bearer realm=\"upsert-gateway\"")
    };
    Problem::new(ProblemCode::Unauthenticated, detail).with(header::WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use upsert_settings::{ApiKey, Location, key_hash};

    use super::*;

    fn keys(merchants: &Reach, scopes: &[Scope], expires_at: Option<Timestamp>) -> Keys {
        let key = ApiKey {
            name: "crm".to_owned(),
            key_sha256: key_hash("secret"),
            merchants: merchants.clone(),
            scopes: scopes.to_vec(),
            rate_limit: None,
            expires_at,
            location: Location::whole("gateway.toml"),
        };
        Keys::new(&[key], &Keys::default())
    }

    fn listed(merchants: &[&str]) -> Reach {
        Reach::Merchants(merchants.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn whoever_was_let_in_stands_as_long_as_key_scope_and_merchants_do() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let (write, read) = ([Scope::CustomersWrite], [Scope::CustomersRead]);
        let both = listed(&["acme", "globex"]);
        let before = keys(&both, &write, None);
        let key = before.find("secret", now).valid().unwrap();
        let of_both = Standing::of(key, [Some(Scope::CustomersWrite), None], false).unwrap();
        let of_acme = of_both.clone().for_merchant("acme");
        for (after, both_stand, acme_stands) in [
            (keys(&both, &write, None), "stands", "stands"),
            (keys(&Reach::All, &write, None), "stands", "stands"),
            (keys(&listed(&["acme"]), &write, None), "merchant_forbidden", "stands"),
            (
                keys(&listed(&["globex"]), &write, None),
                "merchant_forbidden",
                "merchant_forbidden",
            ),
            (keys(&both, &read, None), "scope_missing", "scope_missing"),
            (keys(&both, &write, Some(now)), "unauthenticated", "unauthenticated"),
            (Keys::default(), "unauthenticated", "unauthenticated"),
        ] {
            let found = [&of_both, &of_acme].map(|standing| match standing.among(&after, now) {
                Ok(_) => "stands".to_owned(),
                Err(problem) => problem.refusal.code.to_string(),
            });
            assert_eq!(found, [both_stand, acme_stands]);
        }
    }
}
