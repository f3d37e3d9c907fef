//! `signed`: what a sender signs, as a text with placeholders.

use std::time::Duration;

use serde::Serialize;

use upsert_webhook::Signed;

use crate::nearest::suggestion;
use crate::section::{Section, Spot};
use crate::urls::{UrlRules, read_url};

const LONGEST_TOLERANCE: Duration = Duration::from_hours(24);
/// How far a signed timestamp may be off, unless told otherwise.
const TOLERANCE: Duration = Duration::from_mins(5);

const PLACEHOLDERS: &[&str] = &["timestamp", "body", "method", "url"];
const TIMED: &str = "{timestamp}.{body}";
const UNTIMED: &str = "{body}";

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct SignedText {
    /// As it stands in the file, with `{timestamp}`, `{body}`, `{method}` and `{url}` in it.
    signed: String,
    /// The same, taken apart.
    #[serde(skip)]
    pub(crate) parts: Vec<Signed>,
    /// The public URL that the sender calls, to the letter; where `signed` has `{url}`, and only there.
    url: Option<String>,
}

/// Reads `signed` and `url`. `timed`: the place of a timestamp is named.
pub(crate) fn read_signed(section: &Section<'_>, timed: bool) -> Option<SignedText> {
    let url_spot = section.given("url");
    let url = url_spot.as_ref().map(public_url);
    let spot = section.given("signed");
    let text = match &spot {
        Some(spot) => spot.text()?,
        None if timed => TIMED,
        None => UNTIMED,
    };
    // Whether there is a URL is judged even where it is a wrong one.
    let known = url.as_ref().map(|url| url.as_deref().unwrap_or_default());
    let parts = match (parts(text, known), &spot) {
        (Ok(parts), _) => parts,
        (Err((problem, hint)), Some(spot)) => return spot.refuse_but(problem, hint),
        // A default has no place to point at, and is right.
        (Err(_), None) => return None,
    };
    if let Some(spot) = &spot {
        covers(spot, &parts, timed)?;
    }
    let called = parts.iter().any(|part| matches!(part, Signed::Url(_)));
    if let Some(url_spot) = url_spot.filter(|_| !called) {
        return url_spot.refuse("means nothing where `signed` has no {url}");
    }
    Some(SignedText {
        signed: text.to_owned(),
        parts,
        url: match url {
            Some(url) => Some(url?),
            None => None,
        },
    })
}

/// Checked, and kept to the letter: what is signed is what the sender was told, not what a URL reader makes of it.
fn public_url(spot: &Spot<'_>) -> Option<String> {
    let any = UrlRules::in_a_file(Some(true), Some(true));
    read_url(spot, any)?;
    spot.text().map(str::to_owned)
}

fn covers(spot: &Spot<'_>, parts: &[Signed], timed: bool) -> Option<()> {
    if !parts.contains(&Signed::Body) {
        return spot.refuse("must contain {body}: a signature without it proves nothing");
    }
    match (parts.contains(&Signed::Timestamp), timed) {
        (true, false) => spot.refuse("{timestamp} needs `timestamp_header` or `timestamp_prefix`"),
        (false, true) => spot.refuse("must contain {timestamp}: a time that is not signed proves nothing"),
        _ => Some(()),
    }
}

/// The parts of a template, or what is wrong with it and what to do.
fn parts(template: &str, url: Option<&str>) -> Result<Vec<Signed>, (String, String)> {
    let known = || format!("known: {{{}}}", PLACEHOLDERS.join("}, {"));
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (text, from_brace) = rest.split_at(at);
        if !text.is_empty() {
            parts.push(Signed::Text(text.to_owned()));
        }
        let (name, after) = from_brace
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .ok_or_else(|| ("a brace stands alone".to_owned(), known()))?;
        parts.push(match name {
            "timestamp" => Signed::Timestamp,
            "body" => Signed::Body,
            "method" => Signed::Method,
            "url" => {
                let missing = || {
                    (
                        "{url} needs `url`".to_owned(),
                        "the public URL that the sender calls".to_owned(),
                    )
                };
                Signed::Url(url.ok_or_else(missing)?.to_owned())
            }
            _ => {
                return Err((
                    format!("`{{{name}}}` is not known here"),
                    suggestion(name, PLACEHOLDERS),
                ));
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Signed::Text(rest.to_owned()));
    }
    Ok(parts)
}

pub(crate) fn tolerance(section: &Section<'_>) -> Option<Duration> {
    match section.given("tolerance") {
        Some(spot) => spot.duration(LONGEST_TOLERANCE),
        None => Some(TOLERANCE),
    }
}
