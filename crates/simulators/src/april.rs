//! April: upsert by e-mail (consumer) or reference (organisation) within a merchant, in a single-key wrapper \[S4\].

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::april_credentials::{AprilCredential, merchant_of, readable};
use crate::april_reads;
use crate::checks::{Field, FieldProblem, Shape, problems};
use crate::clock::Clock;
use crate::options::SimulatorOptions;
use crate::records::{Probe, Record, Records, Upsert, Written};
use crate::wire::{Call, Reply};

pub(crate) const CONSUMER: &str = "consumer";
pub(crate) const ORGANISATION: &str = "organisation";
const EMAIL: &str = "emailAddress";
const REFERENCE: &str = "referenceCustomerId";

pub(crate) const CONSUMER_FIELDS: [Field; 8] = [
    (EMAIL, Shape::Email),
    ("phoneNumber", Shape::E164),
    (REFERENCE, Shape::Text),
    ("givenName", Shape::Text),
    ("middleName", Shape::Text),
    ("familyName", Shape::Text),
    ("isVerified", Shape::Flag),
    ("metadata", Shape::TextMap),
];
pub(crate) const ORGANISATION_FIELDS: [Field; 7] = [
    (REFERENCE, Shape::Text),
    ("organisationName", Shape::Text),
    ("taxId", Shape::Text),
    (EMAIL, Shape::Email),
    ("organisationKyced", Shape::Flag),
    ("organisationCreditChecked", Shape::Flag),
    ("metadata", Shape::TextMap),
];

/// Credentials and assumptions.
#[derive(Clone)]
pub struct AprilRules {
    /// The credentials that are known; default `sandbox_sk_sim` of `mcht_acme`, `sandbox_api_sim` for every merchant, and
    /// `sandbox_pk_sim`.
    pub credentials: Vec<AprilCredential>,
    /// Asks for phone and family name of a consumer, as the old API did (default true).
    pub strict: bool,
    /// The wrapper of an organisation, which no page names (default `UpsertOrganisationCustomer`).
    pub organisation_wrapper: String,
    /// Refuses with 409 a reference that another consumer of the merchant has (default false: no page says so).
    pub unique_reference: bool,
    /// Whether the items of the list are wrapped as a single customer is (default false).
    pub wrapped_items: bool,
}

impl Default for AprilRules {
    fn default() -> Self {
        let credentials = vec![
            AprilCredential::Secret {
                token: "sandbox_sk_sim".to_owned(),
                merchant: "mcht_acme".to_owned(),
            },
            AprilCredential::Marketplace {
                token: "sandbox_api_sim".to_owned(),
                merchants: Vec::new(),
            },
            AprilCredential::Public {
                token: "sandbox_pk_sim".to_owned(),
            },
        ];
        Self {
            credentials,
            strict: true,
            organisation_wrapper: "UpsertOrganisationCustomer".to_owned(),
            unique_reference: false,
            wrapped_items: false,
        }
    }
}

/// The simulated April.
pub(crate) struct April {
    pub(crate) records: Records,
    pub(crate) rules: AprilRules,
    clock: Clock,
}

impl April {
    pub(crate) fn new(options: &SimulatorOptions) -> Self {
        Self {
            records: Records::new(keys_of, options.race_window),
            rules: options.april.clone(),
            clock: options.clock.clone(),
        }
    }

    pub(crate) async fn answer(&self, call: &Call<'_>) -> Reply {
        match self.answer_or_refuse(call).await {
            Ok(reply) | Err(reply) => reply,
        }
    }

    async fn answer_or_refuse(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let known = |sent: &str| self.rules.credentials.iter().find(|it| it.token() == sent);
        let credential = call.bearer().and_then(known).ok_or_else(|| refusal(401, None))?;
        let accept = call.header("accept").unwrap_or("*/*");
        if !["*/*", "application/*", "application/json"]
            .iter()
            .any(|kind| accept.contains(kind))
        {
            return Err(refusal(406, None));
        }
        match call.route() {
            ("POST", path) if path == ["customers"] => self.upsert(&merchant_of(credential, call)?, call).await,
            ("GET", path) if path == ["customers"] => april_reads::list(self, &readable(credential)?, call),
            ("GET", path) if path.len() == 2 && path[0] == "customers" => {
                april_reads::one(self, &readable(credential)?, path[1])
            }
            (_, path) if path.first() == Some(&"customers") && path.len() <= 2 => Err(refusal(405, None)),
            _ => Err(refusal(404, None)),
        }
    }

    async fn upsert(&self, merchant: &str, call: &Call<'_>) -> Result<Reply, Reply> {
        let wrapped = call.object().map_err(|problem| refusal(400, Some(problem)))?;
        let (kind, mut body) = self.unwrapped(wrapped).ok_or_else(|| {
            let names = format!(
                "expected one of UpsertConsumerCustomer, {}",
                self.rules.organisation_wrapper
            );
            refusal(400, Some(&names))
        })?;
        let found = self.problems(kind, &body);
        if !found.is_empty() {
            return Err(invalid(&found));
        }
        // The answer is two ids: there is nothing that could show what was sent.
        call.rewrite(&mut body);
        if self.rules.unique_reference && self.reference_is_taken(merchant, kind, &body) {
            return Err(refusal(409, Some("referenceCustomerId belongs to another customer")));
        }
        let written = self
            .records
            .upsert(self.write_of(merchant, kind, &body), |fields| merge(fields, body))
            .await;
        let ids = json!({"customerId": written.record.id, "merchantId": written.record.account});
        Ok(Reply::json(200, &ids).with_write(written))
    }

