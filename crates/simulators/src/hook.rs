//! Whom a vendor tells of changes.

use std::fmt;

use serde::Deserialize;

/// When an event of an API call goes out. An edit in the vendor's screen has no answer: its events go at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookTime {
    /// It is started before the call is answered and not waited for: it may arrive first.
    BeforeAnswer,
    /// A few milliseconds after the last byte of the answer was handed over, or after the connection broke.
    #[default]
    AfterAnswer,
}

/// A place that is told.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Where the events are posted.
    pub url: String,
    /// The secret of Standard Webhooks: `whsec_` and the base64 of 24 to 64 bytes.
    pub secret: String,
    /// Only of edits and seeds, not of what came by the vendor's API: nothing ever echoes.
    #[serde(default)]
    pub only_edits: bool,
    /// How often each event is sent (default 1), whatever is answered.
    #[serde(default = "once")]
    pub copies: u32,
    /// Each copy waits a random time up to this many milliseconds (default 0), so that events overtake each other.
    #[serde(default)]
    pub shuffle_ms: u64,
    /// When an event of an API call goes out.
    #[serde(default)]
    pub when: HookTime,
}

fn once() -> u32 {
    1
}

impl Hook {
    /// A hook that gets every event once, after the answer.
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secret: secret.into(),
            only_edits: false,
            copies: once(),
            shuffle_ms: 0,
            when: HookTime::default(),
        }
    }
}

/// Without the secret.
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("url", &self.url).finish_non_exhaustive()
    }
}
