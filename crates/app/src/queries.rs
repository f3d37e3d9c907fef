//! What is asked and changes nothing.

pub(crate) mod attention;
pub(crate) mod audit;
pub(crate) mod backlog;
pub(crate) mod connections;
pub(crate) mod customers;
pub(crate) mod deliveries;
pub(crate) mod endings;
pub(crate) mod erasures;
pub(crate) mod events;
pub(crate) mod failures;
pub(crate) mod incidents;
pub(crate) mod names;
pub(crate) mod page;

use std::collections::BTreeSet;

use crate::context::Context;
use crate::upsert::Upserts;

/// Whose things may be seen; none: all merchants'.
pub(crate) type Merchants<'a> = Option<&'a BTreeSet<String>>;

/// Answers questions.
#[derive(Debug, Clone)]
pub struct Queries {
    context: Context,
    upserts: Upserts,
}

impl Queries {
    pub(crate) fn new(context: &Context) -> Self {
        Self {
            context: context.clone(),
            upserts: Upserts::new(context),
        }
    }
}
