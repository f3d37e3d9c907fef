//! A made-up vendor that keeps a ledger in memory and speaks no HTTP. What it does to a customer, the notes say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Map, Value as Json};

use upsert_core::{
    CallContext, Capabilities, Customer, CustomerReader, ErrorKind, Evidence, Field, FieldMap, FieldOutcomes, Form,
    Intent, KeyKind, Kind, ListQuery, MatchKey, Outcome, Payload, PreparedUpsert, Problem, ProviderError, ProviderInfo,
    ReadCustomer, ReadPage, Repeat, RetryAdvice, Selection, Sent, StateAtVendor, Unreadable, UpsertProvider,
    UpsertReceipt, UpsertRequest, Violation, WireRequest,
};
use upsert_provider_kit::{Built, ConnectionSetup, ProviderDescription, Registry, SettingProblem};

/// What the vendor wrote down, by e-mail address.
#[derive(Debug, Default)]
pub(crate) struct Book(Mutex<BTreeMap<String, Json>>);

#[derive(Debug)]
struct Ledger {
    info: ProviderInfo,
    book: Arc<Book>,
}

/// How long a call takes that is asked to dawdle.
pub(crate) const DAWDLES: Duration = Duration::from_millis(1200);

/// How long one takes during which a configuration is to be taken over.
const LINGERS: Duration = Duration::from_secs(5);

/// How long it wants no calls where it is asked to throttle.
const THROTTLES_FOR: Duration = Duration::from_hours(1);

const FIELDS: [(Field, &str); 5] = [
    (Field::Email, "email"),
    (Field::Phone, "phone"),
    (Field::GivenName, "given_name"),
    (Field::FamilyName, "family_name"),
    (Field::Notes, "notes"),
];

fn capabilities(can_read: bool) -> Capabilities {
    let field = |(field, vendor_field)| FieldMap {
        field,
        vendor_field,
        required: field == Field::Email,
        soft_limit: None,
        readable: can_read,
    };
    Capabilities {
        title: "Ledger",
        docs_url: "https://ledger.example/docs",
        forms: vec![Form {
            kinds: vec![Kind::Person, Kind::Organisation],
            fields: FIELDS.map(field).to_vec(),
            match_keys: vec![KeyKind::Email],
        }],
        tells_created_from_updated: true,
        can_clear: false,
        merges_tags: false,
        updates_by_id: false,
        default_payload: Payload::Full,
        credentials: &["pin"],
        protected: &["email"],
        can_read,
        known_daily_limit: Some(500),
    }
}

/// Two providers: `ledger`, which can read, and `mute`, which cannot.
pub(crate) fn registry() -> Registry {
    let description = |kind, can_read| ProviderDescription {
        kind,
        default_base_url: "ledger://book",
        capabilities: capabilities(can_read),
    };
    Registry::new()
        .with_provider(description("ledger", true), |setup| build("ledger", true, &setup))
        .with_provider(description("mute", false), |setup| build("mute", false, &setup))
}

fn build(kind: &'static str, can_read: bool, setup: &ConnectionSetup) -> Result<Built, Vec<SettingProblem>> {
    setup.credentials.require("pin").map_err(|problem| vec![problem])?;
    if let Some(unknown) = setup.settings.as_object().and_then(|settings| settings.keys().next()) {
        return Err(vec![SettingProblem {
            path: format!("settings.{unknown}"),
            message: "is not known".to_owned(),
        }]);
    }
    let capabilities = capabilities(can_read);
    let provider = Arc::new(Ledger {
        info: ProviderInfo { kind, capabilities },
        book: Arc::default(),
    });
    Ok(Built {
        reader: can_read.then(|| provider.clone() as Arc<dyn CustomerReader>),
        provider,
    })
}

