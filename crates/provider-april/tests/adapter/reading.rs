//! Reading back.

use serde_json::{Value as Json, json};
use upsert_core::{ErrorKind, Kind, ListQuery};
use upsert_provider_kit::{HttpVendor, WireReply};

use crate::fixture::{golden, marketplace, vendor};

fn query(limit: u32) -> ListQuery {
    ListQuery {
        limit,
        ..ListQuery::default()
    }
}

fn person() -> Json {
    json!({
        "customerId": "cust_1", "merchantId": "mcht_1", "emailAddress": "Lucy.Diamond@Star.com", "phoneNumber": "+61401234567",
        "referenceCustomerId": "CUST-48822821", "givenName": "Lucy", "middleName": null, "familyName": "Diamond",
        "isVerified": "yes", "metadata": { "tier": "gold" }, "createdAt": "2026-01-02T03:04:05Z"
    })
}

fn organisation() -> Json {
    json!({
        "customerId": "cust_2", "referenceCustomerId": "ORG-1", "organisationName": "Acme Pty Ltd", "taxId": "51824753556",
        "emailAddress": "accounts@acme.example", "organisationKyced": true, "metadata": {}
    })
}

#[test]
fn only_a_marketplace_key_may_read() {
    assert!(vendor().reads().is_none());
    assert!(marketplace().reads().is_some());
}

#[test]
fn a_search_is_an_email_address_or_a_name() {
    let vendor = marketplace();
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
    assert_eq!(path(None, 20, None), "/customers?limit=20&page=1");
    assert_eq!(path(None, 0, None), "/customers?limit=1&page=1");
    assert_eq!(path(None, 900, Some("3")), "/customers?limit=500&page=3");
    assert_eq!(
        path(Some("Lu+cy@Star.com"), 5, None),
        "/customers?limit=5&page=1&emailAddress=lu%2Bcy%40star.com"
    );
    assert_eq!(
        path(Some("Diamond & Co"), 5, None),
        "/customers?limit=5&page=1&name=Diamond+%26+Co"
    );
    let one = reads.read_request("cust/1");
    assert_eq!((one.method.as_str(), one.path.as_str()), ("GET", "/customers/cust%2F1"));
    assert!(one.body.is_null());
}

#[test]
fn filters_that_the_vendor_does_not_know_are_refused_together() {
    let vendor = marketplace();
    let asked = ListQuery {
        status: Some("active".to_owned()),
        tags: vec!["vip".to_owned()],
        archived: Some(true),
        cursor: Some("0".to_owned()),
        ..query(20)
    };
    golden!(
        "reading_unknown_filters",
        vendor.reads().unwrap().check(&asked).unwrap_err()
    );
}

#[test]
fn a_page_is_read_with_and_without_wrappers() {
    let vendor = marketplace();
    let reads = vendor.reads().unwrap();
    let bare = WireReply::of_json(200, &json!([person(), organisation()]));
    let bare = reads.decode_list(&query(2), &bare).unwrap();
    golden!("reading_page", json!({ "data": bare.data, "next": bare.next }));
    let wrapped = json!([{ "ConsumerCustomer": person() }, { "OrganisationCustomer": organisation() }]);
    let wrapped = reads
        .decode_list(&query(2), &WireReply::of_json(200, &wrapped))
        .unwrap();
    assert_eq!(wrapped.data, bare.data);
}

#[test]
fn a_page_that_is_not_full_is_the_last_one() {
    let vendor = marketplace();
    let reads = vendor.reads().unwrap();
    let one = WireReply::of_json(200, &json!([person()]));
    assert_eq!(reads.decode_list(&query(2), &one).unwrap().next, None);
    let later = ListQuery {
        cursor: Some("4".to_owned()),
        ..query(1)
    };
    assert_eq!(reads.decode_list(&later, &one).unwrap().next.as_deref(), Some("5"));
}

#[test]
fn one_record_is_read_and_an_unknown_one_is_none() {
    let vendor = marketplace();
    let reads = vendor.reads().unwrap();
    let nameless = json!({ "OrganisationCustomer": { "customerId": "cust_3" } });
    let one = reads.decode_read(&WireReply::of_json(200, &nameless)).unwrap().unwrap();
    assert_eq!(one.provider_customer_id.as_deref(), Some("cust_3"));
    assert_eq!(one.customer.kind(), Kind::Organisation);
    assert_eq!(reads.decode_read(&WireReply::of_json(404, &json!({}))).unwrap(), None);
}

#[test]
fn a_list_that_is_none_breaks_the_contract_and_a_refusal_keeps_its_meaning() {
    let vendor = marketplace();
    let reads = vendor.reads().unwrap();
    for body in [json!({ "data": [] }), json!("x"), Json::Null, json!(1)] {
        let error = reads
            .decode_list(&query(2), &WireReply::of_json(200, &body))
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::BrokenContract, "{body}");
    }
    let error = reads
        .decode_list(&query(2), &WireReply::of_json(403, &json!({})))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorised);
    let error = reads.decode_read(&WireReply::of_json(503, &json!({}))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient);
}

#[test]
fn a_fault_of_a_record_does_not_cost_its_page_and_another_merchants_record_is_not_shown() {
    let vendor = marketplace();
    let reads = vendor.reads().unwrap();
    let mut theirs = person();
    theirs["merchantId"] = json!("mcht_2");
    let mut odd = person();
    odd["merchantId"] = json!(["mcht_1"]);
    let body = json!([{ "emailAddress": "a@b.example" }, 1, theirs, odd, { "ConsumerCustomer": theirs }, person()]);
    let page = reads.decode_list(&query(20), &WireReply::of_json(200, &body)).unwrap();
    golden!(
        "reading_faulty_records",
        json!({ "data": page.data, "next": page.next })
    );
    for shown in [theirs.clone(), odd, json!({ "ConsumerCustomer": theirs })] {
        let error = reads.decode_read(&WireReply::of_json(200, &shown)).unwrap_err();
        assert_eq!(error.code.as_deref(), Some("other_merchant"), "{shown}");
    }
}
