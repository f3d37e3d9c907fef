//! What needs attention, most urgent first, and the commands that put it right.

use serde_json::{Value as Json, json};

use super::Found;
use super::dead_letters::DeadLetters;
use crate::show::{age, counted, cut, given, list, moment, number, text};

/// Whatever waits longer than this without a reason that is told already is worth a look.
const OLD: i64 = 15 * 60;

/// A vendor's words may be long.
const MOST_WORDS: usize = 160;

/// One thing that somebody should do something about.
pub(super) struct Attention {
    pub(super) kind: &'static str,
    pub(super) says: String,
    pub(super) commands: Vec<String>,
}

impl Attention {
    fn new(kind: &'static str, says: String, commands: Vec<String>) -> Self {
        Self { kind, says, commands }
    }

    pub(super) fn to_json(&self) -> Json {
        json!({ "kind": self.kind, "says": self.says, "commands": self.commands })
    }
}

pub(super) fn of(found: &Found) -> Vec<Attention> {
    let connections = list(&found.connections, "data");
    let mut all = Vec::new();
    for judge in [paused, open, quota_spent] {
        all.extend(connections.iter().filter_map(judge));
    }
    all.extend(found.dead_letters.iter().map(dead_letters));
    all.extend(connections.iter().filter_map(waits_long));
    let endpoints = list(&found.webhooks, "endpoints");
    all.extend(endpoints.iter().filter_map(disabled));
    all.extend(endpoints.iter().filter_map(failing));
    all.extend(endpoints.iter().filter_map(outgoing));
    all.extend(list(&found.webhooks, "sources").iter().filter_map(incoming));
    all.extend(refused_configuration(&found.ready));
    all
}

fn place(of: &Json) -> String {
    format!("{}/{}", text(of, "merchant_id"), text(of, "name"))
}

/// What has no command of its own, as a line for a shell.
fn post(path: &str) -> String {
    curl("-X POST ", "", path, "")
}

fn curl(method: &str, headers: &str, path: &str, body: &str) -> String {
    format!(
        "curl {method}-H \"Authorization: Bearer $UPSERT_GATEWAY_KEY\" \\\n  {headers}\"$UPSERT_GATEWAY_URL/{path}\"{body}"
    )
}

fn deliveries(action: &str, merchant: &str, connection: &str) -> String {
    format!("upsert-gateway deliveries {action} \\\n  --merchant {merchant} --connection {connection}")
}

fn paused(connection: &Json) -> Option<Attention> {
    let by = given(connection, "paused_by")?;
    let reason = given(connection, "pause_reason")
        .filter(|reason| !reason.is_empty())
        .map_or_else(String::new, |reason| format!(": {}", cut(&reason, MOST_WORDS)));
    let cure = if by == "vendor" {
        "; put its credentials right, or resume it"
    } else {
        ""
    };
    let says = format!(
        "{} is paused by the {by}{reason}; {} waiting{cure}",
        place(connection),
        number(connection, "waiting")
    );
    let resume = post(&format!("v1/connections/{}/resume", place(connection)));
    Some(Attention::new("paused", says, vec![resume]))
}

fn open(connection: &Json) -> Option<Attention> {
    if text(connection, "state") != "open" {
        return None;
    }
    let breaker = &connection["breaker"];
    let says = format!(
        "{}: its breaker is open{}{}; {} waiting; it is probed at {}, nothing is lost",
        place(connection),
        since(breaker),
        given(&connection["health"], "last_failure_kind").map_or_else(String::new, |kind| format!(" (last: {kind})")),
        number(connection, "waiting"),
        moment(breaker, "until")
    );
    let (merchant, name) = (text(connection, "merchant_id"), text(connection, "name"));
    let look = deliveries("list --state waiting,retrying", &merchant, &name);
    Some(Attention::new("breaker_open", says, vec![look]))
}

/// Once it is open it counts anew.
fn since(breaker: &Json) -> String {
    match number(breaker, "calls") {
        0 => String::new(),
        calls => format!(
            ", since {} of the last {calls} calls failed by the vendor's fault",
            number(breaker, "faults")
        ),
    }
}

fn quota_spent(connection: &Json) -> Option<Attention> {
    if text(connection, "state") != "quota_spent" {
        return None;
    }
    let limits = &connection["rate_limit"];
    let says = format!(
        "{}: the day's quota is spent ({} used of {}); {} waiting; it opens at {}, earlier only with a larger \
         `per_day` in its configuration",
        place(connection),
        number(limits, "used_today"),
        text(limits, "per_day"),
        number(connection, "waiting"),
        moment(limits, "opens_at")
    );
    let (merchant, name) = (text(connection, "merchant_id"), text(connection, "name"));
    let look = deliveries("list --waiting-for quota", &merchant, &name);
    Some(Attention::new("quota_spent", says, vec![look]))
}

