//! What is wrong, and where.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// Where a member stands. `line` and `column` start at 1; both are 0 where there is no line to point at (a whole file,
/// an environment variable).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file as the caller named its folder (`config/merchants/acme.toml`), or `environment variable NAME`.
    pub file: Arc<str>,
    /// The line, from 1; 0: none.
    pub line: usize,
    /// The column in characters, from 1; 0: none.
    pub column: usize,
}

impl Location {
    /// A place without a line.
    pub fn whole(file: impl Into<Arc<str>>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with the configuration. Its text never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// See [`Location::file`].
    pub file: String,
    /// See [`Location::line`].
    pub line: usize,
    /// See [`Location::column`].
    pub column: usize,
    /// The member, such as `connections[2].settings.merchant_id`; empty for the file itself.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it, where we know.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of the member at `path`, which stands at `location`.
    pub fn new(location: &Location, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: location.file.to_string(),
            line: location.line,
            column: location.column,
            path: path.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = Location {
            file: self.file.as_str().into(),
            line: self.line,
            column: self.column,
        };
        write!(f, "{location}: ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
