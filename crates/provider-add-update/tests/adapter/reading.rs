//! Reading back.

use serde_json::{Value as Json, json};
use upsert_core::{ErrorKind, ListQuery};
use upsert_provider_kit::{HttpVendor, WireReply};

use crate::fixture::{GATEWAY_ID, golden, vendor, vendor_with};

fn query(limit: u32) -> ListQuery {
    ListQuery {
        limit,
        ..ListQuery::default()
    }
}

fn record(id: &str) -> Json {
    json!({
        "externalId": id, "firstName": "John", "lastName": "Doe", "email": "John.Doe@Example.com",
        "phoneNumber": "5512345678", "active": false, "notificationOptions": { "notifyEmail": true, "notifyPhone": null },
        "createdAt": "2024-03-20T10:00:00Z", "updatedAt": "2024-03-20T10:00:00Z"
    })
}

#[test]
fn a_search_is_an_exact_email_or_external_id() {
    let vendor = vendor();
    let reads = vendor.reads().unwrap();
    let path = |search: Option<&str>, limit, cursor: Option<&str>| {
        let query = ListQuery {
            search: search.map(str::to_owned),
            cursor: cursor.map(str::to_owned),
            ..query(limit)
        };
        assert_eq!(reads.check(&query), Ok(()));
        reads.list_request(&query).path
    };
    assert_eq!(path(None, 20, None), "/customers?limit=20&offset=0");
    assert_eq!(path(None, 0, None), "/customers?limit=1&offset=0");
    assert_eq!(path(None, 900, Some("200")), "/customers?limit=100&offset=200");
    assert_eq!(
        path(Some("Jo@X.com"), 5, None),
        "/customers?limit=5&offset=0&email=jo%40x.com"
    );
    assert_eq!(
        path(Some("A&B 1"), 5, None),
        "/customers?limit=5&offset=0&externalId=A%26B+1"
    );
    let one = reads.read_request("a/b ?");
    assert_eq!(
        (one.method.as_str(), one.path.as_str()),
        ("GET", "/customers/a%2Fb%20%3F")
    );
    assert!(one.body.is_null());
}

#[test]
fn filters_that_the_vendor_does_not_know_are_refused_together() {
    let vendor = vendor();
    let asked = ListQuery {
        status: Some("active".to_owned()),
        tags: vec!["vip".to_owned()],
        archived: Some(true),
        cursor: Some("-1".to_owned()),
        ..query(20)
    };
    golden!(
        "reading_unknown_filters",
        vendor.reads().unwrap().check(&asked).unwrap_err()
    );
}

#[test]
fn a_page_is_read_whatever_it_is_wrapped_in() {
    let vendor = vendor();
    let reads = vendor.reads().unwrap();
    let records = json!([record("CUST-123"), record(GATEWAY_ID)]);
    let bare = reads
        .decode_list(&query(2), &WireReply::of_json(200, &records))
        .unwrap();
    golden!("reading_page", json!({ "data": bare.data, "next": bare.next }));
    for member in ["data", "customers", "items", "results"] {
        let wrapped = WireReply::of_json(200, &json!({ "total": 2, member: records }));
        assert_eq!(
            reads.decode_list(&query(2), &wrapped).unwrap().data,
            bare.data,
            "{member}"
        );
    }
}

#[test]
fn a_page_that_is_not_full_is_the_last_one() {
    let vendor = vendor();
    let reads = vendor.reads().unwrap();
    let one = WireReply::of_json(200, &json!([record("CUST-123")]));
    assert_eq!(reads.decode_list(&query(2), &one).unwrap().next, None);
    let later = ListQuery {
        cursor: Some("40".to_owned()),
        ..query(1)
    };
    assert_eq!(reads.decode_list(&later, &one).unwrap().next.as_deref(), Some("41"));
}

#[test]
fn one_record_is_read_and_an_unknown_one_is_none() {
    for vendor in [vendor(), vendor_with(json!({ "organisation_as_first_name": true }))] {
        let reads = vendor.reads().unwrap();
        let one = reads
            .decode_read(&WireReply::of_json(200, &record("CUST-123")))
            .unwrap()
            .unwrap();
        assert_eq!(one.provider_customer_id.as_deref(), Some("CUST-123"));
        assert_eq!(one.customer.reference(), Some("CUST-123"));
        let none = reads.decode_read(&WireReply::of_json(404, &json!({ "error": { "code": "NOT_FOUND" } })));
        assert_eq!(none.unwrap(), None);
    }
}

#[test]
fn a_list_that_is_none_breaks_the_contract_and_a_refusal_keeps_its_meaning() {
    let vendor = vendor();
    let reads = vendor.reads().unwrap();
    for body in [
        json!("x"),
        json!({ "data": {} }),
        json!({ "records": [] }),
        json!({ "page": { "rows": [] } }),
    ] {
        let error = reads
            .decode_list(&query(2), &WireReply::of_json(200, &body))
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::BrokenContract, "{body}");
    }
    let error = reads
        .decode_list(&query(2), &WireReply::of_json(401, &json!({})))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    let error = reads.decode_read(&WireReply::of_json(503, &json!({}))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
}

#[test]
fn a_fault_of_a_record_does_not_cost_its_page() {
    let vendor = vendor();
    let reads = vendor.reads().unwrap();
    let body = json!({ "data": [{ "firstName": "Jo" }, 7, record("CUST-1"), { "externalId": 1022.0 }], "total": 4 });
    let page = reads.decode_list(&query(20), &WireReply::of_json(200, &body)).unwrap();
    golden!(
        "reading_faulty_records",
        json!({ "data": page.data, "next": page.next, "vendor_fields": page.vendor_fields })
    );
    for body in [json!({}), json!({ "total": 0 }), json!({ "data": null }), json!([])] {
        let page = reads.decode_list(&query(20), &WireReply::of_json(200, &body)).unwrap();
        assert!(page.data.is_empty() && page.next.is_none(), "{body}");
    }
}
