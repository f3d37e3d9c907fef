//! Who has signed in, in memory: a restart signs everybody out. The browser holds a random token; what is kept of it here
//! is its hash.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use rand::RngCore as _;

use upsert_core::Clock;
use upsert_settings::key_hash;

/// The cookie.
pub(crate) const COOKIE: &str = "upsert_gateway_session";

/// Nobody looked for so long: the session ends.
const IDLE: SignedDuration = SignedDuration::from_hours(2);
/// It ends in any case.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// So many at a time; the one that was used longest ago makes room.
const MOST: usize = 1_024;

/// One thing that a page tells once: what became of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Whether it went wrong.
    pub(crate) is_problem: bool,
    /// A sentence.
    pub(crate) text: String,
}

#[derive(Debug)]
struct Session {
    key_hash: [u8; 32],
    since: Timestamp,
    seen: Timestamp,
    notice: Option<Notice>,
}

/// A session's name in memory: the hash of the browser's token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId([u8; 32]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

impl SessionId {
    /// Of what the browser sent.
    pub(crate) fn of(token: &str) -> Self {
        Self(key_hash(token))
    }
}

/// All sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<SessionId, Session>>,
}

impl Sessions {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            open: Mutex::default(),
        }
    }

    /// Begins one for this key; the token is for the browser's cookie.
    pub(crate) fn begin(&self, key: [u8; 32]) -> String {
        let mut random = [0_u8; 32];
        rand::rng().fill_bytes(&mut random);
        let token = BASE64URL_NOPAD.encode(&random);
        let now = self.clock.now();
        let mut open = self.open();
        open.retain(|_, session| session.lives_at(now));
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| *id)
        {
            open.remove(&oldest);
        }
        let session = Session {
            key_hash: key,
            since: now,
            seen: now,
            notice: None,
        };
        open.insert(SessionId::of(&token), session);
        token
    }

    /// The key of a session that has not ended. `is_looked_at`: whether a person did this, so that it is not idle.
    pub(crate) fn key(&self, id: SessionId, is_looked_at: bool) -> Option<[u8; 32]> {
        let now = self.clock.now();
        let mut open = self.open();
        let session = open.get_mut(&id).filter(|session| session.lives_at(now))?;
        if is_looked_at {
            session.seen = now;
        }
        Some(session.key_hash)
    }

    pub(crate) fn end(&self, id: SessionId) {
        self.open().remove(&id);
    }

    /// To be told on the next page.
    pub(crate) fn tell(&self, id: SessionId, notice: Notice) {
        if let Some(session) = self.open().get_mut(&id) {
            session.notice = Some(notice);
        }
    }

    /// What is to be told, once.
    pub(crate) fn told(&self, id: SessionId) -> Option<Notice> {
        self.open().get_mut(&id)?.notice.take()
    }

    fn open(&self) -> MutexGuard<'_, HashMap<SessionId, Session>> {
        self.open.lock()
    }
}

impl Session {
    fn lives_at(&self, now: Timestamp) -> bool {
        now.duration_since(self.seen) < IDLE && now.duration_since(self.since) < LONGEST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Hands(Mutex<Timestamp>);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            *self.0.lock()
        }
    }

    impl Hands {
        fn turn(&self, by: SignedDuration) {
            let mut now = self.0.lock();
            *now = now.checked_add(by).unwrap();
        }
    }

    fn sessions() -> (Arc<Hands>, Sessions) {
        let hands = Arc::new(Hands(Mutex::new(Timestamp::UNIX_EPOCH)));
        (hands.clone(), Sessions::new(hands))
    }

    #[test]
    fn a_session_ends_when_nobody_looks_and_after_its_longest_time_in_any_case() {
        let (hands, sessions) = sessions();
        let id = SessionId::of(&sessions.begin([7; 32]));
        hands.turn(IDLE - SignedDuration::from_secs(1));
        assert_eq!(sessions.key(id, true), Some([7; 32]));
        hands.turn(IDLE - SignedDuration::from_secs(1));
        assert_eq!(sessions.key(id, false), Some([7; 32]));
        hands.turn(SignedDuration::from_secs(2));
        assert_eq!(
            sessions.key(id, true),
            None,
            "what a page asks for by itself is no look"
        );

        let id = SessionId::of(&sessions.begin([7; 32]));
        for _hour in 0..12 {
            assert!(sessions.key(id, true).is_some());
            hands.turn(SignedDuration::from_hours(1));
        }
        assert_eq!(sessions.key(id, true), None);
    }

    #[test]
    fn a_notice_is_told_once_and_a_session_that_was_ended_is_gone() {
        let (_hands, sessions) = sessions();
        let (token, other) = (sessions.begin([7; 32]), sessions.begin([8; 32]));
        assert_ne!(token, other);
        let id = SessionId::of(&token);
        let notice = Notice {
            is_problem: false,
            text: "done".to_owned(),
        };
        sessions.tell(id, notice.clone());
        assert_eq!((sessions.told(id), sessions.told(id)), (Some(notice), None));
        sessions.end(id);
        assert_eq!(sessions.key(id, true), None);
        assert_eq!(sessions.key(SessionId::of(&other), true), Some([8; 32]));
    }

    #[test]
    fn there_are_never_more_sessions_than_may_be() {
        let (hands, sessions) = sessions();
        let first = SessionId::of(&sessions.begin([1; 32]));
        for _another in 0..MOST {
            hands.turn(SignedDuration::from_millis(1));
            sessions.begin([2; 32]);
        }
        assert_eq!(sessions.open().len(), MOST);
        assert_eq!(sessions.key(first, true), None);
    }
}
