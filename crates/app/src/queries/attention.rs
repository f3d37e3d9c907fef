//! What needs somebody, judged in one place: the API, the dashboard and the command line say the same.

use std::cmp::Reverse;
use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};

use upsert_api::{
    Action, Attention, AttentionCode, Connection, ConnectionState, Endpoint, EndpointState, PausedBy, Severity, Source,
    Subject, Webhooks,
};

use crate::directory::merchant::Merchant;
use crate::problem::Refusal;
use crate::queries::Queries;

/// What waits this long, in seconds, is looked at.
const LONG: i64 = 300;
/// What waits this long, in seconds, is bad.
const TOO_LONG: i64 = 3_600;
/// A quota is running out when no more than this part of it is left, in percent.
const NEARLY_SPENT: u32 = 10;
/// What helps where one call may show more, and where there is nothing to do but to look.
const CALL: &[Action] = &[Action::Try, Action::List];
const LOOK: &[Action] = &[Action::List];
/// Of a pause, whose it is: what is said of it, and what helps.
const BY_HAND: (&str, &[Action]) = ("paused by hand", &[Action::Resume]);
const BY_VENDOR: (&str, &[Action]) = (
    "the vendor refuses its credentials: put them right, or resume it; paused",
    &[Action::Try, Action::Resume],
);
/// Others' words may be long; this many characters of them are told.
const MOST_WORDS: usize = 160;

/// The last reading of the configuration was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigurationRefused {
    /// When.
    pub at: Timestamp,
    /// How many problems it had.
    pub problems: usize,
}

impl Queries {
    /// What needs somebody, of these merchants and of the gateway itself, worst first.
    ///
    /// # Errors
    /// The store failed.
    pub async fn attention(
        &self,
        may_see: impl Fn(&Merchant) -> bool,
        refused: Option<ConfigurationRefused>,
    ) -> Result<Vec<Attention>, Refusal> {
        let connections = self.connection_views(&may_see).await?;
        let webhooks = self.webhooks(may_see).await?;
        let now = self.context.clock.now();
        Ok(needs_attention(&connections, &webhooks, refused, now))
    }
}

/// What needs somebody of all this, worst first: one entry a subject.
pub fn needs_attention<'a>(
    connections: impl IntoIterator<Item = &'a Connection>,
    webhooks: &Webhooks,
    refused: Option<ConfigurationRefused>,
    now: Timestamp,
) -> Vec<Attention> {
    let configuration = refused.map(of_configuration);
    let connections = connections.into_iter().map(|connection| of_connection(connection, now));
    let endpoints = webhooks.endpoints.iter().map(|endpoint| of_endpoint(endpoint, now));
    let sources = webhooks.sources.iter().map(of_source);
    let webhooks = endpoints.chain(sources);
    let all = configuration.into_iter().chain(connections).chain(webhooks);
    let mut all: Vec<Ranked> = all.filter_map(Judged::finished).collect();
    all.sort_by(|one, other| one.rank().cmp(&other.rank()));
    all.into_iter().map(|ranked| ranked.entry).collect()
}

/// An entry, and how long the oldest of what waits for it has waited, in seconds.
struct Ranked {
    entry: Attention,
    age: u64,
}

impl Ranked {
    /// What concerns all of the gateway stands first, then what costs most: what waits times its age, then what was given up.
    /// Where that is alike, severity and the codes' own order say what is worse.
    fn rank(&self) -> impl Ord {
        let Attention {
            subject,
            severity,
            code,
            waiting,
            dead_letters,
            ..
        } = self.entry;
        let waits = waiting.saturating_mul(self.age.max(1));
        let (merchant, name) = (self.entry.merchant_id.clone(), self.entry.name.clone());
        let cost = (Reverse(waits), Reverse(dead_letters));
        (subject != Subject::Gateway, cost, severity, code, merchant, name)
    }
}

/// A subject, and what is wrong with it.
struct Judged {
    subject: Subject,
    merchant_id: Option<String>,
    name: String,
    waiting: u64,
    /// Of what waits longest, in seconds.
    age: Option<i64>,
    dead_letters: u64,
    findings: Vec<Finding>,
}

struct Finding {
    severity: Severity,
    code: AttentionCode,
    detail: String,
    since: Option<Timestamp>,
    actions: &'static [Action],
}

impl Judged {
    fn new(subject: Subject, merchant_id: Option<&String>, name: &str) -> Self {
        Self {
            subject,
            merchant_id: merchant_id.cloned(),
            name: name.to_owned(),
            waiting: 0,
            age: None,
            dead_letters: 0,
            findings: Vec::new(),
        }
    }

