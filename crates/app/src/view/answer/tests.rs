use jiff::SignedDuration;
use serde_json::{Value as Json, json};
use upsert_api::MASK;
use upsert_core::{CustomerPatch, Field, Patch, Value};
use upsert_store::Progress;
use upsert_testkit::records::{
    customer_id, customer_record, delivery_id, delivery_record, full_delivery_record, plain_progress, reachable,
    upsert_id, upsert_record,
};

use super::*;

#[test]
fn when_looking_again_makes_sense_depends_on_what_is_waited_for() {
    let now = Timestamp::UNIX_EPOCH;
    let at = |seconds| now + SignedDuration::from_secs(seconds);
    let waiting = |waiting_for, until: Option<i64>| Progress::Waiting {
        waiting_for,
        until: until.map(at),
    };
    for (progress, seconds) in [
        (plain_progress(DeliveryState::InFlight), 1),
        (Progress::Pending { due: now }, 1),
        (Progress::Retrying { due: at(7) }, 7),
        (Progress::Retrying { due: at(-7) }, 1),
        (Progress::Retrying { due: at(90_000) }, 3_600),
        (waiting(WaitingFor::Paused, None), 60),
        (waiting(WaitingFor::Paused, Some(1)), 60),
        (waiting(WaitingFor::Paused, Some(300)), 300),
        (waiting(WaitingFor::Quota, None), 60),
        (waiting(WaitingFor::Quota, Some(-1)), 60),
        (waiting(WaitingFor::Quota, Some(50_000)), 3_600),
        (waiting(WaitingFor::Breaker, Some(15)), 15),
        (waiting(WaitingFor::Breaker, None), 5),
        (waiting(WaitingFor::RateLimit, Some(30)), 30),
        (waiting(WaitingFor::Predecessor, None), 5),
        (plain_progress(DeliveryState::Succeeded), 1),
    ] {
        let delivery = delivery_record("acme", "crm", delivery_id(1), DeliveryState::Pending);
        let delivery = delivery.with_progress(progress.clone());
        assert_eq!(look_again_in(&[delivery], now), seconds, "{progress:?}");
    }
}

#[test]
fn the_longest_wait_of_the_required_deliveries_counts() {
    let waiting = |number, waiting_for, is_required| {
        let mut delivery = delivery_record("acme", "crm", delivery_id(number), DeliveryState::Pending);
        delivery.required = is_required;
        delivery.with_progress(Progress::Waiting {
            waiting_for,
            until: None,
        })
    };
    let both = [
        waiting(1, WaitingFor::Predecessor, true),
        waiting(2, WaitingFor::Paused, true),
    ];
    assert_eq!(look_again_in(&both, Timestamp::UNIX_EPOCH), 60);
    let optional = [
        waiting(1, WaitingFor::Predecessor, true),
        waiting(2, WaitingFor::Paused, false),
    ];
    assert_eq!(look_again_in(&optional, Timestamp::UNIX_EPOCH), 5);
}

/// Of a customer who can be reached, whose one delivery is in this state.
fn answer(state: DeliveryState) -> Answer {
    let mut upsert = upsert_record("acme", upsert_id(1), customer_id(1));
    upsert.roll_back();
    let mut record = customer_record("acme", customer_id(1));
    record.customer = reachable("R-1", "ada@example.com", "+12025550123");
    let deliveries = [full_delivery_record("acme", "crm", delivery_id(1), state)];
    let answering = Answering {
        upsert: &upsert,
        record: &record,
        own: &deliveries,
        effective: &deliveries,
        request_id: "request-1",
        instance: "/v1/customers",
        now: Timestamp::UNIX_EPOCH,
    };
    answering.answer()
}

fn shown(answer: &Answer) -> Json {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn an_answer_stays_an_answer_for_whoever_may_not_read_customers_and_a_problem_a_problem() {
    for (state, status) in [(DeliveryState::Succeeded, 201), (DeliveryState::Failed, 502)] {
        let whole = answer(state);
        let masked = whole.clone().seen_by(Visibility::Masked, Own::default());
        assert_eq!((whole.status, masked.status), (status, status));
        let (whole, masked) = (shown(&whole), shown(&masked));
        let names = |of: &Json| of.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&masked), names(&whole));
        for name in [
            "upsert_id",
            "state",
            "type",
            "title",
            "code",
            "rolled_back",
            "request_id",
        ] {
            assert_eq!(masked.get(name), whole.get(name), "{name}");
        }
        assert_eq!(masked["customer"]["id"], whole["customer"]["id"]);
        assert_eq!(masked["customer"]["email"], MASK);
        assert_eq!(masked["deliveries"][0]["error"]["vendor_body"], MASK);
        for secret in ["Ada", "R-1", "ada@", "+1202"] {
            assert!(!masked.to_string().contains(secret), "{masked}");
        }
    }
}

#[test]
fn what_the_caller_has_sent_itself_stays_in_an_answer_and_in_a_problem() {
    let mut patch = CustomerPatch::default();
    let email = Value::Text("ada@example.com".to_owned());
    patch.fields.insert(Field::Email, Patch::Set(email));
    for state in [DeliveryState::Succeeded, DeliveryState::Failed] {
        let masked = shown(&answer(state).seen_by(Visibility::Masked, Own::of(&patch)));
        let customer = &masked["customer"];
        assert_eq!(
            (&customer["email"], &customer["phone"]),
            (&json!("ada@example.com"), &json!(MASK))
        );
    }
}

#[test]
fn who_may_read_customers_gets_the_very_bytes_and_what_cannot_be_read_is_covered() {
    let whole = answer(DeliveryState::Succeeded);
    assert_eq!(whole.clone().seen_by(Visibility::Whole, Own::default()), whole);
    for body in ["Ada Lee", r#"{"name":"Ada Lee"}"#] {
        let strange = Answer {
            body: body.to_owned(),
            ..whole.clone()
        };
        let covered = strange.seen_by(Visibility::Masked, Own::default());
        assert_eq!(shown(&covered), json!({ "upsert_id": whole.upsert }));
    }
}

#[test]
fn an_answer_can_be_read() {
    let whole = answer(DeliveryState::Succeeded);
    let read = whole.read().unwrap();
    assert_eq!(json!(read), shown(&whole));
    assert_eq!((read.upsert_id, read.state), (upsert_id(1), UpsertState::Succeeded));
}
