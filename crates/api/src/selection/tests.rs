use proptest::prelude::*;
use serde_json::json;
use upsert_core::ErrorKind;

use super::*;
use crate::states::DeliveryState;
use crate::tests::any::delivery_filters;

fn told(problems: &[Problem]) -> Vec<(&str, &str)> {
    problems
        .iter()
        .map(|problem| (&*problem.pointer, &*problem.code))
        .collect()
}

fn wrong_of(body: &Json) -> Vec<Problem> {
    DeliverySelection::read(body).unwrap_err()
}

fn incoming(body: &Json) -> Result<EventSelection<IncomingFilter>, Vec<Problem>> {
    EventSelection::read(body)
}

fn outgoing(body: &Json) -> Result<EventSelection<OutgoingFilter>, Vec<Problem>> {
    EventSelection::read(body)
}

fn selections() -> impl Strategy<Value = DeliverySelection> {
    let counted = prop::option::of(0..4_000_000_000_000_i64);
    let cursor = prop::option::of(any::<String>());
    (delivery_filters(), any::<bool>(), counted, 1..=MOST_AT_ONCE, cursor).prop_map(
        |(filter, dry_run, counted_at, limit, cursor)| DeliverySelection {
            filter,
            dry_run,
            counted_at: counted_at
                .filter(|_| !dry_run)
                .map(|ms| Timestamp::from_millisecond(ms).unwrap()),
            limit,
            cursor: cursor.filter(|_| !dry_run),
        },
    )
}

proptest! {
    #[test]
    fn a_selection_is_read_again_as_it_was_written(selection in selections()) {
        prop_assert_eq!(DeliverySelection::read(&json!(selection)), Ok(selection));
    }
}

#[test]
fn nothing_named_means_all_but_no_more_than_a_thousand() {
    let all = DeliverySelection::read(&json!({})).unwrap();
    assert_eq!(all, DeliverySelection::from(DeliveryFilter::default()));
    assert_eq!(
        (all.limit, all.dry_run, all.filter.is_narrowed()),
        (1_000, false, false)
    );
    let events = incoming(&json!({})).unwrap();
    assert_eq!(
        (events.limit, events.dry_run, events.is_narrowed),
        (1_000, false, false)
    );
}

#[test]
fn a_body_has_to_be_an_object() {
    for body in [json!([]), json!("failed"), json!(null), json!(7)] {
        assert_eq!(told(&wrong_of(&body)), [("", "invalid_type")], "{body}");
        assert_eq!(told(&incoming(&body).unwrap_err()), [("", "invalid_type")], "{body}");
    }
}

#[test]
fn states_may_be_a_text_or_a_list() {
    let states = [DeliveryState::Waiting, DeliveryState::Failed].into();
    for body in [
        json!("waiting,failed"),
        json!(["waiting", "failed"]),
        json!(["failed", "waiting,failed"]),
    ] {
        let read = DeliverySelection::read(&json!({ "state": body })).unwrap();
        assert_eq!(read.filter.state, states, "{body}");
    }
    for (body, code) in [
        (json!([]), "invalid_type"),
        (json!(["failed", 7]), "invalid_type"),
        (json!(7), "invalid_type"),
        (json!({ "failed": true }), "invalid_type"),
        (json!(["fialed"]), "invalid_value"),
        (json!(""), "invalid_value"),
    ] {
        let problems = wrong_of(&json!({ "state": body }));
        assert_eq!(told(&problems), [("/state", code)], "{body}");
    }
}

#[test]
fn a_limit_is_a_whole_number_from_one_to_a_thousand() {
    for limit in [1, 7, 1_000] {
        let body = json!({ "limit": limit });
        assert_eq!(DeliverySelection::read(&body).unwrap().limit, limit);
        assert_eq!(outgoing(&body).unwrap().limit, limit);
    }
    for limit in [
        json!(0),
        json!(1_001),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(true),
        json!([5]),
        json!(1e30),
    ] {
        let body = json!({ "limit": limit });
        let problems = wrong_of(&body);
        assert_eq!(told(&problems), [("/limit", "invalid_value")], "{limit}");
        assert_eq!(problems[0].detail, "has to be a whole number from 1 to 1000");
        assert_eq!(
            told(&outgoing(&body).unwrap_err()),
            [("/limit", "invalid_value")],
            "{limit}"
        );
    }
}

#[test]
fn null_stands_for_a_member_that_is_not_there() {
    let body =
        json!({ "state": null, "connection": null, "limit": null, "dry_run": null, "cursor": null, "since": null });
    assert_eq!(DeliverySelection::read(&body), DeliverySelection::read(&json!({})));
    let body = json!({ "source": null, "endpoint": null, "limit": null, "dry_run": null });
    assert_eq!(incoming(&body), incoming(&json!({})));
}

