use serde_json::json;

use super::*;
use crate::tests::filled;

#[test]
fn a_document_keeps_its_members_and_none_of_its_values() {
    let whole = r#"{"who":{"mail":"ann@example.com","age":41,"vip":true,"tags":["a",null]}}"#;
    let masked = r#"{"who":{"age":"•••","mail":"•••","tags":["•••","•••"],"vip":"•••"}}"#;
    for (whole, masked) in [(whole, masked), ("mail=ann@example.com", MASK), ("\"ann\"", "\"•••\"")] {
        let mut incoming = filled::whole_incoming_event();
        incoming.raw = Some(whole.to_owned());
        let mut outgoing = filled::whole_outgoing_event();
        outgoing.body = Some(whole.to_owned());
        assert_eq!(
            Visibility::Masked.show(incoming.clone()).raw.as_deref(),
            Some(masked),
            "{whole}"
        );
        assert_eq!(
            Visibility::Masked.show(outgoing.clone()).body.as_deref(),
            Some(masked),
            "{whole}"
        );
        assert_eq!(Visibility::Whole.show(incoming).raw.as_deref(), Some(whole));
        assert_eq!(Visibility::Whole.show(outgoing).body.as_deref(), Some(whole));
    }
}

#[test]
fn nothing_is_added_to_a_document_that_is_not_there() {
    let mut event = filled::whole_incoming_event();
    event.raw = None;
    assert_eq!(Visibility::Masked.show(event).raw, None);
}

#[test]
fn the_senders_id_of_an_event_stays_where_it_looks_like_one() {
    for (id, shown) in [
        ("e-1", "e-1"),
        ("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"),
        ("ann@x.example", MASK),
        ("12025550123", MASK),
    ] {
        let mut event = filled::incoming_event();
        id.clone_into(&mut event.event_id);
        assert_eq!(Visibility::Masked.show(event).event_id, shown);
        let mut taken = filled::taken_event();
        taken.event_id = Some(id.to_owned());
        assert_eq!(Visibility::Masked.show(taken).event_id.as_deref(), Some(shown));
    }
}

#[test]
fn what_is_wrong_with_a_field_may_repeat_it_and_what_it_is_called_may_not() {
    let mut problem = filled::problem();
    problem.errors[0].pointer = "/email".to_owned();
    let shown = Visibility::Masked.show(problem.clone());
    let wrong = &shown.errors[0];
    assert_eq!((&*wrong.pointer, &*wrong.detail), ("/email", MASK));
    assert_eq!(
        (&wrong.code, &wrong.connection),
        (&problem.errors[0].code, &problem.errors[0].connection)
    );
    assert_eq!(
        (shown.code, shown.detail, shown.conflicts),
        (problem.code, problem.detail, problem.conflicts)
    );
}

#[test]
fn nobody_may_look_for_a_code_that_would_be_covered() {
    for (code, is_shown) in [
        ("INVALID_FIELD", true),
        ("E400123", true),
        ("Ada Lee is known", false),
        ("2025550123", false),
    ] {
        assert_eq!(Visibility::Masked.may_ask_for_code(code), is_shown, "{code}");
        assert!(Visibility::Whole.may_ask_for_code(code));
    }
}

#[test]
fn who_may_read_customers_sees_all_of_it() {
    assert_eq!(Visibility::of(true), Visibility::Whole);
    assert_eq!(Visibility::of(false), Visibility::Masked);
}

#[test]
fn lists_boxes_and_what_may_be_missing_are_covered_within() {
    let shown = Visibility::Masked.show(vec![Some(Box::new(filled::link())), None]);
    let links: Vec<_> = shown
        .iter()
        .flatten()
        .map(|link| link.provider_customer_id.as_deref())
        .collect();
    assert_eq!((links, shown.len()), (vec![Some(MASK)], 2));
}

#[test]
fn what_covers_is_told_from_what_was_there() {
    let shown = Visibility::Masked.show(filled::customer());
    assert_eq!(json!(shown)["metadata"], json!({ MASK: MASK }));
    assert_eq!(json!(shown)["provider_fields"], json!({ MASK: { MASK: MASK } }));
}
