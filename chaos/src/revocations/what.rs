//! What is taken away, and how soon nothing may go out by it.

use std::time::Duration;

/// After a reload, until when something may still go out by what is revoked.
pub const GRACE: Duration = Duration::from_secs(2);

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revocation {
    /// The key is not listed any more.
    KeyRemoved,
    /// The key's time is over.
    KeyExpired,
    /// The key may do nothing any more but look at providers.
    ScopesLost,
    /// The key speaks for another merchant.
    MerchantLost,
    /// The connection is not there any more.
    ConnectionRemoved,
    /// The connection has another credential.
    CredentialChanged,
    /// The endpoint is not there any more.
    EndpointRemoved,
}

impl Revocation {
    pub(in super::super) const OF_KEYS: [Self; 4] =
        [Self::KeyRemoved, Self::KeyExpired, Self::ScopesLost, Self::MerchantLost];
    pub(in super::super) const OF_CONNECTIONS: [Self; 2] = [Self::ConnectionRemoved, Self::CredentialChanged];
}
