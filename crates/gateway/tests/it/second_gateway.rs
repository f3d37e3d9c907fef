//! What one gateway exports comes into another one that knows nobody: the vendors' records are adopted, and none is made anew.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::own_gateway::{OwnGateway, Vendors};
use crate::process::{stderr, stdout};

/// Organisations go to April alone: the others know persons.
const ROUTES: &str = r#"
[[routes]]
when = { kind = "organisation" }
to = ["april"]

[[routes]]
to = ["rotor", "wallet", "april"]
"#;

/// The map of docs/importing.md: the ids are the first gateway's own.
const MAP: &str = "ignore = [\"id\"]\n";

/// With everything that a customer may have, and with what tables are bad at.
fn people() -> Vec<Json> {
    vec![
        json!({ "reference": "00042", "given_name": "Zoë", "middle_name": "Jo", "family_name": "'tHooft", "email": "zoe@x.example",
            "phone": "+12025550101", "status": "active", "verified": true, "tax_id": "0123", "source": "crm",
            "addresses": {
                "billing": { "line1": "=1 High St", "line2": "Flat \"3\"", "city": "'s-Hertogenbosch", "state": "NB",
                    "postal_code": "'0211", "country": "NL" },
                "property": { "line1": "1 Low St; back", "city": "Dover", "state": "DE", "postal_code": "02134", "country": "US" },
            },
            "billing_same_as_property": false, "service": { "type": "pest control", "frequency": "monthly" },
            "notifications": { "email": false, "phone": true }, "notes": "two\nlines, \"quoted\"", "tags": ["a;b", "[c]", "vip"],
            "metadata": { "plan": "gold", "odd, name": "-1" } }),
        // Known at add-update by the gateway's own id.
        json!({ "given_name": "Bram", "family_name": "Öhm", "email": "bram@x.example", "phone": "+31612345678", "tags": ["vip", "new"] }),
        json!({ "reference": "7.2E+3", "given_name": "Cleo", "family_name": "Lee", "email": "cleo@x.example", "phone": "+12025550103" }),
        // One phone is nobody's, and so is kept and sent to nobody who goes by it.
        json!({ "reference": "R-4", "given_name": "Dan", "family_name": "Lee", "email": "dan@x.example", "phone": "9999999999" }),
        json!({ "reference": "ORG-1", "organisation_name": "Marsh, \"Sons\"; Ltd", "email": "office@x.example", "phone": "+12025550105",
            "kind": "organisation", "tax_id": "0123-456" }),
    ]
}

fn start(vendors: &Vendors) -> OwnGateway {
    let (connections, secrets) = vendors.connections("");
    OwnGateway::start(&format!("{connections}{ROUTES}"), &secrets)
}

fn fill(gateway: &OwnGateway) {
    for person in people() {
        let (status, text) = gateway.post("/v1/customers", "application/json", &person.to_string(), &[]);
        assert_eq!(status, 201, "{text}");
    }
    // A reference that comes later: add-update goes on under the id that it was made with.
    let later = json!({ "email": "bram@x.example", "reference": "R-2" }).to_string();
    let (status, text) = gateway.post("/v1/customers", "application/json", &later, &[]);
    assert_eq!(status, 200, "{text}");
    let other = json!({ "given_name": "Eve", "family_name": "Ray", "email": "eve@x.example", "phone": "+12025550106" })
        .to_string();
    assert_eq!(gateway.post("/v1/customers", "application/json", &other, &[]).0, 201);
}

fn exported(gateway: &OwnGateway, name: &str) -> (String, String) {
    let file = gateway.written(name, "");
    let format = name.rsplit('.').next().unwrap();
    let output = gateway.run(&["export", "--format", format, "--out", &file]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

/// The header and the rows of a table, without the column of ids, in the order of what is left.
fn without_ids(table: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[0], "id");
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().skip(1).map(str::to_owned).collect());
    let mut rows: Vec<Vec<String>> = rows.collect();
    rows.sort();
    (header, rows)
}

