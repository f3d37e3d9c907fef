//! What needs somebody's attention, the worst first.

use jiff::Timestamp;

use crate::live::snapshots::Snapshot;
use crate::query::address;
use crate::render::{count, lasting};
use crate::shapes::connection::Connection;
use crate::shapes::webhooks::{Endpoint, Source};

/// What waits this long is looked at.
const LONG: i64 = 300;
/// What waits this long is bad.
const TOO_LONG: i64 = 3_600;
/// A quota is running out when no more than this part of it is left, in percent.
const NEARLY_SPENT: u32 = 10;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Something does not arrive.
    Bad,
    /// It may come to that.
    Warning,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attention {
    pub(crate) severity: Severity,
    /// Whose: `acme / rotor`.
    pub(crate) whose: String,
    /// What, in a sentence.
    pub(crate) what: String,
    /// Where it is put right.
    pub(crate) link: String,
}

impl Attention {
    pub(crate) fn class(&self) -> &'static str {
        match self.severity {
            Severity::Bad => "bad",
            Severity::Warning => "warn",
        }
    }
}

/// Of everything that may be seen. `refused_with`: the problems that the last reading of the configuration had, if it was
/// refused; it concerns everybody.
pub(crate) fn attention(
    snapshot: &Snapshot,
    refused_with: Option<usize>,
    covers: impl Fn(&str) -> bool,
) -> Vec<Attention> {
    let mut all: Vec<Attention> = refused_with.map(of_configuration).into_iter().collect();
    for connection in snapshot
        .connections
        .iter()
        .filter(|connection| covers(&connection.merchant_id))
    {
        of_connection(connection, snapshot.at, &mut all);
    }
    for endpoint in snapshot
        .webhooks
        .endpoints
        .iter()
        .filter(|endpoint| covers(&endpoint.merchant_id))
    {
        of_endpoint(endpoint, &mut all);
    }
    for source in snapshot
        .webhooks
        .sources
        .iter()
        .filter(|source| covers(&source.merchant_id))
    {
        of_source(source, &mut all);
    }
    all.sort_by(|one, other| (one.severity, &one.whose).cmp(&(other.severity, &other.whose)));
    all
}

fn of_configuration(problems: usize) -> Attention {
    let problems = match problems {
        1 => "1 problem".to_owned(),
        several => format!("{several} problems"),
    };
    Attention {
        severity: Severity::Bad,
        whose: "configuration".to_owned(),
        what: format!("the last reading of the files was refused with {problems}: what was in force before stays"),
        link: "/ops/configuration".to_owned(),
    }
}

fn of_connection(connection: &Connection, now: Timestamp, all: &mut Vec<Attention>) {
    let mut add = |severity, what: String, link: String| {
        all.push(Attention {
            severity,
            whose: format!("{} / {}", connection.merchant_id, connection.name),
            what,
            link,
        });
    };
    let page = connection.path();
    match (connection.state.as_str(), connection.paused_by.as_deref()) {
        ("paused", Some("vendor")) => add(
            Severity::Bad,
            "paused: the vendor refuses its credentials".to_owned(),
            page.clone(),
        ),
        ("paused", _) => add(Severity::Warning, "paused by hand".to_owned(), page.clone()),
        ("open", _) => add(
            Severity::Bad,
            "the vendor fails: calls are held back, and tried one by one".to_owned(),
            page.clone(),
        ),
        ("quota_spent", _) => add(
            Severity::Bad,
            format!(
                "the day's calls are spent; the next ones open in {}",
                lasting(connection.rate_limit.opens_at.duration_since(now).as_secs())
            ),
            page.clone(),
        ),
        ("throttled", _) => add(
            Severity::Warning,
            "the vendor asks to slow down".to_owned(),
            page.clone(),
        ),
        ("degraded", _) => add(
            Severity::Warning,
            format!(
                "{} of the last {} calls failed by the vendor's fault",
                connection.breaker.faults, connection.breaker.calls
            ),
            page.clone(),
        ),
        _ => {}
    }
    if connection.dead_letters > 0 {
        let link = format!(
            "/ops/deliveries?state=failed&merchant={}&connection={}",
            connection.merchant_id, connection.name
        );
        add(Severity::Bad, dead_letters(connection.dead_letters), link);
    }
    if let Some(age) = connection.oldest_waiting_seconds.filter(|age| *age >= LONG) {
        let severity = if age >= TOO_LONG {
            Severity::Bad
        } else {
            Severity::Warning
        };
        let what = format!("{} wait, the oldest for {}", count(connection.waiting), lasting(age));
        add(severity, what, page.clone());
    }
    if let Some(left) = connection
        .left_percent()
        .filter(|left| *left <= NEARLY_SPENT && connection.state != "quota_spent")
    {
        add(Severity::Warning, format!("{left} % of the day's calls are left"), page);
    }
}

fn of_endpoint(endpoint: &Endpoint, all: &mut Vec<Attention>) {
    let mut add = |severity, what: String, link: &str| {
        all.push(Attention {
            severity,
            whose: format!("{} / {}", endpoint.merchant_id, endpoint.name),
            what,
            link: link.to_owned(),
        });
    };
    if endpoint.disabled_since.is_some() {
        add(
            Severity::Bad,
            "this endpoint is disabled: nothing is sent to it".to_owned(),
            "/ops/webhooks",
        );
    } else if endpoint.failures_in_a_row > 0 {
        let what = match endpoint.failures_in_a_row {
            1 => "this endpoint failed the last time".to_owned(),
            times => format!("this endpoint failed {times} times in a row"),
        };
        add(Severity::Warning, what, "/ops/webhooks");
    }
    if endpoint.dead_letters > 0 {
        let what = format!("events that go out: {}", dead_letters(endpoint.dead_letters));
        let link = letters("out", &endpoint.merchant_id, "endpoint", &endpoint.name);
        add(Severity::Bad, what, &link);
    }
}

fn of_source(source: &Source, all: &mut Vec<Attention>) {
    if source.dead_letters > 0 {
        all.push(Attention {
            severity: Severity::Bad,
            whose: format!("{} / {}", source.merchant_id, source.name),
            what: format!("events that came in: {}", dead_letters(source.dead_letters)),
            link: letters("in", &source.merchant_id, "source", &source.name),
        });
    }
}

/// Where its dead letters are listed.
fn letters(direction: &str, merchant: &str, kind: &str, name: &str) -> String {
    let members = [
        ("merchant", Some(merchant)),
        (kind, Some(name)),
        ("state", Some("failed")),
    ];
    address(&format!("/ops/events/{direction}"), &members)
}

fn dead_letters(number: u64) -> String {
    match number {
        1 => "1 dead letter".to_owned(),
        several => format!("{} dead letters", count(several)),
    }
}
