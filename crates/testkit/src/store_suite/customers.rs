//! Customers, lists of them, their history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use upsert_core::{CustomerId, CustomerPatch, Field, IdentifierKind, Patch, Value};
use upsert_store::{CustomerFilter, CustomerRecord, DeliveryState, Expect, IdentityQuery, Store, Write};

use super::{holds, put};
use crate::records::{
    customer_id, customer_record, delivery_id, delivery_record, email, email_key, history_record, ignored_phone,
    linked_lane, noon, person, phone, reachable, reference, seconds, upsert_id, upsert_record,
};

/// A record that uses every shape a field can have.
fn rich(id: CustomerId) -> CustomerRecord {
    let mut record = customer_record("acme", id);
    let mut customer = reachable("r-1", "ada@example.com", "+61400000001");
    customer.set(Field::Verified, Value::Flag(true));
    customer.set(
        Field::Notes,
        Value::Text("two\nlines, \"quoted\", 日本 \u{1F600}".to_owned()),
    );
    customer.set(Field::BillingCity, Value::Text("Zürich".to_owned()));
    customer.set(
        Field::Tags,
        Value::Tags(BTreeSet::from(["vip".to_owned(), "new".to_owned()])),
    );
    let metadata = BTreeMap::from([("a/b~c".to_owned(), "x".to_owned())]);
    customer.set(Field::Metadata, Value::Map(metadata));
    let mut patch = CustomerPatch::default();
    let fields = serde_json::json!({"rank": 1, "nested": {"deep": [true, "x"]}});
    let fields = fields.as_object().unwrap().clone();
    patch.provider_fields.insert("crm".to_owned(), Patch::Set(fields));
    patch.fields.insert(Field::Phone, Patch::Clear);
    patch.unreadable.insert(IdentifierKind::Phone);
    record.customer = customer.merged(&patch);
    record.version = 7;
    record.revision = 12;
    record.created_at = noon();
    record.updated_at = Timestamp::from_microsecond(noon().as_microsecond() + 123_456).unwrap();
    record
}

pub(super) async fn a_customer_comes_back_as_it_was_put(store: Arc<dyn Store>) {
    let first = customer_record("acme", customer_id(1));
    put(&*store, vec![Write::PutCustomer(first.clone())]).await;
    let known = store.customer("acme", customer_id(1)).await.unwrap().unwrap();
    assert_eq!(known.record, first);
    assert!(known.lanes.is_empty());

    let second = rich(customer_id(1));
    put(&*store, vec![Write::PutCustomer(second.clone())]).await;
    let known = store.customer("acme", customer_id(1)).await.unwrap().unwrap();
    assert_eq!(known.record, second);
}

pub(super) async fn a_customer_of_another_merchant_is_not_there(store: Arc<dyn Store>) {
    put(
        &*store,
        vec![
            Write::PutCustomer(customer_record("acme", customer_id(1))),
            Write::PutCustomer(customer_record("globex", customer_id(2))),
        ],
    )
    .await;
    assert!(store.customer("globex", customer_id(1)).await.unwrap().is_none());
    assert!(store.customer("nobody", customer_id(1)).await.unwrap().is_none());
    let query = IdentityQuery {
        id: Some(customer_id(1)),
        identifiers: Vec::new(),
    };
    assert!(store.identify("globex", &query).await.unwrap().by_id.is_none());
    assert!(store.identify("acme", &query).await.unwrap().by_id.is_some());
    let all = CustomerFilter::default();
    assert_eq!(ids(&*store, "globex", &all).await, [customer_id(2)]);
    assert!(ids(&*store, "nobody", &all).await.is_empty());
}

