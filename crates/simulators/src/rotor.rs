//! Rotor: upsert by id, then phone, then e-mail; tags merged; a day's limit per key \[S0\]\[S1\]\[S2\].

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::checks::{FieldProblem, problems};
use crate::clock::Clock;
use crate::options::{RotorKey, RotorRules, SimulatorOptions};
use crate::record::{Probe, Record, Upsert, Written};
use crate::records::Records;
use crate::rotor_answers::{self, FIELDS, invalid, out_of_scope, success};
use crate::rotor_reads;
use crate::wire::{Call, Reply};

const VERSION: &str = "1.1.0";
const KIND: &str = "customer";

/// The simulated Rotor.
pub(crate) struct Rotor {
    pub(crate) records: Records,
    rules: RotorRules,
    clock: Clock,
    spent: Mutex<HashMap<String, (Date, u64)>>,
}

impl Rotor {
    pub(crate) fn new(options: &SimulatorOptions) -> Self {
        Self {
            records: Records::new(keys_of, options.race_window),
            rules: options.rotor.clone(),
            clock: options.clock.clone(),
            spent: Mutex::default(),
        }
    }

    pub(crate) async fn answer(&self, call: &Call<'_>) -> Reply {
        match self.answer_or_refuse(call).await {
            Ok(reply) | Err(reply) => reply,
        }
    }

    async fn answer_or_refuse(&self, call: &Call<'_>) -> Result<Reply, Reply> {
        let key = call
            .header("x-api-key")
            .and_then(|sent| self.rules.keys.iter().find(|known| known.key == sent));
        let Some(key) = key else { return Err(self.refusal(401)) };
        if !self.spend(&key.key) {
            return Err(self.refusal(429));
        }
        if call
            .header("rotor-api-version")
            .is_some_and(|version| version != VERSION)
        {
            return Err(invalid(&[FieldProblem::new("rotor-api-version", "Must be 1.1.0")]));
        }
        match call.route() {
            ("POST", path) if path == ["customers"] => {
                require(key, "customers:write")?;
                self.upsert(key, call).await
            }
            ("GET", path) if path == ["customers"] => {
                require(key, "customers:read")?;
                rotor_reads::list(&self.records, &key.company, call)
            }
            ("GET", path) if path.len() == 2 && path[0] == "customers" => {
                require(key, "customers:read")?;
                rotor_reads::one(&self.records, &key.company, path[1]).ok_or_else(|| self.refusal(404))
            }
            ("GET", path) if path == ["auth", "test"] => Ok(rotor_reads::auth(key, (self.clock)())),
            _ => Err(self.refusal(404)),
        }
    }

    async fn upsert(&self, key: &RotorKey, call: &Call<'_>) -> Result<Reply, Reply> {
        let mut body = call
            .object()
            .map_err(|problem| invalid(&[FieldProblem::new("body", problem)]))?;
        let found = problems(&body, &FIELDS, &[]);
        if !found.is_empty() {
            return Err(invalid(&found));
        }
        let as_sent = call.rewrite(&mut body);
        let written = if let Some(id) = body.get("id").and_then(Value::as_str).map(str::to_owned) {
            let update = self
                .records
                .update(&key.company, &id, (self.clock)(), |fields| merge(fields, body));
            update.ok_or_else(|| self.refusal(404))?
        } else {
            self.records
                .upsert(self.write_of(&key.company, &body), |fields| merge(fields, body))
                .await
        };
        Ok(success(written, as_sent))
    }

    /// Phone before e-mail, by the exact text.
    fn write_of<'a>(&self, company: &'a str, body: &Map<String, Value>) -> Upsert<'a> {
        Upsert {
            account: company,
            kind: KIND,
            probes: ["phone", "email"]
                .into_iter()
                .filter_map(|key| Probe::of(body, key))
                .collect(),
            matches_archived: self.rules.matches_archived,
            new_id: Uuid::new_v4().to_string(),
            now: (self.clock)(),
        }
    }

    pub(crate) fn seed(&self, company: &str, body: Map<String, Value>) -> Written {
        let upsert = self.write_of(company, &body);
        self.records.upsert_at_once(upsert, |fields| merge(fields, body))
    }

    pub(crate) fn new_rate_window(&self) {
        self.spent.lock().clear();
    }

    /// Counts a request of the key's day; false when the day is spent.
    fn spend(&self, key: &str) -> bool {
        let Some(limit) = self.rules.daily_limit else {
            return true;
        };
        let today = (self.clock)().to_zoned(TimeZone::UTC).date();
        let mut spent = self.spent.lock();
        let (day, count) = spent.entry(key.to_owned()).or_insert((today, 0));
        if *day != today {
            (*day, *count) = (today, 0);
        }
        *count += 1;
        *count <= limit
    }

    pub(crate) fn error(&self, status: u16) -> Value {
        rotor_answers::error(status, self.rules.daily_limit.unwrap_or(1000))
    }

    fn refusal(&self, status: u16) -> Reply {
        Reply::json(status, &self.error(status))
    }
}

fn keys_of(record: &Record) -> Vec<Probe> {
    ["phone", "email"]
        .into_iter()
        .filter_map(|key| Probe::of(&record.fields, key))
        .collect()
}

fn require(key: &RotorKey, scope: &str) -> Result<(), Reply> {
    if key.scopes.iter().any(|granted| granted == scope) {
        Ok(())
    } else {
        Err(out_of_scope(scope))
    }
}

/// What was sent replaces, what was not stays, tags are joined \[S0\]. A new customer is taken for active.
fn merge(fields: &mut Map<String, Value>, mut body: Map<String, Value>) {
    body.remove("id");
    let new_tags = body.remove("tags");
    fields.append(&mut body);
    fields.entry("status").or_insert_with(|| json!("active"));
    let tags = fields.entry("tags").or_insert_with(|| json!([]));
    if let (Some(tags), Some(Value::Array(new))) = (tags.as_array_mut(), new_tags) {
        for tag in new {
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
}
