//! The law of covering: whatever a covered value shows is on a list with its reason, whatever type it is of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use upsert_core::customer::escape;

use super::stays::{self, Stays};
use super::{filled, listed};
use crate::{Cover, Event, EventReplayed, MASK, Own, Visibility};

/// A filled value of one type, as it is, covered, covered twice, and covered and read again.
struct Case {
    of: &'static str,
    whole: Json,
    covered: Json,
    twice: Json,
    again: Json,
    stays: Stays,
}

fn case<T>(of: &'static str, value: &T, stays: Stays) -> Case
where
    T: Cover + Serialize + DeserializeOwned + Clone,
{
    let covered = Visibility::Masked.show(value.clone());
    let json = |value: &T| serde_json::to_value(value).unwrap();
    let shown = json(&covered);
    Case {
        of,
        whole: json(value),
        again: json(&serde_json::from_value(shown.clone()).unwrap()),
        covered: shown,
        twice: json(&Visibility::Masked.show(covered)),
        stays,
    }
}

fn cases() -> Vec<Case> {
    let mut cases = of_customers();
    cases.extend(of_deliveries());
    cases.extend(of_answers());
    cases.extend(of_events());
    cases
}

fn of_customers() -> Vec<Case> {
    vec![
        case("Customer", &filled::customer(), Stays::default()),
        case("CustomerRecord", &filled::customer_record(), stays::of_record()),
        case("LinkedCustomer", &filled::linked_customer(), stays::of_linked()),
        case("Link", &filled::link(), stays::of_link()),
        case("HistoryEntry", &filled::history_entry(), stays::of_history()),
        case("Change", &filled::change(), Stays::default()),
        case("Ignored", &filled::ignored(), stays::of_ignored()),
    ]
}

fn of_deliveries() -> Vec<Case> {
    vec![
        case("Delivery", &filled::delivery(), stays::of_delivery()),
        case("ListedDelivery", &filled::listed_delivery(), stays::of_listed()),
        case("WholeDelivery", &filled::whole_delivery(), stays::of_whole_delivery()),
        case("Attempt", &filled::attempt(), stays::of_attempt()),
        case("SentRequest", &filled::sent_request(), stays::of_request()),
        case("DeliveryError", &filled::delivery_error(), stays::of_error()),
        case("FieldError", &filled::field_error(), Stays::default()),
        case("Differs", &filled::differs(), Stays::default()),
        case("Warning", &filled::warning(), stays::of_warning()),
        case("Cause", &filled::cause(), stays::of_cause()),
        case("VendorWords", &filled::vendor_words(), stays::of_words()),
        case("Incident", &filled::incident(), stays::of_incident()),
        case("Trial", &filled::trial(), stays::of_trial()),
        case("TriedConnection", &filled::tried_connection(), stays::of_tried()),
        case("ResumedConnection", &filled::resumed_connection(), stays::of_resumed()),
    ]
}

fn of_answers() -> Vec<Case> {
    vec![
        case("UpsertAnswer", &filled::upsert_answer(), stays::of_answer()),
        case("ListedUpsert", &filled::listed_upsert(), stays::of_listed_upsert()),
        case("Plan", &filled::plan(), stays::of_plan()),
        case("PlannedConnection", &filled::planned_connection(), stays::of_planned()),
        case("MatchKey", &filled::match_key(), stays::of_match_key()),
        case("WireRequest", &filled::wire_request(), stays::of_request()),
        case("PlanRefusal", &filled::plan_refusal(), stays::of_plan_refusal()),
        case("Problem", &filled::problem(), stays::of_problem()),
        case("UpsertProblem", &filled::upsert_problem(), stays::of_upsert_problem()),
        case("Wrong", &filled::wrong(), stays::of_wrong()),
    ]
}

fn of_events() -> Vec<Case> {
    vec![
        case("IncomingEvent", &filled::incoming_event(), stays::of_incoming()),
        case("EventProblem", &filled::event_problem(), stays::of_event_problem()),
        case("OutgoingEvent", &filled::outgoing_event(), stays::of_outgoing()),
        case(
            "WholeIncomingEvent",
            &filled::whole_incoming_event(),
            stays::of_incoming(),
        ),
        case(
            "WholeOutgoingEvent",
            &filled::whole_outgoing_event(),
            stays::of_whole_outgoing(),
        ),
        case("FailedAttempt", &filled::failed_attempt(), stays::of_failed_attempt()),
        case("TakenEvent", &filled::taken_event(), stays::of_taken()),
        case(
            "Event",
            &Event::Incoming(filled::incoming_event()),
            stays::of_incoming(),
        ),
        case(
            "Event",
            &Event::Outgoing(filled::outgoing_event()),
            stays::of_outgoing(),
        ),
        case(
            "EventReplayed",
            &EventReplayed::Taken(filled::taken_event()),
            stays::of_taken(),
        ),
        case(
            "EventReplayed",
            &EventReplayed::Event(Event::Incoming(filled::incoming_event())),
            stays::of_incoming(),
        ),
    ]
}

/// Every text, number, flag and null by its pointer, and every list and object that is empty.
fn leaves(value: &Json) -> Vec<(String, &Json)> {
    let mut found = Vec::new();
    gather(String::new(), value, &mut found);
    found
}

fn gather<'a>(pointer: String, value: &'a Json, found: &mut Vec<(String, &'a Json)>) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (name, inner) in members {
                gather(format!("{pointer}/{}", escape(name)), inner, found);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (index, inner) in items.iter().enumerate() {
                gather(format!("{pointer}/{index}"), inner, found);
            }
        }
        leaf => found.push((pointer, leaf)),
    }
}

