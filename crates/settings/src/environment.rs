//! The environment variables that settings may see: a map that is handed in, so that tests need no real one.

use std::collections::{BTreeMap, BTreeSet};

/// The prefix of the variables that override `gateway.toml`: `UPSERT_GATEWAY__SERVER__BIND`.
pub(crate) const OVERRIDE_PREFIX: &str = "UPSERT_GATEWAY__";

/// Environment variables by name. Its `Debug` shows names alone.
#[derive(Clone, Default, derive_more::Debug)]
#[debug("{:?}", _0.keys().collect::<BTreeSet<_>>())]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 are left out, as nobody could refer to their
    /// content.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables that override `gateway.toml`, sorted by name.
    pub(crate) fn overrides(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter(|(name, _)| name.starts_with(OVERRIDE_PREFIX))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(
            variables
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// Whether references are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// Every reference is resolved; one that cannot be is a problem.
    Resolve,
    /// References are checked in form alone (`check --offline`); their values are placeholders.
    Skip,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_value() {
        let environment = Environment::from_iter([("NAME", "canary")]);
        assert_eq!(format!("{environment:?}"), r#"{"NAME"}"#);
    }

    #[test]
    fn the_environment_of_the_process_is_read() {
        assert!(Environment::of_process().get("PATH").is_some());
    }
}
