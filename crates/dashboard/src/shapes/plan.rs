//! `POST /v1/customers/plan`.

use serde::Deserialize;
use serde_json::Value as Json;

use super::receipt::{Ignored, Warning, gathered};
use upsert_app::{MASK, cover_pointer};

/// What an upsert would do. (No `Debug`: it is about a person.)
#[derive(Deserialize)]
pub(crate) struct Planned {
    pub(crate) customer_id: Option<String>,
    pub(crate) ignored: Vec<Ignored>,
    pub(crate) connections: Vec<PlannedConnection>,
}

/// What would go to one connection.
#[derive(Deserialize)]
pub(crate) struct PlannedConnection {
    pub(crate) connection: String,
    pub(crate) provider: String,
    pub(crate) required: bool,
    pub(crate) action: Option<String>,
    pub(crate) match_key: Option<MatchKey>,
    pub(crate) request: Option<Request>,
    pub(crate) repeat: Option<String>,
    warnings: Vec<Warning>,
    pub(crate) refusals: Vec<Problem>,
}

/// What the vendor would match by.
#[derive(Deserialize)]
pub(crate) struct MatchKey {
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// A request in the vendor's words.
#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    body: Json,
}

/// Something that is in the way.
#[derive(Deserialize)]
pub(crate) struct Problem {
    pub(crate) pointer: String,
    pub(crate) code: String,
    pub(crate) detail: String,
    pub(crate) customer_id: Option<String>,
}

impl Planned {
    /// Covers what it says of the person: the plan is made with what is known already, not only with what was typed.
    pub(crate) fn mask(&mut self) {
        for ignored in &mut self.ignored {
            cover_pointer(&mut ignored.pointer);
        }
        for connection in &mut self.connections {
            if let Some(key) = &mut connection.match_key {
                MASK.clone_into(&mut key.value);
            }
            if let Some(request) = &mut connection.request {
                // The vendor's id of the customer may stand in the path, and names that the merchant thought of in the body.
                request.path = format!("/{MASK}");
                request.body = Json::from(MASK);
            }
            for warning in &mut connection.warnings {
                cover_pointer(&mut warning.pointer);
            }
            for refusal in &mut connection.refusals {
                cover_pointer(&mut refusal.pointer);
            }
        }
    }
}

impl PlannedConnection {
    /// What the vendor cannot hold or do.
    pub(crate) fn warnings(&self) -> Vec<(&str, Vec<&str>, &str)> {
        gathered(&self.warnings)
    }
}

impl Request {
    /// The body as people read it; empty: there is none.
    pub(crate) fn pretty(&self) -> String {
        match &self.body {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            body => serde_json::to_string_pretty(body).unwrap_or_default(),
        }
    }
}
