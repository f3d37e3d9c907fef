//! Text with a NUL in it, which PostgreSQL cannot keep: it stands there as two characters, and is read back as it was.
//! What somebody asks for may have one too, and then finds what has it or nothing.

use std::borrow::Cow;
use std::collections::BTreeSet;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type};

use super::reader::Param;

/// Begins what stands for something else. It is a noncharacter: Unicode gives it to programs for uses of their own.
const MARK: char = '\u{FFFF}';
const NUL: char = '0';

/// As PostgreSQL keeps it.
pub(super) fn kept(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return text.into();
    }
    let mut kept = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => kept.extend([MARK, NUL]),
            MARK => kept.extend([MARK, MARK]),
            other => kept.push(other),
        }
    }
    kept.into()
}

/// The same of several.
pub(super) fn kept_all(texts: &BTreeSet<String>) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| kept(text)).collect()
}

/// As it was.
pub(super) fn read(kept: &str) -> Cow<'_, str> {
    if !kept.contains(MARK) {
        return kept.into();
    }
    let (mut text, mut characters) = (String::with_capacity(kept.len()), kept.chars());
    while let Some(character) = characters.next() {
        match character {
            MARK if characters.next() == Some(NUL) => text.push('\0'),
            other => text.push(other),
        }
    }
    text.into()
}

/// A parameter, which may be such a text.
#[derive(Debug)]
pub(super) struct Sent<'a>(pub(super) Param<'a>);

impl ToSql for Sent<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let begins = out.len();
        let is_null = self.0.to_sql_checked(ty, out)?;
        if *ty == Type::TEXT
            && let Some(Ok(text)) = out.get(begins..).map(str::from_utf8)
            && let Cow::Owned(kept) = kept(text)
        {
            out.truncate(begins);
            out.extend_from_slice(kept.as_bytes());
        }
        Ok(is_null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back_and_no_two_are_kept_alike(
            one in "[a0\\x00\u{FFFF}]{0,6}", other in "[a0\\x00\u{FFFF}]{0,6}",
        ) {
            let is_kept_as = kept(&one);
            prop_assert!(!is_kept_as.contains('\0'));
            prop_assert_eq!(read(&is_kept_as).into_owned(), one.clone());
            prop_assert_eq!(kept(&one) == kept(&other), one == other);
        }
    }
}
