//! A store with something in every column of every table, and with a canary in all that is a person's or a secret.

use serde_json::json;
use upsert_core::{CustomerId, ErasureId, EventId, KeyKind, MatchKey};
use upsert_store::{
    Applied, Changeset, DeliveryError, DeliveryState, ErasureRecord, IncidentRecord, IncidentWords, IncomingState,
    Lane, Notice, OutgoingEvent, SessionId, SessionRecord, SessionWrite, Store, StoreError, TombstoneKey, Write,
};
use upsert_testkit::records::{
    attempt_record, customer_change, customer_id, customer_record, delivery_id, disabled_endpoint, email, event_id,
    event_marks, failed_attempt, full_delivery_error, full_delivery_record, full_lane, idempotency_record, incident_id,
    incoming_event, noon, paused_connection, person, sent_request, stored_answer, stored_merchant, upsert_id,
    upsert_record,
};

/// Stands in every text that is planted.
pub(crate) const CANARY: &str = "canary";

/// 32 bytes of it: a hash may be one of something that can be guessed.
const HASH: [u8; 32] = *b"canarycanarycanarycanarycanaryca";

pub(crate) const MERCHANTS: [&str; 2] = ["acme", "globex"];

fn text(what: &str) -> String {
    format!("{CANARY} {what}")
}

fn session(number: u8) -> SessionId {
    SessionId([number; 32])
}

fn notice() -> Notice {
    Notice {
        is_problem: true,
        text: text("notice"),
    }
}

/// What the gateway knows of a vendor's values, which no test can set by itself.
fn full_of_canaries(lane: &Lane) -> Lane {
    let mut stored = serde_json::to_value(lane).unwrap();
    stored["kept"]["/email"] = json!(text("kept"));
    serde_json::from_value(stored).unwrap()
}

/// One row of everything for each of two customers, as it is at a revision: 1 is how it was planted, 2 how it is later.
fn writes(merchant: &str, number: u32, revision: u64) -> Vec<Write> {
    let (customer, upsert) = (customer_id(number.into()), upsert_id(number.into()));
    let mut record = customer_record(merchant, customer);
    record.revision = revision;
    record.customer = person(&text("name"));
    let mut lane = full_of_canaries(&full_lane(merchant, customer, "crm"));
    for _ in 1..revision {
        let _nobody_asks = lane.change();
    }
    let mut of_upsert = upsert_record(merchant, upsert, customer);
    of_upsert.by = text("by");
    let mut incoming = incoming_event(merchant, "shop", number, IncomingState::Failed);
    incoming.event_id = text(&format!("event {number}"));
    incoming.content = text("content");
    let mut outgoing = OutgoingEvent::new(
        event_id(number),
        merchant,
        "hooks",
        "customer.upserted",
        text("body"),
        noon(),
    );
    let mut failed = failed_attempt();
    failed.body = Some(text("answer").into());
    outgoing.keep_answer(failed);
    let mut marks = event_marks(customer, "shop");
    marks.revision = revision;
    marks.marks[0].order = text("order");
    for _ in 1..revision {
        let _nobody_asks = (of_upsert.change(), incoming.change(), outgoing.change());
    }
    let mut writes = vec![
        Write::PutCustomer(record),
        Write::PutLane(lane),
        Write::PutIncomingEvent(incoming),
        Write::PutOutgoingEvent(outgoing),
        Write::PutEventMarks(marks),
        Write::PutErasure(erasure(merchant, number, revision)),
        Write::PutIncident(incident(merchant, number, revision)),
        Write::AddTombstone {
            key: TombstoneKey::Identifier(email(&text("erased"))),
            erasure: ErasureId::of(customer_id(u128::from(number) + 100)),
        },
    ];
    if revision == 1 {
        writes.push(Write::PutUpsert(of_upsert, Some(customer_change(&text("change")))));
        writes.extend(of_deliveries(merchant, number));
    } else {
        writes.push(Write::PutUpsert(of_upsert, None));
    }
    writes
}

/// Of somebody else.
fn erasure(merchant: &str, number: u32, revision: u64) -> ErasureRecord {
    let customer = customer_id(u128::from(number) + 100);
    let mut erasure = ErasureRecord::new(customer, merchant, &text("by"), noon());
    for _ in 1..revision {
        let _nobody_asks = erasure.change();
    }
    erasure
}

