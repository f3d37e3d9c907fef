//! `POST /v1/customers/plan`.

use serde::Deserialize;
use serde_json::Value as Json;

use super::receipt::Warning;
use crate::mask::{MASK, cover_all, cover_pointer};

/// What an upsert would do. (No `Debug`: it is about a person.)
#[derive(Deserialize)]
pub(crate) struct Planned {
    pub(crate) customer_id: Option<String>,
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
    pub(crate) warnings: Vec<Warning>,
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
        for connection in &mut self.connections {
            if let Some(key) = &mut connection.match_key {
                MASK.clone_into(&mut key.value);
            }
            if let Some(request) = &mut connection.request {
                // The vendor's id of the customer may stand in it.
                request.path = format!("/{MASK}");
                cover_all(&mut request.body);
            }
            connection.warnings.iter_mut().for_each(Warning::mask);
            for refusal in &mut connection.refusals {
                cover_pointer(&mut refusal.pointer);
            }
        }
    }
}

impl Request {
    /// The body as people read it; empty: there is none.
    pub(crate) fn pretty(&self) -> String {
        if self.body.is_null() {
            return String::new();
        }
        serde_json::to_string_pretty(&self.body).unwrap_or_default()
    }
}
