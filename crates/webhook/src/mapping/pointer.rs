//! Pointers into an event, and what they look into.

use std::fmt;

use serde_json::Value as Json;

/// A JSON Pointer (RFC 6901) into a customer's item of an event; with `$` before it, into the whole event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    path: String,
    whole: bool,
}

impl Pointer {
    /// Reads `/a/0`, the empty text (all of it), `$/a/0` or `$`; none if it is no pointer.
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, path) = match text.strip_prefix('$') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let escaped = path.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        let starts = path.is_empty() || path.starts_with('/');
        (starts && escaped && !path.chars().any(char::is_control)).then(|| Self {
            path: path.to_owned(),
            whole,
        })
    }

    /// Whether it looks into the whole event, also where the source has a list.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// What it says after the `$`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.whole { "$" } else { "" }, self.path)
    }
}

/// One customer's view of an event.
pub(super) struct View<'e> {
    pub(super) event: &'e Json,
    /// The customer's item; the event where there is no list.
    pub(super) item: &'e Json,
    /// Where the item stands in the event as it came.
    pub(super) prefix: String,
}

impl<'e> View<'e> {
    pub(super) fn find(&self, pointer: &Pointer) -> Option<&'e Json> {
        let within = if pointer.whole { self.event } else { self.item };
        within.pointer(&pointer.path)
    }

    /// The pointer as one into the event as it came.
    pub(super) fn name(&self, pointer: &Pointer) -> String {
        if pointer.whole {
            pointer.path.clone()
        } else {
            format!("{}{}", self.prefix, pointer.path)
        }
    }
}

/// What a text, a number or a truth value is as text; `Err` for a number that cannot be told from its neighbours.
pub(super) fn text_of(value: &Json) -> Result<Option<String>, Inexact> {
    /// From here on a double skips whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    Ok(match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) => {
            let is_whole = number.is_i64() || number.is_u64();
            if !is_whole && number.as_f64().is_none_or(|float| float.abs() >= EXACT) {
                return Err(Inexact);
            }
            Some(number.to_string())
        }
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    })
}

/// A number with more digits than can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inexact;

/// Neither null nor a text of blanks alone.
pub(super) fn says_something(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pointer_looks_into_the_item_and_with_a_dollar_into_the_event() {
        let event = json!({ "id": 7, "items": [{ "id": 8, "a/b": { "~": [true] } }] });
        let view = View {
            event: &event,
            item: &event["items"][0],
            prefix: "/items/4".to_owned(),
        };
        let find = |text: &str| {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.to_string(), text);
            (view.find(&pointer).cloned(), view.name(&pointer))
        };
        assert_eq!(find("/id"), (Some(json!(8)), "/items/4/id".to_owned()));
        assert_eq!(find("$/id"), (Some(json!(7)), "/id".to_owned()));
        assert_eq!(find("/a~1b/~0/0"), (Some(json!(true)), "/items/4/a~1b/~0/0".to_owned()));
        assert_eq!(find(""), (Some(event["items"][0].clone()), "/items/4".to_owned()));
        assert_eq!(find("$"), (Some(event.clone()), String::new()));
        for absent in ["/a~1b/~0/00", "/a~1b/~0/-", "/a~1b/~0/1", "/id/x", "$/items/id", "/"] {
            assert_eq!(find(absent).0, None, "{absent}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_not_read_as_one() {
        for text in ["a", "/a~", "/a~2", "$a", "$$/a", " /a", "/a\n"] {
            assert_eq!(Pointer::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_number_that_lost_digits_is_no_text() {
        assert_eq!(
            text_of(&json!(18_446_744_073_709_551_615_u64)),
            Ok(Some("18446744073709551615".to_owned()))
        );
        assert_eq!(text_of(&json!(1.5)), Ok(Some("1.5".to_owned())));
        let huge: Json = serde_json::from_str("123456789012345678901234").unwrap();
        assert_eq!(text_of(&huge), Err(Inexact));
    }
}
