//! April, against seed 004 and the sample of its page.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use upsert_simulators::{SimulatorOptions, Vendor};

use crate::desk::{Desk, answer};

fn lucy() -> Value {
    json!({
        "emailAddress": "lucy.diamond@star.com",
        "phoneNumber": "+61401234567",
        "referenceCustomerId": "CUST-48822821",
        "givenName": "Lucy",
        "familyName": "Diamond",
        "isVerified": true,
        "metadata": {"tier": "gold"}
    })
}

fn consumer(fields: &Value) -> Value {
    json!({ "UpsertConsumerCustomer": fields })
}

fn organisation(reference: &str) -> Value {
    json!({"UpsertOrganisationCustomer": {
        "referenceCustomerId": reference, "organisationName": "Star Pty", "taxId": "51824753556",
        "emailAddress": "accounts@star.example"
    }})
}

fn with(mut fields: Value, name: &str, value: Value) -> Value {
    fields[name] = value;
    consumer(&fields)
}

fn marketplace(desk: &Desk, method: Method, path: &str) -> RequestBuilder {
    desk.bare(method, path).bearer_auth("sandbox_api_sim")
}

async fn read(desk: &Desk, path: &str) -> (u16, Value) {
    answer(marketplace(desk, Method::GET, path)).await
}

/// The documented shape of an error, with a tracer that is new each time.
fn assert_refused(status: u16, body: &Value) {
    assert_eq!(body["statusCode"], status, "{body}");
    assert!(body["errorCode"].is_string() && body["message"].is_string(), "{body}");
    assert!(uuid::Uuid::try_parse(body["tracer"].as_str().unwrap()).is_ok());
    let known = [
        "statusCode",
        "errorCode",
        "message",
        "tracer",
        "detail",
        "errorTypeDescription",
        "metadata",
    ];
    let mut members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let mut documented = known.to_vec();
    documented.sort_unstable();
    assert_eq!(members, documented, "every documented member: {body}");
}

#[tokio::test]
async fn a_consumer_is_answered_200_with_two_ids_created_or_updated() {
    let desk = Desk::start(Vendor::April);
    let (status, first) = desk.upsert(&consumer(&lucy())).await;
    assert_eq!((status, &first["merchantId"]), (200, &json!("mcht_acme")));
    assert!(first["customerId"].as_str().unwrap().starts_with("cust_"));
    assert_eq!(first.as_object().unwrap().len(), 2);
    let changed = with(lucy(), "givenName", json!("Lucie"));
    assert_eq!(desk.upsert(&changed).await, (200, first));
    let records = desk.simulator.records();
    assert_eq!((records.len(), &records[0].fields["givenName"]), (1, &json!("Lucie")));
}

#[tokio::test]
async fn another_email_is_another_consumer_whatever_the_reference() {
    let desk = Desk::start(Vendor::April);
    let (_, first) = desk.upsert(&consumer(&lucy())).await;
    let (_, second) = desk.upsert(&with(lucy(), "emailAddress", json!("lucy@moon.com"))).await;
    assert_ne!(first["customerId"], second["customerId"]);
}

#[tokio::test]
async fn an_organisation_is_keyed_by_its_reference_and_apart_from_consumers() {
    let desk = Desk::start(Vendor::April);
    let (_, first) = desk.upsert(&organisation("ORG-1")).await;
    let mut moved = organisation("ORG-1");
    moved["UpsertOrganisationCustomer"]["emailAddress"] = json!("lucy.diamond@star.com");
    assert_eq!(desk.upsert(&moved).await.1, first);
    assert_ne!(desk.upsert(&organisation("ORG-2")).await.1, first);
    assert_ne!(
        desk.upsert(&consumer(&lucy())).await.1,
        first,
        "the same e-mail as a consumer"
    );
}

#[tokio::test]
async fn the_wrapper_must_be_a_single_known_one() {
    let desk = Desk::start(Vendor::April);
    let two = json!({"UpsertConsumerCustomer": lucy(), "UpsertOrganisationCustomer": {}});
    for body in [
        lucy(),
        json!({}),
        two,
        json!({"UpsertPersonCustomer": lucy()}),
        json!([]),
    ] {
        let (status, answer) = desk.upsert(&body).await;
        assert_eq!(status, 400, "{body}");
        assert_refused(400, &answer);
    }
}

#[tokio::test]
async fn the_wrapper_of_an_organisation_can_be_named() {
    let mut options = SimulatorOptions::default();
    options.april.organisation_wrapper = "UpsertBusinessCustomer".to_owned();
    let desk = Desk::with(Vendor::April, options);
    let fields = organisation("ORG-1")["UpsertOrganisationCustomer"].clone();
    assert_eq!(desk.upsert(&json!({ "UpsertBusinessCustomer": fields })).await.0, 200);
    assert_eq!(desk.upsert(&organisation("ORG-1")).await.0, 400);
}

