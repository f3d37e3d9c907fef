//! `[server] base_path`: the prefix under which the public sees the gateway, where a proxy in front leaves it on.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::section::Spot;

/// A longer one is none.
const LONGEST: usize = 200;

/// What stands in front of every path of the gateway: nothing, or such as `/gw`, without a slash at its end.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BasePath(Option<Arc<str>>);

impl BasePath {
    /// Reads one; slashes at the end do not count. None: it is no path, or has segments that are not plain.
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.trim().trim_end_matches('/');
        if path.is_empty() {
            return Some(Self(None));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let is_segment =
            |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(is_plain);
        let is_path = path.len() <= LONGEST && path.strip_prefix('/')?.split('/').all(is_segment);
        is_path.then(|| Self(Some(path.into())))
    }

    /// As text, which may be empty.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether nothing stands in front.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// A path of the gateway's own as the public sees it.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.as_str())
    }

    /// What stands behind this prefix in a path; none: the path is not below it.
    pub fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix(self.as_str())? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }

    pub(crate) fn read(spot: &Spot<'_>) -> Option<Self> {
        let text = spot.text()?;
        Self::parse(text).or_else(|| {
            spot.refuse_but(
                "not a path that the gateway can stand under",
                "such as \"/gw\" or \"/tools/gw\": letters, digits, `-`, `.`, `_` and `~` between slashes; empty: none",
            )
        })
    }
}

impl fmt::Debug for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BasePath({})", self.as_str())
    }
}

impl Serialize for BasePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_path_and_nothing_that_leads_elsewhere() {
        for (text, read) in [
            ("", ""),
            ("/", ""),
            ("/gw", "/gw"),
            ("/gw/", "/gw"),
            (" /a/b-c.d_e~1 ", "/a/b-c.d_e~1"),
        ] {
            assert_eq!(BasePath::parse(text).unwrap().as_str(), read, "{text}");
        }
        let long = format!("/{}", "x".repeat(200));
        for odd in [
            "gw",
            "//evil.example",
            "/a//b",
            "/../ops",
            "/a/.",
            "/a b",
            "/a?b",
            "/a%2fb",
            "/ä",
            "/\"x",
            &long,
        ] {
            assert_eq!(BasePath::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_path_is_below_a_prefix_only_at_a_slash() {
        let base = BasePath::parse("/gw").unwrap();
        for (path, below) in [
            ("/gw/ops", Some("/ops")),
            ("/gw", Some("/")),
            ("/gw/", Some("/")),
            ("/gwx", None),
            ("/ops", None),
            ("/", None),
        ] {
            assert_eq!(base.below(path), below, "{path}");
        }
        assert_eq!(base.at("/ops"), "/gw/ops");
        assert_eq!(BasePath::default().at("/ops"), "/ops");
    }
}
