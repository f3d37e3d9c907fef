//! What is documented of the routes.

use std::collections::HashMap;

use actix_web::http::Method;
use actix_web::web::Bytes;
use upsert_settings::BasePath;

/// The document, and which methods each path knows.
#[derive(Debug)]
pub(crate) struct Documented {
    /// As it is served.
    pub(crate) json: Bytes,
    /// By template.
    pub(crate) methods: HashMap<String, Vec<Method>>,
}

/// How the document says where the gateway is: its paths start at the root of the same host.
const AT_THE_ROOT: &str = r#""servers":[{"url":"/"}]"#;

impl Documented {
    /// As somebody is served it who sees the gateway under this path.
    pub(crate) fn json_at(&self, base: &BasePath) -> Bytes {
        if base.is_empty() {
            return self.json.clone();
        }
        let text = String::from_utf8_lossy(&self.json);
        let servers = format!(r#""servers":[{{"url":"{}"}}]"#, base.as_str());
        text.replacen(AT_THE_ROOT, &servers, 1).into()
    }
}
