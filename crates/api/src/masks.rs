//! What stands in the place of what is covered, and what need not be covered.

use serde_json::Value as Json;

use crate::cover::MASK;

/// The members of these have names that the merchant thought of, or a vendor who may have named them after what it was sent.
const NAMED_BY_OTHERS: [&str; 3] = ["metadata", "provider_fields", "vendor_body"];
/// No vendor's name of a field is longer.
const LONGEST_NAME: usize = 64;
/// So many may be a phone number.
const MOST_DIGITS: usize = 6;

/// The same with every value hidden. Members' names, lengths of lists, null and empty texts stay: they are of the vendor's
/// making, and say what was sent without saying whose it is. Names that others thought of are hidden too.
pub(crate) fn masked(value: &Json) -> Json {
    walk(value, false, |leaf| match leaf {
        Json::String(text) if text.is_empty() => leaf.clone(),
        Json::Null => leaf.clone(),
        _ => Json::from(MASK),
    })
}

/// The same with every value hidden, whatever it is: of what somebody else sent, nobody knows what a true or a null says.
pub(crate) fn masked_wholly(value: &Json) -> Json {
    walk(value, false, |_leaf| Json::from(MASK))
}

/// `is_others`: whether the members' names are somebody's own words.
fn walk(value: &Json, is_others: bool, leaf: fn(&Json) -> Json) -> Json {
    match value {
        Json::Object(members) => {
            let hidden = members.iter().map(|(name, member)| {
                let shown = if is_others || !is_plain(name) { MASK } else { name };
                let is_others = is_others || NAMED_BY_OTHERS.contains(&name.as_str());
                (shown.to_owned(), walk(member, is_others, leaf))
            });
            Json::Object(hidden.collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(|item| walk(item, is_others, leaf)).collect()),
        other => leaf(other),
    }
}

/// Whether it is a word such as programs have. An e-mail address or a phone number that stands as a name is none.
fn is_plain(name: &str) -> bool {
    is_word(name) && digits(name) < MOST_DIGITS
}

/// Whether it may be a code or an id: a word with any number of digits beside its letters.
pub fn is_code(text: &str) -> bool {
    is_word(text) && (digits(text) < MOST_DIGITS || text.bytes().any(|byte| byte.is_ascii_alphabetic()))
}

fn is_word(text: &str) -> bool {
    let is_of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.len() <= LONGEST_NAME && text.bytes().all(is_of_a_word)
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Covers a text.
pub(crate) fn cover_text(text: &mut String) {
    MASK.clone_into(text);
}

/// Covers a text, if there is one.
pub(crate) fn cover_some(text: &mut Option<String>) {
    text.iter_mut().for_each(cover_text);
}

/// Covers somebody's words, which may repeat a value.
pub(crate) fn cover_words(words: &mut String) {
    if !words.is_empty() {
        cover_text(words);
    }
}

/// Covers somebody's code or id, unless it looks like one: vendors put sentences there too.
pub(crate) fn cover_code(code: &mut Option<String>) {
    code.iter_mut().filter(|code| !is_code(code)).for_each(cover_text);
}

/// Covers whatever there is.
pub(crate) fn cover_json(value: &mut Json) {
    if !value.is_null() {
        *value = Json::from(MASK);
    }
}

/// Covers a pointer as far as it is in the merchant's own words, and names that are no words of a program.
pub fn cover_pointer(pointer: &mut String) {
    let mut covered = String::with_capacity(pointer.len());
    let mut names = pointer.split('/').skip(1).peekable();
    while let Some(name) = names.next() {
        let is_plain = is_plain(&name.replace("~1", "/").replace("~0", "~"));
        covered.push('/');
        covered.push_str(if is_plain { name } else { MASK });
        if NAMED_BY_OTHERS.contains(&name) && names.peek().is_some() {
            covered.push('/');
            covered.push_str(MASK);
            break;
        }
    }
    *pointer = covered;
}

/// Covers the value of a field, and those within it. Names within it that others thought
/// of are covered too; that there is none stays to be seen.
pub(crate) fn cover_value(pointer: &str, value: &mut Json) {
    match value {
        Json::Object(members) => {
            let is_others = pointer.split('/').any(|name| NAMED_BY_OTHERS.contains(&name));
            let whole = std::mem::take(members).into_iter();
            *members = whole
                .map(|(name, mut inner)| {
                    cover_value(&format!("{pointer}/{name}"), &mut inner);
                    let is_shown = !is_others && is_plain(&name);
                    (if is_shown { name } else { MASK.to_owned() }, inner)
                })
                .collect();
        }
        value => cover_json(value),
    }
}

#[cfg(test)]
mod tests;
