//! What an import has been answered so far, safe on the disk: an import that is run again goes on from there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::import::changed::Changes;
use crate::private;

/// How rows ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) unchanged: u64,
    /// Of those accepted, so many had deliveries that were still on their way.
    pub(crate) pending: u64,
    pub(crate) refused: u64,
    /// Of those accepted, so many had been done by an earlier run already.
    #[serde(default)]
    pub(crate) repeated: u64,
    /// What was changed of the rows that have their answers.
    #[serde(flatten)]
    pub(crate) changes: Changes,
    /// Refused rows by code.
    #[serde(default)]
    pub(crate) refused_by_code: BTreeMap<String, u64>,
}

impl Tally {
    /// Rows that have their answers.
    pub(crate) fn answered(&self) -> u64 {
        self.accepted + self.refused
    }

    pub(crate) fn refuse(&mut self, code: &str) {
        self.refused += 1;
        *self.refused_by_code.entry(code.to_owned()).or_default() += 1;
    }
}

/// Which rows have been answered: all up to a mark, and some beyond it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Of the file's content, and of the map it is read by.
    fingerprint: String,
    merchant: Option<String>,
    answered_to: u64,
    beyond: BTreeSet<u64>,
    pub(crate) tally: Tally,
    /// So long is the file of refused rows up to here.
    pub(crate) refused_bytes: u64,
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl State {
    /// The state of this import: of an earlier run if there was one. Without a path nothing is kept.
    ///
    /// # Errors
    /// The file is another import's.
    pub(crate) fn open(
        path: Option<&Path>,
        fingerprint: &str,
        merchant: Option<&str>,
        restart: bool,
    ) -> anyhow::Result<Self> {
        let fresh = Self {
            fingerprint: fingerprint.to_owned(),
            merchant: merchant.map(str::to_owned),
            path: path.map(Path::to_owned),
            ..Self::default()
        };
        let Some(path) = path.filter(|path| !restart && path.exists()) else {
            return Ok(fresh);
        };
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let state: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is no state of an import; --restart begins anew", path.display()))?;
        let other = if state.fingerprint != fingerprint {
            "another file, another map or other options, or this one has changed since".to_owned()
        } else if state.merchant.as_deref() != merchant {
            let whose = state.merchant.as_deref().unwrap_or("the key's only merchant");
            format!("an import for {whose}")
        } else {
            let path = fresh.path;
            return Ok(Self { path, ..state });
        };
        bail!(
            "{} belongs to {other}; --restart begins anew, --state names another place",
            path.display()
        )
    }

    pub(crate) fn is_answered(&self, row: u64) -> bool {
        row <= self.answered_to || self.beyond.contains(&row)
    }

    /// All rows up to it have been answered; of others it is said one by one.
    pub(crate) fn mark(&self) -> u64 {
        self.answered_to
    }

    /// This row has been answered.
    pub(crate) fn answered(&mut self, row: u64) {
        self.beyond.insert(row);
        while self.beyond.remove(&(self.answered_to + 1)) {
            self.answered_to += 1;
        }
    }

    /// There is no row of this number: a line is empty.
    pub(crate) fn passed(&mut self, from: u64, to: u64) {
        for row in from..to {
            if !self.is_answered(row) {
                self.answered(row);
            }
        }
    }

    /// Replaces the file as a whole: whatever happens, there is the old one or the new one.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut next = path.clone().into_os_string();
        next.push(".new");
        let next = PathBuf::from(next);
        let write = || -> std::io::Result<()> {
            let mut file = private::create(&next)?;
            file.write_all(serde_json::to_string(self)?.as_bytes())?;
            file.sync_all()?;
            fs::rename(&next, path)?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_be_answered_in_any_order() {
        let mut state = State::default();
        for row in [2, 5, 1] {
            state.answered(row);
        }
        assert_eq!((state.mark(), state.beyond.len()), (2, 1));
        assert!(state.is_answered(5) && !state.is_answered(3));
        state.passed(3, 5);
        assert_eq!((state.mark(), state.beyond.len()), (5, 0));
    }

    #[test]
    fn a_state_is_found_again_and_no_other_imports() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let open = |fingerprint, merchant, restart| State::open(Some(&path), fingerprint, merchant, restart);
        let mut state = open("f", Some("acme"), false).unwrap();
        state.answered(1);
        state.answered(3);
        state.save().unwrap();
        let again = open("f", Some("acme"), false).unwrap();
        assert!(again.is_answered(1) && !again.is_answered(2) && again.is_answered(3));
        assert!(
            open("g", Some("acme"), false)
                .unwrap_err()
                .to_string()
                .contains("another file")
        );
        assert!(open("f", None, false).unwrap_err().to_string().contains("acme"));
        assert!(!open("g", None, true).unwrap().is_answered(1));
    }
}
