//! Certificates of erasures.

use upsert_api::Erasure;
use upsert_core::ErasureId;
use upsert_store::ErasureRecord;

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::queries::Queries;
use crate::view::erasure::{Ids, certificate};

impl Queries {
    /// The certificate of an erasure, without the vendors' ids: they are for whoever erases.
    ///
    /// # Errors
    /// 404.
    pub async fn get_erasure(&self, merchant: &Merchant, id: ErasureId) -> Result<Erasure, Refusal> {
        let erasure = self.known_erasure(merchant, id).await?;
        Ok(certificate(&erasure, Ids::Left, self.context.signing_key.as_ref()))
    }

    pub(crate) async fn known_erasure(&self, merchant: &Merchant, id: ErasureId) -> Result<ErasureRecord, Refusal> {
        let erasure = self.context.store.erasure(&merchant.id, id).await?;
        erasure.ok_or_else(|| Refusal::not_found("erasure"))
    }
}
