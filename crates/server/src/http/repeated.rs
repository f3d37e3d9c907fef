//! Headers that may stand there once. Some that are equal are one; where they differ, nobody can know which is meant.

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::http::problem::Problem;

const MERCHANT_ID: HeaderName = HeaderName::from_static("merchant-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

const SINGLE: [(&str, HeaderName); 7] = [
    ("Merchant-Id", MERCHANT_ID),
    ("Idempotency-Key", IDEMPOTENCY_KEY),
    ("Content-Type", CONTENT_TYPE),
    ("If-Match", IF_MATCH),
    ("If-None-Match", IF_NONE_MATCH),
    ("Authorization", AUTHORIZATION),
    ("X-Api-Key", X_API_KEY),
];

/// Leaves one of those that are equal.
///
/// # Errors
/// 400: they differ.
pub(crate) fn settle(headers: &mut HeaderMap) -> Result<(), Problem> {
    for (spelled, name) in &SINGLE {
        let mut all = headers.get_all(name);
        let (Some(first), Some(second)) = (all.next(), all.next()) else {
            continue;
        };
        if first != second || all.any(|other| other != first) {
            return Err(Problem::invalid_header(
                spelled,
                "is given more than once, with different values",
            ));
        }
        let only = first.clone();
        headers.insert(name.clone(), only);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn equal_headers_are_one_and_different_ones_are_refused() {
        for (spelled, name) in &SINGLE {
            let settled = |values: &[&'static str]| {
                let mut headers = HeaderMap::new();
                for value in values {
                    headers.append(name.clone(), HeaderValue::from_static(value));
                }
                settle(&mut headers).map(|()| headers.get_all(name).count())
            };
            for (values, left) in [(&[][..], 0), (&["a"], 1), (&["a", "a"], 1), (&["a", "a", "a"], 1)] {
                assert_eq!(settled(values).ok(), Some(left), "{spelled} {values:?}");
            }
            for values in [&["a", "b"][..], &["a", "a", "b"], &["a", "A"]] {
                let refused = settled(values).unwrap_err().refusal;
                assert!(refused.detail.contains(spelled), "{}", refused.detail);
            }
        }
    }
}
