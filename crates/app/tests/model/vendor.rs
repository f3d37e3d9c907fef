//! Three kinds of vendor, each with a script and a ledger that no crash of the gateway touches.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use upsert_core::{
    CallContext, Capabilities, CustomerId, ErrorKind, Evidence, Field, FieldMap, FieldOutcomes, Form, Intent, KeyKind,
    Kind, MatchKey, Outcome, Payload, PreparedUpsert, ProviderError, ProviderInfo, Repeat, RetryAdvice, Selection,
    Sent, StateAtVendor, UpsertProvider, UpsertReceipt, UpsertRequest, Violation, WaitingFor, WireRequest,
};

use crate::actions::Act;
use crate::books::{Books, Call, Shared};
use crate::reference::{FIELDS, Record, texts};

/// How long a call may take, and a lease lasts.
pub const TIME_OUT: Duration = Duration::from_secs(10);
pub const LEASE: Duration = Duration::from_secs(20);

/// How the vendor finds its own record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matching {
    /// By the id that we give it; it clears what is null.
    Reference,
    /// By its own id, else by phone, else by e-mail; it adds tags and clears nothing.
    Contact,
    /// By its own id alone: without it, each call makes a record.
    Nothing,
}

/// One record of the vendor.
#[derive(Debug, Clone, Default)]
pub struct Held {
    pub fields: Record,
    pub of: BTreeSet<CustomerId>,
    pub made_for: Option<CustomerId>,
}

#[derive(Debug)]
pub struct Vendor {
    pub name: &'static str,
    pub matching: Matching,
    info: ProviderInfo,
    books: Shared,
    script: Mutex<VecDeque<Act>>,
    usually: Mutex<Act>,
    pub records: Mutex<BTreeMap<String, Held>>,
}

fn field_of(name: &str) -> Field {
    Field::from_pointer(&format!("/{name}")).expect("a field of ours")
}

impl Vendor {
    pub fn new(name: &'static str, matching: Matching, books: &Shared) -> Arc<Self> {
        let map = |(name, vendor_field): &(&str, &'static str)| FieldMap {
            field: field_of(name),
            vendor_field,
            required: false,
            soft_limit: None,
            readable: true,
        };
        let (match_keys, default_payload) = match matching {
            Matching::Reference => (vec![KeyKind::Reference], Payload::Full),
            Matching::Contact => (vec![KeyKind::Id, KeyKind::Phone, KeyKind::Email], Payload::Changed),
            Matching::Nothing => (vec![KeyKind::Id], Payload::Changed),
        };
        let capabilities = Capabilities {
            title: "Scripted",
            docs_url: "https://scripted.example",
            forms: vec![Form {
                kinds: vec![Kind::Person, Kind::Organisation],
                fields: FIELDS.iter().map(map).collect(),
                match_keys,
            }],
            tells_created_from_updated: true,
            can_clear: matching != Matching::Contact,
            merges_tags: matching == Matching::Contact,
            updates_by_id: matching != Matching::Reference,
            default_payload,
            credentials: &[],
            protected: &[],
            can_read: false,
            known_daily_limit: None,
        };
        Arc::new(Self {
            name,
            matching,
            info: ProviderInfo {
                kind: name,
                capabilities,
            },
            books: books.clone(),
            script: Mutex::default(),
            usually: Mutex::new(Act::Accept),
            records: Mutex::default(),
        })
    }

    pub fn next(&self, act: Act) {
        self.script.lock().push_back(act);
    }

    pub fn usually(&self, act: Act) {
        *self.usually.lock() = act;
    }

    pub fn mend(&self) {
        self.script.lock().clear();
        self.usually(Act::Accept);
    }

    /// The record that it would find, by its own rules.
    fn find(&self, records: &BTreeMap<String, Held>, prepared: &PreparedUpsert) -> Option<String> {
        let own = |id: &str| records.contains_key(id).then(|| id.to_owned());
        let by = |name: &str| {
            let wanted = prepared.request.body.get(name).filter(|value| !value.is_null())?;
            let found = records.iter().find(|(_, held)| held.fields.get(name) == Some(wanted));
            found.map(|(id, _)| id.clone())
        };
        match (self.matching, prepared.request.body.get("id").and_then(Json::as_str)) {
            (Matching::Reference, _) => own(&format!("rec-{}", prepared.link_key.value)),
            (_, Some(id)) => own(id),
            (Matching::Contact, None) => by("tel").or_else(|| by("mail")),
            (Matching::Nothing, None) => None,
        }
    }

