//! Customers, and lists of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use upsert_core::{CustomerId, CustomerPatch, Field, IdentifierKind, Patch, Value};
use upsert_store::{CustomerFilter, CustomerRecord, DeliveryState, Expect, IdentityQuery, Store, Write};

use super::{holds, put, put_for};
use crate::records::{
    customer_change, customer_id, customer_record, delivery_id, delivery_record, email, email_key, linked_lane, noon,
    phone, reachable, reference, seconds, upsert_id, upsert_record,
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
    let write = |merchant, number| Write::PutCustomer(customer_record(merchant, customer_id(number)));
    put(&*store, vec![write("acme", 1)]).await;
    put_for(&*store, "globex", vec![write("globex", 2)]).await;
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
    let number = id.as_uuid().as_u128();
    vec![
        Write::PutCustomer(customer_record("acme", id)),
        Write::AddIdentifier {
            identifier: email(address),
            customer: id,
        },
        Write::PutLane(linked_lane("acme", id, "crm", address)),
        Write::Reserve {
            connection: "crm".to_owned(),
            key: email_key(address),
            customer: id,
        },
        Write::PutUpsert(
            upsert_record("acme", upsert_id(number), id),
            Some(customer_change("Ada")),
        ),
        Write::PutDelivery(
            delivery_record("acme", "crm", delivery_id(number), DeliveryState::Failed),
            None,
        ),
    ]
}

pub(super) async fn deleting_a_customer_takes_its_row_and_lanes_and_nothing_else(store: Arc<dyn Store>) {
    let (gone, stays) = (customer_id(1), customer_id(2));
    put(&*store, everything_of(gone, "gone@example.com")).await;
    put(&*store, everything_of(stays, "stays@example.com")).await;
    let writes = vec![
        Write::RemoveIdentifier {
            identifier: email("gone@example.com"),
            customer: gone,
        },
        Write::Release {
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

    assert_eq!(store.history("acme", gone, None, 10).await.unwrap().entries.len(), 1);
    assert!(store.upsert("acme", upsert_id(1)).await.unwrap().is_some());
    assert!(store.delivery("acme", delivery_id(1)).await.unwrap().is_some());
}

async fn ids(store: &dyn Store, merchant: &str, filter: &CustomerFilter) -> Vec<CustomerId> {
    let found = store.customers(merchant, filter, None, 100).await.unwrap();
    assert_eq!(found.next, None);
    found.entries.iter().map(|record| record.id).collect()
}

pub(super) async fn customers_are_paged_by_age(store: Arc<dyn Store>) {
    for number in [5, 3, 1, 4, 2] {
        for (merchant, number) in [("acme", number), ("globex", number + 10)] {
            let record = customer_record(merchant, customer_id(number));
            put_for(&*store, merchant, vec![Write::PutCustomer(record)]).await;
        }
    }
    let all = CustomerFilter::default();
    let (mut after, mut pages) = (None, Vec::new());
    loop {
        let page = store.customers("acme", &all, after, 2).await.unwrap();
        pages.push(page.entries.iter().map(|record| record.id).collect::<Vec<_>>());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let expected = [vec![1, 2], vec![3, 4], vec![5]];
    assert_eq!(
        pages,
        expected.map(|page| page.into_iter().map(customer_id).collect::<Vec<_>>())
    );
    let none = store.customers("acme", &all, None, 0).await.unwrap();
    assert!(none.entries.is_empty());
    let last = store.customers("acme", &all, Some(customer_id(3)), 2).await.unwrap();
    assert_eq!(last.next, None, "a full page with nothing above it is the last");
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
        writes.extend(
            identifiers
                .into_iter()
                .map(|identifier| Write::AddIdentifier { identifier, customer }),
        );
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
    let after: Vec<_> = after.entries.iter().map(|record| record.id).collect();
    assert_eq!(after, [three]);
    let first = store.customers("acme", &by(vec![phone("+2")]), None, 1).await.unwrap();
    assert_eq!((first.entries[0].id, first.next), (two, Some(two)));
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
