//! April: upsert by e-mail (consumer) or reference (organisation) within a merchant, in a single-key wrapper \[S4\].

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::april_answers::{CONSUMER, ORGANISATION, invalid, refusal};
use crate::april_credentials::{merchant_of, readable};
use crate::april_reads;
use crate::checks::{Field, FieldProblem, Shape, problems};
use crate::clock::Clock;
use crate::options::{AprilRules, SimulatorOptions};
use crate::record::{Probe, Record, Upsert, Written};
use crate::records::Records;
use crate::wire::{Call, Reply};

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
