//! Golden reads.

use serde_json::{Value as Json, json};

use upsert_core::{ErrorKind, ListQuery, StateAtVendor};
use upsert_provider_kit::{HttpReads, HttpVendor as _, WireReply, of_read};

use crate::samples::{assert_golden, failure, full_person, rotor};

fn with_reads<T>(use_it: impl FnOnce(&dyn HttpReads) -> T) -> T {
    use_it(rotor(json!({})).reads().unwrap())
}

fn path(query: &ListQuery) -> String {
    with_reads(|reads| {
        reads.check(query).unwrap();
        let request = reads.list_request(query);
        assert_eq!((request.method.as_str(), &request.body), ("GET", &Json::Null));
        request.path
    })
}

/// The sample of the pages [S2].
fn documented_record() -> Json {
    json!({
        "id": "182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e",
        "address": {
            "city": "city", "country": "country", "state": "state", "street1": "street1", "zip": "zip",
            "street2": "street2"
        },
        "company_name": "company_name", "created_at": "2019-12-27T18:11:19.117Z", "email": "dev@stainless.com",
        "first_name": "first_name", "is_auto_pay": true, "last_name": "last_name", "location": [0], "notes": "notes",
        "phone": "phone", "source": "source", "status": "active", "tags": ["string"]
    })
}

fn documented_list() -> Json {
    json!({
        "data": [documented_record()],
        "pagination": { "has_more": true, "limit": 50, "page": 1, "total": 142 },
        "status": "success"
    })
}

#[test]
fn a_list_asks_for_what_the_query_says() {
    let all = ListQuery {
        search: Some("Doe & Söhne + 1/2".to_owned()),
        status: Some("inactive".to_owned()),
        tags: vec!["vip".to_owned(), "garden".to_owned()],
        archived: Some(true),
        limit: 50,
        cursor: Some("3".to_owned()),
    };
    assert_eq!(
        path(&all),
        "/customers?page=3&limit=50&search=Doe%20%26%20S%C3%B6hne%20%2B%201%2F2&status=inactive\
         &tags=vip%2Cgarden&archived=true"
    );
    for (limit, page) in [
        (5_000, "/customers?page=1&limit=1000"),
        (0, "/customers?page=1&limit=1"),
    ] {
        assert_eq!(
            path(&ListQuery {
                limit,
                ..ListQuery::default()
            }),
            page
        );
    }
}

#[test]
fn every_filter_that_rotor_cannot_follow_is_named_at_once() {
    let query = ListQuery {
        status: Some("asleep".to_owned()),
        tags: vec!["a,b".to_owned()],
        cursor: Some("next".to_owned()),
        ..ListQuery::default()
    };
    let problems = with_reads(|reads| reads.check(&query)).unwrap_err();
    let names: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(names, ["status", "tag", "cursor"]);
}

#[test]
fn a_cursor_is_a_page_number_and_nothing_else() {
    for cursor in ["", "0", "-1", "+2", "02", "1.5", "two", "99999999999999999999"] {
        let query = ListQuery {
            cursor: Some(cursor.to_owned()),
            ..ListQuery::default()
        };
        let problems = with_reads(|reads| reads.check(&query)).unwrap_err();
        assert_eq!(problems[0].pointer, "cursor", "{cursor}");
    }
}

#[test]
fn the_documented_list_is_read_and_goes_on_with_its_next_page() {
    let read = |cursor: Option<&str>| {
        let query = ListQuery {
            cursor: cursor.map(str::to_owned),
            ..ListQuery::default()
        };
        let reply = WireReply::of_json(200, &documented_list());
        with_reads(|reads| reads.decode_list(&query, &reply)).unwrap()
    };
    let page = read(None);
    assert_golden!(
        "documented_list",
        json!({ "data": page.data, "next": page.next, "vendor_fields": page.vendor_fields })
    );
    assert_eq!(read(Some("7")).next.as_deref(), Some("8"));
    assert_eq!(read(Some("4294967295")).next, None);
}

#[test]
fn a_list_ends_where_rotor_says_no_more_or_shows_nothing() {
    for (data, pagination) in [
        (json!([documented_record()]), json!({ "has_more": false })),
        (json!([documented_record()]), Json::Null),
        (json!([]), json!({ "has_more": true })),
    ] {
        let reply = WireReply::of_json(200, &json!({ "data": data, "pagination": pagination }));
        let page = with_reads(|reads| reads.decode_list(&ListQuery::default(), &reply)).unwrap();
        assert_eq!(page.next, None, "{pagination}");
    }
}

#[test]
fn one_record_is_read_in_our_words() {
    let record = json!({ "status": "success", "data": {
        "id": "r-1", "first_name": "Jane", "last_name": null, "company_name": "", "email": "Jane@EXAMPLE.com",
        "phone": "(763) 555-0100", "status": "Active", "tags": ["vip", "garden"], "notes": "a\nb", "source": "web",
        "address": { "street1": "1 Main St", "city": "Edina", "state": "MN", "zip": "55424", "country": "United States of America" }
    }});
    let read = with_reads(|reads| reads.decode_read(&WireReply::of_json(200, &record))).unwrap();
    assert_golden!("one_record", read);
}

#[test]
fn what_cannot_be_understood_is_named_and_the_rest_is_read() {
    let record = json!({ "data": {
        "id": "r-2", "company_name": "Acme", "email": "not an address", "phone": "555-0100", "status": "asleep",
        "tags": ["ok", 7], "notes": 12, "address": { "street1": ["x"], "country": "Narnia" }
    }});
    let read = with_reads(|reads| reads.decode_read(&WireReply::of_json(200, &record)));
    assert_golden!("unreadable_fields", read.unwrap());
}