    fn write(&self, prepared: &PreparedUpsert, customer: CustomerId, books: &mut Books) -> (String, bool) {
        let mut records = self.records.lock();
        let found = self.find(&records, prepared);
        let is_new = found.is_none();
        let id = found.unwrap_or_else(|| match self.matching {
            Matching::Reference => format!("rec-{}", prepared.link_key.value),
            _ => format!("{}-{}", self.name, records.len()),
        });
        let held = records.entry(id.clone()).or_default();
        if is_new {
            held.made_for = Some(customer);
        }
        held.of.insert(customer);
        // After an unlink the record is nobody's as far as the gateway knows, and its key is given back in time.
        let is_left = held
            .of
            .iter()
            .any(|of| books.unlinked.contains(&(*of, self.name.to_owned())));
        if held.of.len() > 1 && !is_left {
            books.wrong(format!("{}: record {id} was written for {:?}", self.name, held.of));
        }
        for (name, sent) in &prepared.sent {
            let value = if sent.merged {
                let mut both = held.fields.get(name).map(texts).unwrap_or_default();
                both.extend(texts(&sent.value));
                json!(both)
            } else {
                sent.value.clone()
            };
            if value.is_null() {
                held.fields.remove(name);
            } else {
                held.fields.insert(name.clone(), value);
            }
        }
        let made = records.values().filter(|held| held.made_for == Some(customer)).count();
        if made > 1 && !books.unlinked.contains(&(customer, self.name.to_owned())) {
            books.wrong(format!("{}: {made} records for {customer}", self.name));
        }
        (id, is_new)
    }

    /// Notes the call; two of one customer must not overlap, unless the former outlived its lease or its process.
    fn enter(&self, context: &CallContext, books: &mut Books) -> (usize, CustomerId) {
        let delivery = context
            .delivery_id
            .and_then(|id| books.deliveries.get(&id).cloned())
            .expect("a call of a delivery");
        let now = Instant::now();
        let overlaps = books.calls.iter().any(|call| {
            call.is_open
                && call.customer == delivery.customer
                && call.connection == self.name
                && now.duration_since(call.at) < LEASE
        });
        if overlaps {
            books.wrong(format!("{}: two calls at once for {}", self.name, delivery.customer));
        }
        let aim = books.aims.get(&(delivery.id, context.attempt)).copied().flatten();
        books.calls.push(Call {
            connection: self.name,
            customer: delivery.customer,
            delivery: delivery.id,
            attempt: context.attempt,
            at: now,
            is_open: true,
            wrote: false,
            aim,
        });
        (books.calls.len() - 1, delivery.customer)
    }
}

