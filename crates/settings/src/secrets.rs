//! References to secrets, and the secrets they refer to.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Serialize, Serializer};

use crate::environment::Secrets;
use crate::problems::Location;
use crate::section::Spot;
use crate::tree::{Entry, Shape};

/// No secret is longer than this, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The name of an environment variable.
    Env(String),
    /// A file; a relative path starts from the configuration's folder.
    File(PathBuf),
    /// Nowhere else: it was given over the API.
    Given,
}

/// A secret: its reference, which may be shown, and its value, which never is.
#[derive(Clone, derive_more::Debug)]
#[debug("Secret({reference:?})")]
pub struct Secret {
    reference: Reference,
    value: SecretString,
    resolved: bool,
    location: Location,
}

impl Secret {
    /// Where it is kept.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The secret itself; with [`Secrets::Skip`] a placeholder that no vendor would take.
    pub fn value(&self) -> &SecretString {
        &self.value
    }

    /// Whether the value is the secret, not a placeholder.
    pub fn is_resolved(&self) -> bool {
        self.resolved
    }

    /// Where the reference stands.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Reads `{ env = "NAME" }` or `{ file = "/path" }` and follows it; over the API, `{ "value": "…" }` too.
    pub(crate) fn read(spot: &Spot<'_>) -> Option<Self> {
        if let Some(value) = spot.reading.api.and_then(|_| spot.node.get("value")) {
            return Self::given(spot, &spot.below("value", value));
        }
        let reference = reference(spot)?;
        if let Reference::File(path) = &reference {
            spot.reading
                .secret_files
                .borrow_mut()
                .push(spot.reading.folder.join(path));
        }
        let resolved = spot.reading.secrets == Secrets::Resolve;
        let value = if resolved {
            match follow(&reference, spot) {
                Ok(value) => value,
                Err(problem) => return spot.refuse(problem),
            }
        } else {
            "not-resolved".into()
        };
        Some(Self {
            reference,
            value,
            resolved,
            location: spot.node.at.clone(),
        })
    }
}

impl Secret {
    /// A secret that stands here itself.
    fn given(spot: &Spot<'_>, value: &Spot<'_>) -> Option<Self> {
        if spot.node.entries().len() != 1 {
            return spot.refuse_but("a secret that is given has the member `value` alone", GIVEN);
        }
        let text = value.text()?;
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return value.refuse("is empty, or has line breaks or control characters in it");
        }
        spot.reading.given.borrow_mut().push(Arc::clone(&spot.node.at.file));
        Some(Self {
            reference: Reference::Given,
            value: text.into(),
            resolved: true,
            location: spot.node.at.clone(),
        })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reference.serialize(serializer)
    }
}

const ONE_MEMBER: &str = "a reference to a secret has exactly one member, `env` or `file`";
const GIVEN: &str = "write { \"value\": \"…\" }";
const NOT_ALLOWED: &str = "`[server] api_merchants_may_refer_to` does not allow merchants of the API to refer to this";
const FORMS: &str = "write { env = \"NAME\" } or { file = \"/path\" }";

fn reference(spot: &Spot<'_>) -> Option<Reference> {
    let Shape::Table(entries) = &spot.node.shape else {
        return match spot.reading.api {
            Some(_) => spot.refuse_but("a secret is an object", GIVEN),
            None => spot.refuse_but("secrets never stand in a file", FORMS),
        };
    };
    let [Entry { key, node, .. }] = entries.as_slice() else {
        return match spot.reading.api {
            // What was answered is put again.
            Some(_) => spot.refuse_but("a secret is given, or referred to: it is never read back", GIVEN),
            None => spot.refuse_but(ONE_MEMBER, FORMS),
        };
    };
    let inner = spot.below(key, node);
    let reference = match key.as_str() {
        "env" => match inner.line()? {
            name if name.contains('=') => return inner.refuse("not the name of an environment variable"),
            name => Reference::Env(name),
        },
        "file" => Reference::File(inner.line()?.into()),
        _ => return spot.refuse_but(ONE_MEMBER, FORMS),
    };
    // What may be read decides before anything is: whether a file is there is nobody's business.
    let is_allowed = spot.reading.api.is_none_or(|rules| match &reference {
        Reference::Env(name) => rules.allows_variable(name),
        Reference::File(path) => rules.allows_file(path),
        Reference::Given => true,
    });
    if is_allowed {
        Some(reference)
    } else {
        spot.refuse_but(NOT_ALLOWED, GIVEN)
    }
}

/// The secret, or what is wrong with its reference: said with its name, never with its content.
fn follow(reference: &Reference, spot: &Spot<'_>) -> Result<SecretString, String> {
    let (name, value) = match reference {
        Reference::Env(name) => {
            let value = spot.reading.environment.get(name).map(str::to_owned);
            let value = value.ok_or_else(|| "is not set".to_owned());
            (format!("the environment variable `{name}`"), value)
        }
        Reference::File(path) => {
            let path = spot.reading.folder.join(path);
            let value = content(&path).map_err(|error| format!("cannot be read: {error}"));
            (format!("the file `{}`", path.display()), value)
        }
        Reference::Given => return Err("was given, and refers to nothing".to_owned()),
    };
    let value = value.map_err(|problem| format!("{name} {problem}"))?;
    let trimmed = value.trim_end_matches(['\r', '\n']);
    if trimmed.trim().is_empty() {
        return Err(format!("{name} is empty"));
    }
    Ok(trimmed.into())
}

fn content(path: &Path) -> io::Result<String> {
    // A pipe or a device would never end.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut content = String::new();
    let read = File::open(path)?.take(LIMIT + 1).read_to_string(&mut content)?;
    if read as u64 > LIMIT {
        Err(io::Error::other("longer than 64 KiB"))
    } else {
        Ok(content)
    }
}