    fn add(
        &mut self,
        (severity, code): (Severity, AttentionCode),
        detail: String,
        since: Option<Timestamp>,
        actions: &'static [Action],
    ) {
        self.findings.push(Finding {
            severity,
            code,
            detail,
            since,
            actions,
        });
    }

    fn add_dead_letters(&mut self, since: Option<Timestamp>) {
        if self.dead_letters > 0 {
            let (of, became) = match self.subject {
                Subject::Connection => (("delivery", "deliveries"), "failed for good"),
                Subject::Source => (("event", "events"), "could not be taken"),
                _ => (("event", "events"), "could not be handed over"),
            };
            let detail = format!("{} {became}", counted(self.dead_letters, of));
            let actions = &[Action::List, Action::Replay, Action::Discard];
            self.add((Severity::Critical, AttentionCode::DeadLetters), detail, since, actions);
        }
    }

    fn add_waiting(&mut self, now: Timestamp) {
        if let Some(age) = self.age.filter(|age| *age >= LONG) {
            let severity = if age >= TOO_LONG {
                Severity::Critical
            } else {
                Severity::Warning
            };
            let detail = format!("{} waiting, the oldest for {}", grouped(self.waiting), lasting(age));
            let since = now.checked_sub(SignedDuration::from_secs(age)).ok();
            self.add((severity, AttentionCode::WaitingLong), detail, since, &[Action::List]);
        }
    }

    /// The worst stands first, and gives the entry its code.
    fn finished(mut self) -> Option<Ranked> {
        self.findings.sort_by_key(|finding| (finding.severity, finding.code));
        let worst = self.findings.first()?;
        let mut actions = Vec::new();
        for action in self.findings.iter().flat_map(|finding| finding.actions) {
            if !actions.contains(action) {
                actions.push(*action);
            }
        }
        let details: Vec<_> = self.findings.iter().map(|finding| &*finding.detail).collect();
        let entry = Attention {
            severity: worst.severity,
            code: worst.code,
            since: worst.since,
            detail: details.join("; "),
            merchant_id: self.merchant_id,
            subject: self.subject,
            name: self.name,
            waiting: self.waiting,
            dead_letters: self.dead_letters,
            actions,
        };
        let age = self.age.unwrap_or_default().try_into().unwrap_or_default();
        Some(Ranked { entry, age })
    }
}

fn of_configuration(refused: ConfigurationRefused) -> Judged {
    let problems = counted(refused.problems, ("problem", "problems"));
    let mut judged = Judged::new(Subject::Gateway, None, "configuration");
    judged.add(
        (Severity::Critical, AttentionCode::ConfigurationRefused),
        format!("the last reading of the files was refused with {problems}: what was in force before stays"),
        Some(refused.at),
        &[Action::CheckConfiguration],
    );
    judged
}

fn of_connection(connection: &Connection, now: Timestamp) -> Judged {
    let mut judged = Judged {
        waiting: connection.waiting,
        age: connection.oldest_waiting_seconds,
        dead_letters: connection.dead_letters,
        ..Judged::new(Subject::Connection, Some(&connection.merchant_id), &connection.name)
    };
    judged.add_state(connection, now);
    judged.add_dead_letters(None);
    // Of one that is down it is told already.
    if !connection.is_down() {
        judged.add_waiting(now);
    }
    let left = connection.left_percent().filter(|left| *left <= NEARLY_SPENT);
    if let Some(left) = left.filter(|_| connection.state != ConnectionState::QuotaSpent) {
        let detail = format!("{left} % of the day's calls are left");
        judged.add((Severity::Warning, AttentionCode::QuotaRunningOut), detail, None, &[]);
    }
    judged
}

impl Judged {
    fn add_state(&mut self, connection: &Connection, now: Timestamp) {
        use AttentionCode as Code;
        use Severity::{Critical, Warning};
        match connection.state {
            _ if connection.is_down() => {
                let (detail, since) = self.failing("down", connection, now);
                self.add((Critical, Code::BreakerOpen), detail, since, CALL);
            }
            // It is down.
            ConnectionState::Open | ConnectionState::Healthy => {}
            ConnectionState::Paused => {
                let (found, (what, actions)) = match connection.paused_by {
                    Some(PausedBy::Vendor) => ((Critical, Code::PausedByVendor), BY_VENDOR),
                    _ => ((Warning, Code::PausedByOperator), BY_HAND),
                };
                let (held, reason) = (self.held(), said(connection.pause_reason.as_deref()));
                let detail = format!("{what}{}{held}{reason}", lasting_since(connection.paused_since, now));
                self.add(found, detail, connection.paused_since, actions);
            }
            ConnectionState::QuotaSpent => {
                let limit = &connection.status.rate_limit;
                let opens_in = lasting(limit.opens_at.duration_since(now).as_secs());
                let of = limit
                    .per_day
                    .map_or_else(String::new, |per_day| format!(" of {per_day}"));
                let detail = format!(
                    "the day's calls are spent ({}{of}){}; the next ones open in {opens_in}, earlier only with a larger \
                     `per_day`",
                    limit.used_today,
                    self.held()
                );
                let actions = if limit.left_today == Some(0) { LOOK } else { CALL };
                self.add((Critical, Code::QuotaSpent), detail, None, actions);
            }
            ConnectionState::Throttled => {
                let detail = format!("the vendor asks to slow down{}", self.held());
                self.add((Warning, Code::Throttled), detail, None, &[Action::Try]);
            }
            ConnectionState::Degraded => self.add_faults(connection, now),
        }
    }

