//! Chromium's own commands, beside those of the WebDriver standard.

use std::str::FromStr;

use fantoccini::wd::WebDriverCompatibleCommand;
use reqwest::{Method, Url};
use serde_json::{Value as Json, json};

/// A POST to a path below the session.
#[derive(Debug)]
pub(super) struct VendorCommand {
    path: &'static str,
    body: Json,
}

impl VendorCommand {
    /// A command of the DevTools protocol.
    pub(super) fn devtools(name: &str, params: &Json) -> Self {
        Self {
            path: "goog/cdp/execute",
            body: json!({ "cmd": name, "params": params }),
        }
    }

    /// What was logged since this was asked last.
    pub(super) fn log(kind: &str) -> Self {
        Self {
            path: "se/log",
            body: json!({ "type": kind }),
        }
    }
}

impl WebDriverCompatibleCommand for VendorCommand {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
