//! Several writers of one person at the same moment, at vendors that look up and insert without a lock.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use serde_json::json;
use upsert_tests::{Plan, World};

#[tokio::test]
async fn two_writers_of_the_same_new_person_make_one_record_at_each_vendor() {
    let world = World::start().await;
    for round in 0..20 {
        let body = json!({ "reference": format!("r{round}"), "given_name": "A", "family_name": "B",
            "email": format!("a{round}@x.example"), "phone": format!("20255501{round:02}") });
        let (one, two) = tokio::join!(world.upsert(&body), world.upsert(&body));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "{} {}", one.text, two.text);
        assert_eq!(one.customer_id(), two.customer_id());
    }
    for vendor in [&world.rotor, &world.wallet, &world.april] {
        assert_eq!(vendor.records().len(), 20, "{vendor:?}");
    }
}

#[tokio::test]
async fn writers_with_other_references_and_one_email_leave_one_record_at_the_vendor_that_matches_by_it() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    for round in 0..5 {
        let bodies: Vec<_> = (0..20)
            .map(|n| json!({ "reference": format!("r{round}-{n}"), "given_name": "A", "email": format!("a{round}@x.example") }))
            .collect();
        let all = futures_util::future::join_all(bodies.iter().map(|body| world.upsert(body))).await;
        let made = all.iter().filter(|answered| answered.status == 201).count();
        assert_eq!(made, 1, "one is made");
        for other in all.iter().filter(|answered| answered.status != 201) {
            assert_eq!(
                (other.status, other.code()),
                (409, "match_key_collision"),
                "{}",
                other.text
            );
        }
    }
    assert_eq!(world.rotor.records().len(), 5);
}

#[tokio::test]
async fn many_edits_of_one_customer_at_once_all_count_and_never_overlap_at_the_vendor() {
    let world = World::with(Plan {
        only: vec!["rotor"],
        ..Plan::default()
    })
    .await;
    let made = world
        .upsert(&json!({ "reference": "r", "given_name": "A", "phone": "2025550101" }))
        .await;
    let edits: Vec<_> = (0..40)
        .map(|n| json!({ "reference": "r", "metadata": { format!("m{n}"): "1" }, "tags": [format!("t{n}")] }))
        .collect();
    let all = futures_util::future::join_all(edits.iter().map(|body| world.upsert(body))).await;
    for answered in &all {
        assert_eq!(answered.status, 200, "{}", answered.text);
    }
    let shown = world.get(&format!("/v1/customers/{}", made.customer_id())).await;
    assert_eq!(shown.body["version"], 41);
    assert_eq!(shown.body["metadata"].as_object().unwrap().len(), 40);
    assert_eq!(shown.body["tags"].as_array().unwrap().len(), 40);
    assert_eq!(shown.body["links"][0]["state"], "in_sync");
    assert_eq!(world.rotor.records()[0].fields["tags"].as_array().unwrap().len(), 40);
    let entries = world.rotor.journal().entries();
    for (index, entry) in entries.iter().enumerate() {
        assert!(
            entries[index + 1..].iter().all(|other| !entry.overlaps(other)),
            "two calls for one customer overlap"
        );
    }
    assert!(entries.len() < 41, "what waited was joined: {} calls", entries.len());
}