pub(super) async fn a_customer_is_expected_at_its_revision(store: Arc<dyn Store>) {
    let at = |revision| Expect::Customer {
        id: customer_id(1),
        revision,
    };
    assert!(holds(&*store, at(None)).await);
    assert!(!holds(&*store, at(Some(1))).await);
    put(
        &*store,
        vec![Write::PutCustomer(customer_record("acme", customer_id(1)))],
    )
    .await;
    assert!(holds(&*store, at(Some(1))).await);
    assert!(!holds(&*store, at(Some(2))).await);
    assert!(!holds(&*store, at(None)).await);
    put(&*store, vec![Write::DeleteCustomer(customer_id(1))]).await;
    assert!(holds(&*store, at(None)).await);
}

fn everything_of(id: CustomerId, address: &str) -> Vec<Write> {
    let merchant = || "acme".to_owned();
    let number = id.as_uuid().as_u128();
    vec![
        Write::PutCustomer(customer_record("acme", id)),
        Write::AddIdentifier {
            merchant: merchant(),
            identifier: email(address),
            customer: id,
        },
        Write::PutLane(linked_lane("acme", id, "crm", address)),
        Write::Reserve {
            merchant: merchant(),
            connection: "crm".to_owned(),
            key: email_key(address),
            customer: id,
        },
        Write::PutHistory(history_record(id, upsert_id(number))),
        Write::PutUpsert(upsert_record("acme", upsert_id(number), id)),
        Write::PutDelivery(delivery_record(
            "acme",
            "crm",
            delivery_id(number),
            DeliveryState::Failed,
        )),
    ]
}

pub(super) async fn deleting_a_customer_takes_its_row_and_lanes_and_nothing_else(store: Arc<dyn Store>) {
    let (gone, stays) = (customer_id(1), customer_id(2));
    put(&*store, everything_of(gone, "gone@example.com")).await;
    put(&*store, everything_of(stays, "stays@example.com")).await;
    let merchant = || "acme".to_owned();
    let writes = vec![
        Write::RemoveIdentifier {
            merchant: merchant(),
            identifier: email("gone@example.com"),
            customer: gone,
        },
        Write::Release {
            merchant: merchant(),
            connection: "crm".to_owned(),
            key: email_key("gone@example.com"),
            customer: gone,
        },
        Write::DeleteCustomer(gone),
    ];
    put(&*store, writes).await;

    assert!(store.customer("acme", gone).await.unwrap().is_none());
    let query = IdentityQuery {
        id: Some(gone),
        identifiers: vec![email("gone@example.com"), email("stays@example.com")],
    };
    let view = store.identify("acme", &query).await.unwrap();
    assert!(view.by_id.is_none() && view.holders[0].is_empty());
    assert_eq!(view.holders[1][0].lanes.len(), 1);
    let nobody = Expect::Holders {
        merchant: "acme".to_owned(),
        identifier: email("gone@example.com"),
        customers: Vec::new(),
    };
    assert!(holds(&*store, nobody).await);
    let no_lane = Expect::Lane {
        customer: gone,
        connection: "crm".to_owned(),
        revision: None,
    };
    assert!(holds(&*store, no_lane).await);
    let keys = [email_key("gone@example.com"), email_key("stays@example.com")];
    let held = store.key_holders("acme", "crm", &keys, customer_id(9)).await.unwrap();
    assert_eq!(held, [(keys[1].clone(), stays)]);
    let owners = store.record_owners("acme", "crm", "gone@example.com").await.unwrap();
    assert!(owners.is_empty());

    assert_eq!(store.history(gone, None, 10).await.unwrap().entries.len(), 1);
    assert!(store.upsert("acme", upsert_id(1)).await.unwrap().is_some());
    assert!(store.delivery(delivery_id(1)).await.unwrap().is_some());
}

async fn ids(store: &dyn Store, merchant: &str, filter: &CustomerFilter) -> Vec<CustomerId> {
    let found = store.customers(merchant, filter, None, 100).await.unwrap();
    found.iter().map(|record| record.id).collect()
}

