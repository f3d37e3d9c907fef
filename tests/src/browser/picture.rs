//! How wide a page is shown, in which colours, and pictures of it.

use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Value as Json, json};

use super::Browser;
use super::vendor::VendorCommand;
use crate::give_up;

/// Up to this width a page is shown as on a phone.
const PHONE: u32 = 600;
/// No picture is higher.
const HIGHEST: u64 = 16_000;

/// What a person prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Scheme {
    /// The word of the media query.
    pub fn word(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Shows this page and all that follow at this size and in these colours. What moves stands still.
    pub async fn view(&self, width: u32, height: u32, scheme: Scheme) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.word() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }))
            .await;
        self.size(width, u64::from(height)).await;
    }

    /// Whether the page has to be moved sideways to be seen.
    pub async fn is_wider_than_its_window(&self) -> bool {
        let question = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.ask(question, vec![]).await.as_bool().unwrap_or_default()
    }

    /// Writes a PNG of the whole page at this size: as high as the page if it is higher. The view stays so.
    pub async fn screenshot(&self, path: &Path, width: u32, height: u32, scheme: Scheme) {
        self.view(width, height, scheme).await;
        let whole = self.ask("return document.documentElement.scrollHeight", vec![]).await;
        let whole = whole.as_u64().unwrap_or_default().clamp(u64::from(height), HIGHEST);
        self.size(width, whole).await;
        let taken = self
            .devtools("Page.captureScreenshot", &json!({ "format": "png" }))
            .await;
        let png = taken["data"].as_str().unwrap_or_default();
        let png = BASE64.decode(png.as_bytes()).expect("a picture comes as base64");
        if let Err(error) = std::fs::write(path, png) {
            give_up(&format!("{} cannot be written: {error}", path.display()));
        }
        self.size(width, u64::from(height)).await;
    }

    async fn size(&self, width: u32, height: u64) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width <= PHONE });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
        self.settle().await;
    }

    async fn devtools(&self, name: &str, params: &Json) -> Json {
        match self.client.issue_cmd(VendorCommand::devtools(name, params)).await {
            Ok(answer) => answer,
            Err(error) => give_up(&format!("{name}: {error}")),
        }
    }
}
