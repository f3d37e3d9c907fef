//! What is documented of the routes.

use std::collections::HashMap;

use actix_web::http::Method;
use actix_web::web::Bytes;

/// The document, and which methods each path knows.
#[derive(Debug)]
pub(crate) struct Documented {
    /// As it is served.
    pub(crate) json: Bytes,
    /// By template.
    pub(crate) methods: HashMap<String, Vec<Method>>,
}
