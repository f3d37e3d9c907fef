//! The use cases: what an upsert means, from the request to the receipt. See `upsert.rs` for the straight line.
//!
//! It knows no HTTP library, no SQL, no vendor and no policy: connections come in as [`merchant::Connection`], ready
//! to call, and everything durable goes through the [`upsert_store::Store`] trait.

mod admission;
mod adopt;
mod announce;
mod answer;
mod await_answer;
mod background;
mod backlog;
mod bells;
mod claim;
mod commit;
mod connections;
mod dead_letters;
mod deliver;
mod dispatch;
mod draft;
mod echo;
mod endpoints;
mod event_letters;
mod event_query;
mod event_schedule;
mod events;
mod failures;
mod gateway;
mod guard;
mod idempotency;
mod identify;
mod intake;
mod lane;
mod lists;
mod lookup;
mod marks;
mod mask;
mod merchant;
mod meters;
mod narrow;
mod operate;
mod plan;
mod problem;
mod pump;
mod receive;
mod record;
mod recover;
mod replay;
mod rollback;
mod route;
mod selection;
mod sight;
mod spans;
mod strict_json;
mod succession;
mod tally;
mod under_way;
mod unfit;
mod unwanted;
mod upsert;
mod vendor_reads;
mod webhooks;

pub use answer::{Answer, link_json};
pub use backlog::{EventBacklog, OfMerchant};
pub use connections::ConnectionView;
pub use event_letters::{Direction, LetterAction};
pub use event_query::EventListQuery;
pub use failures::Cause;
pub use gateway::{Gateway, GatewayParts};
pub use identify::identifiers_in;
pub use intake::Intake;
pub use lists::{DeliveryListQuery, UpsertListQuery};
pub use lookup::{CustomerListQuery, Listing};
pub use mask::{MASK, cover, cover_pointer, cover_value};
pub use merchant::{
    Connection, ConnectionStatus, Directory, Merchant, NextStep, OnCollision, OnKeyChange, RetryRule, Route, When,
};
pub use meters::describe_metrics;
pub use plan::{ConnectionPlan, PlanRefusal, Planned};
pub use problem::{Conflict, ProblemCode, Refusal};
pub use receive::ReadEvent;
pub use selection::Selection;
pub use sight::Sight;
pub use spans::{Fact, NewSpan, OpenSpan, Origin, Side, Spans, trace_id};
pub use strict_json::read_json;
pub use tally::{Ending, Endings};
pub use upsert::{Begun, Caller, UpsertCommand};
pub use webhooks::{Endpoint, EndpointAnswer, EventKind, EventSender, SignedEvent, Source};
