//! The day's limit, as the words of a 429 name it: `Daily API key request limit of 1000 exceeded` `[S1]`.

use std::num::NonZeroU32;

/// Words that stand between a limit and its number.
const JOINING: [&str; 5] = ["of", "is", "at", "was", "reached"];
/// What is counted.
const COUNTED: [&str; 4] = ["requests", "calls", "request", "call"];
/// The length of a day, which is no limit.
const HOURS: [&str; 3] = ["hours", "hour", "h"];
/// Other lengths, whose limits are not the day's.
const OTHER_LENGTHS: [&str; 8] = [
    "second", "seconds", "minute", "minutes", "hour", "hours", "month", "week",
];

/// Whether a text speaks of a limit by the day.
pub(crate) fn names_the_daily_limit(text: &str) -> bool {
    let words = words(text);
    let follows = |first: &[&str], then: &[&str]| {
        words
            .windows(2)
            .any(|pair| first.contains(&pair[0].as_str()) && then.contains(&pair[1].as_str()))
    };
    words
        .iter()
        .any(|word| matches!(word.as_str(), "daily" | "24h" | "24hours"))
        || follows(&["per", "a", "each", "every", "/"], &["day", "24h"])
        || follows(&["24"], &HOURS)
}

/// The number that such a text names as the limit; none where it names none, or several.
pub(crate) fn number_of(text: &str) -> Option<NonZeroU32> {
    let words = words(text);
    let mut found = (0..words.len()).filter_map(|at| limit_at(&words, at));
    let limit = found.next()?;
    found.all(|other| other == limit).then_some(limit)
}

/// The number at this place, if it is a limit by the day: said to be the limit, or counted by the day.
fn limit_at(words: &[String], at: usize) -> Option<NonZeroU32> {
    let number = number(&words[at])?;
    let before = words[..at].iter().rev().find(|word| !JOINING.contains(&word.as_str()));
    let is_limit =
        before.is_some_and(|word| matches!(word.as_str(), "limit" | "quota" | "allowance" | "maximum" | "max"));
    let mut after = words[at + 1..]
        .iter()
        .map(String::as_str)
        .filter(|word| !COUNTED.contains(word));
    let (next, then) = (after.next().unwrap_or_default(), after.next().unwrap_or_default());
    let is_of_another_length = OTHER_LENGTHS.contains(&next)
        || (matches!(next, "per" | "a" | "/" | "an" | "each") && OTHER_LENGTHS.contains(&then));
    let is_by_day = next == "daily" || (matches!(next, "per" | "a" | "/" | "each") && matches!(then, "day" | "24h"));
    ((is_limit && !is_of_another_length) || is_by_day).then_some(number)
}

/// Digits, or digits in groups of three.
fn number(word: &str) -> Option<NonZeroU32> {
    let mut groups = word.split(',');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let is_grouped = (rest.is_empty() || first.len() <= 3) && rest.iter().all(|group| group.len() == 3);
    // What is no digit is no number then.
    is_grouped.then(|| word.replace(',', "").parse().ok()).flatten()
}

/// The words of a text in lower case, a slash being one of its own; commas and points stay within numbers alone.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('/', " / ");
    let words = text.split(|c: char| !(c.is_alphanumeric() || matches!(c, ',' | '.' | '/')));
    words
        .map(|word| word.trim_matches([',', '.']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_the_daily_limit_or_does_not() {
        for text in [
            "Daily API key request limit of 1000 exceeded",
            "DAILY LIMIT EXCEEDED",
            "{\"message\":\"limit of 5,000 requests per day\"}",
            "DAILY_LIMIT",
            "You may send 1000 requests a day",
            "1000/day",
            "10 calls per 24 hours: 24 hours have not passed",
            "max 10 per 24h",
            "each day 10",
        ] {
            assert!(names_the_daily_limit(text), "{text}");
        }
        for text in [
            "",
            "Slow down",
            "RATE_LIMIT_EXCEEDED",
            "60 requests per minute",
            "Come back another day",
            "dailymotion",
            "24 requests left",
            "todays limit",
        ] {
            assert!(!names_the_daily_limit(text), "{text}");
        }
    }

    #[test]
    fn the_number_of_the_limit_is_learnt_where_it_is_sure() {
        for (text, limit) in [
            ("Daily API key request limit of 1000 exceeded", Some(1_000)),
            ("Daily limit of 2,500 requests exceeded", Some(2_500)),
            ("daily limit: 500", Some(500)),
            ("Daily limit (750) exceeded", Some(750)),
            ("Daily quota is 1,234,567.", Some(1_234_567)),
            ("Daily limit reached: 300", Some(300)),
            ("1000 requests per day", Some(1_000)),
            ("Only 1000 daily requests", Some(1_000)),
            ("{\"message\":\"1000/day\"}", Some(1_000)),
            ("limit of 1000, that is 1000 calls per day", Some(1_000)),
            ("Daily limit of 1000 exceeded: 1001 requests made", Some(1_000)),
            ("Daily limit of 1000 exceeded, retry in 3600 seconds", Some(1_000)),
            ("Limit of 60 per minute and of 1000 per day", Some(1_000)),
            ("Daily limit of 1000 per key exceeded", Some(1_000)),
            ("Daily limit of 1000, next week more", Some(1_000)),
            ("limit of 60 requests a minute, 5000 each day", Some(5_000)),
            ("Daily limit exceeded, retry in 3600 seconds", None),
            ("Daily limit exceeded (1001 requests)", None),
            ("limit of 1000, or of 2000 per day", None),
            ("daily limit of 0", None),
            ("daily limit of 99999999999", None),
            ("daily limit of 1,00", None),
            ("daily limit of 1000,000", None),
            ("daily limit of 10.5k", None),
            ("daily limit of 1,abc", None),
            ("daily limit of ten", None),
            ("daily limit of 1.000", None),
            ("daily limit", None),
            ("", None),
        ] {
            assert_eq!(number_of(text).map(NonZeroU32::get), limit, "{text}");
        }
    }
}