pub(super) async fn customers_are_paged_by_age(store: Arc<dyn Store>) {
    for number in [5, 3, 1, 4, 2] {
        put(
            &*store,
            vec![
                Write::PutCustomer(customer_record("acme", customer_id(number))),
                Write::PutCustomer(customer_record("globex", customer_id(number + 10))),
            ],
        )
        .await;
    }
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let all = CustomerFilter::default();
        let page = store.customers("acme", &all, after, 2).await.unwrap();
        let page: Vec<_> = page.iter().map(|record| record.id).collect();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        pages.push(page);
    }
    let expected = [vec![1, 2], vec![3, 4], vec![5]];
    assert_eq!(
        pages,
        expected.map(|page| page.into_iter().map(customer_id).collect::<Vec<_>>())
    );
    let none = store
        .customers("acme", &CustomerFilter::default(), None, 0)
        .await
        .unwrap();
    assert!(none.is_empty());
}

pub(super) async fn customers_are_listed_by_identifiers(store: Arc<dyn Store>) {
    let mut writes = Vec::new();
    for (number, identifiers) in [
        (1, vec![email("a@example.com"), phone("+1")]),
        (2, vec![email("a@example.com"), phone("+2")]),
        (3, vec![reference("a@example.com"), phone("+2")]),
    ] {
        let customer = customer_id(number);
        writes.push(Write::PutCustomer(customer_record("acme", customer)));
        writes.extend(identifiers.into_iter().map(|identifier| Write::AddIdentifier {
            merchant: "acme".to_owned(),
            identifier,
            customer,
        }));
    }
    put(&*store, writes).await;
    let by = |identifiers| CustomerFilter {
        identifiers,
        ..CustomerFilter::default()
    };
    let (one, two, three) = (customer_id(1), customer_id(2), customer_id(3));
    assert_eq!(
        ids(&*store, "acme", &by(vec![email("a@example.com")])).await,
        [one, two]
    );
    assert_eq!(ids(&*store, "acme", &by(vec![phone("+2")])).await, [two, three]);
    let both = by(vec![email("a@example.com"), phone("+2")]);
    assert_eq!(ids(&*store, "acme", &both).await, [two]);
    assert!(ids(&*store, "acme", &by(vec![email("b@example.com")])).await.is_empty());
    let after = store
        .customers("acme", &by(vec![phone("+2")]), Some(two), 10)
        .await
        .unwrap();
    assert_eq!(after.iter().map(|record| record.id).collect::<Vec<_>>(), [three]);
}

pub(super) async fn customers_are_listed_by_tag_status_kind_and_time(store: Arc<dyn Store>) {
    let mut tagged = customer_record("acme", customer_id(1));
    let tags = BTreeSet::from(["vip".to_owned(), "it's".to_owned()]);
    tagged.customer.set(Field::Tags, Value::Tags(tags));
    let mut inactive = customer_record("acme", customer_id(2));
    inactive.customer.set(Field::Status, Value::Text("inactive".to_owned()));
    inactive.updated_at = seconds(10);
    let mut organisation = customer_record("acme", customer_id(3));
    organisation
        .customer
        .set(Field::Kind, Value::Text("organisation".to_owned()));
    organisation.updated_at = seconds(20);
    put(
        &*store,
        [&tagged, &inactive, &organisation]
            .map(|record| Write::PutCustomer(record.clone()))
            .to_vec(),
    )
    .await;

    let none = CustomerFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let (one, two, three) = (customer_id(1), customer_id(2), customer_id(3));
    let cases = [
        (
            CustomerFilter {
                tag: text("vip"),
                ..none()
            },
            vec![one],
        ),
        (
            CustomerFilter {
                tag: text("it's"),
                ..none()
            },
            vec![one],
        ),
        (
            CustomerFilter {
                tag: text("vi"),
                ..none()
            },
            vec![],
        ),
        (
            CustomerFilter {
                status: text("inactive"),
                ..none()
            },
            vec![two],
        ),
        (
            CustomerFilter {
                status: text("active"),
                ..none()
            },
            vec![],
        ),
        (
            CustomerFilter {
                kind: text("person"),
                ..none()
            },
            vec![one, two],
        ),
        (
            CustomerFilter {
                kind: text("organisation"),
                ..none()
            },
            vec![three],
        ),
        (
            CustomerFilter {
                updated_since: Some(seconds(10)),
                ..none()
            },
            vec![two, three],
        ),
        (
            CustomerFilter {
                updated_since: Some(seconds(21)),
                ..none()
            },
            vec![],
        ),
        (
            CustomerFilter {
                kind: text("person"),
                updated_since: Some(seconds(1)),
                ..none()
            },
            vec![two],
        ),
        (none(), vec![one, two, three]),
    ];
    for (number, (filter, expected)) in cases.into_iter().enumerate() {
        assert_eq!(ids(&*store, "acme", &filter).await, expected, "filter {number}");
    }
}

