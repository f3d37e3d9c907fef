//! Under which path the browser sees the dashboard, where a proxy in front has given the gateway a prefix. Templates and
//! addresses say `/ops`; what leaves gets the prefix in one place, so that no page can forget it.

use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpMessage as _, HttpRequest};

use upsert_settings::BasePath;

/// Attributes that name an address. (Hidden fields of forms come back to us as they are, and are none.)
const NAMING: [&str; 7] = [
    "href",
    "src",
    "action",
    "formaction",
    "hx-get",
    "hx-post",
    "sse-connect",
];
const OWN: &str = "=\"/ops";

/// Of this request, as the server noted it.
pub(crate) fn of(request: &HttpRequest) -> BasePath {
    request.extensions().get::<BasePath>().cloned().unwrap_or_default()
}

/// The answer with its page's links as the browser sees them.
pub(crate) fn led(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let base = of(response.request());
    if base.is_empty() || !is_page(response.headers()) {
        return response;
    }
    response.map_body(|_, body| match body.try_into_bytes() {
        Ok(html) => BoxBody::new(links(&String::from_utf8_lossy(&html), &base)),
        Err(body) => body,
    })
}

fn is_page(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.starts_with("text/html"))
}

/// HTML with every link of ours below this path. Data cannot look like one: a quotation mark in it is escaped.
pub(crate) fn links(html: &str, base: &BasePath) -> String {
    if base.is_empty() {
        return html.to_owned();
    }
    let mut led = String::with_capacity(html.len() + html.len() / 8);
    let mut rest = html;
    while let Some(at) = rest.find(OWN) {
        let (before, from) = rest.split_at(at);
        let path = at + OWN.len() - "/ops".len();
        let is_ours = from[OWN.len()..].starts_with(['"', '/', '?', '#']);
        let names_it = NAMING.iter().any(|name| {
            let ahead = before.strip_suffix(name);
            ahead.is_some_and(|ahead| ahead.ends_with(|c: char| c.is_ascii_whitespace()))
        });
        led.push_str(&rest[..path]);
        if is_ours && names_it {
            led.push_str(base.as_str());
        }
        rest = &rest[path..];
    }
    led.push_str(rest);
    led
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_gets_the_prefix_and_nothing_else_does() {
        let base = BasePath::parse("/gw").unwrap();
        for (html, led) in [
            (r#"<a href="/ops">"#, r#"<a href="/gw/ops">"#),
            (r#"<a href="/ops/x?a=/ops">"#, r#"<a href="/gw/ops/x?a=/ops">"#),
            (
                r#"<form method="post" action="/ops/y"><img src="/ops/z">"#,
                r#"<form method="post" action="/gw/ops/y"><img src="/gw/ops/z">"#,
            ),
            (
                r#"<div sse-connect="/ops/live/a" hx-get="/ops/b">"#,
                r#"<div sse-connect="/gw/ops/live/a" hx-get="/gw/ops/b">"#,
            ),
            (
                r#"<input name="next" value="/ops/deliveries">"#,
                r#"<input name="next" value="/ops/deliveries">"#,
            ),
            (r#"<a href="/opsy">"#, r#"<a href="/opsy">"#),
            ("<p>href=&quot;/ops&quot; /ops</p>", "<p>href=&quot;/ops&quot; /ops</p>"),
        ] {
            assert_eq!(links(html, &base), led);
            assert_eq!(links(html, &BasePath::default()), html);
        }
    }
}
