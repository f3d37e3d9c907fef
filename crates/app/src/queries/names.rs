//! Names in filters: one that nothing has is an error, and not an empty list.

use std::collections::BTreeSet;

use upsert_core::Problem;
use upsert_store::StoreError;

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::queries::Queries;

/// Of more merchants it is not looked who has it: each may have to be read.
const MOST_MERCHANTS: usize = 20;

/// What a filter names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    Connection,
    Source,
    Endpoint,
}

impl Named {
    const fn parameter(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Source => "source",
            Self::Endpoint => "endpoint",
        }
    }

    fn is_at(self, merchant: &Merchant, name: &str) -> bool {
        match self {
            Self::Connection => merchant.connection(name).is_some(),
            Self::Source => merchant.source(name).is_some(),
            Self::Endpoint => merchant.endpoint(name).is_some(),
        }
    }
}

impl Queries {
    /// What is wrong with a filter of a list that is empty, where it names what none of these merchants (none: of all) has. What
    /// has left the configuration and still has entries is found.
    pub(crate) async fn unknown(
        &self,
        merchants: Option<&BTreeSet<String>>,
        named: Named,
        name: Option<&str>,
    ) -> Result<Option<Problem>, StoreError> {
        let Some(name) = name else { return Ok(None) };
        Ok((!self.may_exist(merchants, named, name).await?).then(|| {
            let what = named.parameter();
            let detail = format!("there is no such {what}, and nothing is left of one");
            Problem::new(what, "unknown_value", detail)
        }))
    }

    /// The same, as the refusal of a request that asked for the list.
    pub(crate) async fn known(
        &self,
        merchants: Option<&BTreeSet<String>>,
        named: Named,
        name: Option<&str>,
    ) -> Result<(), Refusal> {
        match self.unknown(merchants, named, name).await? {
            Some(problem) => Err(Refusal::invalid_query(vec![problem])),
            None => Ok(()),
        }
    }

    async fn may_exist(
        &self,
        merchants: Option<&BTreeSet<String>>,
        named: Named,
        name: &str,
    ) -> Result<bool, StoreError> {
        let Some(merchants) = merchants else {
            let all = self.context.directory();
            return Ok(all.iter().any(|merchant| named.is_at(&merchant, name))
                || !self.context.store.merchants(None, 1).await?.is_empty());
        };
        if merchants.len() > MOST_MERCHANTS {
            return Ok(true);
        }
        for id in merchants {
            // One that cannot be served just now may have it.
            let Ok(directory) = self.context.directory_with(id).await else {
                return Ok(true);
            };
            if directory.get(id).is_some_and(|merchant| named.is_at(&merchant, name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
