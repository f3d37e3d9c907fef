use serde_json::json;

use super::*;
use crate::tests::filled;
use crate::{MASK, Visibility};

fn masked<T: Cover>(whole: T) -> T {
    Visibility::Masked.show(whole)
}

#[test]
fn what_was_proved_is_told_without_saying_of_whom() {
    let mut whole = filled::delivery();
    whole.fields.confirmed.push("/email".into());
    whole.fields.differs.push(Differs {
        pointer: "/notifications/email".into(),
        kept: json!(true),
    });
    let shown = masked(whole);
    assert_eq!(shown.fields.confirmed, ["/metadata/•••", "/email"]);
    assert_eq!(shown.fields.unconfirmed, ["/metadata/•••"]);
    let kept: Vec<_> = shown
        .fields
        .differs
        .iter()
        .map(|one| (&*one.pointer, &one.kept))
        .collect();
    let inner = json!({ MASK: MASK });
    let yes = json!(MASK);
    assert_eq!(kept, [("/metadata/•••", &inner), ("/notifications/email", &yes)]);
    assert_eq!(shown.warnings[0].pointer, "/metadata/•••");
}

#[test]
fn the_vendors_code_stays_where_it_is_one_and_its_words_do_not() {
    let mut whole = filled::delivery_error();
    whole.code = Some("E_1".to_owned());
    whole.vendor_request_id = Some("req-1".to_owned());
    whole.errors[0].pointer = Some("/email".to_owned());
    let shown = masked(whole.clone());
    assert_eq!(shown.code, whole.code);
    assert_eq!(shown.vendor_request_id, whole.vendor_request_id);
    assert_eq!((shown.kind, shown.vendor_status), (whole.kind, whole.vendor_status));
    assert_eq!((&*shown.detail, &shown.vendor_body), (MASK, &Some(json!(MASK))));
    assert_eq!(shown.vendor_headers, [("server".to_owned(), MASK.to_owned())].into());
    assert_eq!(shown.first_line().as_deref(), Some(MASK));
    let complaint = &shown.errors[0];
    assert_eq!(complaint.pointer.as_deref(), Some("/email"));
    assert_eq!((&*complaint.vendor_field, &*complaint.detail), (MASK, MASK));
}

#[test]
fn of_what_a_vendor_said_the_names_and_moments_stay() {
    let said = json!({
        "message": "Ann was added", "createdAt": "2026-01-02T03:04:05Z", "vip": true, "nothing": null,
        "more": { "name": "Ann", "at": "2026-01-02T03:04:05Z" }, "ann@x.example": "2026-01-02T03:04:05Z",
        "2025550123": 1,
    });
    let whole = Attempt {
        vendor_said: said.as_object().unwrap().clone(),
        ..filled::attempt()
    };
    let shown = Json::Object(masked(whole).vendor_said);
    let expected = json!({
        "message": MASK, "createdAt": "2026-01-02T03:04:05Z", "vip": MASK, "nothing": MASK,
        "more": { "name": MASK, "at": MASK }, MASK: MASK,
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_request_shows_which_members_it_had() {
    let mut whole = filled::sent_request();
    whole.body = json!({ "name": "Ann", "vip": true, "notes": "", "gone": null, "metadata": { "gate": "1" } });
    let shown = masked(whole);
    let expected = json!({ "name": MASK, "vip": MASK, "notes": "", "gone": null, "metadata": { MASK: MASK } });
    assert_eq!((shown.method.as_str(), shown.path, shown.body), ("PUT", None, expected));
}

#[test]
fn nothing_is_added_to_what_says_nothing_of_a_person() {
    let mut whole = filled::whole_delivery();
    let delivery = &mut whole.listed.delivery;
    delivery.provider_customer_id = None;
    delivery.fields = FieldOutcomes::default();
    (delivery.warnings, delivery.error) = (Vec::new(), None);
    let attempt = &mut whole.attempt_log[0];
    (attempt.request, attempt.error) = (None, None);
    attempt.vendor_said.clear();
    assert!(masked(whole.clone()) == whole);
}

#[test]
fn an_error_without_words_stays_as_it_is() {
    let mut whole = filled::delivery_error();
    (whole.code, whole.vendor_request_id, whole.vendor_body) = (None, None, Some(Json::Null));
    whole.detail.clear();
    whole.errors.clear();
    whole.vendor_headers.clear();
    assert_eq!(masked(whole.clone()), whole);
    whole.vendor_body = None;
    assert_eq!(masked(whole.clone()), whole);
}

#[test]
fn logs_show_no_words_of_a_vendor() {
    let shown = format!("{:?} {:?}", filled::delivery_error(), filled::cause());
    assert!(!shown.contains(filled::SECRET), "{shown}");
    assert!(shown.contains("Rejected") && shown.contains("422"), "{shown}");
}
