//! Closed sets of words: written alike in JSON, in texts, in filters and in `/openapi.json`.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use upsert_core::field::Rule;
use upsert_core::{
    ErrorKind, EventKind, Evidence, Field, IdentifierKind, Intent, KeyKind, Kind, Outcome, Repeat, StateAtVendor,
    WaitingFor, WarningCode, Word, WrongCode,
};
use utoipa::PartialSchema;

use crate::{
    Action, AttemptResult, AttentionCode, AuditAction, AuditFault, BreakerState, ConnectionState, CustomerStatus,
    DeliveryState, Direction, DisabledBy, Encryption, EndpointState, EventResult, EventState, IncidentEventKind,
    IncidentState, IncomingState, LastReading, Left, LinkState, OutgoingState, PausedBy, PlanAction, ProblemCode,
    Severity, Subject, Through, TrialCall, TrialFollows, TrialOutcome, UpsertState,
};

/// The words of one set, after they were held against each other.
fn words<T>() -> Vec<&'static str>
where
    T: Word + Serialize + DeserializeOwned + Display + Debug + PartialEq,
    <T as std::str::FromStr>::Err: Debug,
{
    let mut words = Vec::new();
    for one in T::all() {
        let word = one.as_str();
        assert_eq!(json!(one), word);
        assert_eq!(one.to_string(), word);
        assert_eq!(word.parse::<T>().unwrap(), one);
        assert_eq!(serde_json::from_value::<T>(json!(word)).unwrap(), one);
        let shouted = word.to_uppercase();
        assert!(shouted.parse::<T>().is_err() && serde_json::from_value::<T>(json!(shouted)).is_err());
        words.push(word);
    }
    assert!(!words.is_empty() && "no such word".parse::<T>().is_err());
    assert_eq!(T::ALL.len(), words.iter().collect::<BTreeSet<_>>().len());
    words
}

/// The same, and its schema.
fn told<T>() -> Vec<&'static str>
where
    T: Word + Serialize + DeserializeOwned + Display + Debug + PartialEq + PartialSchema,
    <T as std::str::FromStr>::Err: Debug,
{
    let words = words::<T>();
    assert_eq!(json!(T::schema())["enum"], json!(words));
    words
}

type Set = (&'static str, Vec<&'static str>);

fn of_this_crate() -> Vec<Set> {
    vec![
        ("Action", told::<Action>()),
        ("AttentionCode", told::<AttentionCode>()),
        ("AttemptResult", told::<AttemptResult>()),
        ("AuditAction", told::<AuditAction>()),
        ("AuditFault", told::<AuditFault>()),
        ("BreakerState", told::<BreakerState>()),
        ("ConnectionState", told::<ConnectionState>()),
        ("CustomerStatus", told::<CustomerStatus>()),
        ("DeliveryState", told::<DeliveryState>()),
        ("Direction", told::<Direction>()),
        ("DisabledBy", told::<DisabledBy>()),
        ("Encryption", told::<Encryption>()),
        ("EndpointState", told::<EndpointState>()),
        ("EventResult", told::<EventResult>()),
        ("IncidentEventKind", told::<IncidentEventKind>()),
        ("IncidentState", told::<IncidentState>()),
        ("EventState", told::<EventState>()),
        ("IncomingState", told::<IncomingState>()),
        ("LastReading", told::<LastReading>()),
        ("Left", told::<Left>()),
        ("LinkState", told::<LinkState>()),
        ("OutgoingState", told::<OutgoingState>()),
        ("PausedBy", told::<PausedBy>()),
        ("PlanAction", told::<PlanAction>()),
        ("ProblemCode", told::<ProblemCode>()),
        ("Severity", told::<Severity>()),
        ("Subject", told::<Subject>()),
        ("Through", told::<Through>()),
        ("TrialCall", told::<TrialCall>()),
        ("TrialFollows", told::<TrialFollows>()),
        ("TrialOutcome", told::<TrialOutcome>()),
        ("UpsertState", told::<UpsertState>()),
    ]
}

#[test]
fn every_set_of_words_is_the_same_wherever_it_stands() {
    let looked_at: BTreeSet<String> = of_this_crate().iter().map(|(of, _)| (*of).to_owned()).collect();
    let mut there = BTreeSet::new();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = file.unwrap().path();
        let text = if path.is_file() {
            fs::read_to_string(path).unwrap()
        } else {
            String::new()
        };
        let mut before = "";
        for part in text.split("pub enum ") {
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            if attributes.contains("VariantArray") {
                there.insert(part.split(' ').next().unwrap().to_owned());
            }
            before = part;
        }
    }
    assert_eq!(looked_at, there);
}

#[test]
fn words_of_the_core_that_the_api_tells_are_the_same_wherever_they_stand() {
    told::<ErrorKind>();
    told::<Evidence>();
    told::<Intent>();
    told::<KeyKind>();
    told::<Kind>();
    told::<Outcome>();
    told::<Repeat>();
    told::<StateAtVendor>();
    told::<WaitingFor>();
    told::<WarningCode>();
    told::<WrongCode>();
    let kinds: Vec<_> = EventKind::all().map(Word::as_str).collect();
    assert_eq!(json!(EventKind::schema())["enum"], json!(kinds));
    words::<IdentifierKind>();
}

