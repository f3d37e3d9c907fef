//! What needs somebody, judged in one place: the API, the dashboard and the command line say the same.

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
    let mut all: Vec<Attention> = all.filter_map(Judged::finished).collect();
    // Within a severity the codes' own order says what is worse.
    all.sort_by(|one, other| {
        let key = |it: &Attention| (it.severity, it.code);
        key(one)
            .cmp(&key(other))
            .then_with(|| (&one.merchant_id, &one.name).cmp(&(&other.merchant_id, &other.name)))
    });
    all
}

/// A subject, and what is wrong with it.
struct Judged {
    subject: Subject,
    merchant_id: Option<String>,
    name: String,
    waiting: u64,
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

    fn add_waiting(&mut self, oldest_seconds: Option<i64>, now: Timestamp) {
        if let Some(age) = oldest_seconds.filter(|age| *age >= LONG) {
            let severity = if age >= TOO_LONG {
                Severity::Critical
            } else {
                Severity::Warning
            };
            let detail = format!("{} waiting, the oldest for {}", self.waiting, lasting(age));
            let since = now.checked_sub(SignedDuration::from_secs(age)).ok();
            self.add((severity, AttentionCode::WaitingLong), detail, since, &[Action::List]);
        }
    }

    /// The worst stands first, and gives the entry its code.
    fn finished(mut self) -> Option<Attention> {
        self.findings.sort_by_key(|finding| (finding.severity, finding.code));
        let worst = self.findings.first()?;
        let mut actions = Vec::new();
        for action in self.findings.iter().flat_map(|finding| finding.actions) {
            if !actions.contains(action) {
                actions.push(*action);
            }
        }
        let details: Vec<_> = self.findings.iter().map(|finding| &*finding.detail).collect();
        Some(Attention {
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
        })
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
        dead_letters: connection.dead_letters,
        ..Judged::new(Subject::Connection, Some(&connection.merchant_id), &connection.name)
    };
    judged.add_state(connection, now);
    judged.add_dead_letters(None);
    judged.add_waiting(connection.oldest_waiting_seconds, now);
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
        let breaker = &connection.status.breaker;
        let (faults, calls) = (breaker.faults, breaker.calls);
        let of_breaker = || format!("{faults} of the last {calls} calls failed by the vendor's fault");
        match connection.state {
            ConnectionState::Healthy => {}
            ConnectionState::Paused => {
                let (found, what) = match connection.paused_by {
                    Some(PausedBy::Vendor) => (
                        (Critical, Code::PausedByVendor),
                        "paused: the vendor refuses its credentials; put them right, or resume it",
                    ),
                    _ => ((Warning, Code::PausedByOperator), "paused by hand"),
                };
                let detail = format!("{what}{}", said(connection.pause_reason.as_deref()));
                self.add(found, detail, connection.paused_since, &[Action::Resume]);
            }
            ConnectionState::Open => {
                let why = match calls {
                    // Once it is open it counts anew.
                    0 => String::new(),
                    _ => format!(": {}", of_breaker()),
                };
                let detail = format!("the vendor fails{why}; calls are held back, and tried one by one");
                self.add((Critical, Code::BreakerOpen), detail, None, &[Action::List]);
            }
            ConnectionState::QuotaSpent => {
                let limit = &connection.status.rate_limit;
                let opens_in = lasting(limit.opens_at.duration_since(now).as_secs());
                let of = limit
                    .per_day
                    .map_or_else(String::new, |per_day| format!(" of {per_day}"));
                let detail = format!(
                    "the day's calls are spent ({}{of}); the next ones open in {opens_in}, earlier only with a larger \
                     `per_day`",
                    limit.used_today
                );
                self.add((Critical, Code::QuotaSpent), detail, None, &[Action::List]);
            }
            ConnectionState::Throttled => {
                let detail = "the vendor asks to slow down".to_owned();
                self.add((Warning, Code::Throttled), detail, None, &[]);
            }
            ConnectionState::Degraded => self.add((Warning, Code::Degraded), of_breaker(), None, &[]),
        }
    }
}

fn of_endpoint(endpoint: &Endpoint, now: Timestamp) -> Judged {
    let mut judged = Judged {
        waiting: endpoint.waiting,
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
    judged.add_waiting(endpoint.oldest_waiting_seconds, now);
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
