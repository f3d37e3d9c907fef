//! The plain values that members are made of: texts, names, numbers, durations, sizes.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Serialize, Serializer};
use upsert_core::Word;
use upsert_webhook::Pointer;

use crate::nearest::suggestion;
use crate::section::Spot;
use crate::tree::Shape;

/// How long an id or a name may be.
const NAME_LIMIT: usize = 63;

impl Spot<'_> {
    /// A text, which may be empty. A number out of the environment is one too.
    pub(crate) fn text(&self) -> Option<&str> {
        match (&self.node.shape, &self.node.spelled) {
            (Shape::Text(text), _) => Some(text),
            (_, Some(spelled)) => Some(spelled),
            _ => self.expected("a text"),
        }
    }

    /// One of a closed set of words.
    pub(crate) fn word<W: Word>(&self) -> Option<W> {
        self.one_of(W::ALL)
    }

    /// One of these words of such a set.
    pub(crate) fn one_of<W: Word>(&self, words: &[W]) -> Option<W> {
        let known: Vec<&'static str> = words.iter().map(|word| word.as_str()).collect();
        self.known(&known)?.parse().ok()
    }

    /// One of these texts.
    pub(crate) fn known(&self, known: &[&'static str]) -> Option<&'static str> {
        let written = self.text()?;
        let found = known.iter().copied().find(|word| *word == written);
        found.or_else(|| self.refuse_but(format!("`{written}` is not known here"), suggestion(written, known)))
    }

    /// The name of a thing of this kind that there is; `none`: what is said where there are no such things.
    pub(crate) fn existing(&self, kind: &str, name: &str, there_are: &[&str], none: &str) -> Option<String> {
        if there_are.contains(&name) {
            return Some(name.to_owned());
        }
        let hint = match there_are {
            [] => none.to_owned(),
            some => suggestion(name, some),
        };
        self.refuse_but(format!("there is no {kind} `{name}`"), hint)
    }

    /// A text with something in it, on one line.
    pub(crate) fn line(&self) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return self.refuse("must not be empty");
        }
        if text.chars().any(char::is_control) {
            return self.refuse("must not contain line breaks or control characters");
        }
        Some(text.to_owned())
    }

    /// An id or a name: `[a-z0-9][a-z0-9_-]{0,62}`.
    pub(crate) fn name(&self) -> Option<String> {
        let text = self.text()?;
        if is_name(text) {
            return Some(text.to_owned());
        }
        self.refuse_but(
            "not a name: 1 to 63 of a-z, 0-9, _ and -, the first a letter or a digit",
            if is_name(&text.to_lowercase()) {
                "small letters only"
            } else {
                "for example `acme-eu`"
            },
        )
    }

    /// A region: ISO 3166-1 alpha-2, as two capital letters.
    pub(crate) fn region(&self) -> Option<String> {
        let text = self.text()?;
        if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(text.to_owned());
        }
        let form = "two capital letters of ISO 3166-1, such as \"US\" or \"AU\"";
        self.refuse_but("not a region", form)
    }

    /// What `read` makes of a text; none of an empty one, which says that there is none.
    pub(crate) fn unless_empty<T>(&self, read: impl FnOnce(&Self) -> Option<T>) -> Option<T> {
        let text = self.text()?;
        if text.is_empty() { None } else { read(self) }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        match self.node.shape {
            Shape::Boolean(flag) => Some(flag),
            _ => self.expected("true or false"),
        }
    }

    /// A whole number of at least 1.
    pub(crate) fn count(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.whole(1..=u32::MAX)?)
    }

    /// A whole number within limits.
    pub(crate) fn whole(&self, limits: RangeInclusive<u32>) -> Option<u32> {
        let Shape::Integer(number) = self.node.shape else {
            return self.expected("a whole number");
        };
        match u32::try_from(number).ok() {
            Some(number) if limits.contains(&number) => Some(number),
            _ if *limits.end() == u32::MAX => self.refuse(format!("must be {} or more", limits.start())),
            _ => self.refuse(format!("must be from {} to {}", limits.start(), limits.end())),
        }
    }

    /// A number; whole ones are numbers too.
    #[expect(
        clippy::cast_precision_loss,
        reason = "ratios are small; a huge number is refused either way"
    )]
    pub(crate) fn number(&self) -> Option<f64> {
        match self.node.shape {
            Shape::Float(number) => Some(number),
            Shape::Integer(number) => Some(number as f64),
            _ => self.expected("a number"),
        }
    }

    /// A length of time, zero or more: `"200ms"`, `"10s"`, `"72h"`.
    pub(crate) fn duration_or_zero(&self) -> Option<Duration> {
        let text = match &self.node.shape {
            Shape::Text(text) => text,
            Shape::Integer(_) => {
                let problem = "expected a length of time, found a whole number";
                return self.refuse_but(problem, "name the unit, such as \"10s\"");
            }
            _ => return self.expected("a length of time such as \"10s\""),
        };
        let examples = "such as \"200ms\", \"10s\", \"5m\" or \"72h\"";
        parse_duration(text).or_else(|| self.refuse_but("not a length of time", examples))
    }

    /// A length of time from 1 ms to `longest`.
    pub(crate) fn duration(&self, longest: Duration) -> Option<Duration> {
        let duration = self.duration_or_zero()?;
        if duration < Duration::from_millis(1) {
            return self.refuse("must be 1ms or more");
        }
        if duration > longest {
            return self.refuse(format!("must be {} or less", humantime::format_duration(longest)));
        }
        Some(duration)
    }

    /// A size in bytes, within limits: `"64KiB"`.
    pub(crate) fn size(&self, limits: RangeInclusive<usize>) -> Option<usize> {
        let Shape::Text(text) = &self.node.shape else {
            return self.expected("a size such as \"64KiB\"");
        };
        let bytes = text
            .parse::<bytesize::ByteSize>()
            .ok()
            .and_then(|size| usize::try_from(size.as_u64()).ok());
        match bytes {
            None => self.refuse_but("not a size", "such as \"64KiB\" or \"1MiB\""),
            Some(bytes) if limits.contains(&bytes) => Some(bytes),
            Some(_) => self.refuse(format!("must be from {} to {} bytes", limits.start(), limits.end())),
        }
    }

    /// A JSON Pointer (RFC 6901) to a member: it starts with `/`, and `~` stands only in `~0` and `~1`. With `$` before it,
    /// it looks into a whole event.
    pub(crate) fn pointer(&self) -> Option<Pointer> {
        match self.text()? {
            "" => self.no_pointer(""),
            _ => self.pointer_or_all(),
        }
    }

    /// The same; the empty text, which points to all there is, is one too.
    pub(crate) fn pointer_or_all(&self) -> Option<Pointer> {
        let text = self.text()?;
        self.column(text)
            .or_else(|| Pointer::parse(text))
            .or_else(|| self.no_pointer(text))
    }

    /// The column of this name, as a pointer into a row; none where rules point into events.
    pub(crate) fn column(&self, name: &str) -> Option<Pointer> {
        let columns = self.reading.columns.as_ref()?;
        columns.borrow_mut().push(self.named(name));
        Pointer::parse(&format!("/{}", name.replace('~', "~0").replace('/', "~1")))
    }

    fn no_pointer(&self, text: &str) -> Option<Pointer> {
        let hint = if text.starts_with(['/', '$']) {
            "~ is written ~0, / in a name ~1"
        } else {
            "it starts with /, such as \"/data/id\""
        };
        self.refuse_but("not a JSON Pointer", hint)
    }
}

/// Whether this may be an id or a name in the files: `[a-z0-9][a-z0-9_-]{0,62}`.
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let starts = bytes
        .first()
        .is_some_and(|first| first.is_ascii_lowercase() || first.is_ascii_digit());
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_' || *byte == b'-';
    starts && bytes.len() <= NAME_LIMIT && bytes.iter().all(allowed)
}

/// A length of time as it is written everywhere: `"200ms"`, `"10s"`, `"72h"`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// Writes one that is there: `10s`, `1m 30s`.
pub(crate) fn duration<'d, D, S: Serializer>(duration: &'d D, serializer: S) -> Result<S::Ok, S::Error>
where
    &'d D: Into<Option<&'d Duration>>,
{
    let there: Option<&Duration> = duration.into();
    let written = there.map(|there| humantime::format_duration(*there).to_string());
    written.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_small_letters_digits_underscores_and_hyphens() {
        for name in ["a", "0", "acme", "acme-eu_2", &"a".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-a", "_a", "Acme", "a b", "a.b", "ä", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