fn incident(merchant: &str, number: u32, revision: u64) -> IncidentRecord {
    let mut incident = IncidentRecord::new(incident_id(number), merchant, "crm", noon());
    let words = IncidentWords {
        at: noon(),
        delivery: delivery_id(number.into()),
        customer: customer_id(number.into()),
        error: DeliveryError {
            detail: text("words"),
            ..full_delivery_error()
        },
    };
    incident.hear(words);
    for _ in 1..revision {
        let _nobody_asks = incident.change();
    }
    incident
}

fn of_deliveries(merchant: &str, number: u32) -> Vec<Write> {
    let delivery = delivery_id(number.into());
    let mut writes = Vec::new();
    for attempt in [1, 2] {
        let mut row = full_delivery_record(merchant, "crm", delivery, DeliveryState::Waiting);
        row.traceparent = Some(text("trace"));
        row.tracestate = Some(text("state"));
        let mut kept = attempt_record(delivery, attempt);
        kept.result = Some(text("result"));
        let mut request = sent_request(attempt);
        request.path = text("path");
        kept.request = Some(request);
        writes.push(Write::PutDelivery(row, Some(kept)));
    }
    let mut key = idempotency_record(merchant, 1, upsert_id(number.into()));
    key.key = HASH;
    key.key[31] = u8::try_from(number).unwrap();
    key.fingerprint = HASH;
    let mut answer = stored_answer(201);
    answer.body = text("answer");
    key.answer = Some(answer);
    writes.push(Write::PutIdempotency(key));
    let customer = customer_id(number.into());
    writes.push(Write::AddIdentifier {
        identifier: email(&text("mail")),
        customer,
    });
    writes.push(Write::Reserve {
        connection: "crm".to_owned(),
        key: MatchKey::new(KeyKind::Phone, text("phone")),
        customer,
    });
    writes
}

/// What a merchant has once.
fn of_merchant(merchant: &str, revision: u64) -> Vec<Write> {
    let mut connection = paused_connection(merchant, "crm");
    connection.revision = revision;
    if let Some(pause) = &mut connection.pause {
        pause.reason = text("reason");
    }
    let mut endpoint = disabled_endpoint(merchant, "hooks");
    endpoint.revision = revision;
    if let Some(disabled) = &mut endpoint.disabled {
        disabled.by = text("by");
    }
    let mut stored = stored_merchant(merchant, revision);
    stored.body = Some(text("merchant"));
    stored.put_by = text("put by");
    stored.sealed_with = Some("2026-11".to_owned());
    let day = "2026-11-20".parse().unwrap();
    vec![
        Write::PutConnection(connection),
        Write::PutEndpoint(endpoint),
        Write::PutMerchant(stored),
        Write::CountCall {
            connection: "crm".to_owned(),
            day,
        },
    ]
}

async fn put(store: &dyn Store, merchant: &str, write: Vec<Write>) {
    let changes = Changeset {
        write,
        ..Changeset::of(merchant)
    };
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
}

/// Everything, at this revision.
pub(crate) async fn plant(store: &dyn Store, revision: u64) {
    for merchant in MERCHANTS {
        for number in [1, 2] {
            put(store, merchant, writes(merchant, number, revision)).await;
        }
        put(store, merchant, of_merchant(merchant, revision)).await;
    }
    begin_sessions(store).await;
}

/// Two, each with something to tell.
pub(crate) async fn begin_sessions(store: &dyn Store) {
    for number in [1, 2] {
        let begun = SessionRecord {
            id: session(number),
            key_hash: [9; 32],
            begun_at: noon(),
            seen_at: noon(),
            notice: None,
        };
        store.write_session(&SessionWrite::Begin(begun, 9)).await.unwrap();
        let tell = SessionWrite::Tell(session(number), notice());
        store.write_session(&tell).await.unwrap();
    }
}

/// What came of a question: how many answers there are. None: it was refused.
pub(crate) type Asked = Option<usize>;

