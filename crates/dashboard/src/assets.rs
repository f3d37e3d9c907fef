//! Scripts, styles and the icon, carried in the program.

use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpResponse, get};

use crate::error::PageError;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: [(&str, &str, &[u8]); 8] = [
    ("htmx.js", JAVASCRIPT, include_bytes!("../assets/vendor/htmx.min.js")),
    ("sse.js", JAVASCRIPT, include_bytes!("../assets/vendor/htmx-sse.min.js")),
    (
        "morph.js",
        JAVASCRIPT,
        include_bytes!("../assets/vendor/idiomorph-ext.min.js"),
    ),
    (
        "uplot.js",
        JAVASCRIPT,
        include_bytes!("../assets/vendor/uPlot.iife.min.js"),
    ),
    ("uplot.css", CSS, include_bytes!("../assets/vendor/uPlot.min.css")),
    ("ops.js", JAVASCRIPT, include_bytes!("../assets/ops.js")),
    ("ops.css", CSS, include_bytes!("../assets/ops.css")),
    ("icon.svg", SVG, include_bytes!("../assets/icon.svg")),
];

/// A file of the page; its address carries the version, so it may be kept.
#[get("/assets/{version}/{file}")]
pub(crate) async fn asset(path: Path<(String, String)>) -> Result<HttpResponse, PageError> {
    let (_version, file) = path.into_inner();
    let known = FILES.into_iter().find(|(name, _, _)| *name == file);
    let (_, content_type, content) = known.ok_or_else(|| PageError::not_found("file"))?;
    Ok(HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=86400"))
        .body(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_load_nothing_from_elsewhere() {
        for (name, _, content) in FILES.iter().filter(|(_, content_type, _)| *content_type == CSS) {
            let css = std::str::from_utf8(content).unwrap();
            assert!(!css.contains("url(") && !css.contains("@import"), "{name}");
        }
    }
}
