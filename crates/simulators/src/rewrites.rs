//! A vendor that stores other values than it was sent: upper case, blanks in a phone, half of a long name.
//!
//! What is sent is rewritten before the vendor looks for it and stores it, so the same value sent twice finds the same
//! record and changes nothing. Reads compare with what is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What becomes of a text. Doing it twice is as good as once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Rewrite {
    /// In capitals: `upper`.
    Upper,
    /// In small letters: `lower`.
    Lower,
    /// Without blanks at its ends: `trim`.
    Trim,
    /// `St.` for `Street`, `Ave.` for `Avenue`, `Rd.` for `Road`: `abbreviate`.
    Abbreviate,
    /// Digits in groups: `+1 555-010-0123`, or groups of three by blanks elsewhere: `spaced_phone`.
    SpacedPhone,
    /// Its first so many characters: `cut:N`.
    Cut(usize),
}

impl Rewrite {
    fn apply(self, text: &str) -> String {
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Trim => text.trim().to_owned(),
            Self::Abbreviate => abbreviated(text),
            Self::SpacedPhone => spaced(text),
            Self::Cut(most) => text.chars().take(most).collect(),
        }
    }
}

impl TryFrom<String> for Rewrite {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let cut = || Some(Self::Cut(text.strip_prefix("cut:")?.parse().ok()?));
        match text.as_str() {
            "upper" => Ok(Self::Upper),
            "lower" => Ok(Self::Lower),
            "trim" => Ok(Self::Trim),
            "abbreviate" => Ok(Self::Abbreviate),
            "spaced_phone" => Ok(Self::SpacedPhone),
            _ => cut().ok_or_else(|| format!("{text}: expected upper, lower, trim, abbreviate, spaced_phone or cut:N")),
        }
    }
}

impl From<Rewrite> for String {
    fn from(rewrite: Rewrite) -> Self {
        match rewrite {
            Rewrite::Upper => "upper".to_owned(),
            Rewrite::Lower => "lower".to_owned(),
            Rewrite::Trim => "trim".to_owned(),
            Rewrite::Abbreviate => "abbreviate".to_owned(),
            Rewrite::SpacedPhone => "spaced_phone".to_owned(),
            Rewrite::Cut(most) => format!("cut:{most}"),
        }
    }
}

/// Which fields a vendor rewrites in every write of its API. An edit in its screen and a seed are stored as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrites {
    /// By the vendor's name of a top-level text field.
    pub fields: BTreeMap<String, Rewrite>,
    /// Whether the answer shows what was sent, as if it had been stored so.
    pub silent: bool,
}

impl Rewrites {
    /// These fields, shown in the answer as they are stored.
    pub fn of<const N: usize>(fields: [(&str, Rewrite); N]) -> Self {
        Self {
            fields: fields.map(|(name, rewrite)| (name.to_owned(), rewrite)).into(),
            silent: false,
        }
    }

    /// The same, unseen in the answer.
    #[must_use]
    pub fn silently(self) -> Self {
        Self { silent: true, ..self }
    }

    /// Rewrites what was sent. Gives the fields that the answer shows as sent all the same.
    pub(crate) fn apply(&self, body: &mut Map<String, Value>) -> Map<String, Value> {
        let mut as_sent = Map::new();
        for (name, rewrite) in &self.fields {
            let Some(Value::String(text)) = body.get_mut(name) else {
                continue;
            };
            let sent = std::mem::replace(text, rewrite.apply(text));
            if self.silent {
                as_sent.insert(name.clone(), Value::String(sent));
            }
        }
        as_sent
    }
}

/// The rewrites of one simulator, as they stand.
#[derive(Default)]
pub(crate) struct Standing(RwLock<Arc<Rewrites>>);

impl Standing {
    pub(crate) fn now(&self) -> Arc<Rewrites> {
        self.0.read().clone()
    }

    pub(crate) fn set(&self, rewrites: Rewrites) {
        *self.0.write() = Arc::new(rewrites);
    }
}

fn abbreviated(text: &str) -> String {
    let word = |word| match word {
        "Street" => "St.",
        "Avenue" => "Ave.",
        "Road" => "Rd.",
        other => other,
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn spaced(text: &str) -> String {
    let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
    let part = |range: std::ops::Range<usize>| digits[range].iter().collect::<String>();
    let plus = if text.trim_start().starts_with('+') { "+" } else { "" };
    if digits.len() == 11 && digits[0] == '1' {
        return format!("{plus}1 {}-{}-{}", part(1..4), part(4..7), part(7..11));
    }
    let groups: Vec<String> = digits.chunks(3).map(|group| group.iter().collect()).collect();
    format!("{plus}{}", groups.join(" "))
}

#[cfg(test)]
mod tests {
    use super::Rewrite;

    #[test]
    fn each_rewrite_does_what_its_name_says_and_a_second_time_nothing() {
        let cases = [
            ("upper", "Zoë", "ZOË"),
            ("lower", "Ann@Shop.Example", "ann@shop.example"),
            ("trim", "  Ann ", "Ann"),
            ("abbreviate", "1 Streeter Street", "1 Streeter St."),
            ("spaced_phone", "+15550100123", "+1 555-010-0123"),
            ("spaced_phone", "(0401) 234-567", "040 123 456 7"),
            ("spaced_phone", "+61401234567", "+614 012 345 67"),
            ("cut:3", "Zoëy", "Zoë"),
        ];
        for (name, sent, stored) in cases {
            let rewrite = Rewrite::try_from(name.to_owned()).unwrap();
            assert_eq!(rewrite.apply(sent), stored, "{name}");
            assert_eq!(rewrite.apply(stored), stored, "{name} twice");
            assert_eq!(String::from(rewrite), name);
        }
    }

    #[test]
    fn a_rewrite_that_is_none_is_refused() {
        for name in ["", "uper", "cut", "cut:", "cut:-1", "Upper"] {
            assert!(Rewrite::try_from(name.to_owned()).is_err(), "{name}");
        }
    }
}