#[async_trait]
impl UpsertProvider for Ledger {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn prepare(&self, request: &UpsertRequest<'_>) -> Result<PreparedUpsert, Vec<Violation>> {
        let Some(email) = request.customer.text(Field::Email) else {
            return Err(vec![Violation {
                pointer: "/email".to_owned(),
                code: "required",
                detail: "the ledger asks for it".to_owned(),
            }]);
        };
        assert!(
            request.customer.text(Field::Notes) != Some("panic in prepare"),
            "the ledger holds a canary"
        );
        let wanted = |name: &str| match request.selection {
            Selection::All => true,
            Selection::Only(only) => only.contains(name) || name == "email",
        };
        let sent: BTreeMap<String, Sent> = FIELDS
            .into_iter()
            .filter(|(_, name)| wanted(name))
            .filter_map(|(field, name)| {
                let sent = Sent {
                    pointer: field.pointer().into(),
                    value: request.customer.get(field)?.to_json(),
                    merged: false,
                };
                Some((name.to_owned(), sent))
            })
            .collect();
        let body: Map<String, Json> = sent
            .iter()
            .map(|(name, sent)| (name.clone(), sent.value.clone()))
            .collect();
        let key = MatchKey::new(KeyKind::Email, email);
        Ok(PreparedUpsert {
            request: WireRequest {
                method: "WRITE".to_owned(),
                path: "/book".to_owned(),
                body: Json::Object(body),
            },
            sent,
            match_key: Some(key.clone()),
            matches_by: vec![key.clone()],
            known_by: vec![key.clone()],
            link_key: key,
            expected_id: request.link.map(|link| link.provider_customer_id.to_owned()),
            intent: if request.link.is_some() {
                Intent::Update
            } else {
                Intent::Upsert
            },
            repeat: Repeat::Safe,
            warnings: Vec::new(),
        })
    }

    async fn upsert(&self, _: &CallContext, prepared: &PreparedUpsert) -> Result<UpsertReceipt, ProviderError> {
        let body = &prepared.request.body;
        let refuse = |kind, state, advice| Err(ProviderError::new(kind, state, advice, "the ledger is not pleased"));
        match body["notes"].as_str() {
            Some("refuse") => return refuse(ErrorKind::Rejected, StateAtVendor::Unchanged, RetryAdvice::Never),
            Some("babble") => return refuse(ErrorKind::BrokenContract, StateAtVendor::Unknown, RetryAdvice::Never),
            Some("fail") => return refuse(ErrorKind::Transient, StateAtVendor::Unchanged, RetryAdvice::Backoff),
            Some("throttle") => {
                let advice = RetryAdvice::After(THROTTLES_FOR);
                return refuse(ErrorKind::RateLimited, StateAtVendor::Unchanged, advice);
            }
            Some("spend") => return refuse(ErrorKind::QuotaSpent, StateAtVendor::Unchanged, RetryAdvice::Backoff),
            Some("dawdle") => tokio::time::sleep(DAWDLES).await,
            Some("linger") => tokio::time::sleep(LINGERS).await,
            _ => {}
        }
        let email = body["email"].as_str().unwrap_or_default().to_owned();
        let known = self.book.0.lock().insert(email.clone(), body.clone()).is_some();
        Ok(UpsertReceipt {
            outcome: if known { Outcome::Updated } else { Outcome::Created },
            evidence: Evidence::VendorSaid,
            matched_by: known.then_some(KeyKind::Email),
            provider_customer_id: format!("page of {email}"),
            fields: FieldOutcomes {
                confirmed: prepared.sent.values().map(|sent| sent.pointer.clone()).collect(),
                ..FieldOutcomes::default()
            },
            vendor_request_id: None,
            vendor_said: upsert_core::VendorSaid::default(),
        })
    }
}

#[async_trait]
impl CustomerReader for Ledger {
    fn check(&self, query: &ListQuery) -> Result<(), Vec<Problem>> {
        match &query.search {
            None => Ok(()),
            Some(_) => Err(vec![Problem::new(
                "search",
                "unsupported_filter",
                "the ledger cannot search",
            )]),
        }
    }

    async fn list(&self, _: &CallContext, query: &ListQuery) -> Result<ReadPage, ProviderError> {
        let advice = RetryAdvice::Backoff;
        let failed = |kind| ProviderError::new(kind, StateAtVendor::Unchanged, advice, "the ledger is closed");
        match query.tags.first().map(String::as_str) {
            Some("fail") => return Err(failed(ErrorKind::Transient)),
            Some("throttle") => return Err(failed(ErrorKind::RateLimited)),
            _ => {}
        }
        let book = self.book.0.lock();
        Ok(ReadPage {
            data: book
                .keys()
                .take(query.limit as usize)
                .map(|email| page(email))
                .collect(),
            ..ReadPage::default()
        })
    }

    async fn read(&self, _: &CallContext, id: &str) -> Result<Option<ReadCustomer>, ProviderError> {
        let book = self.book.0.lock();
        Ok(id
            .strip_prefix("page of ")
            .filter(|email| book.contains_key(*email))
            .map(page))
    }
}

fn page(email: &str) -> ReadCustomer {
    let mut customer = Customer::default();
    customer.set(Field::Email, upsert_core::Value::Text(email.to_owned()));
    ReadCustomer {
        provider_customer_id: Some(format!("page of {email}")),
        customer,
        unreadable: vec![Unreadable::new("/notes", Json::Null)],
        vendor_fields: Map::from_iter([("leaf".to_owned(), Json::from(7))]),
    }
}