fn asked<T>(answer: Result<T, StoreError>, count: impl FnOnce(&T) -> usize) -> Asked {
    match answer {
        Ok(answer) => Some(count(&answer)),
        Err(StoreError::Failed(why)) => {
            assert!(why.contains("cannot be opened"), "{why}");
            None
        }
        Err(other) => unreachable!("{other}"),
    }
}

#[expect(clippy::ref_option, reason = "it is given an answer as it came")]
fn one<T>(found: &Option<T>) -> usize {
    usize::from(found.is_some())
}

/// Reads all that is kept in this table.
pub(crate) async fn read(store: &dyn Store, table: &str) -> Vec<Asked> {
    let mut all = Vec::new();
    match table {
        "connections" => all.push(asked(store.connections().await, Vec::len)),
        "endpoints" => all.push(asked(store.endpoints().await, Vec::len)),
        "sessions" => {
            for number in [1, 2] {
                let session = store.session(&session(number)).await;
                all.push(asked(session, |found| {
                    one(&found.as_ref().and_then(|found| found.notice.clone()))
                }));
            }
        }
        _ => {
            for merchant in MERCHANTS {
                read_of(store, table, merchant, &mut all).await;
            }
        }
    }
    all
}

async fn read_of(store: &dyn Store, table: &str, merchant: &str, all: &mut Vec<Asked>) {
    if table == "merchants" {
        all.push(asked(store.merchant(merchant).await, one));
        return;
    }
    for number in [1_u8, 2] {
        let (customer, event): (CustomerId, EventId) = (customer_id(number.into()), event_id(number.into()));
        let delivery = delivery_id(number.into());
        match table {
            "customers" => all.push(asked(store.customer(merchant, customer).await, |found| {
                found.as_ref().map_or(0, |found| 1 + found.lanes.len())
            })),
            "upserts" => {
                all.push(asked(store.upsert(merchant, upsert_id(number.into())).await, one));
                all.push(asked(store.delivery(merchant, delivery).await, one));
                all.push(asked(store.attempts(merchant, delivery).await, Vec::len));
                all.push(asked(store.history(merchant, customer, None, 9).await, |found| {
                    found.entries.len()
                }));
            }
            "erasures" => {
                let id = ErasureId::of(customer_id(u128::from(number) + 100));
                all.push(asked(store.erasure(merchant, id).await, one));
            }
            "incidents" => all.push(asked(store.incident(merchant, incident_id(number.into())).await, one)),
            "attempts" => all.push(asked(store.attempts(merchant, delivery).await, Vec::len)),
            "idempotency" => {
                let mut key = HASH;
                key[31] = number;
                let found = store.idempotency(merchant, &key, noon()).await;
                all.push(asked(found, |found| {
                    one(&found.as_ref().and_then(|found| found.answer.clone()))
                }));
            }
            "incoming_events" => {
                all.push(asked(store.incoming_event(merchant, event).await, one));
                let (sent_as, content) = (text(&format!("event {number}")), text("content"));
                let found = store.event_of_source(merchant, "shop", &sent_as, &content).await;
                all.push(asked(found, one));
            }
            "event_marks" => all.push(asked(store.event_marks(merchant, customer, "shop").await, one)),
            "outgoing_events" => all.push(asked(store.outgoing_event(merchant, event).await, one)),
            other => unreachable!("nothing is sealed in {other}"),
        }
    }
}

/// Tables that hold anything sealed.
pub(crate) const TABLES: [&str; 13] = [
    "customers",
    "upserts",
    "attempts",
    "idempotency",
    "incoming_events",
    "event_marks",
    "outgoing_events",
    "connections",
    "endpoints",
    "erasures",
    "incidents",
    "merchants",
    "sessions",
];

/// Asserts that all that was planted is there.
pub(crate) async fn all_is_there(store: &dyn Store) {
    for table in TABLES {
        for (index, found) in read(store, table).await.into_iter().enumerate() {
            assert!(found.is_some_and(|found| found > 0), "{table}, {index}: {found:?}");
        }
    }
    let holders = store
        .key_holders(
            "acme",
            "crm",
            &[MatchKey::new(KeyKind::Phone, text("phone"))],
            customer_id(9),
        )
        .await;
    assert_eq!(holders.unwrap().len(), 2);
    let owners = store.record_owners("acme", "crm", "v-1").await;
    assert_eq!(owners.unwrap().len(), 2);
}
