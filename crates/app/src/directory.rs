//! Who the merchants are, and what is configured for them: one unchanging snapshot a request.

pub(crate) mod merchant;
pub(crate) mod stored;
pub(crate) mod webhooks;
