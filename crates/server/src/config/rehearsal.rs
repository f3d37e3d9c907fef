//! What upserts would be planned, from settings alone: without secrets, without a store, and calling nobody.

use std::sync::Arc;

use serde_json::Value as Json;

use upsert_api::Plan;
use upsert_app::{Directory, Refusal, rehearse};
use upsert_core::{Clock, Handling, IdSource, SystemClock};
use upsert_provider_kit::Registry;
use upsert_settings::{Problem, Settings};

use crate::config::builder::ConnectionBuilder;
use crate::config::day_counts::DayCounts;

/// Plans for customers whom nobody knows.
#[derive(Debug)]
pub struct Rehearsal {
    directory: Directory,
    ids: IdSource,
}

impl Rehearsal {
    /// Builds every merchant of settings that were read well. Secrets may have been skipped.
    ///
    /// # Errors
    /// Everything that providers refuse, each with file and line.
    pub fn new(settings: &Settings, registry: Registry) -> Result<Self, Vec<Problem>> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let builder = ConnectionBuilder::new(registry, Arc::clone(&clock));
        let assembled = builder.assemble(settings, &Directory::default(), &DayCounts::default())?;
        Ok(Self {
            directory: assembled.directory,
            ids: IdSource::new(clock),
        })
    }

    /// As `POST /v1/customers/plan` answers where no customer is known yet; none if there is no such merchant.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn plan(&self, merchant: &str, body: &Json, handling: Handling) -> Option<Result<Plan, upsert_api::Problem>> {
        let merchant = self.directory.get(merchant)?;
        let problem = |refusal: Refusal| refusal.problem("", "");
        Some(rehearse(&merchant, body, handling, &self.ids).map_err(problem))
    }
}
