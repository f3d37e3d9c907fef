//! What needs attention, as the gateway judges it, with the commands for what can be done about it.

use serde_json::json;
use upsert_api::{Action, Attention, AttentionCode, Subject};

use super::dead_letters::DeadLetters;
use crate::show::{place, plain};

/// One line: what it is about, and what is wrong with it.
pub(super) fn line_of(entry: &Attention, dead_letters: &[DeadLetters]) -> String {
    let of_connection = |dead: &&DeadLetters| {
        let (merchant, name) = (entry.merchant_id.as_ref(), &entry.name);
        entry.subject == Subject::Connection && merchant == Some(&dead.merchant) && *name == dead.connection
    };
    let failed_of = dead_letters.iter().find(of_connection).and_then(DeadLetters::of_which);
    let failed_of = failed_of.map_or_else(String::new, |kinds| format!("; {kinds}"));
    format!("{}: {}{failed_of}", place_of(entry), plain(&entry.detail))
}

fn place_of(entry: &Attention) -> String {
    match &entry.merchant_id {
        Some(merchant) => place(merchant, &entry.name),
        None => plain(&entry.name),
    }
}

/// A command for each action, as a line for a shell.
pub(super) fn commands(entry: &Attention) -> Vec<String> {
    let actions = entry.actions.iter();
    actions.filter_map(|action| command(entry, *action)).collect()
}

fn command(entry: &Attention, action: Action) -> Option<String> {
    let events: Option<Events> = match entry.subject {
        Subject::Endpoint => Some(("out", "endpoint")),
        Subject::Source => Some(("in", "source")),
        Subject::Gateway | Subject::Connection => None,
    };
    let place = place_of(entry);
    Some(match (action, events) {
        (Action::Resume, _) => post(&format!("v1/connections/{place}/resume")),
        (Action::Enable, _) => post(&format!("v1/endpoints/{place}/enable")),
        (Action::Test, _) => post(&format!("v1/endpoints/{place}/test")),
        (Action::CheckConfiguration, _) => "upsert-gateway check --config DIR".to_owned(),
        (Action::List, Some(events)) => list_events(events, entry),
        (Action::List, None) => deliveries(&format!("list {}", those_of(entry.code)), entry),
        (Action::Replay, Some(events)) => replay_events(events, entry),
        (Action::Replay, None) => deliveries("replay --matching", entry),
        // Nobody gives up for good what was put before him as a line to copy.
        (Action::Discard, _) => return None,
    })
}

/// The deliveries that are worth a look.
fn those_of(code: AttentionCode) -> &'static str {
    match code {
        AttentionCode::DeadLetters => "--state failed",
        AttentionCode::QuotaSpent => "--waiting-for quota",
        _ => "--state pending,retrying,waiting",
    }
}

fn deliveries(action: &str, entry: &Attention) -> String {
    let merchant = plain(entry.merchant_id.as_deref().unwrap_or_default());
    let connection = plain(&entry.name);
    format!("upsert-gateway deliveries {action} \\\n  --merchant {merchant} --connection {connection}")
}

/// What has no command of its own.
fn post(path: &str) -> String {
    curl("-X POST ", "", path, "")
}

fn curl(method: &str, headers: &str, path: &str, body: &str) -> String {
    format!(
        "curl {method}-H \"Authorization: Bearer $UPSERT_GATEWAY_KEY\" \\\n  {headers}\"$UPSERT_GATEWAY_URL/{path}\"{body}"
    )
}

/// The direction of events, and the member of their filter that names whose they are.
type Events = (&'static str, &'static str);

fn list_events((direction, member): Events, entry: &Attention) -> String {
    let state = if entry.dead_letters > 0 {
        "failed"
    } else {
        "pending,retrying"
    };
    let path = format!("v1/events/{direction}?state={state}&{member}={}", plain(&entry.name));
    curl("", &format!("{} \\\n  ", whose(entry)), &path, "")
}

fn replay_events((direction, member): Events, entry: &Attention) -> String {
    let headers = format!("{} -H 'Content-Type: application/json' \\\n  ", whose(entry));
    let body = json!({ member: entry.name });
    let path = format!("v1/events/{direction}/replay");
    curl("-X POST ", &headers, &path, &format!(" -d '{body}'"))
}

