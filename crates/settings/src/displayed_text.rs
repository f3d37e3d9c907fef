//! Which parts of configured texts are shown.

use url::Url;

/// Stands for what is not shown.
pub(crate) const HIDDEN: &str = "(not shown)";

/// A text; a URL without user, query and fragment. One that has a URL in it somewhere is not shown at all.
pub(crate) fn shown_text(text: &str) -> String {
    if !text.contains("://") {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        return HIDDEN.to_owned();
    };
    let has_more = url.query().is_some() || url.fragment().is_some();
    let has_user = !url.username().is_empty() || url.password().is_some();
    if !has_more && !has_user {
        return text.to_owned();
    }
    url.set_query(None);
    url.set_fragment(None);
    if url.set_username("").and_then(|()| url.set_password(None)).is_err() && has_user {
        return HIDDEN.to_owned();
    }
    url.into()
}

/// Words that names of secrets have in them, without what stands between words.
const SECRET_WORDS: [&str; 14] = [
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "token",
    "credential",
    "auth",
    "bearer",
    "apikey",
    "privatekey",
    "accesskey",
    "signingkey",
    "signature",
];

/// Whole words that say the same.
const SECRET_ENDS: [&str; 5] = ["key", "keys", "pass", "pin", "jwt"];

/// Whether something with this name may be a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let letters: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let letters = letters.to_lowercase();
    let last = name.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    // `apiKey`, `loginPIN`: the last word begins with the last capital letter after a small one.
    let camel = last.char_indices().rev().find(|(at, c)| {
        let before = last[..*at].chars().next_back();
        c.is_uppercase() && before.is_some_and(char::is_lowercase)
    });
    let last = camel.map_or(last, |(at, _)| &last[at..]).to_lowercase();
    SECRET_WORDS.iter().any(|word| letters.contains(word)) || SECRET_ENDS.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "secret",
            "api_key",
            "apiKey",
            "API-KEY",
            "clientSecret",
            "access_token",
            "Authorization",
            "loginPIN",
            "key",
            "db_pwd",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "merchant_id",
            "keyboard",
            "region",
            "timeout",
            "shipping",
            "passenger",
            "sources",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn urls_lose_what_may_be_secret_in_them() {
        for (text, shown) in [
            ("plain", "plain"),
            ("https://a.example/x", "https://a.example/x"),
            ("https://u:p@a.example/x?t=1#f", "https://a.example/x"),
            ("see https://u:p@a.example", HIDDEN),
            ("https://a.example/x?token=s", "https://a.example/x"),
        ] {
            assert_eq!(shown_text(text), shown);
        }
    }
}
