//! What is asked and changes nothing.

pub(crate) mod attention;
pub(crate) mod backlog;
pub(crate) mod connections;
pub(crate) mod customers;
pub(crate) mod deliveries;
pub(crate) mod endings;
pub(crate) mod events;
pub(crate) mod failures;
pub(crate) mod page;

use crate::context::Context;
use crate::upsert::Upserts;

/// Answers questions.
#[derive(Debug, Clone)]
pub struct Queries {
    context: Context,
    upserts: Upserts,
}

impl Queries {
    pub(crate) fn new(upserts: Upserts, context: Context) -> Self {
        Self { context, upserts }
    }
}