#[test]
fn what_was_written_reads_back_but_for_what_rotor_does_not_show() {
    let written = crate::samples::customer(&full_person());
    let property = |name: &str| full_person()["addresses"]["property"][name].clone();
    let record = json!({ "data": {
        "id": "r-3", "first_name": "Jane", "last_name": "Doe", "company_name": "Doe Lawns",
        "email": "jane@example.com", "phone": "+12025550123", "status": "active", "source": "web",
        "notes": "Gate code at the door.\nDog.", "tags": ["vip", "garden"],
        "address": {
            "street1": property("line1"), "street2": property("line2"), "city": property("city"),
            "state": property("state"), "zip": property("postal_code"), "country": property("country")
        }
    }});
    let read = with_reads(|reads| reads.decode_read(&WireReply::of_json(200, &record)));
    let read = read.unwrap().unwrap();
    let lost: Vec<String> = written
        .changes_to(&read.customer)
        .into_iter()
        .map(|change| change.pointer)
        .filter(|pointer| !read.unreadable.iter().any(|it| it.pointer == *pointer))
        .collect();
    assert_eq!(lost, ["/reference"]);
}

#[test]
fn an_id_goes_into_the_path_as_one_segment() {
    for (id, path) in [
        ("182bd5e5-6e1a", "/customers/182bd5e5-6e1a"),
        ("a b/c?d#e%+", "/customers/a%20b%2Fc%3Fd%23e%25%2B"),
        ("é", "/customers/%C3%A9"),
        ("..", "/customers/%252E%252E"),
        (".", "/customers/%252E"),
    ] {
        let request = with_reads(|reads| reads.read_request(id));
        assert_eq!(request.path, path);
        let url = url::Url::parse(&format!("https://rotor.example/open-api{}", request.path)).unwrap();
        assert_eq!(url.path_segments().unwrap().count(), 3, "{url}");
        assert_eq!((url.query(), url.fragment()), (None, None));
    }
}

#[test]
fn an_id_that_rotor_does_not_know_is_no_record() {
    let reply = WireReply::of_json(404, &json!({ "status": "error", "message": "Not found" }));
    assert_eq!(with_reads(|reads| reads.decode_read(&reply)).unwrap(), None);
}

#[test]
fn a_read_that_fails_leaves_nothing_in_doubt() {
    let shapes = [
        (500, json!({ "status": "error", "message": "Internal server error" })),
        (
            403,
            json!({ "message": "Forbidden: required scope 'customers:read' not granted for this API key" }),
        ),
        (
            429,
            json!({ "message": "Daily API key request limit of 1000 exceeded" }),
        ),
        (302, Json::Null),
        (200, json!({ "status": "error", "message": "Nope" })),
        (200, json!([])),
    ];
    let mut meant = Vec::new();
    for (status, body) in shapes {
        let reply = WireReply::of_json(status, &body);
        let one = of_read(with_reads(|reads| reads.decode_read(&reply)).unwrap_err());
        let list = of_read(with_reads(|reads| reads.decode_list(&ListQuery::default(), &reply)).unwrap_err());
        for error in [&one, &list] {
            assert_eq!(error.state, StateAtVendor::Unchanged, "{status}");
            assert!(!error.detail.contains("wrote"), "{}", error.detail);
        }
        assert_eq!(one.kind, list.kind);
        assert_eq!(one.kind == ErrorKind::BrokenContract, status < 400);
        meant.push(failure(&one));
    }
    assert_golden!("failed_reads", meant);
}

fn list(body: &Json, limit: u32) -> Result<upsert_core::ReadPage, upsert_core::ProviderError> {
    let query = ListQuery {
        limit,
        ..ListQuery::default()
    };
    with_reads(|reads| reads.decode_list(&query, &WireReply::of_json(200, body)))
}

#[test]
fn what_the_page_calls_optional_is_optional() {
    for body in [
        json!({}),
        json!({ "status": "success" }),
        json!({ "data": null, "status": "success" }),
        json!({ "pagination": { "total": 0 } }),
        json!({ "data": [] }),
    ] {
        let page = list(&body, 50).unwrap();
        assert!(page.data.is_empty() && page.next.is_none(), "{body}");
    }
}

#[test]
fn a_fault_of_a_record_costs_its_place_and_one_of_the_page_the_page() {
    let page = list(
        &json!({ "data": [{ "first_name": "nobody" }, documented_record(), 7, null] }),
        50,
    )
    .unwrap();
    let ids: Vec<_> = page
        .data
        .iter()
        .map(|read| read.provider_customer_id.as_deref())
        .collect();
    assert_eq!(ids, [None, documented_record()["id"].as_str(), None, None]);
    let first = &page.data[0].unreadable[0];
    assert_eq!(
        (first.pointer.as_str(), &first.value),
        ("/provider_customer_id", &Json::Null)
    );
    for body in [
        json!({ "data": {} }),
        json!({ "data": "none" }),
        json!({ "data": [], "pagination": { "has_more": "yes" } }),
        json!({ "data": [], "pagination": { "has_more": 1 } }),
        json!({ "data": [], "pagination": { "total": "many" } }),
    ] {
        assert_eq!(list(&body, 50).unwrap_err().kind, ErrorKind::BrokenContract, "{body}");
    }
}

#[test]
fn a_total_tells_of_more_pages_where_nothing_else_does() {
    for (pagination, more) in [
        (json!({ "total": 3 }), true),
        (json!({ "total": 2 }), false),
        (json!({ "total": 3, "has_more": null }), true),
        (json!({ "total": 3, "has_more": false }), false),
        (json!({ "total": null }), false),
    ] {
        let page = list(
            &json!({ "data": [documented_record(), documented_record()], "pagination": pagination }),
            2,
        );
        assert_eq!(page.unwrap().next.is_some(), more, "{pagination}");
    }
}