    /// The single member of the body: its name gives the kind.
    fn unwrapped(&self, body: Map<String, Value>) -> Option<(&'static str, Map<String, Value>)> {
        let mut members = body.into_iter();
        let (Some((name, Value::Object(fields))), None) = (members.next(), members.next()) else {
            return None;
        };
        match name.as_str() {
            "UpsertConsumerCustomer" => Some((CONSUMER, fields)),
            name if name == self.rules.organisation_wrapper => Some((ORGANISATION, fields)),
            _ => None,
        }
    }

    fn problems(&self, kind: &str, body: &Map<String, Value>) -> Vec<FieldProblem> {
        match (kind, self.rules.strict) {
            (ORGANISATION, _) => problems(
                body,
                &ORGANISATION_FIELDS,
                &[REFERENCE, "organisationName", "taxId", EMAIL],
            ),
            (_, true) => problems(body, &CONSUMER_FIELDS, &[EMAIL, "phoneNumber", "familyName"]),
            (_, false) => problems(body, &CONSUMER_FIELDS, &[EMAIL]),
        }
    }

    fn reference_is_taken(&self, merchant: &str, kind: &str, body: &Map<String, Value>) -> bool {
        let (Some(reference), Some(email)) = (Probe::of(body, REFERENCE), Probe::of(body, EMAIL)) else {
            return false;
        };
        let other = |record: &Record| {
            record.account == merchant && record.kind == CONSUMER && record.text(REFERENCE) == reference.value
        };
        kind == CONSUMER
            && self
                .records
                .select(other)
                .iter()
                .any(|record| record.text(EMAIL) != email.value)
    }

    fn write_of<'a>(&self, merchant: &'a str, kind: &'static str, body: &Map<String, Value>) -> Upsert<'a> {
        Upsert {
            account: merchant,
            kind,
            probes: Probe::of(body, key_of(kind)).into_iter().collect(),
            matches_archived: true,
            new_id: format!("cust_{}", Uuid::new_v4().simple()),
            now: (self.clock)(),
        }
    }

    /// A body without a wrapper is taken for a consumer's.
    pub(crate) fn seed(&self, merchant: &str, body: Map<String, Value>) -> Written {
        let (kind, body) = self.unwrapped(body.clone()).unwrap_or((CONSUMER, body));
        let upsert = self.write_of(merchant, kind, &body);
        self.records.upsert_at_once(upsert, |fields| merge(fields, body))
    }
}

/// The business key of a kind, beside the merchant \[S4\].
fn key_of(kind: &str) -> &'static str {
    if kind == ORGANISATION { REFERENCE } else { EMAIL }
}

fn keys_of(record: &Record) -> Vec<Probe> {
    Probe::of(&record.fields, key_of(record.kind)).into_iter().collect()
}

/// What was sent replaces, the map of metadata as a whole; what was not sent stays.
fn merge(fields: &mut Map<String, Value>, mut body: Map<String, Value>) {
    fields.append(&mut body);
}

fn invalid(problems: &[FieldProblem]) -> Reply {
    let detail: Vec<String> = problems
        .iter()
        .map(|it| format!("{}: {}", it.field, it.message))
        .collect();
    let mut body = error(400, Some(&detail.join("; ")));
    let by_field = problems.iter().map(|it| (it.field.clone(), json!(it.message)));
    body["metadata"] = Value::Object(by_field.collect());
    Reply::json(400, &body)
}

/// A refusal in the documented shape.
pub(crate) fn refusal(status: u16, detail: Option<&str>) -> Reply {
    Reply::json(status, &error(status, detail))
}

/// The shape of S4, with every member of it. The codes of customer calls are on no page; these are made up.
pub(crate) fn error(status: u16, detail: Option<&str>) -> Value {
    let (code, message) = match status {
        400 => ("invalid_request", "The request is not valid"),
        401 => ("unauthorised", "The credential is missing or unknown"),
        403 => ("forbidden", "The credential may not do this"),
        404 => ("not_found", "There is no such thing"),
        405 => ("method_not_allowed", "The method is not allowed here"),
        406 => ("not_acceptable", "Only application/json is produced"),
        409 => ("conflict", "The request conflicts with another customer"),
        422 => ("unprocessable", "The request cannot be processed"),
        429 => ("too_many_requests", "Too many requests"),
        503 => ("service_unavailable", "The service is not available"),
        _ => ("internal_error", "Something went wrong"),
    };
    let category = if status < 500 {
        "invalid_request_error"
    } else {
        "api_error"
    };
    json!({
        "statusCode": status,
        "errorCode": code,
        "message": message,
        "tracer": Uuid::new_v4().to_string(),
        "detail": detail.unwrap_or("No more is known"),
        "errorTypeDescription": category,
        "metadata": { "documentation": "https://docs.meetapril.io/developer-portal/error-handling" },
    })
}
