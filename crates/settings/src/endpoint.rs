//! The names of endpoints that events go to.

use std::cell::RefCell;
use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use url::Url;

use crate::problems::Location;
use crate::section::Section;

/// Names are this long at most, and so is what is made of a URL.
const LIMIT: usize = 63;
/// Of the hash of the URL, in bytes: two hexadecimal digits each.
const HASH: usize = 3;

/// The names that one merchant's endpoints have, and where they stand.
#[derive(Default)]
pub(crate) struct Names(RefCell<BTreeMap<String, Location>>);

impl Names {
    /// The name of one more endpoint: as given, or made of its URL. One that is taken is reported.
    pub(crate) fn of(&self, section: &Section<'_>, url: Option<&Url>) -> Option<String> {
        let given = section.given("name");
        let (name, spot) = match &given {
            Some(spot) => (spot.name()?, spot.clone()),
            None => (default_name(url?), section.given("url")?),
        };
        let Some(first) = self.0.borrow().get(&name).cloned() else {
            self.0.borrow_mut().insert(name.clone(), spot.node.at.clone());
            return Some(name);
        };
        let (problem, hint) = match given {
            Some(_) => (
                format!("the name `{name}` was given before"),
                format!("first at {first}"),
            ),
            None => (
                format!("another endpoint is named `{name}` after its URL, too"),
                format!("give one of them a `name`; the first is at {first}"),
            ),
        };
        spot.refuse_but(problem, hint)
    }
}

/// The host and a piece of the hash of the whole URL: the same each time, and telling to whoever reads it. No query,
/// which may hold what is nobody's business.
fn default_name(url: &Url) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(url.as_str().as_bytes())[..HASH]);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let host: String = url
        .host_str()
        .unwrap_or_default()
        .chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(LIMIT - 2 * HASH - 1)
        .collect();
    format!("{}-{hash}", host.trim_end_matches(['-', '.']))
}