#[tokio::test]
async fn email_phone_and_family_name_are_required_unless_it_is_lenient() {
    let desk = Desk::start(Vendor::April);
    for (name, value) in [
        ("emailAddress", json!("")),
        ("phoneNumber", Value::Null),
        ("familyName", json!("")),
    ] {
        let (status, body) = desk.upsert(&with(lucy(), name, value)).await;
        assert_eq!(status, 400, "{name}");
        assert!(body["detail"].as_str().unwrap().contains(name), "{body}");
    }
    let mut options = SimulatorOptions::default();
    options.april.strict = false;
    let lenient = Desk::with(Vendor::April, options);
    assert_eq!(
        lenient
            .upsert(&consumer(&json!({"emailAddress": "lucy@moon.com"})))
            .await
            .0,
        200
    );
    assert_eq!(
        lenient
            .upsert(&consumer(&json!({"phoneNumber": "+61401234567"})))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn reference_name_tax_id_and_email_are_required_of_an_organisation() {
    let desk = Desk::start(Vendor::April);
    for name in ["referenceCustomerId", "organisationName", "taxId", "emailAddress"] {
        let mut body = organisation("ORG-1");
        body["UpsertOrganisationCustomer"].as_object_mut().unwrap().remove(name);
        let (status, answer) = desk.upsert(&body).await;
        assert_eq!(status, 400, "{name}");
        assert_refused(400, &answer);
    }
}

#[tokio::test]
async fn nulls_unknown_fields_national_phones_and_nested_metadata_are_400() {
    let desk = Desk::start(Vendor::April);
    let cases = [
        ("givenName", Value::Null),
        ("address", json!("1 Star St")),
        ("phoneNumber", json!("0401 234 567")),
        ("emailAddress", json!("lucy")),
        ("isVerified", json!("yes")),
        ("metadata", json!({"a": {"b": "c"}})),
        ("metadata", json!({"a": 1})),
    ];
    for (name, value) in cases {
        let (status, body) = desk.upsert(&with(lucy(), name, value)).await;
        assert_eq!(status, 400, "{name}");
        assert_refused(400, &body);
        assert!(body["detail"].as_str().unwrap().starts_with(name), "{body}");
    }
    assert!(desk.simulator.records().is_empty());
}

#[tokio::test]
async fn metadata_is_replaced_as_a_whole() {
    let desk = Desk::start(Vendor::April);
    desk.upsert(&consumer(&lucy())).await;
    desk.upsert(&with(lucy(), "metadata", json!({"colour": "red"}))).await;
    assert_eq!(desk.simulator.records()[0].fields["metadata"], json!({"colour": "red"}));
}

#[tokio::test]
async fn a_missing_or_unknown_credential_is_401_and_a_public_one_403() {
    let desk = Desk::start(Vendor::April);
    let bare = || desk.bare(Method::POST, "/customers").json(&consumer(&lucy()));
    let cases = [
        (bare(), 401),
        (bare().bearer_auth("live_sk_sim"), 401),
        (bare().header("authorization", "sandbox_sk_sim"), 401),
        (bare().bearer_auth("sandbox_pk_sim"), 403),
    ];
    for (request, expected) in cases {
        let (status, body) = answer(request).await;
        assert_eq!(status, expected);
        assert_refused(expected, &body);
    }
}

#[tokio::test]
async fn a_marketplace_key_writes_for_the_merchant_it_names() {
    let desk = Desk::start(Vendor::April);
    let post = || marketplace(&desk, Method::POST, "/customers").json(&consumer(&lucy()));
    let (status, body) = answer(post()).await;
    assert_eq!(status, 400, "without Merchant-Id");
    assert_refused(400, &body);
    let (_, one) = answer(post().header("Merchant-Id", "mcht_1")).await;
    let (_, two) = answer(post().header("Merchant-Id", "mcht_2")).await;
    assert_eq!(
        (&one["merchantId"], &two["merchantId"]),
        (&json!("mcht_1"), &json!("mcht_2"))
    );
    assert_ne!(one["customerId"], two["customerId"], "customers are per merchant");
}

#[tokio::test]
async fn a_secret_key_may_name_its_own_merchant_only() {
    let desk = Desk::start(Vendor::April);
    let naming = |merchant: &str| desk.request(Method::POST, "/customers").header("Merchant-Id", merchant);
    assert_eq!(answer(naming("mcht_acme").json(&consumer(&lucy()))).await.0, 200);
    assert_eq!(answer(naming("mcht_other").json(&consumer(&lucy()))).await.0, 403);
}

#[tokio::test]
async fn a_reference_of_another_consumer_is_409_where_the_rules_say_so() {
    let mut options = SimulatorOptions::default();
    options.april.unique_reference = true;
    let desk = Desk::with(Vendor::April, options);
    assert_eq!(desk.upsert(&consumer(&lucy())).await.0, 200);
    assert_eq!(desk.upsert(&consumer(&lucy())).await.0, 200, "its own is no conflict");
    assert_eq!(desk.upsert(&organisation("ORG-1")).await.0, 200);
    let like_the_organisation = with(lucy(), "referenceCustomerId", json!("ORG-1"));
    assert_eq!(
        desk.upsert(&like_the_organisation).await.0,
        200,
        "an organisation is no other consumer"
    );
    assert_eq!(desk.upsert(&consumer(&lucy())).await.0, 200);
    let (status, body) = desk.upsert(&with(lucy(), "emailAddress", json!("lucy@moon.com"))).await;
    assert_eq!(status, 409);
    assert_refused(409, &body);
}

#[tokio::test]
async fn a_secret_key_may_not_read() {
    let desk = Desk::start(Vendor::April);
    let (_, written) = desk.upsert(&consumer(&lucy())).await;
    let one = format!("/customers/{}", written["customerId"].as_str().unwrap());
    for path in ["/customers", &one] {
        let (status, body) = desk.get(path).await;
        assert_eq!(status, 403, "{path}");
        assert_refused(403, &body);
    }
}

#[tokio::test]
async fn one_customer_is_read_in_a_single_key_object() {
    let desk = Desk::start(Vendor::April);
    let (_, lucy_ids) = desk.upsert(&consumer(&lucy())).await;
    let (_, star_ids) = desk.upsert(&organisation("ORG-1")).await;
    let path = |ids: &Value| format!("/customers/{}", ids["customerId"].as_str().unwrap());
    let (status, body) = read(&desk, &path(&lucy_ids)).await;
    assert_eq!((status, body.as_object().unwrap().len()), (200, 1));
    let mut fields = body["ConsumerCustomer"].clone();
    assert_eq!(fields["customerId"], lucy_ids["customerId"]);
    assert_eq!(fields["merchantId"], "mcht_acme");
    fields
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !["customerId", "merchantId", "createdAt"].contains(&name.as_str()));
    assert_eq!(fields, lucy());
    let (_, body) = read(&desk, &path(&star_ids)).await;
    assert_eq!(body["OrganisationCustomer"]["organisationName"], "Star Pty");
    let (status, body) = read(&desk, "/customers/cust_nobody").await;
    assert_eq!(status, 404);
    assert_refused(404, &body);
}

#[tokio::test]
async fn the_list_is_a_bare_array_with_pages_and_filters() {
    let desk = Desk::start(Vendor::April);
    for at in 0..25 {
        let mut fields = lucy();
        fields["emailAddress"] = json!(format!("p{at}@star.com"));
        fields["familyName"] = json!(format!("Name{at}"));
        desk.upsert(&consumer(&fields)).await;
    }
    let emails = |list: &Value| -> Vec<String> {
        list.as_array()
            .unwrap()
            .iter()
            .map(|row| row["emailAddress"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(emails(&read(&desk, "/customers").await.1).len(), 20, "the default");
    assert_eq!(
        emails(&read(&desk, "/customers?limit=10&page=3").await.1).len(),
        5,
        "a short page is the last"
    );
    let two = "/customers?emailAddress=p1%40star.com&emailAddress=p2%40star.com";
    assert_eq!(emails(&read(&desk, two).await.1), ["p1@star.com", "p2@star.com"]);
    assert_eq!(emails(&read(&desk, "/customers?name=name24").await.1), ["p24@star.com"]);
    assert_eq!(
        emails(&read(&desk, "/customers?sort=-createdAt&limit=1").await.1),
        ["p24@star.com"]
    );
    let id = desk.simulator.records()[3].id.clone();
    assert_eq!(
        emails(&read(&desk, &format!("/customers?customerId={id}")).await.1),
        ["p3@star.com"]
    );
    assert!(emails(&read(&desk, "/customers?merchantId=mcht_other").await.1).is_empty());
    assert!(emails(&read(&desk, "/customers?createdBefore=2020-01-01T00:00:00Z").await.1).is_empty());
    assert_eq!(
        emails(&read(&desk, "/customers?createdAfter=2020-01-01T00:00:00Z").await.1).len(),
        20
    );
    for query in ["limit=501", "limit=0", "page=0", "sort=name", "createdAfter=yesterday"] {
        let (status, body) = read(&desk, &format!("/customers?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert_refused(400, &body);
    }
}

#[tokio::test]
async fn other_methods_paths_and_formats_are_405_404_and_406() {
    let desk = Desk::start(Vendor::April);
    let cases = [
        (desk.request(Method::DELETE, "/customers"), 405),
        (desk.request(Method::GET, "/orders"), 404),
        (
            desk.request(Method::POST, "/customers")
                .header("accept", "text/html")
                .json(&consumer(&lucy())),
            406,
        ),
    ];
    for (request, expected) in cases {
        let (status, body) = answer(request).await;
        assert_eq!(status, expected);
        assert_refused(expected, &body);
    }
}
