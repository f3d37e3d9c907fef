//! Webhooks as pure functions: how an event proves who sent it, how ours are signed, what an event becomes.
//!
//! It knows no HTTP library, no store and no customer: an event is bytes, headers and JSON, and what comes out is the JSON
//! body of an upsert. Who the customer is and what is done about it is for `upsert-app` to say.

pub mod mapping;
pub mod order;
pub mod ping;
pub mod signature;

pub use mapping::{
    Conditions, EventId, MapProblem, Mapped, Mapping, NamePart, Part, Pointer, Read, Rule, Source, Target, Transform,
};
pub use order::{Order, OrderBy, OrderKind};
pub use ping::Ping;
pub use signature::{
    Forged, Hmac, HmacHash, Received, SignatureEncoding, Signed, SignedTime, SigningKey, Verifier, sign,
};
