//! Pointers into an event, and what they look into.

use serde_json::Value as Json;

/// A JSON Pointer (RFC 6901) into a customer's item of an event; with `$` before it, into the whole event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, derive_more::Display)]
#[display("{}{path}", if *whole { "$" } else { "" })]
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

/// One customer's view of an event.
pub(super) struct View<'e> {
    pub(super) event: &'e Json,
    /// The customer's item; the event where there is no list.
    pub(super) item: &'e Json,
    /// Where the item stands in the event as it came.
    pub(super) prefix: String,
}

impl<'e> View<'e> {
    /// Of an event that is no list.
    pub(super) fn whole(event: &'e Json) -> Self {
        Self {
            event,
            item: event,
            prefix: String::new(),
        }
    }

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

/// What a text, a number or a truth value is as text; `Err` for a number that cannot be told from its neighbours. A whole
/// number is written as one, however its sender wrote it: `1022.0` and `1.022e3` are `1022`.
pub(super) fn text_of(value: &Json) -> Result<Option<String>, Inexact> {
    /// From here on a double skips whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    Ok(match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Json::Number(number) => match number.as_f64() {
            Some(float) if float.abs() < EXACT && float.fract() == 0.0 => Some(format!("{:.0}", float + 0.0)),
            Some(float) if float.abs() < EXACT => Some(number.to_string()),
            _ => return Err(Inexact),
        },
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    })
}

/// Whether a number has something behind its point.
pub(super) fn is_fraction(value: &Json) -> bool {
    value.as_f64().is_some_and(|float| float.fract() != 0.0)
}

/// Whether this is how a value is written in a configuration: numbers are compared as numbers, however either side writes
/// them.
pub(super) fn is_written(written: &str, value: &Json) -> bool {
    if text_of(value).is_ok_and(|text| text.as_deref() == Some(written)) {
        return true;
    }
    let number = |text: &str| serde_json::from_str::<Json>(text).ok().filter(Json::is_number);
    value.is_number()
        && number(written)
            .is_some_and(|written| matches!((text_of(&written), text_of(value)), (Ok(one), Ok(other)) if one == other))
}

/// A number with more digits than can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inexact;

/// Neither null nor a blank text.
pub(super) fn says_something(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::String(text) => !is_blank(text),
        _ => true,
    }
}

/// Whether nothing can be seen in it: blanks, and characters that only format.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}')
    })
}

/// The value without the blank texts in its objects and lists; where a blank empties, null stands for one in an object.
pub(super) fn without_blanks(value: &mut Json, blank_empties: bool) {
    let is_blank = |value: &Json| value.as_str().is_some_and(is_blank);
    match value {
        Json::Object(members) => {
            if blank_empties {
                members
                    .values_mut()
                    .filter(|member| is_blank(member))
                    .for_each(|member| *member = Json::Null);
            }
            members.retain(|_, member| !is_blank(member));
            members
                .values_mut()
                .for_each(|member| without_blanks(member, blank_empties));
        }
        Json::Array(items) => {
            items.retain(|item| !is_blank(item));
            for item in items {
                without_blanks(item, blank_empties);
            }
        }
        _ => {}
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
        for (written, text) in [
            ("1022.0", "1022"),
            ("7.06e12", "7060000000000"),
            ("1e3", "1000"),
            ("-0.0", "0"),
            ("-5.0", "-5"),
            ("706405506930370084", "706405506930370084"),
            ("9007199254740991.0", "9007199254740991"),
            ("0.1", "0.1"),
            ("412.50", "412.5"),
            ("1.0E+2", "100"),
        ] {
            let number: Json = serde_json::from_str(written).unwrap();
            assert_eq!(text_of(&number), Ok(Some(text.to_owned())), "{written}");
        }
        for lost in ["9007199254740993.0", "1e22", "-1e300", "18446744073709551616"] {
            let number: Json = serde_json::from_str(lost).unwrap();
            assert_eq!(text_of(&number), Err(Inexact), "{lost}");
        }
        let huge: Json = serde_json::from_str("123456789012345678901234").unwrap();
        assert_eq!(text_of(&huge), Err(Inexact));
    }

    #[test]
    fn what_cannot_be_seen_says_nothing() {
        for blank in [
            "",
            " ",
            "\t\r\n",
            "\u{a0}",
            "\u{200b}",
            "\u{feff}",
            "\u{2003}\u{200d}",
            "\u{3000}",
            "\u{202a} \u{202c}",
            "\u{ad}",
            "\0",
        ] {
            assert!(!says_something(&json!(blank)), "{blank:?}");
        }
        for said in [
            json!("."),
            json!("0"),
            json!(0),
            json!(false),
            json!([]),
            json!({}),
            json!(" a "),
        ] {
            assert!(says_something(&said), "{said}");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_texts_as_texts() {
        for (written, value) in [
            ("1", json!(1)),
            ("1", json!(1.0)),
            ("1.0", json!(1)),
            ("1e3", json!(1000)),
            ("1", json!("1")),
            ("true", json!(true)),
            ("true", json!("true")),
            ("0.5", json!(0.5)),
            ("0.50", json!(0.5)),
            ("a", json!("a")),
        ] {
            assert!(is_written(written, &value), "{written} is {value}");
        }
        for (written, value) in [
            ("1", json!("1.0")),
            ("1", json!(true)),
            ("true", json!(1)),
            ("1", json!(1.5)),
            ("null", json!(null)),
            ("", json!(0)),
            ("1", json!([1])),
            ("1e22", json!(1e22)),
            ("a", json!("A")),
            ("0", json!(false)),
        ] {
            assert!(!is_written(written, &value), "{written} is not {value}");
        }
    }
}
