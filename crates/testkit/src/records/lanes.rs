//! Lanes, linked and with all that can be in them.

use serde_json::json;

use upsert_core::CustomerId;
use upsert_store::{Lane, Link};

use super::{delivery_id, email_key, seconds, upsert_id};

/// A lane of revision 1 that is linked to this vendor record.
pub fn linked_lane(merchant: &str, customer: CustomerId, connection: &str, vendor_id: &str) -> Lane {
    let link = Link {
        provider_customer_id: vendor_id.to_owned(),
        key: email_key("ada@example.com"),
        shared: false,
        adopted: None,
    };
    at_revision(Lane::new(merchant, customer, connection), 1).with_link(link, None)
}

/// The same lane, written so often.
pub fn at_revision(mut lane: Lane, revision: u64) -> Lane {
    while lane.revision() < revision {
        let _nobody_asks = lane.change();
    }
    lane
}

/// A lane of revision 5 with every member set, as it is stored: linked to `v-1`, one delivery in flight and one behind it.
///
/// # Panics
///
/// Where a lane is not stored so any more.
pub fn full_lane(merchant: &str, customer: CustomerId, connection: &str) -> Lane {
    let (email, phone) = (email_key("a@example.com"), json!({ "kind": "phone", "value": "+1" }));
    let stored = json!({
        "customer": customer, "merchant": merchant, "connection": connection, "revision": 5,
        "link": {
            "provider_customer_id": "v-1", "key": { "kind": "id", "value": "v-1" }, "shared": false,
            "adopted": { "claimed": upsert_id(3) },
        },
        "accepted": { "fields": { "emailAddress": ["/email", { "a": [1, null] }] }, "uncertain": ["notes"] },
        "reserved": [email, { "kind": "id", "value": "v-1" }],
        "known_by": [phone], "sure_keys": [email], "left_behind": [email],
        "failed": true, "failed_version": 4, "brought": 3,
        "call": { "delivery": delivery_id(1), "carries": { "known_by": [email], "fields": { "emailAddress": "/email" } } },
        "queued": delivery_id(2),
        "declined": { "notes": "x" },
        "written": [{ "at": seconds(1), "version": 2, "known_at": seconds(2), "forms": { "/email": ["b", null] } }],
        "kept": { "/email": "A" },
        "superseded": [{ "provider_customer_id": "v-0", "key": phone, "shared": true, "adopted": "confirmed" }],
        "last_delivered_at": seconds(5).as_microsecond(),
    });
    serde_json::from_value(stored).unwrap()
}