    /// Some of its calls failed. Where the last one did, that counts, however long ago it was: the window may be empty.
    fn add_faults(&mut self, connection: &Connection, now: Timestamp) {
        let breaker = &connection.status.breaker;
        let found = (Severity::Warning, AttentionCode::Degraded);
        if breaker.failing_since.is_some() {
            let (detail, since) = self.failing("failing", connection, now);
            self.add(found, detail, since, CALL);
        } else {
            let (faults, of) = (breaker.faults, breaker.calls);
            let detail = format!("{faults} of the last {of} calls failed by the vendor's fault");
            self.add(found, detail, None, LOOK);
        }
    }

    /// Such as `down for 6 min, 4,000 waiting, 503`, and since when.
    fn failing(&self, how: &str, connection: &Connection, now: Timestamp) -> (String, Option<Timestamp>) {
        let since = connection.status.breaker.failing_since;
        let answer = vendors_last_words(connection).map_or_else(String::new, |words| format!(", {words}"));
        let lasts = lasting_since(since, now);
        (format!("{how}{lasts}{}{answer}", self.held()), since)
    }

    /// What is held back, after a comma.
    fn held(&self) -> String {
        match self.waiting {
            0 => String::new(),
            waiting => format!(", {} waiting", grouped(waiting)),
        }
    }
}

/// What the vendor last answered, in few words: the one place that says so.
fn vendors_last_words(connection: &Connection) -> Option<String> {
    connection.status.breaker.failing_with.map(|status| status.to_string())
}

fn of_endpoint(endpoint: &Endpoint, now: Timestamp) -> Judged {
    let mut judged = Judged {
        waiting: endpoint.waiting,
        age: endpoint.oldest_waiting_seconds,
        dead_letters: endpoint.dead_letters,
        ..Judged::new(Subject::Endpoint, Some(&endpoint.merchant_id), &endpoint.name)
    };
    if endpoint.state == EndpointState::Disabled {
        let detail = "it said that it is gone (410), and is sent nothing; enable it once it is there again";
        let actions = &[Action::Enable, Action::Test];
        let found = (Severity::Critical, AttentionCode::EndpointDisabled);
        judged.add(found, detail.to_owned(), endpoint.disabled_since, actions);
    } else if endpoint.failures_in_a_row > 0 {
        let times = match endpoint.failures_in_a_row {
            1 => "it failed the last time".to_owned(),
            times => format!("it failed {times} times in a row"),
        };
        let detail = format!("{times}{}", said(endpoint.last_error.as_deref()));
        let found = (Severity::Warning, AttentionCode::EndpointFailing);
        judged.add(found, detail, None, &[Action::Test]);
    }
    judged.add_dead_letters(None);
    judged.add_waiting(now);
    judged
}

fn of_source(source: &Source) -> Judged {
    let mut judged = Judged::new(Subject::Source, Some(&source.merchant_id), &source.name);
    judged.dead_letters = source.dead_letters;
    judged.add_dead_letters(source.oldest_dead_letter_at);
    judged
}

/// So many of these, for people.
fn counted<N: Copy + PartialEq + From<u8> + Display>(count: N, (one, several): (&str, &str)) -> String {
    format!("{count} {}", if count == N::from(1) { one } else { several })
}

/// Somebody's words, after a colon.
fn said(words: Option<&str>) -> String {
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        return String::new();
    };
    match words.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!(": {}…", &words[..end]),
        None => format!(": {words}"),
    }
}

/// A number as people read it, such as `4,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Such as ` for 6 min`; nothing where nobody knows.
fn lasting_since(since: Option<Timestamp>, now: Timestamp) -> String {
    since.map_or_else(String::new, |since| {
        format!(" for {}", lasting(now.duration_since(since).as_secs()))
    })
}

/// Seconds, for people.
fn lasting(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3_600 % 24, seconds / 86_400);
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests;