#[async_trait]
impl UpsertProvider for Vendor {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        let own_id = request.customer_id.to_string();
        let text = |field| request.customer.text(field);
        let linked = request.link.map(|link| link.provider_customer_id.to_owned());
        let mut contacts: Vec<MatchKey> = Vec::new();
        contacts.extend(text(Field::Phone).map(|phone| MatchKey::new(KeyKind::Phone, phone)));
        contacts.extend(text(Field::Email).map(|email| MatchKey::new(KeyKind::Email, email)));
        let by_id = linked.as_ref().map(|id| MatchKey::new(KeyKind::Id, id.as_str()));
        let given = match request.link {
            Some(link) if link.key.value == own_id => own_id.clone(),
            _ => text(Field::Reference).map_or_else(|| own_id.clone(), str::to_owned),
        };
        let given = MatchKey::new(KeyKind::Reference, given);
        let (link_key, matches_by, known_by, repeat) = match self.matching {
            Matching::Reference => (given.clone(), vec![given.clone()], vec![given.clone()], Repeat::Safe),
            Matching::Contact => {
                let Some(key) = by_id.clone().or_else(|| contacts.first().cloned()) else {
                    return Err(vec![Violation {
                        pointer: "/phone".into(),
                        code: "required",
                        detail: "a phone number or an e-mail address is required".into(),
                    }]);
                };
                let matches_by = by_id.clone().map_or_else(|| contacts.clone(), |id| vec![id]);
                (key, matches_by, contacts.clone(), Repeat::Safe)
            }
            Matching::Nothing => {
                let ours = MatchKey::new(KeyKind::Reference, own_id);
                let repeat = if linked.is_some() { Repeat::Safe } else { Repeat::Unsafe };
                let key = by_id.clone().unwrap_or_else(|| ours.clone());
                (key, by_id.iter().cloned().collect(), vec![ours], repeat)
            }
        };
        let mut sent = BTreeMap::new();
        let mut body = Map::new();
        for (name, vendor_field) in FIELDS {
            let field = field_of(name);
            let key_field = self.matching == Matching::Contact && linked.is_none() && matches!(name, "email" | "phone");
            let is_selected = match request.selection {
                Selection::All => true,
                Selection::Only(only) => key_field || only.contains(vendor_field),
            };
            let value = request.customer.get(field).map(upsert_core::Value::to_json);
            let clears = self.info.capabilities.can_clear && request.cleared.contains(&field);
            if let (true, Some(value)) = (is_selected, value.or(clears.then_some(Json::Null))) {
                body.insert(vendor_field.to_owned(), value.clone());
                let merged = name == "tags" && self.matching == Matching::Contact;
                let pointer = field.pointer().to_owned();
                sent.insert(
                    vendor_field.to_owned(),
                    Sent {
                        pointer: pointer.into(),
                        value,
                        merged,
                    },
                );
            }
        }
        if let (Some(id), true) = (&linked, self.matching != Matching::Reference) {
            body.insert("id".to_owned(), json!(id));
        }
        let expected_id = match self.matching {
            Matching::Reference => Some(format!("rec-{}", link_key.value)),
            _ => linked.clone(),
        };
        Ok(PreparedUpsert {
            request: WireRequest {
                method: "PUT".into(),
                path: "/".into(),
                body: Json::Object(body),
            },
            sent,
            match_key: matches_by.first().cloned(),
            matches_by,
            known_by,
            link_key,
            expected_id,
            intent: if linked.is_some() {
                Intent::Update
            } else {
                Intent::Upsert
            },
            repeat,
            warnings: Vec::new(),
        })
    }

    async fn upsert(&self, context: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        let usually = *self.usually.lock();
        let act = self.script.lock().pop_front().unwrap_or(usually);
        if act == Act::HeldBack {
            let detail = "the breaker is open";
            return Err(ProviderError::held(
                WaitingFor::Breaker,
                Some(Duration::from_secs(30)),
                detail,
            ));
        }
        let writes = matches!(
            act,
            Act::Accept | Act::AcceptAfter(_) | Act::AcceptUnseen | Act::TimeOutAfterWrite | Act::BrokenContract
        );
        let (index, written) = {
            let mut books = self.books.lock();
            let (index, customer) = self.enter(context, &mut books);
            let written = writes.then(|| self.write(prepared, customer, &mut books));
            books.calls[index].wrote = writes;
            (index, written)
        };
        match act {
            Act::AcceptAfter(seconds) | Act::RejectAfter(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds.into())).await;
            }
            Act::TimeOutAfterWrite | Act::TimeOutBeforeWrite => tokio::time::sleep(TIME_OUT).await,
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        self.books.lock().calls[index].is_open = false;
        let failed = |kind, state, advice| Err(ProviderError::new(kind, state, advice, "as the script says"));
        match (act, written) {
            (Act::Accept | Act::AcceptAfter(_), Some((id, is_new))) => Ok(UpsertReceipt {
                outcome: if is_new { Outcome::Created } else { Outcome::Updated },
                evidence: Evidence::VendorSaid,
                matched_by: None,
                provider_customer_id: id,
                fields: FieldOutcomes::default(),
                vendor_request_id: None,
                vendor_said: upsert_core::VendorSaid::default(),
            }),
            (Act::Reject | Act::RejectAfter(_), _) => {
                failed(ErrorKind::Rejected, StateAtVendor::Unchanged, RetryAdvice::Never)
            }
            (Act::Unauthorised, _) => failed(ErrorKind::Unauthorised, StateAtVendor::Unchanged, RetryAdvice::Never),
            (Act::RateLimited(wait), _) => {
                let advice = wait.map_or(RetryAdvice::Backoff, |wait| {
                    RetryAdvice::After(Duration::from_secs(wait.into()))
                });
                failed(ErrorKind::RateLimited, StateAtVendor::Unchanged, advice)
            }
            (Act::QuotaSpent, _) => failed(ErrorKind::QuotaSpent, StateAtVendor::Unchanged, RetryAdvice::Backoff),
            (Act::Down, _) => failed(ErrorKind::Transient, StateAtVendor::Unchanged, RetryAdvice::Backoff),
            (Act::BrokenContract, _) => failed(ErrorKind::BrokenContract, StateAtVendor::Unknown, RetryAdvice::Never),
            _ => failed(ErrorKind::Transient, StateAtVendor::Unknown, RetryAdvice::Backoff),
        }
    }
}