fn versions(range: std::ops::RangeInclusive<u64>, refused: &[u64]) -> Vec<Write> {
    range
        .map(|version| {
            let mut record = history_record(customer_id(1), upsert_id(version.into()));
            record.version = version;
            record.refused = refused.contains(&version);
            record.record = person(&format!("Ada {version}"));
            Write::PutHistory(record)
        })
        .collect()
}

async fn page(store: &dyn Store, before: Option<u128>, limit: usize) -> (Vec<u64>, Option<u64>) {
    let page = store
        .history(customer_id(1), before.map(upsert_id), limit)
        .await
        .unwrap();
    for entry in page.entries.iter().chain(&page.below) {
        assert_eq!(entry.record, person(&format!("Ada {}", entry.version)));
    }
    let entries = page.entries.iter().map(|entry| entry.version).collect();
    (entries, page.below.map(|below| below.version))
}

pub(super) async fn history_is_newest_first_and_paged(store: Arc<dyn Store>) {
    assert_eq!(page(&*store, None, 10).await, (vec![], None));
    put(&*store, versions(1..=5, &[])).await;
    let other = history_record(customer_id(2), upsert_id(4));
    put(&*store, vec![Write::PutHistory(other.clone())]).await;

    assert_eq!(page(&*store, None, 2).await, (vec![5, 4], Some(3)));
    assert_eq!(page(&*store, Some(4), 2).await, (vec![3, 2], Some(1)));
    assert_eq!(page(&*store, Some(2), 2).await, (vec![1], None));
    assert_eq!(page(&*store, Some(1), 2).await, (vec![], None));
    let of_other = store.history(customer_id(2), None, 10).await.unwrap();
    assert_eq!(of_other.entries, [other]);
}

pub(super) async fn history_tells_the_accepted_version_below_a_page(store: Arc<dyn Store>) {
    put(&*store, versions(1..=5, &[2, 3, 5])).await;
    assert_eq!(page(&*store, None, 1).await, (vec![5], Some(4)));
    assert_eq!(
        page(&*store, None, 2).await,
        (vec![5, 4], Some(1)),
        "2 and 3 were refused"
    );
    assert_eq!(page(&*store, None, 5).await, (vec![5, 4, 3, 2, 1], None));
}

pub(super) async fn a_version_is_put_again_by_customer_and_upsert(store: Arc<dyn Store>) {
    let mut version = history_record(customer_id(1), upsert_id(1));
    put(&*store, vec![Write::PutHistory(version.clone())]).await;
    version.refused = true;
    "somebody else".clone_into(&mut version.by);
    version.links = [("crm".to_owned(), "v-1".to_owned())].into();
    version.ignored = vec![ignored_phone()];
    put(&*store, vec![Write::PutHistory(version.clone())]).await;
    let history = store.history(customer_id(1), None, 10).await.unwrap();
    assert_eq!(history.entries, [version]);
}
