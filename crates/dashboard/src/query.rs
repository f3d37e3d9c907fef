//! Addresses with filters in them: what a form of ours can send, read and written.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::web::Query;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use url::form_urlencoded;

use upsert_api::Texts;

use crate::error::PageError;

/// What an address or a form says, by name. What is empty is not given, and nothing may stand there twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sent(Texts);

impl Sent {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same, for keeping.
    pub(crate) fn given(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Sent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("texts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Sent, A::Error> {
        let mut texts = Texts::new();
        while let Some((name, text)) = members.next_entry::<String, String>()? {
            if texts.insert(name, text.trim().to_owned()).is_some() {
                return Err(A::Error::custom("a name stands there twice"));
            }
        }
        texts.retain(|_, text| !text.is_empty());
        Ok(Sent(texts))
    }
}

/// Reads the query.
pub(crate) fn read(request: &HttpRequest) -> Result<Sent, PageError> {
    Query::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|_| PageError::unreadable("the address cannot be read: a filter stands there twice, or is none"))
}

/// An address with these members, as far as they are not empty.
pub(crate) fn address<'a>(path: &str, members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let given = members.into_iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(given)
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
        let members = [("state", "failed"), ("since", ""), ("q", "a&b=ä #")];
        assert_eq!(address("/ops/x", members), "/ops/x?state=failed&q=a%26b%3D%C3%A4+%23");
        assert_eq!(address("/ops/x", []), "/ops/x");
    }

    #[test]
    fn what_is_empty_is_not_given_and_nothing_stands_there_twice() {
        let read = |query| Query::<Sent>::from_query(query).map(Query::into_inner).ok();
        let sent = read("state=+failed+&since=++&merchant=").unwrap_or_default();
        assert_eq!((sent.get("state"), sent.texts().len()), (Some("failed"), 1));
        assert_eq!(read("state=failed&state=failed"), None);
    }
}
