//! What an upsert would do.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use upsert_core::{
    CustomerId, Field, Ignored, Intent, KeyKind, MatchKey, Problem, Repeat, Warning, WireRequest, WrongCode,
};

use crate::cover::{Cover, MASK, Own};
use crate::customer::Customer;
use crate::masks::{cover_pointer, cover_text};
use crate::problem::ProblemCode;

/// What an upsert would do. (No `Debug`, here and below: it is about a person.)
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// The customer it would change; null: a new one.
    pub customer_id: Option<CustomerId>,
    /// The customer as it would be.
    pub customer: Customer,
    /// One for each connection.
    pub connections: Vec<PlannedConnection>,
    /// What could not be read and would be left out.
    pub ignored: Vec<Ignored>,
}

/// What would go to one connection.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlannedConnection {
    /// The connection.
    pub connection: String,
    /// The provider.
    pub provider: String,
    /// Whether the upsert would fail with it.
    pub required: bool,
    /// What would be done; null where it is refused.
    pub action: Option<PlanAction>,
    /// What the vendor would match by.
    pub match_key: Option<MatchKey>,
    /// What would be sent, without credentials.
    pub request: Option<WireRequest>,
    /// Whether it may be sent again after an unknown outcome.
    pub repeat: Option<Repeat>,
    /// What this vendor cannot hold or do.
    pub warnings: Vec<Warning>,
    /// Why it would not be sent.
    pub refusals: Vec<PlanRefusal>,
}

/// What would be done at a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PlanAction {
    /// A record would be made.
    Create,
    /// The known record would be changed.
    Update,
    /// One of the two: the vendor decides by its match keys.
    Upsert,
    /// Nothing would be sent: the vendor has all of it.
    Unchanged,
}

/// Why something would not be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanRefusal {
    /// JSON Pointer.
    pub pointer: String,
    /// Stable, for programs.
    #[schema(value_type = WrongCode)]
    pub code: String,
    /// For people.
    pub detail: String,
    /// The connection that asks for it.
    pub connection: Option<String>,
    /// The customer that is in the way, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
}

impl From<Intent> for PlanAction {
    fn from(intent: Intent) -> Self {
        match intent {
            Intent::Create => Self::Create,
            Intent::Update => Self::Update,
            Intent::Upsert => Self::Upsert,
        }
    }
}

impl From<Problem> for PlanRefusal {
    fn from(problem: Problem) -> Self {
        Self {
            pointer: problem.pointer,
            code: problem.code,
            detail: problem.detail,
            connection: problem.connection,
            customer_id: None,
        }
    }
}

impl PlanRefusal {
    /// Another customer is in the way.
    pub fn conflict(code: ProblemCode, pointer: &str, detail: &str, connection: &str, with: CustomerId) -> Self {
        Self {
            pointer: pointer.to_owned(),
            code: code.to_string(),
            detail: detail.to_owned(),
            connection: Some(connection.to_owned()),
            customer_id: Some(with),
        }
    }
}

impl Cover for Plan {
    /// It is made with what is known already, not only with what was sent.
    fn cover(&mut self, own: Own<'_>) {
        self.customer.cover(own);
        self.connections.cover(own);
        self.ignored.cover(own);
    }
}

impl Cover for PlannedConnection {
    fn cover(&mut self, own: Own<'_>) {
        self.match_key.cover(own);
        self.request.cover(own);
        self.warnings.cover(own);
        self.refusals.cover(own);
    }
}

impl Cover for MatchKey {
    fn cover(&mut self, own: Own<'_>) {
        let field = match self.kind {
            KeyKind::Id => None,
            KeyKind::Reference => Some(Field::Reference),
            KeyKind::Email => Some(Field::Email),
            KeyKind::Phone => Some(Field::Phone),
        };
        if !field.is_some_and(|field| own.has_text(field, &self.value)) {
            cover_text(&mut self.value);
        }
    }
}

impl Cover for WireRequest {
    /// The vendor's id of the customer may stand in the path, and names that the merchant thought of in the body.
    fn cover(&mut self, _own: Own<'_>) {
        self.path = format!("/{MASK}");
        self.body = Json::from(MASK);
    }
}

impl Cover for PlanRefusal {
    fn cover(&mut self, _own: Own<'_>) {
        cover_pointer(&mut self.pointer);
    }
}