fn dead_letters(of: &DeadLetters) -> Attention {
    let (merchant, connection) = (&of.merchant, &of.connection);
    let says = format!(
        "{merchant}/{connection}: {} failed for good{}; see why, mend it, replay",
        counted(of.count, "delivery", "deliveries"),
        of.of_which()
    );
    let list = deliveries("list --state failed", merchant, connection);
    let replay = deliveries("replay --matching", merchant, connection);
    Attention::new("dead_letters", says, vec![list, replay])
}

/// Where no state says why.
fn waits_long(connection: &Json) -> Option<Attention> {
    let is_told = matches!(text(connection, "state").as_str(), "paused" | "open" | "quota_spent");
    let oldest = connection["oldest_waiting_seconds"].as_i64()?;
    if is_told || oldest < OLD {
        return None;
    }
    let says = format!(
        "{}: {} waiting, the oldest for {}",
        place(connection),
        number(connection, "waiting"),
        age(oldest)
    );
    let (merchant, name) = (text(connection, "merchant_id"), text(connection, "name"));
    let look = deliveries("list --state pending,retrying,waiting", &merchant, &name);
    Some(Attention::new("old_waiting", says, vec![look]))
}

fn disabled(endpoint: &Json) -> Option<Attention> {
    if text(endpoint, "state") != "disabled" {
        return None;
    }
    let says = format!(
        "{}: the endpoint said that it is gone (410) and gets no events; enable it once it is there again",
        place(endpoint)
    );
    let enable = post(&format!("v1/endpoints/{}/enable", place(endpoint)));
    Some(Attention::new("endpoint_disabled", says, vec![enable]))
}

fn failing(endpoint: &Json) -> Option<Attention> {
    if text(endpoint, "state") != "failing" {
        return None;
    }
    let why = given(endpoint, "last_error").map_or_else(String::new, |why| format!(": {}", cut(&why, MOST_WORDS)));
    let says = format!(
        "{}: the endpoint does not take events; {} waiting{why}",
        place(endpoint),
        number(endpoint, "waiting")
    );
    let test = post(&format!("v1/endpoints/{}/test", place(endpoint)));
    Some(Attention::new("endpoint_failing", says, vec![test]))
}

fn outgoing(endpoint: &Json) -> Option<Attention> {
    let says = "could not be handed to this endpoint; see why, then replay";
    lost_events("out", "endpoint", endpoint, says)
}

fn incoming(source: &Json) -> Option<Attention> {
    let says = "of this source could not be taken; see why, mend the mapping, then replay";
    lost_events("in", "source", source, says)
}

fn lost_events(direction: &str, member: &str, of: &Json, what: &str) -> Option<Attention> {
    let count = number(of, "dead_letters");
    if count == 0 {
        return None;
    }
    let says = format!("{}: {} {what}", place(of), counted(count, "event", "events"));
    // Names are a merchant's own: another one's of the same name is left alone.
    let (merchant, name) = (text(of, "merchant_id"), text(of, "name"));
    let whose = format!("-H 'Merchant-Id: {merchant}'");
    let path = format!("v1/events/{direction}?state=failed&{member}={name}");
    let look = curl("", &format!("{whose} \\\n  "), &path, "");
    let headers = format!("{whose} -H 'Content-Type: application/json' \\\n  ");
    let path = format!("v1/events/{direction}/replay");
    let body = json!({ member: name });
    let replay = curl("-X POST ", &headers, &path, &format!(" -d '{body}'"));
    Some(Attention::new("event_dead_letters", says, vec![look, replay]))
}

