//! `GET /docs`: the document for people. Everything it loads comes from here, so that it works without a network.

use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, get};

/// Scripts and requests only from and to this origin. Styles are set by the scripts as they draw.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Upsert Gateway: API</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="stylesheet" href="docs/index.css">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs scripts; <a href="openapi.json">openapi.json</a> says the same.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"#;

/// The API for people.
#[utoipa::path(
    tag = "process",
    responses((status = 200, description = "A page", body = String, content_type = "text/html")),
)]
#[get("/docs")]
pub(crate) async fn get_docs() -> HttpResponse {
    HttpResponse::Ok()
        .content_type(header::ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
        .body(PAGE)
}
