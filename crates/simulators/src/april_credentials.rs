//! Who may do what at April, and for which merchant.

use crate::april_answers::refusal;
use crate::wire::{Call, Reply};

/// A credential for `Authorization: Bearer`.
#[derive(Clone)]
pub enum AprilCredential {
    /// A merchant's secret key, which implies the merchant; reads are not open to it.
    Secret {
        /// Such as `sandbox_sk_…`.
        token: String,
        /// The merchant, `mcht_…`.
        merchant: String,
    },
    /// A marketplace key, which needs `Merchant-Id` to write.
    Marketplace {
        /// Such as `sandbox_api_…`.
        token: String,
        /// The merchants it may act for; empty for all.
        merchants: Vec<String>,
    },
    /// A public key, which may do nothing here.
    Public {
        /// Such as `sandbox_pk_…`.
        token: String,
    },
}

impl AprilCredential {
    /// What is sent behind `Bearer`.
    pub(crate) fn token(&self) -> &str {
        match self {
            Self::Secret { token, .. } | Self::Marketplace { token, .. } | Self::Public { token } => token,
        }
    }
}

/// The merchant a write is for: the credential's, or the one of `Merchant-Id` where the credential may act for it.
pub(crate) fn merchant_of(credential: &AprilCredential, call: &Call<'_>) -> Result<String, Reply> {
    let asked = call.header("merchant-id").filter(|merchant| !merchant.is_empty());
    match (credential, asked) {
        (AprilCredential::Secret { merchant, .. }, None) => Ok(merchant.clone()),
        (AprilCredential::Secret { merchant, .. }, Some(asked)) if asked == merchant => Ok(merchant.clone()),
        (AprilCredential::Marketplace { .. }, None) => Err(refusal(400, Some("Merchant-Id is required"))),
        (AprilCredential::Marketplace { merchants, .. }, Some(asked))
            if merchants.is_empty() || merchants.iter().any(|it| it == asked) =>
        {
            Ok(asked.to_owned())
        }
        _ => Err(refusal(403, None)),
    }
}

/// The merchants a credential may read, empty for all. Only a marketplace key is listed for reads.
pub(crate) fn readable(credential: &AprilCredential) -> Result<Vec<String>, Reply> {
    match credential {
        AprilCredential::Marketplace { merchants, .. } => Ok(merchants.clone()),
        AprilCredential::Secret { .. } | AprilCredential::Public { .. } => Err(refusal(403, None)),
    }
}
