//! What the browser holds of a session: a random token. The store keeps its hash alone.

use data_encoding::BASE64URL_NOPAD;
use rand::RngCore as _;

use upsert_app::SessionId;
use upsert_settings::key_hash;

/// The cookie.
pub(crate) const COOKIE: &str = "upsert_gateway_session";

/// A new one: nobody can guess it, so a plain hash of it is as good as a slow one.
pub(crate) fn new_token() -> String {
    let mut random = [0_u8; 32];
    rand::rng().fill_bytes(&mut random);
    BASE64URL_NOPAD.encode(&random)
}

/// The session that the browser's token is of.
pub(crate) fn session_of(token: &str) -> SessionId {
    SessionId(key_hash(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_new_each_time_and_its_session_does_not_tell_it() {
        let (one, other) = (new_token(), new_token());
        assert!(one != other && one.len() == 43, "{one} {other}");
        assert_eq!(session_of(&one), session_of(&one));
        assert_ne!(session_of(&one), session_of(&other));
        assert_eq!(format!("{:?}", session_of(&one)), "SessionId(…)");
    }
}
