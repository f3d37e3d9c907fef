//! The links of a customer as a request takes them: the vendor's id by connection.

use serde_json::{Map, Value as Json};

/// Of a customer's list of links, those that a vendor's record lives under.
pub(crate) fn live(links: &Json) -> Json {
    let link = |link: &Json| {
        let (connection, id) = (link["connection"].as_str()?, link["provider_customer_id"].as_str()?);
        (link["state"] != "superseded").then(|| (connection.to_owned(), Json::from(id)))
    };
    let all = links.as_array().into_iter().flatten();
    Json::Object(all.filter_map(link).collect::<Map<_, _>>())
}