/// With `*` in the place of an item's number.
fn of_each(pointer: &str) -> String {
    let star = |part: &str| match part.parse::<usize>() {
        Ok(_) => "*".to_owned(),
        Err(_) => part.to_owned(),
    };
    pointer.split('/').map(star).collect::<Vec<_>>().join("/")
}

fn is_covered(shown: Option<&Json>) -> bool {
    match shown {
        // Its name was covered, or what it stood in.
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => text.contains(MASK) && !text.contains(filled::SECRET),
        Some(_) => false,
    }
}

/// What is neither covered nor on the list, and what is on the list and not shown as it is.
fn breaches(whole: &Json, covered: &Json, stays: &Stays) -> Vec<String> {
    let allowed: BTreeSet<&str> = stays.0.iter().map(|(pointer, _)| &**pointer).collect();
    let is_wrong = |pointer: &str, leaf: &Json| {
        let shown = covered.pointer(pointer);
        if allowed.contains(&*of_each(pointer)) {
            shown != Some(leaf)
        } else {
            !is_covered(shown)
        }
    };
    let wrong = leaves(whole)
        .into_iter()
        .filter(|(pointer, leaf)| is_wrong(pointer, leaf));
    wrong.map(|(pointer, _)| pointer).collect()
}

#[test]
fn every_member_is_covered_or_stays_for_a_reason() {
    for case in cases() {
        let breaches = breaches(&case.whole, &case.covered, &case.stays);
        assert_eq!(breaches, Vec::<String>::new(), "{}: {:#}", case.of, case.covered);
    }
}

#[test]
fn one_member_that_is_shown_or_covered_by_mistake_is_a_breach() {
    for case in cases() {
        for (pointer, leaf) in leaves(&case.whole) {
            let mut mistaken = case.covered.clone();
            let Some(shown) = mistaken.pointer_mut(&pointer) else {
                continue;
            };
            *shown = if shown == leaf { Json::from(MASK) } else { leaf.clone() };
            let breaches = breaches(&case.whole, &mistaken, &case.stays);
            assert_eq!(breaches, [pointer], "{}", case.of);
        }
    }
}

#[test]
fn no_reason_is_given_for_what_is_not_there() {
    for Case { of, whole, stays, .. } in cases() {
        let there: BTreeSet<String> = leaves(&whole).iter().map(|(pointer, _)| of_each(pointer)).collect();
        for (pointer, why) in &stays.0 {
            assert!(there.contains(pointer), "{of}: there is no {pointer} ({why})");
        }
    }
}

#[test]
fn nothing_of_the_person_is_left_in_names_or_values() {
    for Case { of, whole, covered, .. } in cases() {
        let text = covered.to_string();
        assert!(!text.contains(filled::SECRET), "{of}: {text}");
        assert!(whole.to_string().contains(filled::SECRET), "{of} is filled");
    }
}

#[test]
fn what_covering_adds_is_the_cover_alone() {
    for Case { of, whole, covered, .. } in cases() {
        for (pointer, leaf) in leaves(&covered) {
            let is_known = whole.pointer(&pointer).is_some() || leaf == MASK || leaf.is_null();
            assert!(is_known, "{of}: {pointer} is {leaf}");
        }
    }
}

#[test]
fn what_is_filled_has_no_hole() {
    let of_cover = cases().into_iter().map(|case| (case.of, case.whole));
    let others = listed::all().into_iter().map(|(of, value)| (of, value.whole));
    for (of, whole) in of_cover.chain(others) {
        for (pointer, leaf) in leaves(&whole) {
            let is_there = !leaf.is_null() && !leaf.is_array() && !leaf.is_object() && *leaf != "";
            assert!(is_there, "{of}: nothing is at {pointer}");
        }
    }
}

#[test]
fn a_covered_value_has_the_types_of_an_uncovered_one() {
    for case in cases() {
        assert_eq!(case.again, case.covered, "{}", case.of);
    }
}

#[test]
fn covering_twice_is_covering_once() {
    for case in cases() {
        assert_eq!(case.twice, case.covered, "{}", case.of);
    }
}

#[test]
fn whoever_may_read_customers_is_shown_everything() {
    let shown = Visibility::Whole.show(filled::upsert_answer());
    assert!(shown == filled::upsert_answer());
    let shown = Visibility::Whole.show_beside(filled::plan(), Own::default());
    assert!(shown == filled::plan());
}

#[test]
fn every_type_that_covers_is_held_against_the_law() {
    let looked_at: BTreeSet<String> = cases().iter().map(|case| case.of.to_owned()).collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut covering = BTreeSet::new();
    for file in fs::read_dir(source).unwrap() {
        let path = file.unwrap().path();
        let text = if path.is_file() {
            fs::read_to_string(path).unwrap()
        } else {
            String::new()
        };
        let of = |line: &str| Some(line.strip_prefix("impl Cover for ")?.split(' ').next()?.to_owned());
        covering.extend(text.lines().filter_map(of));
    }
    assert_eq!(looked_at, covering);
}
