//! What operators do with endpoints.

use serde_json::json;

use upsert_api::{AuditAction, Endpoint, EndpointTest};

use crate::directory::merchant::Merchant;
use crate::operations::Operations;
use crate::operations::acts::of_endpoint;
use crate::outbox::publish::body;
use crate::problem::Refusal;
use crate::runtime::tracing::Origin;

/// The `type` of an event that is sent on demand.
const TEST: &str = "gateway.test";

impl Operations {
    /// Sends an event of type `gateway.test`, once and now, and tells what came of it. Nothing of it is stored.
    ///
    /// # Errors
    /// 404.
    pub async fn test_endpoint(&self, merchant: &Merchant, name: &str, by: &str) -> Result<EndpointTest, Refusal> {
        let endpoint = merchant.endpoint(name).ok_or_else(|| Refusal::not_found("endpoint"))?;
        let act = of_endpoint(by, AuditAction::EndpointTest, &merchant.id, name);
        self.context.audit.record(&[act]).await?;
        tracing::info!(merchant = merchant.id, endpoint = name, by, "endpoint tested by hand");
        let id = self.context.ids.event(&merchant.id);
        let data = json!({ "merchant_id": merchant.id, "endpoint": endpoint.name });
        let body = body(TEST, self.context.clock.now(), &data);
        let trying = self
            .outbox
            .try_endpoint(&merchant.id, endpoint, (id, &body), Origin::None);
        let tried = trying.await;
        Ok(EndpointTest {
            id,
            delivered: tried.error.is_none(),
            status: tried.status,
            error: tried.error,
            duration_ms: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Has events go to a disabled endpoint again. What became a dead letter meanwhile is for a replay to bring.
    ///
    /// # Errors
    /// 404.
    pub async fn enable_endpoint(&self, merchant: &Merchant, name: &str, by: &str) -> Result<Endpoint, Refusal> {
        let endpoint = merchant.endpoint(name).ok_or_else(|| Refusal::not_found("endpoint"))?;
        let act = of_endpoint(by, AuditAction::EndpointEnable, &merchant.id, name);
        self.outbox.set_disabled(&merchant.id, name, None, &[act]).await?;
        tracing::warn!(merchant = merchant.id, endpoint = name, by, "endpoint enabled by hand");
        let open = self.context.store.open_outgoing().await?;
        Ok(self.context.endpoint_view(merchant, endpoint, &open))
    }
}
