//! What needs somebody, worst first.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::connection::Connection;

/// What needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttentionPage {
    /// What costs most first: what waits times the age of the oldest of it, then what was given up; one entry a subject.
    pub data: Vec<Attention>,
}

/// Something that needs somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attention {
    /// How bad it is.
    pub severity: Severity,
    /// Whose; null: the gateway's own.
    pub merchant_id: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// The subject's name.
    pub name: String,
    /// The worst that is wrong with it.
    pub code: AttentionCode,
    /// For people: all that is wrong with it.
    pub detail: String,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// What waits for it.
    pub waiting: u64,
    /// What was given up.
    pub dead_letters: u64,
    /// What can be done about it, the most likely first.
    pub actions: Vec<Action>,
}

impl Attention {
    /// Whether it is this connection that needs somebody.
    pub fn is_of(&self, connection: &Connection) -> bool {
        let is_it = self.subject == Subject::Connection && self.name == connection.name;
        is_it && self.merchant_id.as_ref() == Some(&connection.merchant_id)
    }
}

/// How bad something is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Something does not arrive.
    Critical,
    /// It may come to that.
    Warning,
}

/// What something is about.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Subject {
    /// The gateway itself.
    Gateway,
    /// A connection.
    Connection,
    /// An endpoint.
    Endpoint,
    /// A source.
    Source,
}

/// What is wrong.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum AttentionCode {
    /// The last reading of the files was refused: what was in force before stays.
    ConfigurationRefused,
    /// The vendor refuses the connection's credentials: it is paused.
    PausedByVendor,
    /// The vendor fails: calls are held back, and tried one by one.
    BreakerOpen,
    /// The day's calls are spent.
    QuotaSpent,
    /// The endpoint said that it is gone: nothing is sent to it.
    EndpointDisabled,
    /// Deliveries or events were given up, for a replay.
    DeadLetters,
    /// Something has waited for long.
    WaitingLong,
    /// The endpoint does not take events.
    EndpointFailing,
    /// It is paused by hand.
    PausedByOperator,
    /// The vendor asks to slow down.
    Throttled,
    /// Some of the last calls failed by the vendor's fault.
    Degraded,
    /// The day's calls are nearly spent.
    QuotaRunningOut,
}

/// What can be done about it: a route of the API, or a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schema(as = AttentionAction)]
pub enum Action {
    /// Call the vendor once, now, and see what it answers.
    Try,
    /// Let the connection go on.
    Resume,
    /// Look at what waits or has failed.
    List,
    /// Send again what was given up.
    Replay,
    /// Give it up for good.
    Discard,
    /// Let events go to the endpoint again.
    Enable,
    /// Send the endpoint a test event.
    Test,
    /// Mend the files and check them.
    CheckConfiguration,
}