#[test]
fn a_misspelt_member_is_never_lost() {
    for value in [json!("crm"), json!(null), json!({})] {
        let problems = wrong_of(&json!({ "conection": value, "a/b~c": value }));
        assert_eq!(
            told(&problems),
            [("/a~1b~0c", "unknown_field"), ("/conection", "unknown_field")],
            "{value}"
        );
        let known = "state, connection, error_kind, error_code, waiting_for, customer_id, upsert_id, since, until, dry_run, \
                     counted_at, limit, cursor";
        assert_eq!(problems[1].detail, format!("is not known here; known are: {known}"));
        let problems = incoming(&json!({ "sauce": value })).unwrap_err();
        assert_eq!(told(&problems), [("/sauce", "unknown_field")], "{value}");
        let known = "source, event_id, endpoint, type, since, until, dry_run, limit";
        assert_eq!(problems[0].detail, format!("is not known here; known are: {known}"));
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_by_pointer() {
    let problems = wrong_of(&json!({
        "state": "fialed", "error_kind": "rejected,transient", "customer_id": "x", "since": "yesterday", "limit": 1001,
        "dry_run": "yes", "conection": "rotor", "upsert_id": 7, "counted_at": "now", "waiting_for": ["quota"],
    }));
    let mut told = told(&problems);
    told.sort_unstable();
    let expected = [
        ("/conection", "unknown_field"),
        ("/counted_at", "invalid_time"),
        ("/customer_id", "invalid_id"),
        ("/dry_run", "invalid_type"),
        ("/error_kind", "invalid_value"),
        ("/limit", "invalid_value"),
        ("/since", "invalid_time"),
        ("/state", "invalid_value"),
        ("/upsert_id", "invalid_type"),
        ("/waiting_for", "invalid_type"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_dry_run_counts_all_that_match_now() {
    let body = json!({ "dry_run": true, "cursor": "abc", "counted_at": "2026-11-20T12:00:00Z" });
    let problems = wrong_of(&body);
    assert_eq!(
        told(&problems),
        [("/cursor", "contradiction"), ("/counted_at", "contradiction")]
    );
    assert_eq!(
        problems[0].detail,
        "cannot stand beside `dry_run`: all that match are counted"
    );
    assert_eq!(
        problems[1].detail,
        "cannot stand beside `dry_run`: what matches now is counted"
    );
    let body = json!({ "dry_run": false, "cursor": "abc", "counted_at": "2026-11-20T12:00:00Z" });
    assert_eq!(DeliverySelection::read(&body).unwrap().cursor.as_deref(), Some("abc"));
    assert!(DeliverySelection::read(&json!({ "dry_run": true })).unwrap().dry_run);
}

#[test]
fn a_selection_says_what_it_selects_and_leaves_out_what_it_does_not_say() {
    let filter = DeliveryFilter {
        connection: Some("crm".to_owned()),
        error_kind: Some(ErrorKind::Rejected),
        ..DeliveryFilter::default()
    };
    let written = json!({ "connection": "crm", "error_kind": "rejected", "limit": 1_000 });
    assert_eq!(json!(DeliverySelection::from(filter)), written);
}

#[test]
fn names_of_the_other_direction_say_nothing_here() {
    for (name, is_of_in) in [
        ("source", true),
        ("event_id", true),
        ("endpoint", false),
        ("type", false),
    ] {
        let body = json!({ (name): "x" });
        let (own, other) = if is_of_in {
            (incoming(&body).map(|own| own.is_narrowed), outgoing(&body).map(drop))
        } else {
            (outgoing(&body).map(|own| own.is_narrowed), incoming(&body).map(drop))
        };
        assert_eq!(own, Ok(true), "{name}");
        let problems = other.unwrap_err();
        assert_eq!(told(&problems), [(&*format!("/{name}"), "invalid_query")]);
        assert_eq!(problems[0].detail, "says nothing about events of this direction");
    }
}

#[test]
fn in_a_query_names_of_the_other_direction_are_told_too() {
    let names = [
        "state",
        "source",
        "event_id",
        "customer_id",
        "endpoint",
        "type",
        "since",
        "until",
    ];
    let all: Texts = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
    let named = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.pointer).collect::<Vec<_>>();
    assert_eq!(named(IncomingFilter::foreign(&all)), ["endpoint", "type"]);
    assert_eq!(
        named(OutgoingFilter::foreign(&all)),
        ["source", "event_id", "customer_id"]
    );
    assert!(IncomingFilter::foreign(&Texts::new()).is_empty());
}

#[test]
fn of_dead_letters_neither_states_nor_customers_can_be_named() {
    for name in ["state", "customer_id", "cursor", "counted_at"] {
        let problems = incoming(&json!({ (name): "failed" })).unwrap_err();
        assert_eq!(told(&problems), [(&*format!("/{name}"), "unknown_field")]);
    }
}

#[test]
fn a_selection_of_events_is_narrowed_by_its_filters_alone() {
    let body = json!({ "dry_run": true, "limit": 5 });
    let read = outgoing(&body).unwrap();
    assert_eq!((read.is_narrowed, read.dry_run, read.limit), (false, true, 5));
    let body = json!({ "type": "customer.upserted", "endpoint": "hooks", "until": "2026-11-20T12:00:00Z" });
    let read = outgoing(&body).unwrap();
    assert!(read.is_narrowed && read.filter.until.is_some());
    assert_eq!(read.filter.r#type.as_deref(), Some("customer.upserted"));
    assert_eq!(read.filter.endpoint.as_deref(), Some("hooks"));
    let body = json!({ "event_id": "e1", "since": "soon", "dry_run": 1, "source": 7 });
    let problems = incoming(&body).unwrap_err();
    let expected = [
        ("/dry_run", "invalid_type"),
        ("/source", "invalid_type"),
        ("/since", "invalid_time"),
    ];
    assert_eq!(told(&problems), expected);
}
