//! add-update: upsert by `externalId` within the merchant of `x-merchant-id`; one envelope for every error \[S3\].

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::checks::{Field, FieldProblem, Shape, problems};
use crate::clock::{Clock, iso_millis};
use crate::options::{AddUpdateAuth, AddUpdateRules, SimulatorOptions};
use crate::record::{Probe, Record, Upsert, Written};
use crate::records::Records;
use crate::wire::{Call, Reply};

/// The body of `POST /customers/add-update` \[S3\].
pub(crate) const FIELDS: [Field; 7] = [
    ("externalId", Shape::Text),
    ("firstName", Shape::Text),
    ("lastName", Shape::Text),
    ("email", Shape::Email),
    ("phoneNumber", Shape::Text),
    ("active", Shape::Flag),
    ("notificationOptions", Shape::Flags(&["notifyEmail", "notifyPhone"])),
];
const REQUIRED: [&str; 2] = ["externalId", "firstName"];
const KEY: &str = "externalId";

/// The simulated add-update.
pub(crate) struct AddUpdate {
    pub(crate) records: Records,
    rules: AddUpdateRules,
    clock: Clock,
}

impl AddUpdate {
    pub(crate) fn new(options: &SimulatorOptions) -> Self {
        Self {
            records: Records::new(
                |record| Probe::of(&record.fields, KEY).into_iter().collect(),
                options.race_window,
            ),
            rules: options.add_update.clone(),
            clock: options.clock.clone(),
        }
    }

    pub(crate) async fn answer(&self, call: &Call<'_>) -> Reply {
        let merchant = call.header("x-merchant-id").filter(|merchant| !merchant.is_empty());
        let Some(merchant) = merchant.filter(|_| self.is_known(call)) else {
            return refusal(401);
        };
        match call.route() {
            ("POST", path) if path == ["customers", "add-update"] => self.upsert(merchant, call).await,
            ("GET", path) if path == ["customers"] => self.list(merchant, call),
            ("GET", path) if path.len() == 2 && path[0] == "customers" => self.one(merchant, path[1]),
            _ => refusal(404),
        }
    }

    fn is_known(&self, call: &Call<'_>) -> bool {
        let known = |sent: Option<&str>| sent.is_some_and(|sent| self.rules.keys.iter().any(|key| key == sent));
        match self.rules.auth {
            AddUpdateAuth::XApiKey => known(call.header("x-api-key")),
            AddUpdateAuth::Bearer => known(call.bearer()),
            AddUpdateAuth::Both => known(call.header("x-api-key")) && known(call.bearer()),
        }
    }

    async fn upsert(&self, merchant: &str, call: &Call<'_>) -> Reply {
        let mut body = match call.object() {
            Ok(body) => body,
            Err(problem) => return invalid(&[FieldProblem::new("body", problem)]),
        };
        let found = problems(&body, &FIELDS, &REQUIRED);
        if !found.is_empty() {
            return invalid(&found);
        }
        let as_sent = call.rewrite(&mut body);
        let written = self
            .records
            .upsert(self.write_of(merchant, &body), |fields| merge(fields, body))
            .await;
        let status = if written.created {
            self.rules.created_status
        } else {
            200
        };
        let mut answer = shown(&written.record);
        answer.extend(as_sent);
        Reply::json(status, &Value::Object(answer)).with_write(written)
    }

    fn write_of<'a>(&self, merchant: &'a str, body: &Map<String, Value>) -> Upsert<'a> {
        Upsert {
            account: merchant,
            kind: "customer",
            probes: Probe::of(body, KEY).into_iter().collect(),
            matches_archived: true,
            new_id: format!("cus_{}", Uuid::new_v4().simple()),
            now: (self.clock)(),
        }
    }

    pub(crate) fn seed(&self, merchant: &str, body: Map<String, Value>) -> Written {
        let upsert = self.write_of(merchant, &body);
        self.records.upsert_at_once(upsert, |fields| merge(fields, body))
    }

    /// By external id or, as the guide says, by the vendor's own.
    fn one(&self, merchant: &str, id: &str) -> Reply {
        let by_key = self.records.first(
            merchant,
            &Probe {
                key: KEY,
                value: id.to_owned(),
            },
        );
        let record = by_key.or_else(|| self.records.get(id, |record| record.account == merchant));
        record.map_or_else(
            || refusal(404),
            |record| Reply::json(200, &Value::Object(shown(&record))),
        )
    }

    fn list(&self, merchant: &str, call: &Call<'_>) -> Reply {
        let Some(limit) = call.number("limit", 20, 1..=100) else {
            return invalid(&[FieldProblem::new("limit", "Must be 1 to 100")]);
        };
        let Some(offset) = call.number("offset", 0, 0..=usize::MAX) else {
            return invalid(&[FieldProblem::new("offset", "Must be 0 or more")]);
        };
        let wanted = |record: &Record, name: &str| call.parameter(name).is_none_or(|value| record.text(name) == value);
        let found = self
            .records
            .select(|record| record.account == merchant && wanted(record, "email") && wanted(record, KEY));
        let page: Vec<Value> = found
            .iter()
            .skip(offset)
            .take(limit)
            .map(shown)
            .map(Value::Object)
            .collect();
        match &self.rules.list_member {
            None => Reply::json(200, &json!(page)),
            Some(member) => Reply::json(200, &json!({ member: page })),
        }
    }
}

/// What was sent replaces, what was not stays. A new customer is taken for active.
fn merge(fields: &mut Map<String, Value>, mut body: Map<String, Value>) {
    fields.append(&mut body);
    fields.entry("active").or_insert(json!(true));
}

/// The answer's shape: what is set, and two stamps. The vendor's own id is not in it \[S3\].
fn shown(record: &Record) -> Map<String, Value> {
    let mut fields = record.fields.clone();
    fields.insert("createdAt".to_owned(), json!(iso_millis(record.created_at)));
    fields.insert("updatedAt".to_owned(), json!(iso_millis(record.updated_at)));
    fields
}

/// What its events show: the same with the vendor's own id, which is the id that a guide speaks of.
pub(crate) fn told(record: &Record) -> Value {
    let mut fields = shown(record);
    fields.insert("id".to_owned(), json!(record.id));
    Value::Object(fields)
}

fn envelope(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

fn invalid(problems: &[FieldProblem]) -> Reply {
    let details: Vec<Value> = problems
        .iter()
        .map(|it| json!({"field": it.field, "message": it.message}))
        .collect();
    let mut body = envelope("VALIDATION_ERROR", "Request validation failed");
    body["error"]["details"] = json!(details);
    Reply::json(400, &body)
}

fn refusal(status: u16) -> Reply {
    Reply::json(status, &error(status))
}

/// The codes of the vendor's table; for a 429 it names none.
pub(crate) fn error(status: u16) -> Value {
    match status {
        400 => envelope("VALIDATION_ERROR", "Request validation failed"),
        401 => envelope("UNAUTHORIZED", "Invalid or missing credentials"),
        403 => envelope("FORBIDDEN", "Not allowed"),
        404 => envelope("NOT_FOUND", "Customer not found"),
        409 => envelope("DUPLICATE", "A customer with this externalId exists"),
        422 => envelope("DECLINED", "Declined"),
        429 => envelope("RATE_LIMITED", "Too many requests"),
        503 => envelope("SERVICE_UNAVAILABLE", "Service unavailable"),
        _ => envelope("INTERNAL_ERROR", "Internal error"),
    }
}
