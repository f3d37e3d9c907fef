//! What somebody answered who did not do what was asked, as a line for people: of a page its words, of anything else the first
//! line that says something.

use std::borrow::Cow;

use serde_json::Value as Json;

use upsert_core::text::is_plain_line;

/// The longest line, in characters; one that was cut ends in `…`.
const LONGEST: usize = 80;

/// Elements whose content is no text for readers.
const UNSEEN: [&str; 2] = ["script", "style"];

/// The first line of an answer that is kept, shortened, and without what controls a terminal or turns the reading direction
/// around; none: it says nothing.
pub fn first_line(answer: &Json) -> Option<String> {
    let text = match answer {
        Json::Null => return None,
        Json::String(text) => Cow::Borrowed(text.as_str()),
        json => Cow::Owned(json.to_string()),
    };
    let words = text.trim_start().starts_with('<').then(|| words_of_page(&text));
    words.and_then(|words| first_of(&words)).or_else(|| first_of(&text))
}

fn first_of(text: &str) -> Option<String> {
    let lines = text.split(['\n', '\r']).map(|line| {
        let plain = line.chars().filter(|one| is_plain_line(one.encode_utf8(&mut [0; 4])));
        plain.collect::<String>()
    });
    lines.map(|line| shortened(line.trim())).find(|line| !line.is_empty())
}

fn shortened(line: &str) -> String {
    let mut characters = line.chars();
    let beginning: String = characters.by_ref().take(LONGEST).collect();
    match characters.next() {
        Some(_) => format!("{}…", beginning.trim_end()),
        None => beginning,
    }
}

/// What stands between the tags of a page, a line each.
fn words_of_page(page: &str) -> String {
    let (mut words, mut rest) = (String::new(), page);
    while let Some((before, tag)) = rest.split_once('<') {
        words.push_str(before);
        words.push('\n');
        rest = after_tag(tag);
    }
    words.push_str(rest);
    words
}

/// What follows a tag, of which this stands behind its `<`; nothing where it was cut in it.
fn after_tag(tag: &str) -> &str {
    let after = |end: &str| tag.split_once(end).map_or("", |(_, rest)| rest);
    if tag.starts_with("!--") {
        return after("-->");
    }
    let is_of = |name: &&&str| {
        tag.get(..name.len())
            .is_some_and(|begins| begins.eq_ignore_ascii_case(name))
    };
    match UNSEEN.iter().find(is_of) {
        Some(name) => {
            let end = tag.to_ascii_lowercase().find(&format!("</{name}"));
            let close = end.and_then(|at| tag.get(at..)).unwrap_or_default();
            close.split_once('>').map_or("", |(_, rest)| rest)
        }
        None => after(">"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_line_of_an_answer_is_one_short_line_that_shows_what_it_is() {
        for (answer, line) in [
            (json!("upstream connect error\nreset"), Some("upstream connect error")),
            (json!("\r\n \n  down \n"), Some("down")),
            (json!("\u{1b}[2Jgone\u{0}\u{202e}txt.exe"), Some("[2Jgonetxt.exe")),
            (json!("\u{1b}\u{2028}\nnext"), Some("next")),
            (
                json!({ "code": "E\u{202e}1", "at": [1] }),
                Some(r#"{"at":[1],"code":"E1"}"#),
            ),
            (json!(["no"]), Some(r#"["no"]"#)),
            (json!(" \n"), None),
            (json!(""), None),
            (Json::Null, None),
        ] {
            assert_eq!(first_line(&answer).as_deref(), line, "{answer}");
        }
        let long = first_line(&json!("ä".repeat(9_000))).unwrap();
        assert_eq!(long, format!("{}…", "ä".repeat(80)));
    }

    #[test]
    fn of_a_page_its_words_are_shown_and_not_how_it_is_written() {
        for (page, line) in [
            (
                "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n</html>",
                "502 Bad Gateway",
            ),
            (
                " <!DOCTYPE html><!-- a <b> --><STYLE>p { }</STYLE><script>go()</script><p>Sorry</p>",
                "Sorry",
            ),
            ("<h1>No</h1>", "No"),
            // Nothing is to be read there: then as it is.
            ("<html><body></body></html>", "<html><body></body></html>"),
            ("<html><style>p {", "<html><style>p {"),
            ("<", "<"),
            ("<<<ä", "<<<ä"),
            ("<p>ä</p", "ä"),
        ] {
            assert_eq!(first_line(&json!(page)).as_deref(), Some(line), "{page}");
        }
    }
}
