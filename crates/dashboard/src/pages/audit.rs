//! `GET /ops/audit`: what operators did, newest first, by what it is filtered by.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, get};
use askama::Template;
use serde_json::Value as Json;

use upsert_api::{AuditAction, AuditEntry, AuditFilter, Page};

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::typed::{Choice, TimeField, Typed};
use crate::query::read;
use crate::render::{Frame, Section, filters, page_with};

/// Rows on the page.
const PAGE: usize = 50;
/// Merchants that the filter's field proposes.
const MOST_MERCHANTS: usize = 200;
/// The page itself.
const AUDIT: &str = "/ops/audit";

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    filter: Typed,
    merchants: Vec<String>,
    /// What is wrong with the filter.
    problems: Vec<String>,
    entries: Vec<AuditEntry>,
    /// The page after this one.
    next: Option<String>,
    /// The first page, where this is another.
    first: Option<String>,
    /// Whether what is the gateway's own is shown too.
    sees_all: bool,
}

impl AuditPage {
    fn actions(&self) -> Vec<Choice> {
        self.filter.choices::<AuditAction>("action", &[])
    }

    fn times(&self) -> [TimeField; 2] {
        self.filter.times([("since", "Since (UTC)"), ("until", "Before (UTC)")])
    }
}

/// Names and values, as people read them: `generation 3, new true`.
fn in_words(detail: &Json) -> String {
    let word = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match detail {
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| match value {
                Json::Array(items) => {
                    let items: Vec<String> = items.iter().map(word).collect();
                    format!("{}: {}", name.replace('_', " "), items.join(", "))
                }
                Json::Object(inner) => {
                    let inner: Vec<String> = inner
                        .iter()
                        .map(|(name, value)| format!("{name}={}", word(value)))
                        .collect();
                    format!("{}: {}", name.replace('_', " "), inner.join(", "))
                }
                other => format!("{} {}", name.replace('_', " "), word(other)),
            });
            members.collect::<Vec<_>>().join("; ")
        }
        other => word(other),
    }
}

/// The list. What the filter gets wrong is said above it, and the form keeps what was typed.
#[get("/audit")]
pub(crate) async fn list(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    let typed = Typed::of::<AuditFilter>(&read(&request)?);
    let (status, found, problems) = match found(&session, &typed).await {
        Ok(found) => (StatusCode::OK, found, Vec::new()),
        Err(refused) if refused.status == StatusCode::BAD_REQUEST => {
            (refused.status, Page::whole(Vec::new()), refused.says)
        }
        Err(refused) => return Err(refused),
    };
    let page = AuditPage {
        merchants: session.merchants(MOST_MERCHANTS),
        next: found.next_cursor.map(|cursor| typed.next(AUDIT, &cursor)),
        first: typed.goes_on().then(|| typed.address(AUDIT)),
        sees_all: session.principal.in_sight().is_none(),
        problems,
        entries: found.data,
        frame: session.frame(Section::Audit, "Audit trail"),
        filter: typed,
    };
    page_with(status, &page)
}

/// One that is configured no more may still have entries.
///
/// # Errors
/// 404 for a merchant that does not exist for this key; 400 for what cannot be read.
async fn found(session: &Session, typed: &Typed) -> Result<Page<AuditEntry>, PageError> {
    if typed.merchant().is_some_and(|id| !session.principal.covers(id)) {
        return Err(PageError::not_found("merchant"));
    }
    let filter = AuditFilter {
        merchants: session.principal.in_sight(),
        ..typed.read()?
    };
    let queries = &session.gateway().queries;
    Ok(queries.list_audit(&filter, &typed.page(PAGE)).await?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_are_told_by_their_names() {
        for (detail, wanted) in [
            (json!({ "generation": 3, "new": true }), "generation 3; new true"),
            (
                json!({ "changed": ["a.b", "c (new)"], "more": 2 }),
                "changed: a.b, c (new); more 2",
            ),
            (
                json!({ "count": 2, "filter": { "state": "failed" } }),
                "count 2; filter: state=failed",
            ),
            (json!("as it was"), "as it was"),
        ] {
            assert_eq!(in_words(&detail), wanted);
        }
    }
}