/// Names are a merchant's own: another one's of the same name is left alone.
fn whose(entry: &Attention) -> String {
    let merchant = plain(entry.merchant_id.as_deref().unwrap_or_default());
    format!("-H 'Merchant-Id: {merchant}'")
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;
    use upsert_api::CausePage;

    use super::*;
    use crate::samples::{self, whole};

    fn entry(subject: Subject, code: AttentionCode, actions: &[Action]) -> Attention {
        let merchant = (subject != Subject::Gateway).then_some("acme");
        let name = match subject {
            Subject::Gateway => "configuration",
            Subject::Connection => "crm",
            Subject::Endpoint => "erp",
            Subject::Source => "shop",
        };
        let dead_letters = u8::from(actions.contains(&Action::Replay));
        let entry = json!({ "severity": "critical", "merchant_id": merchant, "subject": subject, "name": name, "code": code,
            "detail": "it is\nso", "since": null, "waiting": 3, "dead_letters": dead_letters, "actions": actions });
        whole(entry, json!({}))
    }

    fn first_command(subject: Subject, code: AttentionCode, actions: &[Action]) -> String {
        commands(&entry(subject, code, actions)).remove(0)
    }

    #[test]
    fn every_action_but_discard_has_its_command_and_what_is_given_up_is_looked_at_before_it_is_sent_again() {
        use AttentionCode as Code;
        let of_dead_letters = [Action::List, Action::Replay, Action::Discard];
        for subject in [Subject::Connection, Subject::Endpoint, Subject::Source] {
            let all = commands(&entry(subject, Code::DeadLetters, &of_dead_letters));
            assert_eq!(all.len(), 2, "{all:?}");
            assert!(all[0].contains("failed") && all[1].contains("replay"), "{all:?}");
        }
        for (subject, code, action, wanted) in [
            (
                Subject::Connection,
                Code::PausedByVendor,
                Action::Resume,
                "v1/connections/acme/crm/resume\"",
            ),
            (
                Subject::Endpoint,
                Code::EndpointDisabled,
                Action::Enable,
                "v1/endpoints/acme/erp/enable\"",
            ),
            (
                Subject::Endpoint,
                Code::EndpointFailing,
                Action::Test,
                "v1/endpoints/acme/erp/test\"",
            ),
        ] {
            let command = first_command(subject, code, &[action]);
            assert!(
                command.starts_with("curl -X POST ") && command.ends_with(wanted),
                "{command}"
            );
        }
        let check = first_command(
            Subject::Gateway,
            Code::ConfigurationRefused,
            &[Action::CheckConfiguration],
        );
        assert_eq!(check, "upsert-gateway check --config DIR");
    }

    #[test]
    fn a_list_is_of_what_the_trouble_is_about() {
        use AttentionCode as Code;
        for (code, which) in [
            (Code::DeadLetters, "--state failed"),
            (Code::QuotaSpent, "--waiting-for quota"),
            (Code::BreakerOpen, "--state pending,retrying,waiting"),
            (Code::WaitingLong, "--state pending,retrying,waiting"),
        ] {
            assert_eq!(
                first_command(Subject::Connection, code, &[Action::List]),
                format!("upsert-gateway deliveries list {which} \\\n  --merchant acme --connection crm")
            );
        }
        let waiting = first_command(Subject::Endpoint, Code::WaitingLong, &[Action::List]);
        assert!(
            waiting.ends_with("v1/events/out?state=pending,retrying&endpoint=erp\""),
            "{waiting}"
        );
    }

    #[test]
    fn events_are_those_of_one_merchants_source() {
        let entry = entry(
            Subject::Source,
            AttentionCode::DeadLetters,
            &[Action::List, Action::Replay],
        );
        assert_eq!(
            commands(&entry),
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
    fn a_line_names_its_subject_and_steers_no_terminal_and_of_what_was_given_up_it_tells_the_kinds() {
        let line = |subject| line_of(&entry(subject, AttentionCode::DeadLetters, &[]), &[]);
        assert_eq!(line(Subject::Gateway), "configuration: it is so");
        assert_eq!(line(Subject::Connection), "acme/crm: it is so");
        let cause = |kind: &str, states: Json| {
            json!({ "kind": kind, "code": null, "count": 9, "sample_detail": "", "newest_delivery_id": samples::DELIVERY,
                "newest_at": "2026-01-01T00:00:00Z", "states": states })
        };
        let causes: CausePage = whole(
            json!({ "data": [
                cause("rejected", json!({ "failed": 2, "retrying": 5 })),
                cause("rejected", json!({ "failed": 1 })),
                cause("transient", json!({ "failed": 1, "waiting": 2 })),
                cause("rate_limited", json!({ "retrying": 9 })),
            ] }),
            json!({}),
        );
        for (count, kinds) in [(4, "failed of"), (1_200, "the newest failed of")] {
            let connection = samples::connection(json!({ "dead_letters": count }));
            let dead = [DeadLetters::of(&connection, &causes)];
            let entry = entry(Subject::Connection, AttentionCode::DeadLetters, &[]);
            assert_eq!(
                line_of(&entry, &dead),
                format!("acme/crm: it is so; {kinds}: 3 rejected, 1 transient")
            );
        }
    }
}
