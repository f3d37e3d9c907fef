//! `GET /v1/connections`.

use upsert_api::Connection;
use upsert_store::StoreError;

use crate::directory::merchant::Merchant;
use crate::queries::Queries;

impl Queries {
    /// Every connection of these merchants with its health and what waits for it.
    ///
    /// # Errors
    /// The store failed.
    pub async fn connection_views(&self, may_see: impl Fn(&Merchant) -> bool) -> Result<Vec<Connection>, StoreError> {
        let counts = self.context.counts().await?;
        let directory = self.context.directory();
        let mut merchants: Vec<_> = directory.iter().filter(|merchant| may_see(merchant)).collect();
        merchants.sort_by(|a, b| a.id.cmp(&b.id));
        let mut views = Vec::new();
        for merchant in merchants {
            let own = merchant.connections.iter();
            views.extend(own.map(|connection| self.context.view_now(&merchant.id, connection, &counts)));
        }
        Ok(views)
    }
}
