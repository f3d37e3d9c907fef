//! One line of a batch's answer, as far as an import looks at it.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::import::state::Tally;

#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// Of the request, from 1.
    pub(crate) line: u64,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    state: String,
    customer: Option<Customer>,
    #[serde(default)]
    deliveries: Vec<Delivery>,
    #[serde(default)]
    idempotent_replayed: bool,
    /// What lenient handling left out.
    #[serde(default)]
    ignored: Vec<Ignored>,
    pub(crate) problem: Option<Json>,
}

#[derive(Debug, Deserialize)]
struct Ignored {
    code: String,
}

#[derive(Debug, Deserialize)]
struct Customer {
    version: u64,
}

#[derive(Debug, Deserialize)]
struct Delivery {
    outcome: Option<String>,
}

/// Refusals that say nothing about the row: it is sent again.
const AGAIN: [&str; 6] = [
    "overloaded",
    "shutting_down",
    "idempotency_in_progress",
    "rate_limited",
    "request_timeout",
    "internal",
];

impl Answer {
    /// Whether the row has to be sent again.
    pub(crate) fn is_for_later(&self) -> bool {
        let code = self.problem.as_ref().and_then(|problem| problem["code"].as_str());
        code.is_some_and(|code| AGAIN.contains(&code))
    }

    pub(crate) fn count(&self, tally: &mut Tally) {
        if let Some(problem) = &self.problem {
            tally.refuse(problem["code"].as_str().unwrap_or_default());
            return;
        }
        tally.accepted += 1;
        tally.repeated += u64::from(self.idempotent_replayed);
        for ignored in &self.ignored {
            *tally.ignored.entry(ignored.code.clone()).or_default() += 1;
        }
        let is_unchanged = |delivery: &Delivery| delivery.outcome.as_deref() == Some("unchanged");
        let is_first = self.customer.as_ref().is_some_and(|customer| customer.version == 1);
        let is_unchanged = !self.deliveries.is_empty() && self.deliveries.iter().all(is_unchanged);
        // 202 does not say whether the customer is new.
        if self.status == 201 || (self.status == 202 && is_first && !is_unchanged) {
            tally.created += 1;
        } else if is_unchanged {
            tally.unchanged += 1;
        } else {
            tally.updated += 1;
        }
        tally.pending += u64::from(self.state == "pending");
    }

    /// Codes, pointers and connections, and the gateway's own sentences, which repeat no value. A vendor's sentences
    /// may repeat one, so they stay out.
    pub(crate) fn reasons(&self) -> Json {
        self.problem.as_ref().map_or_else(|| json!({}), reasons)
    }
}

/// What [`Answer::reasons`] says of a problem.
pub(crate) fn reasons(problem: &Json) -> Json {
    let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
    let own = list(&problem["errors"]).into_iter().map(|error| {
        json!({ "pointer": error["pointer"], "code": error["code"], "detail": error["detail"],
                "connection": error["connection"] })
    });
    let conflicts = list(&problem["conflicts"]).into_iter().map(|with| {
        json!({ "pointer": with["pointer"], "code": problem["code"], "connection": with["connection"],
                "customer_id": with["customer_id"] })
    });
    let vendors = list(&problem["deliveries"]).into_iter().flat_map(|delivery| {
        let (connection, code) = (delivery["connection"].clone(), delivery["error"]["code"].clone());
        let pointers = list(&delivery["error"]["errors"]);
        let of = move |pointer: Json| json!({ "pointer": pointer, "code": code, "connection": connection });
        match (delivery["error"].is_null(), pointers.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => vec![of(json!(""))],
            (false, false) => pointers.into_iter().map(|error| of(error["pointer"].clone())).collect(),
        }
    });
    json!({ "code": problem["code"], "errors": own.chain(conflicts).chain(vendors).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vendors_words_are_left_out_of_the_reasons() {
        let answer: Answer = serde_json::from_value(json!({ "line": 1, "problem": {
            "code": "provider_rejected", "detail": "no", "errors": [],
            "customer": { "email": "secret@x.example" },
            "deliveries": [{ "connection": "rotor", "error": { "code": "bad_phone", "detail": "secret is bad",
                "errors": [{ "pointer": "/phone", "detail": "secret" }] } }] } }))
        .unwrap();
        let reasons = answer.reasons();
        assert!(!reasons.to_string().contains("secret"), "{reasons}");
        assert_eq!(
            reasons["errors"][0],
            json!({ "pointer": "/phone", "code": "bad_phone", "connection": "rotor" })
        );
    }
}