fn refused_configuration(ready: &Json) -> Option<Attention> {
    let configuration = &ready["configuration"];
    if text(configuration, "last_reading") != "refused" {
        return None;
    }
    let says = format!(
        "the configuration in the files was refused; generation {} is still served",
        number(configuration, "generation")
    );
    let check = "upsert-gateway check --config DIR".to_owned();
    Some(Attention::new("configuration_refused", says, vec![check]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str, state: &str, oldest: Option<i64>) -> Json {
        json!({
            "merchant_id": "acme", "name": name, "state": state, "waiting": 3, "oldest_waiting_seconds": oldest,
            "paused_by": (state == "paused").then_some("vendor"), "pause_reason": "the key is revoked",
            "breaker": { "faults": 9, "calls": 10, "until": "T1" },
            "rate_limit": { "used_today": 100, "per_day": 100, "opens_at": "T2" },
        })
    }

    fn found(connections: &[Json], webhooks: Json, dead_letters: Vec<DeadLetters>, last_reading: &str) -> Found {
        Found {
            url: "U".to_owned(),
            version: "V".to_owned(),
            ready: json!({ "configuration": { "generation": 4, "last_reading": last_reading } }),
            connections: json!({ "data": connections }),
            webhooks,
            dead_letters,
        }
    }

    #[test]
    fn every_kind_of_trouble_is_told_once_with_a_command_and_the_most_urgent_first() {
        let connections = [
            connection("slow", "healthy", Some(OLD)),
            connection("spent", "quota_spent", Some(OLD)),
            connection("down", "open", Some(OLD)),
            connection("shut", "paused", Some(OLD)),
            connection("fine", "degraded", Some(OLD - 1)),
        ];
        let webhooks = json!({
            "sources": [{ "merchant_id": "acme", "name": "shop", "dead_letters": 2 },
                        { "merchant_id": "acme", "name": "quiet", "dead_letters": 0 }],
            "endpoints": [{ "merchant_id": "acme", "name": "gone", "state": "disabled", "dead_letters": 1 },
                          { "merchant_id": "acme", "name": "ill", "state": "failing", "last_error": "timeout" },
                          { "merchant_id": "acme", "name": "well", "state": "healthy", "dead_letters": 0 }],
        });
        let causes = json!({ "data": [
            { "kind": "rejected", "code": "a", "states": { "failed": 2, "retrying": 5 } },
            { "kind": "rejected", "code": "b", "states": { "failed": 1 } },
            { "kind": "transient", "states": { "failed": 1, "waiting": 2 } },
            { "kind": "rate_limited", "states": { "retrying": 9 } } ] });
        let failed = DeadLetters::of(
            &json!({ "merchant_id": "acme", "name": "slow", "dead_letters": 1_200 }),
            &causes,
        );
        let all = of(&found(&connections, webhooks, vec![failed], "refused"));
        let kinds: Vec<&str> = all.iter().map(|item| item.kind).collect();
        assert_eq!(
            kinds,
            [
                "paused",
                "breaker_open",
                "quota_spent",
                "dead_letters",
                "old_waiting",
                "endpoint_disabled",
                "endpoint_failing",
                "event_dead_letters",
                "event_dead_letters",
                "configuration_refused"
            ]
        );
        assert!(all.iter().all(|item| !item.commands.is_empty()));
        assert_eq!(
            all[3].says,
            "acme/slow: 1200 deliveries failed for good (of the newest: 3 rejected, 1 transient); see why, mend it, replay"
        );
        assert_eq!(
            all[8].says,
            "acme/shop: 2 events of this source could not be taken; see why, mend the mapping, then replay"
        );
        assert_eq!(
            all[8].commands,
            [
                "curl -H \"Authorization: Bearer $UPSERT_GATEWAY_KEY\" \\\n  \
              -H 'Merchant-Id: acme' \\\n  \
              \"$UPSERT_GATEWAY_URL/v1/events/in?state=failed&source=shop\"",
                "curl -X POST -H \"Authorization: Bearer $UPSERT_GATEWAY_KEY\" \\\n  \
              -H 'Merchant-Id: acme' -H 'Content-Type: application/json' \\\n  \
              \"$UPSERT_GATEWAY_URL/v1/events/in/replay\" -d '{\"source\":\"shop\"}'"
            ]
        );
    }

    #[test]
    fn an_open_breaker_tells_counts_where_it_has_any_the_last_failure_and_a_time_to_the_second() {
        let mut down = connection("down", "open", None);
        let says = |down: &Json| {
            of(&found(std::slice::from_ref(down), json!({}), Vec::new(), "taken_over"))[0]
                .says
                .clone()
        };
        assert_eq!(
            says(&down),
            "acme/down: its breaker is open, since 9 of the last 10 calls failed by the vendor's fault; 3 waiting; it is \
             probed at T1, nothing is lost"
        );
        down["breaker"] = json!({ "faults": 0, "calls": 0, "until": "2026-01-31T12:00:00.622263016Z" });
        down["health"] = json!({ "last_failure_kind": "transient" });
        assert_eq!(
            says(&down),
            "acme/down: its breaker is open (last: transient); 3 waiting; it is probed at 2026-01-31T12:00:00Z, nothing is \
             lost"
        );
    }

    #[test]
    fn what_is_well_or_mends_itself_needs_no_attention() {
        let connections = [connection("a", "healthy", None), connection("b", "throttled", Some(60))];
        let all = of(&found(&connections, json!({}), Vec::new(), "taken_over"));
        assert!(all.is_empty(), "{:?}", all.first().map(Attention::to_json));
    }
}
