//! What needs attention, as the gateway judges it, with the commands for what can be done about it.

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
        (Action::Try, _) => format!("upsert-gateway connections try {place}"),
        (Action::Resume, _) => format!("upsert-gateway connections resume {place}"),
        (Action::Enable, _) => format!("upsert-gateway endpoints enable {place}"),
        (Action::Test, _) => format!("upsert-gateway endpoints test {place}"),
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

/// The direction of events, and the filter that names whose they are.
type Events = (&'static str, &'static str);

fn list_events(events: Events, entry: &Attention) -> String {
    let state = if entry.dead_letters > 0 {
        "failed"
    } else {
        "pending,retrying"
    };
    events_of("list", events, &format!(" --state {state}"), entry)
}

fn replay_events(events: Events, entry: &Attention) -> String {
    events_of("replay", events, " --matching", entry)
}

/// Names are a merchant's own: another one's of the same name is left alone.
fn events_of(action: &str, (direction, filter): Events, rest: &str, entry: &Attention) -> String {
    let merchant = plain(entry.merchant_id.as_deref().unwrap_or_default());
    let name = plain(&entry.name);
    format!("upsert-gateway events {action} {direction}{rest} \\\n  --merchant {merchant} --{filter} {name}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
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
                Code::BreakerOpen,
                Action::Try,
                "connections try acme/crm",
            ),
            (
                Subject::Connection,
                Code::PausedByVendor,
                Action::Resume,
                "connections resume acme/crm",
            ),
            (
                Subject::Endpoint,
                Code::EndpointDisabled,
                Action::Enable,
                "endpoints enable acme/erp",
            ),
            (
                Subject::Endpoint,
                Code::EndpointFailing,
                Action::Test,
                "endpoints test acme/erp",
            ),
        ] {
            let command = first_command(subject, code, &[action]);
            assert_eq!(command, format!("upsert-gateway {wanted}"));
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
            waiting.ends_with("events list out --state pending,retrying \\\n  --merchant acme --endpoint erp"),
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
                "upsert-gateway events list in --state failed \\\n  --merchant acme --source shop",
                "upsert-gateway events replay in --matching \\\n  --merchant acme --source shop",
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
        let with_answer = |mut cause: Json| {
            cause["sample_answer"] = json!("502\u{1b} Bad Gateway");
            cause
        };
        let causes: CausePage = whole(
            json!({ "data": [
                cause("rejected", json!({ "failed": 2, "retrying": 5 })),
                cause("rejected", json!({ "failed": 1 })),
                with_answer(cause("transient", json!({ "failed": 1, "waiting": 2 }))),
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
                format!("acme/crm: it is so; {kinds}: 3 rejected, 1 transient; the vendor said: 502  Bad Gateway")
            );
        }
    }
}
