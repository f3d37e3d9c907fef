//! What a merchant may do that is put over the API, beyond what anybody's file may: very little. Whoever has an API key has
//! not got the machine.

use std::path::{Component, Path};

/// What `gateway.toml` allows merchants that are put over the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiRules {
    /// Loopback, in the spellings that files may use.
    pub may_use_loopback: bool,
    /// Which variables and files their references may name: `env:NAME` and `file:/path`, `*` at the end for all that begin so.
    pub may_refer_to: Vec<String>,
}

impl ApiRules {
    /// Whether a pattern is one.
    pub(crate) fn is_pattern(text: &str) -> bool {
        let begins = |rest: &str| !rest.trim_end_matches('*').is_empty() && !rest.trim_end_matches('*').contains('*');
        match text.split_once(':') {
            Some(("env", name)) => begins(name),
            Some(("file", path)) => begins(path) && is_plain(Path::new(path)),
            _ => false,
        }
    }

    pub(crate) fn allows_variable(&self, name: &str) -> bool {
        self.allows("env", name)
    }

    /// A path with `..` in it may lead anywhere.
    pub(crate) fn allows_file(&self, path: &Path) -> bool {
        is_plain(path) && path.to_str().is_some_and(|path| self.allows("file", path))
    }

    fn allows(&self, kind: &str, name: &str) -> bool {
        let patterns = self.may_refer_to.iter().filter_map(|pattern| pattern.split_once(':'));
        let mut own = patterns.filter(|(of, _)| *of == kind);
        own.any(|(_, pattern)| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
    }
}

/// From the root, without steps back.
fn is_plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| !matches!(part, Component::ParentDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(patterns: &[&str]) -> ApiRules {
        ApiRules {
            may_refer_to: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
            ..ApiRules::default()
        }
    }

    #[test]
    fn a_reference_names_what_is_allowed_and_nothing_beside_it() {
        let rules = rules(&["env:SHOP_*", "env:ONE", "file:/run/secrets/shops/*"]);
        assert!(rules.allows_variable("SHOP_KEY") && rules.allows_variable("ONE"));
        for name in ["HOME", "ONE_MORE", "shop_key", "GATEWAY_KEY"] {
            assert!(!rules.allows_variable(name), "{name}");
        }
        assert!(rules.allows_file(Path::new("/run/secrets/shops/a")));
        for path in [
            "/etc/shadow",
            "/run/secrets/gateway",
            "/run/secrets/shops/../gateway",
            "run/secrets/shops/a",
            "../run/secrets/shops/a",
        ] {
            assert!(!rules.allows_file(Path::new(path)), "{path}");
        }
        assert!(!ApiRules::default().allows_variable("SHOP_KEY"));
    }

    #[test]
    fn a_pattern_says_how_what_it_allows_begins() {
        for pattern in ["env:A", "env:A_*", "file:/run/secrets/*", "file:/run/secrets/one"] {
            assert!(ApiRules::is_pattern(pattern), "{pattern}");
        }
        for pattern in [
            "",
            "A",
            "env:",
            "env:*",
            "env:*A",
            "env:A*B",
            "file:*",
            "file:secrets/*",
            "file:/a/../*",
            "url:x",
        ] {
            assert!(!ApiRules::is_pattern(pattern), "{pattern}");
        }
    }
}
