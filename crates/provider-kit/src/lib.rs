//! What every vendor that speaks HTTP shares: a sans-IO trait to write an adapter against ([`HttpVendor`]), the
//! encoding of a declared field table, the comparison with the vendor's echo, the reading of HTTP statuses, the
//! transport, and the registry that builds providers from configuration.
//!
//! It knows no vendor's name and no policy. To add a vendor see `docs/adding-a-provider.md`.

mod classify;
mod complaints;
mod encode;
mod failed_answer;
mod field_outcomes;
mod fields;
mod http_provider;
mod in_force;
mod kept_headers;
mod measured;
mod own_secrets;
mod path;
mod read_back;
mod record_id;
mod refusals;
mod registry;
mod reply;
mod retry_after;
mod transport;
mod vendor;

pub use classify::{classify, error_in_disguise, of_read, unreadable};
pub use complaints::{FieldNames, cut};
pub use encode::{ClearWith, EncodeRules, Encoded, encode, violation};
pub use failed_answer::FailedAnswer;
pub use field_outcomes::{at_path, field_outcomes};
pub use fields::{hidden, required, shown, up_to};
pub use http_provider::HttpProvider;
pub use in_force::{InForce, WhileInForce};
pub use measured::{Measured, Peer, describe_metrics};
pub use path::{get, get_with, path_segment, path_with_query, post};
pub use read_back::{Reading, canonical_value, check_query, list_of, page_fields, search_parameter, unknown_filters};
pub use record_id::record_id;
pub use refusals::{Refusals, documented};
pub use registry::{Built, ConnectionSetup, ProviderDescription, Registry};
pub use reply::{MAX_VENDOR_BODY_BYTES, WireReply};
pub use retry_after::RetryAfter;
pub use transport::{
    AddressFilter, Incoming, MAX_REPLY_BYTES, Outgoing, ReqwestTransport, Transport, TransportError, TransportOptions,
    Transports,
};
pub use vendor::{Credentials, HttpReads, HttpVendor, SettingProblem, VendorSetup, secret_header};