#[test]
fn a_set_that_is_made_of_others_has_their_words_and_no_other() {
    let sorted = |mut words: Vec<&'static str>| {
        words.sort_unstable();
        words.dedup();
        words
    };
    let results = [words::<Outcome>(), words::<ErrorKind>(), vec!["not_sent"]].concat();
    assert_eq!(sorted(words::<AttemptResult>()), sorted(results));
    let states = [words::<IncomingState>(), words::<OutgoingState>()].concat();
    assert_eq!(sorted(words::<EventState>()), sorted(states));
    for (field, known) in [
        (Field::Status, words::<CustomerStatus>()),
        (Field::Kind, words::<Kind>()),
    ] {
        let Rule::Word(words) = field.rule() else {
            panic!("{field:?} has no words");
        };
        assert_eq!(words, known, "{field:?}");
    }
}

#[test]
fn words_of_the_contract_are_those_of_the_contract() {
    let set = |name: &str| {
        let found = of_this_crate().into_iter().find(|(of, _)| *of == name);
        found.unwrap().1.join(" ")
    };
    for (name, words) in [
        ("Left", "record nothing"),
        ("LinkState", "in_sync pending failed superseded unrouted"),
        ("ConnectionState", "healthy degraded throttled open paused quota_spent"),
        ("Severity", "critical warning"),
        ("Subject", "gateway connection endpoint source"),
        ("PlanAction", "create update upsert unchanged"),
        ("Direction", "in out"),
    ] {
        let sorted = |words: &str| words.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(sorted(&set(name)), sorted(words), "{name}");
    }
    assert_eq!(told::<KeyKind>(), ["id", "reference", "email", "phone"]);
    assert_eq!(told::<Kind>(), ["person", "organisation"]);
    let kinds = [
        "rejected",
        "unauthorised",
        "rate_limited",
        "quota_spent",
        "transient",
        "broken_contract",
    ];
    assert_eq!(told::<ErrorKind>(), kinds);
}

/// The table "Errors" of the contract.
const STATUSES: &[(u16, &str)] = &[
    (400, "malformed_json merchant_required invalid_header invalid_query"),
    (401, "unauthenticated"),
    (403, "scope_missing merchant_forbidden"),
    (404, "not_found"),
    (405, "method_not_allowed"),
    (406, "not_acceptable"),
    (408, "request_timeout"),
    (
        409,
        concat!(
            "identity_conflict link_conflict match_key_collision business_key_change idempotency_in_progress erased ",
            "connection_paused nothing_to_try merchant_in_file"
        ),
    ),
    (412, "precondition_failed"),
    (413, "body_too_large"),
    (415, "unsupported_media_type"),
    (422, "validation_failed provider_rejected idempotency_key_reused"),
    (429, "rate_limited"),
    (500, "internal"),
    (501, "unsupported_by_provider"),
    (502, "provider_failed"),
    (503, "overloaded shutting_down"),
];

#[test]
fn every_code_of_the_contract_has_its_status_and_there_is_no_other_one() {
    let mut promised = BTreeSet::new();
    for (status, codes) in STATUSES {
        promised.extend(codes.split(' ').map(|code| (code, *status)));
    }
    let codes: BTreeSet<_> = ProblemCode::all().map(|code| (code.as_str(), code.status())).collect();
    assert_eq!(codes, promised);
    let titles: BTreeSet<_> = ProblemCode::all().map(ProblemCode::title).collect();
    assert_eq!(titles.len(), codes.len(), "each has a title of its own");
}

#[test]
fn what_has_ended_can_be_told_from_what_goes_on() {
    let of = |is: fn(DeliveryState) -> bool| DeliveryState::all().filter(move |state| is(*state)).map(Word::as_str);
    let ended: Vec<_> = of(DeliveryState::has_ended).collect();
    assert_eq!(ended, ["succeeded", "superseded", "failed", "discarded"]);
    let replayed: Vec<_> = of(DeliveryState::can_be_replayed).collect();
    assert_eq!(replayed, ["failed"]);
    let discarded: Vec<_> = of(DeliveryState::can_be_discarded).collect();
    assert_eq!(discarded, ["pending", "retrying", "waiting", "failed"]);
    let open: Vec<_> = OutgoingState::all()
        .filter(|state| state.is_open())
        .map(Word::as_str)
        .collect();
    assert_eq!(open, ["pending", "retrying"]);
}

#[test]
fn an_event_that_was_given_up_counts_as_refused() {
    use IncomingState::{Accepted, Discarded, Echo, Failed, Outdated};
    for (state, result, is_done) in [
        (Accepted, EventResult::Accepted, true),
        (Echo, EventResult::Echo, true),
        (Outdated, EventResult::Outdated, true),
        (Failed, EventResult::Refused, false),
        (Discarded, EventResult::Refused, true),
    ] {
        assert_eq!(
            (EventResult::from(state), state.is_done()),
            (result, is_done),
            "{state}"
        );
    }
}
