//! `GET /problems/{code}`: what a problem's `type` leads to. It is the code's row in `docs/error-codes.md`, for people.

use actix_web::http::header;
use actix_web::web::Path;
use actix_web::{HttpResponse, get};

use upsert_api::ProblemCode;
use upsert_app::Refusal;

use crate::http::problem::Problem;

/// Every code has a row in it: `| code | status | when | what to do |`.
const CODES: &str = include_str!("../../../../docs/error-codes.md");

/// Nothing is loaded, from here or from elsewhere.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a problem's code means, and what to do.
///
/// A page for people; no key is needed. `type` of every problem document leads here.
#[utoipa::path(
    tag = "process",
    params(("code" = ProblemCode, Path, description = "`code` of a problem document")),
    responses(
        (status = 200, description = "A page", body = String, content_type = "text/html"),
        (status = 404, description = "`not_found`: there is no such code"),
    ),
)]
#[get("/problems/{code}")]
pub(crate) async fn get_problem(code: Path<String>) -> Result<HttpResponse, Problem> {
    let code: ProblemCode = code.parse().map_err(|_| Refusal::not_found("code"))?;
    Ok(HttpResponse::Ok()
        .content_type(header::ContentType::html())
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(page(code)))
}

fn page(code: ProblemCode) -> String {
    let (title, status) = (code.title(), code.status());
    let [when, what_to_do] = row(code).unwrap_or_default().map(html);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{code} · Upsert Gateway</title>
</head>
<body>
<h1>{title}</h1>
<p><code>{code}</code>, status {status}</p>
<h2>When</h2>
<p>{when}</p>
<h2>What to do</h2>
<p>{what_to_do}</p>
<p><a href="../docs">The API</a></p>
</body>
</html>
"#
    )
}

/// When it is answered, and what to do about it, as the documentation has them.
fn row(code: ProblemCode) -> Option<[&'static str; 2]> {
    let begins = format!("| `{code}` | {} |", code.status());
    let row = CODES.lines().find_map(|line| line.strip_prefix(&begins))?;
    let (when, what_to_do) = row.trim().strip_suffix('|')?.split_once(" | ")?;
    Some([when.trim(), what_to_do.trim()])
}

/// A cell of the table. Its links lead to other documents, which are not here: their words stay.
fn html(markdown: &str) -> String {
    let mut written = String::with_capacity(2 * markdown.len());
    for (number, part) in markdown.split('`').enumerate() {
        if number % 2 == 1 {
            written.extend(["<code>", &escaped(part), "</code>"]);
        } else {
            written += &escaped(&without_links(part));
        }
    }
    written
}

fn without_links(text: &str) -> String {
    let mut rest = text;
    let mut written = String::with_capacity(text.len());
    while let Some((before, link)) = rest.split_once('[')
        && let Some((words, target)) = link.split_once("](")
        && let Some((_, after)) = target.split_once(')')
    {
        written += before;
        written += words;
        rest = after;
    }
    written + rest
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use upsert_core::Word as _;

    #[test]
    fn every_code_has_a_page_with_its_row_of_the_documentation() {
        for code in ProblemCode::all() {
            let [when, what_to_do] = row(code).unwrap_or_else(|| panic!("{code} has no row"));
            assert!(when.len() > 10 && what_to_do.len() > 5, "{code}: {when} {what_to_do}");
            let page = page(code);
            assert!(page.contains(&format!("<code>{code}</code>")) && page.contains(code.title()));
            assert!(!page.contains("](") && !page.contains('`'), "{page}");
            assert_eq!(page.matches("<a ").count(), 1, "{page}");
        }
    }

    #[test]
    fn a_cell_keeps_its_words_and_its_code_and_nothing_of_it_is_markup() {
        let cell = "A `<b>` & a [page](api.md#x) that [is].";
        assert_eq!(html(cell), "A <code>&lt;b&gt;</code> &amp; a page that [is].");
    }
}
