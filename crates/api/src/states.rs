//! Closed sets of words.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// How far a delivery is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryState {
    /// Not tried.
    Pending,
    /// Being sent.
    InFlight,
    /// Accepted, or nothing had to be sent.
    Succeeded,
    /// Tried, due again at a known time.
    Retrying,
    /// Not to be tried now.
    Waiting,
    /// A newer one goes in its place.
    Superseded,
    /// Failed for good.
    Failed,
    /// An operator gave it up.
    Discarded,
}

/// How far an upsert is, over its deliveries.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum UpsertState {
    /// Something has not ended.
    Pending,
    /// Everything succeeded.
    Succeeded,
    /// Only connections that are not required failed.
    PartiallyFailed,
    /// A required connection failed.
    Failed,
}

/// The way by which an upsert came.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Through {
    /// A request of its own.
    Request,
    /// A line of a batch; imports are batches.
    Batch,
    /// An event of a webhook source.
    Webhook,
    /// The replay of a failed delivery.
    Replay,
}

/// How a link stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum LinkState {
    /// The vendor has what we have.
    InSync,
    /// Something is on its way or waits.
    Pending,
    /// The vendor refused the last change.
    Failed,
    /// Another record took its place.
    Superseded,
    /// No route leads there any more.
    Unrouted,
}

/// Which way an event goes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Direction {
    /// It came in.
    In,
    /// It goes out.
    Out,
}

/// How far an event that came in is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IncomingState {
    /// It became an upsert.
    Accepted,
    /// It told of what the gateway had written itself: nothing was done.
    Echo,
    /// A newer event of its source had come before it: nothing was done.
    Outdated,
    /// It could not be taken: a dead letter.
    Failed,
    /// An operator gave the dead letter up.
    Discarded,
}

/// How far an event that goes out is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OutgoingState {
    /// Not tried.
    Pending,
    /// Tried, due again at a known time.
    Retrying,
    /// The endpoint took it.
    Succeeded,
    /// It was given up: a dead letter.
    Failed,
    /// An operator gave the dead letter up.
    Discarded,
}

/// What became of an event, or of one customer's part of it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EventResult {
    /// It became an upsert.
    Accepted,
    /// It tells of what the gateway wrote itself.
    Echo,
    /// A newer one was here before.
    Outdated,
    /// It was here before.
    Repeated,
    /// The source's configuration leaves it out.
    LeftOut,
    /// It is the sender's test call.
    Ping,
    /// It could not be taken, and is kept as a dead letter.
    Refused,
}

/// A connection's state in one word.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ConnectionState {
    /// Well.
    Healthy,
    /// Some calls fail.
    Degraded,
    /// A limit holds it back.
    Throttled,
    /// The breaker is open.
    Open,
    /// The day's calls are used up.
    QuotaSpent,
    /// By the vendor's refusal, or by an operator.
    Paused,
}

/// Whether calls go through a circuit breaker.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// No call goes through.
    Open,
    /// The next call is a probe, or one is under way.
    HalfOpen,
}

/// How an endpoint is doing.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    ToSchema
)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum EndpointState {
    /// Well.
    Healthy,
    /// It failed lately.
    Degraded,
    /// It is tried with one event at a time.
    Failing,
    /// Nothing is sent there.
    Disabled,
}

impl DeliveryState {
    /// Whether nothing will happen to it by itself any more.
    pub const fn has_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Superseded | Self::Failed | Self::Discarded
        )
    }

    /// Whether it can be replayed.
    pub const fn can_be_replayed(self) -> bool {
        matches!(self, Self::Failed)
    }

    /// Whether it can be given up.
    pub const fn can_be_discarded(self) -> bool {
        matches!(self, Self::Failed | Self::Pending | Self::Retrying | Self::Waiting)
    }
}

impl IncomingState {
    /// Whether the same event is not done again.
    pub const fn is_done(self) -> bool {
        !matches!(self, Self::Failed)
    }
}

impl From<IncomingState> for EventResult {
    fn from(state: IncomingState) -> Self {
        match state {
            IncomingState::Accepted => Self::Accepted,
            IncomingState::Echo => Self::Echo,
            IncomingState::Outdated => Self::Outdated,
            IncomingState::Failed | IncomingState::Discarded => Self::Refused,
        }
    }
}

impl OutgoingState {
    /// Whether it is still to be sent.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Retrying)
    }
}