/// By e-mail: the customer without what is this gateway's own, and the vendors' ids by connection.
fn known(gateway: &OwnGateway) -> BTreeMap<String, (Json, BTreeMap<String, String>)> {
    let all = gateway.customers().into_iter().map(|listed| {
        let mut customer = gateway.get(&format!("/v1/customers/{}", listed["id"].as_str().unwrap()));
        let members = customer.as_object_mut().unwrap();
        for own in ["id", "created_at", "updated_at", "version"] {
            members.remove(own).unwrap();
        }
        let links = members.remove("links").unwrap();
        let links = links.as_array().unwrap().iter().map(|link| {
            assert_eq!(
                (&link["state"], &link["shared"]),
                (&json!("in_sync"), &json!(false)),
                "{link:#}"
            );
            let text = |member: &str| link[member].as_str().unwrap().to_owned();
            (text("connection"), text("provider_customer_id"))
        });
        let links: BTreeMap<String, String> = links.collect();
        (customer["email"].as_str().unwrap().to_owned(), (customer, links))
    });
    all.collect()
}

/// What the vendors have: ids and fields, whatever number of times they were sent.
fn held(vendors: &Vendors) -> [Vec<(String, Json)>; 3] {
    vendors.records().map(|(_, records)| {
        let all = records
            .into_iter()
            .map(|record| (record.id, Json::Object(record.fields)));
        all.collect()
    })
}

#[test]
fn an_export_comes_into_a_second_empty_gateway_and_no_vendor_gets_a_second_record() {
    let vendors = Vendors::start();
    let first = start(&vendors);
    fill(&first);
    let before = held(&vendors);
    assert_eq!(
        before.each_ref().map(Vec::len),
        [5, 5, 6],
        "persons at all, the organisation at April alone"
    );
    let (file, table) = exported(&first, "all.csv");

    let second = start(&vendors);
    assert_eq!(second.customers(), Vec::<Json>::new());
    let map = second.written("map.toml", MAP);
    let output = second.run(&["import", &file, "--map", &map, "--wait", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    let told: Json = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&told["accepted"], &told["created"]),
        (&json!(6), &json!(6)),
        "{told:#}"
    );
    second.until_all_is_delivered(Duration::from_secs(60));

    assert_eq!(held(&vendors), before, "a vendor has another record, or another field");
    assert_eq!(known(&second), known(&first));
    assert_eq!(known(&second)["bram@x.example"].1.len(), 3);
    let (_, again) = exported(&second, "again.csv");
    assert_eq!(without_ids(&again), without_ids(&table));

    // The links are live: a change in the second gateway changes the records that the first one made.
    let change = json!({ "email": "bram@x.example", "family_name": "Marsh" }).to_string();
    let (status, text) = second.post("/v1/customers", "application/json", &change, &[]);
    assert_eq!(status, 200, "{text}");
    assert_eq!(held(&vendors).each_ref().map(Vec::len), [5, 5, 6]);
    let changed = |(id, fields): &(String, Json)| fields.to_string().contains("Marsh\"").then(|| id.clone());
    let renamed = held(&vendors).map(|records| records.iter().filter_map(changed).collect::<Vec<_>>().len());
    assert_eq!(renamed, [1, 1, 1]);
}

#[test]
fn the_ids_of_one_gateway_are_unknown_to_another_and_nothing_comes_in_by_them() {
    let vendors = Vendors::start();
    let first = start(&vendors);
    fill(&first);
    let before = vendors.records().map(|(writes, _)| writes);
    let (file, _) = exported(&first, "all.ndjson");
    let second = start(&vendors);
    let output = second.run(&["import", &file, "--wait", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told: Json = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(told["refused_by_code"], json!({ "not_found": 6 }), "{told:#}");
    assert_eq!(second.customers(), Vec::<Json>::new());
    assert_eq!(vendors.records().map(|(writes, _)| writes), before);
}
