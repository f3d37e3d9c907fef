//! Which methods a page's address takes: GET (and with it HEAD), unless it stands here.

use actix_web::http::header::{ALLOW, HeaderMap, HeaderValue};

/// What is posted and nothing else.
const POSTED: [&str; 10] = [
    "/session",
    "/session/end",
    "/connections/{merchant}/{name}/pause",
    "/connections/{merchant}/{name}/resume",
    "/connections/{merchant}/{name}/try",
    "/deliveries/{id}/replay",
    "/deliveries/{id}/discard",
    "/webhooks/{merchant}/{name}/test",
    "/webhooks/{merchant}/{name}/enable",
    "/events/{direction}/{id}/{action}",
];
/// What is a page and a form that is posted to it.
const BOTH: [&str; 6] = [
    "/deliveries/{action:replay|discard}",
    "/events/{direction}/letters/{action}",
    "/customers",
    "/customers/{merchant}/{id}/unlink/{connection}",
    "/customers/{merchant}/{id}/erase",
    "/plan",
];

/// As `Allow` lists them, of a template below `/ops`.
pub(crate) fn allowed(template: &str) -> &'static str {
    let below = template.strip_prefix("/ops").unwrap_or(template);
    if POSTED.contains(&below) {
        "POST, OPTIONS"
    } else if BOTH.contains(&below) {
        "GET, HEAD, POST, OPTIONS"
    } else {
        "GET, HEAD, OPTIONS"
    }
}

/// Says so in an answer.
pub(crate) fn say(headers: &mut HeaderMap, allowed: &'static str) {
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use super::*;

    /// What stands over the handlers in the files of this crate: template and method.
    fn annotated() -> BTreeMap<String, BTreeSet<&'static str>> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
        let pages = std::fs::read_dir(source.join("pages"))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        for file in pages.chain([source.join("assets.rs")]) {
            for line in std::fs::read_to_string(file).unwrap().lines() {
                for (mark, method) in [("#[get(\"", "GET"), ("#[post(\"", "POST")] {
                    if let Some(template) = line.strip_prefix(mark).and_then(|rest| rest.strip_suffix("\")]")) {
                        found.entry(template.to_owned()).or_default().insert(method);
                    }
                }
            }
        }
        found
    }

    #[test]
    fn every_page_is_allowed_what_stands_over_its_handlers() {
        let annotated = annotated();
        assert!(annotated.len() > 30, "{annotated:?}");
        for (template, methods) in &annotated {
            let allowed = allowed(&format!("/ops{template}"));
            for method in ["GET", "POST"] {
                assert_eq!(
                    allowed.contains(method),
                    methods.contains(method),
                    "{template}: {allowed}"
                );
            }
            assert_eq!(
                allowed.contains("HEAD"),
                methods.contains("GET"),
                "{template}: {allowed}"
            );
        }
        for listed in POSTED.iter().chain(&BOTH) {
            assert!(annotated.contains_key(*listed), "{listed} is no page any more");
        }
    }
}
