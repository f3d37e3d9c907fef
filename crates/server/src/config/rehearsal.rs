//! What upserts would be planned, from settings alone: without secrets, without a store, and calling nobody.

use std::sync::Arc;

use serde_json::Value as Json;

use upsert_app::{Directory, Gateway, GatewayParts};
use upsert_core::{Clock, Handling, SystemClock};
use upsert_provider_kit::Registry;
use upsert_settings::{Problem, Settings};
use upsert_store::MemoryStore;

use crate::config::builder::ConnectionBuilder;
use crate::config::day_counts::DayCounts;

/// A gateway that knows no customer and only plans.
#[derive(Debug)]
pub struct Rehearsal {
    gateway: Gateway,
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
        let gateway = Gateway::new(GatewayParts {
            store: Arc::new(MemoryStore::new()),
            clock,
            directory: assembled.directory,
            idempotency_keep: settings.server.idempotency_keep,
            spans: None,
        });
        Ok(Self { gateway })
    }

    /// As `POST /v1/customers/plan` answers where no customer is known yet; none if there is no such merchant.
    ///
    /// # Errors
    /// The problem document of what is refused.
    pub async fn plan(&self, merchant: &str, body: &Json, handling: Handling) -> Option<Result<Json, Json>> {
        let directory = self.gateway.directory();
        let merchant = directory.get(merchant)?;
        let plan = self.gateway.upserts.plan(merchant, body, handling, false).await;
        Some(plan.map_err(|refusal| refusal.document("", "")))
    }
}
