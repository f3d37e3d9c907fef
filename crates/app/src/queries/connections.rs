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
        Ok(merchants
            .into_iter()
            .flat_map(|merchant| {
                merchant.connections.iter().map(|connection| {
                    let pause = self.context.connections.pause_of(&merchant.id, &connection.name);
                    self.context
                        .connection_view(&merchant.id, connection, pause.as_ref(), &counts)
                })
            })
            .collect())
    }
}
