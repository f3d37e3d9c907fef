//! Addresses with filters in them: what a form of ours can send, read and written.

use actix_web::HttpRequest;
use actix_web::web::Query;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::error::PageError;

/// Reads the query. Empty members of a form are as good as none: see [`given`].
pub(crate) fn read<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, PageError> {
    Query::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|_| PageError::unreadable("the address cannot be read: a filter stands there twice, or is none"))
}

/// What a form left empty is not given.
pub(crate) fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// An address with those members that are given.
pub(crate) fn address(path: &str, members: &[(&str, Option<&str>)]) -> String {
    let given = members.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given.filter(|(_, value)| !value.is_empty()))
        .finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_what_is_given_and_nothing_that_ends_it_early() {
        let members = [
            ("state", Some("failed")),
            ("connection", None),
            ("since", Some("")),
            ("q", Some("a&b=ä #")),
        ];
        assert_eq!(address("/ops/x", &members), "/ops/x?state=failed&q=a%26b%3D%C3%A4+%23");
        assert_eq!(address("/ops/x", &[]), "/ops/x");
        assert_eq!(given(Some("  ")), None);
    }
}
