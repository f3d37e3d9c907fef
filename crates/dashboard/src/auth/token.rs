//! What the browser holds of a session: a random token. The store keeps its hash alone.

use data_encoding::BASE64URL_NOPAD;
use rand::RngCore as _;

use upsert_app::SessionId;
use upsert_settings::key_hash;

/// The cookie.
pub(crate) const COOKIE: &str = "upsert_gateway_session";

/// Bytes of a token.
const LENGTH: usize = 32;

/// A new one, and the session that it is of: nobody can guess it, so a plain hash of it is as good as a slow one.
pub(crate) fn new_token() -> (String, SessionId) {
    let mut random = [0_u8; LENGTH];
    rand::rng().fill_bytes(&mut random);
    let token = BASE64URL_NOPAD.encode(&random);
    let session = SessionId(key_hash(&token));
    (token, session)
}

/// The session that the browser's token is of; none: it looks like none that was ever given.
pub(crate) fn session_of(token: &str) -> Option<SessionId> {
    let mut bytes = [0; LENGTH];
    let is_of_ours = BASE64URL_NOPAD.decode_len(token.len()) == Ok(LENGTH)
        && BASE64URL_NOPAD.decode_mut(token.as_bytes(), &mut bytes) == Ok(LENGTH);
    is_of_ours.then(|| SessionId(key_hash(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_new_each_time_and_its_session_does_not_tell_it() {
        let ((one, session), (other, other_session)) = (new_token(), new_token());
        assert!(one != other && one.len() == 43, "{one} {other}");
        assert_eq!(session_of(&one), Some(session));
        assert_ne!(session, other_session);
        assert_eq!(format!("{session:?}"), "SessionId(…)");
    }

    #[test]
    fn what_was_never_given_to_a_browser_is_no_session() {
        let (token, _) = new_token();
        for made_up in [
            "",
            "x",
            &token[1..],
            &format!("{token}A"),
            &"=".repeat(43),
            &"ä".repeat(21),
        ] {
            assert_eq!(session_of(made_up), None, "{made_up}");
        }
    }
}
