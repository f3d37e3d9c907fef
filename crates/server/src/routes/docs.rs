//! `GET /docs`: the document for people. Everything it loads comes from here, so that it works without a network.

use std::io::{Cursor, Read as _};

use actix_web::http::header::{self, HeaderName};
use actix_web::web::{self, Bytes, Path};
use actix_web::{HttpResponse, get};
use tokio::sync::Mutex;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

use upsert_api::ProblemCode;
use upsert_app::Refusal;

use crate::http::problem::Problem;

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
///
/// No key. It loads nothing from elsewhere.
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

/// What is served of the archive, and as what; the rest of it is not for here.
const FILES: [(&str, &str); 4] = [
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("index.css", "text/css; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

/// Starts the page on our document, and asks no validator elsewhere.
const START: &str = r##"window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"##;

/// A file of the page.
///
/// No key.
#[utoipa::path(
    tag = "process",
    params(("file" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/javascript"),
        (status = 404, description = "`not_found`"),
    ),
)]
#[get("/docs/{file}")]
pub(crate) async fn get_docs_file(file: Path<String>) -> Result<HttpResponse, Problem> {
    if *file == "start.js" {
        let content = Bytes::from_static(START.as_bytes());
        return Ok(served("text/javascript; charset=utf-8", content));
    }
    let known = FILES.into_iter().position(|(name, _)| name == *file);
    let known = known.ok_or_else(|| Refusal::not_found("file"))?;
    let content = shared(known).await;
    let content = content.ok_or_else(|| Problem::new(ProblemCode::Internal, "the file cannot be unpacked"))?;
    Ok(served(FILES[known].1, content))
}

/// What is unpacked of each file, once it was asked for. It stays: strangers who come and go would have it unpacked over and
/// over.
static UNPACKED: [Mutex<Option<Bytes>>; FILES.len()] = [const { Mutex::const_new(None) }; FILES.len()];

/// A file, which all who read it share.
async fn shared(file: usize) -> Option<Bytes> {
    let mut content = UNPACKED[file].lock().await;
    if content.is_some() {
        return content.clone();
    }
    // The lock goes along: whoever asked may be gone before it is there, and the next is not to begin anew.
    let unpacking = web::block(move || {
        *content = unpacked(FILES[file].0).map(Bytes::from);
        content.clone()
    });
    unpacking.await.ok().flatten()
}

fn served(content_type: &str, content: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(content)
}

fn unpacked(name: &str) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).ok()?;
    let ending = format!("/dist/{name}");
    let mut paths = archive.file_names().filter_map(Result::ok);
    let path = paths.find(|path| path.ends_with(&ending))?.into_owned();
    drop(paths);
    let mut file = archive.by_name(&path).ok()?;
    let mut content = Vec::with_capacity(usize::try_from(file.size()).ok()?);
    file.read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_archive() {
        for (name, _) in FILES {
            assert!(unpacked(name).is_some_and(|content| content.len() > 100), "{name}");
        }
    }

    #[tokio::test]
    async fn all_who_read_a_file_share_it_even_if_whoever_asked_first_is_gone() {
        drop(tokio::time::timeout(std::time::Duration::ZERO, shared(1)).await);
        let (one, other) = tokio::join!(shared(1), shared(1));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.as_ptr(), other.as_ptr());
        assert_eq!(shared(1).await.unwrap().as_ptr(), one.as_ptr());
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        let css = String::from_utf8(unpacked("swagger-ui.css").unwrap()).unwrap();
        assert!(!css.contains("url(http") && !css.contains("url(//") && !css.contains("@import"));
        assert!(!START.contains("http"));
    }
}
