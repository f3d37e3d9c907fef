use serde_json::json;
use upsert_core::{CustomerPatch, KeyKind, MatchKey, Patch, Word as _};

use super::*;
use crate::Visibility;
use crate::tests::filled;

fn setting(field: Field, value: Value) -> CustomerPatch {
    let mut patch = CustomerPatch::default();
    patch.fields.insert(field, Patch::Set(value));
    patch
}

fn shown<T: Cover>(whole: T, patch: &CustomerPatch) -> T {
    Visibility::Masked.show_beside(whole, Own::of(patch))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Every field but metadata, which are patched by name.
fn fields() -> impl Iterator<Item = Field> {
    Field::ALL.iter().copied().filter(|field| *field != Field::Metadata)
}

#[test]
fn a_customer_of_the_gateway_is_shown_with_every_field_in_its_place() {
    let core = filled::of_core();
    assert_eq!(json!(Customer::from(&core)), Json::Object(core.to_json(true)));
    let nothing = upsert_core::Customer::default();
    assert_eq!(json!(Customer::from(&nothing)), Json::Object(nothing.to_json(true)));
}

#[test]
fn what_is_passed_through_is_shown_too() {
    let passed = json!({ "crm": { "nick": "Annie", "deep": [1] } });
    let core = upsert_core::Customer::from_json(&json!({ "provider_fields": passed })).unwrap();
    assert_eq!(json!(Customer::from(&core))["provider_fields"], passed);
}

#[test]
fn a_field_that_the_caller_has_sent_itself_stays_and_no_other_one() {
    let core = filled::of_core();
    let whole = json!(Customer::from(&core));
    for sent in fields() {
        let patch = setting(sent, core.get(sent).unwrap().clone());
        let covered = json!(shown(Customer::from(&core), &patch));
        for field in Field::ALL.iter().copied() {
            let is_shown = covered.pointer(field.pointer()) == whole.pointer(field.pointer());
            assert_eq!(is_shown, field == sent, "{} beside {}", field.pointer(), sent.pointer());
        }
    }
}

#[test]
fn who_has_sent_another_value_or_cleared_a_field_learns_nothing_of_it() {
    let core = filled::of_core();
    let covered = json!(shown(Customer::from(&core), &CustomerPatch::default()));
    for field in fields() {
        let other = match core.get(field).unwrap() {
            Value::Flag(flag) => Value::Flag(!flag),
            Value::Tags(_) => Value::Tags(["other".to_owned()].into()),
            _ => text("another one"),
        };
        let mut cleared = CustomerPatch::default();
        cleared.fields.insert(field, Patch::Clear);
        for patch in [setting(field, other), cleared] {
            let shown = json!(shown(Customer::from(&core), &patch));
            assert_eq!(shown, covered, "{}", field.pointer());
        }
    }
}

#[test]
fn of_a_yes_or_no_that_is_covered_it_is_not_told_whether_it_is_there() {
    let covered = shown(filled::customer(), &CustomerPatch::default());
    assert!(covered.notifications == Notifications::default());
    assert_eq!((covered.billing_same_as_property, covered.verified), (None, None));
    assert_eq!(
        (covered.kind.as_deref(), covered.status.as_deref()),
        (Some(MASK), Some(MASK))
    );
}

#[test]
fn that_there_is_nothing_stays_to_be_seen() {
    assert!(shown(Customer::default(), &CustomerPatch::default()) == Customer::default());
}

#[test]
fn a_list_of_labels_stays_one_and_shows_those_that_the_caller_has_sent() {
    let whole = Customer {
        tags: ["a", "vip", "z"].map(str::to_owned).to_vec(),
        ..Customer::default()
    };
    let patch = setting(
        Field::Tags,
        Value::Tags(["vip".to_owned(), "unknown".to_owned()].into()),
    );
    assert_eq!(shown(whole.clone(), &patch).tags, [MASK, "vip", MASK]);
    assert_eq!(shown(whole, &CustomerPatch::default()).tags, [MASK, MASK, MASK]);
}

fn with_metadata(members: &[(&str, &str)]) -> Customer {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Customer {
        metadata: members.iter().map(own).collect(),
        ..Customer::default()
    }
}

#[test]
fn of_values_that_the_caller_has_not_sent_it_is_told_that_there_are_some() {
    let set = |value: &str| Patch::Set(value.to_owned());
    let sent = [("plan", set("gold")), ("gate", set("other")), ("door", Patch::Clear)];
    let sent = sent.map(|(name, patch)| (name.to_owned(), patch));
    let patch = CustomerPatch {
        metadata: Some(Patch::Set(sent.into())),
        ..CustomerPatch::default()
    };
    for (whole, expected) in [
        (&[("plan", "gold")][..], &[("plan", "gold")][..]),
        (&[("plan", "gold"), ("age", "41")], &[("plan", "gold"), (MASK, MASK)]),
        (&[("gate", "1"), ("door", "2")], &[(MASK, MASK)]),
        (&[], &[]),
    ] {
        assert!(
            shown(with_metadata(whole), &patch) == with_metadata(expected),
            "{whole:?}"
        );
    }
    let clearing = CustomerPatch {
        metadata: Some(Patch::Clear),
        ..CustomerPatch::default()
    };
    let covered = with_metadata(&[(MASK, MASK)]);
    assert!(shown(with_metadata(&[("plan", "gold")]), &clearing) == covered);
}

fn passing(fields: &Json) -> Customer {
    serde_json::from_value(json!({ "provider_fields": fields })).unwrap()
}

#[test]
fn of_what_is_passed_through_the_callers_own_stays() {
    let sent = json!({ "nick": "Annie", "more": { "deep": 1 } });
    let own = Patch::Set(sent.as_object().unwrap().clone());
    let patch = CustomerPatch {
        provider_fields: [("crm".to_owned(), own), ("erp".to_owned(), Patch::Clear)].into(),
        ..CustomerPatch::default()
    };
    let covered = json!({ MASK: { MASK: MASK } });
    for (whole, expected) in [
        (
            json!({ "crm": { "nick": "Annie" } }),
            json!({ "crm": { "nick": "Annie" } }),
        ),
        (json!({ "crm": { "nick": "Bob" } }), covered.clone()),
        (json!({ "erp": { "nick": "Annie" } }), covered.clone()),
        // Something of it was there before.
        (json!({ "crm": { "more": { "deep": 1, "old": 2 } } }), covered),
        (
            json!({ "crm": { "nick": "Annie", "age": 41 } }),
            json!({ "crm": { "nick": "Annie" }, MASK: { MASK: MASK } }),
        ),
        (json!({}), json!({})),
    ] {
        assert!(shown(passing(&whole), &patch) == passing(&expected), "{whole}");
    }
}

#[test]
fn a_match_key_that_the_caller_has_sent_stays() {
    for (kind, field) in [
        (KeyKind::Reference, Some(Field::Reference)),
        (KeyKind::Email, Some(Field::Email)),
        (KeyKind::Phone, Some(Field::Phone)),
        (KeyKind::Id, None),
    ] {
        for sent in Field::ALL.iter().copied() {
            let key = shown(MatchKey::new(kind, "value"), &setting(sent, text("value")));
            let expected = if field == Some(sent) { "value" } else { MASK };
            assert_eq!(key.value, expected, "{} beside {}", kind.as_str(), sent.pointer());
        }
        if let Some(field) = field {
            let key = shown(MatchKey::new(kind, "value"), &setting(field, text("other")));
            assert_eq!(key.value, MASK);
        }
    }
}

#[test]
fn in_an_answer_and_in_a_plan_the_callers_own_stays_and_what_vendors_say_does_not() {
    let patch = setting(Field::Email, text(&filled::secret("e-mail")));
    let answer = shown(filled::upsert_answer(), &patch);
    assert_eq!(answer.customer.customer.email, filled::customer().email);
    assert_eq!(answer.deliveries[0].provider_customer_id.as_deref(), Some(MASK));
    let problem = shown(filled::upsert_problem(), &patch);
    assert_eq!(problem.failed.answer.customer.customer.email, filled::customer().email);
    let plan = shown(filled::plan(), &patch);
    assert_eq!(plan.customer.email, filled::customer().email);
    let key = plan.connections[0].match_key.as_ref().unwrap();
    assert_eq!(key.value, filled::match_key().value);
    let request = plan.connections[0].request.as_ref().unwrap();
    assert_eq!((&*request.path, &request.body), ("/•••", &json!(MASK)));
    let texts = [json!(answer), json!(plan), json!(problem)].map(|shown| shown.to_string());
    for text in texts {
        assert_eq!(
            text.replace(&filled::secret("e-mail"), "").find(filled::SECRET),
            None,
            "{text}"
        );
    }
}

#[test]
fn a_link_is_live_while_it_leads_to_a_record() {
    for (state, has_record, is_live) in [
        (LinkState::InSync, true, true),
        (LinkState::Pending, true, true),
        (LinkState::Failed, true, true),
        (LinkState::Unrouted, true, true),
        (LinkState::Superseded, true, false),
        (LinkState::Pending, false, false),
    ] {
        let mut link = filled::link();
        link.state = state;
        link.provider_customer_id = link.provider_customer_id.filter(|_| has_record);
        assert_eq!(link.is_live(), is_live, "{state}");
    }
}
