//! A file as the `config` crate reads it, `gateway.toml` under the environment's overrides; every value keeps its line.

use std::rc::Rc;

use config::{Config, File, FileFormat, Source, Value, ValueKind};

use crate::environment::OVERRIDE_PREFIX;
use crate::opentelemetry;
use crate::problems::{Location, Problem};
use crate::section::Reading;
use crate::tree::{Entry, Node, Shape, parse_value};

/// What may be laid over a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overrides {
    /// Environment variables: `gateway.toml` alone.
    Environment,
    /// Nothing: a merchant's file is what it says.
    Nothing,
}

/// The document with what may be laid over it.
pub(crate) fn layered(
    text: &str,
    document: &Rc<Node>,
    overrides_of: Overrides,
    reading: &Reading<'_>,
) -> Option<Rc<Node>> {
    if document.entries().iter().any(|entry| entry.key.contains('[')) {
        // No file has such a member, which is said when it is read. To `config` it would be a place in a list, and the
        // list be made as long as that.
        return Some(Rc::clone(document));
    }
    let usable = match overrides_of {
        Overrides::Nothing => config::Map::new(),
        Overrides::Environment => usable_overrides(reading),
    };
    let overrides = config::Environment::with_prefix(OVERRIDE_PREFIX.trim_end_matches('_'))
        .prefix_separator("__")
        .separator("__")
        .source(Some(usable));
    let merged = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(overrides)
        .build()
        .and_then(|config| config.collect());
    let Ok(merged) = merged else {
        // The cause may quote a value, and a value may be a secret in the wrong place.
        reading.report(Problem::new(
            &document.at,
            "",
            "the file and the environment cannot be merged",
        ));
        return None;
    };
    let root = Value::new(None, ValueKind::Table(merged));
    let layered = laid_over(root, Some(document), OVERRIDE_PREFIX).unwrap_or_else(|| Rc::clone(document));
    Some(match overrides_of {
        Overrides::Environment => opentelemetry::beside(layered, reading),
        Overrides::Nothing => layered,
    })
}

/// The variables that name a path of members. Those are reported that would mean something else, or something else on every
/// run.
fn usable_overrides(reading: &Reading<'_>) -> config::Map<String, String> {
    let (mut usable, environment) = (config::Map::new(), reading.environment);
    let refuse = |name: &str, message: &str, hint: &str| {
        let at = Location::whole(format!("environment variable {name}"));
        reading.report(Problem::new(&at, "", message).hint(hint));
    };
    for (name, value) in environment.overrides() {
        let in_a_member = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let is_member = |member: &str| !member.is_empty() && member.bytes().all(in_a_member);
        let below = format!("{name}__");
        if !name[OVERRIDE_PREFIX.len()..].split("__").all(is_member) {
            let form = "capital letters and digits, `__` between members";
            refuse(name, "not the name of a setting", form);
        } else if let Some((inner, _)) = environment.overrides().find(|(other, _)| other.starts_with(&below)) {
            let message = format!("set together with {inner}, which stands in it");
            refuse(name, &message, "set only one of the two");
        } else {
            usable.insert(name.to_owned(), value.to_owned());
        }
    }
    usable
}

/// `None`: not from the environment and not in the document under this name (a quoted key with a dot in it; the
/// document's own entry is kept, and refused as unknown).
fn laid_over(value: Value, document: Option<&Rc<Node>>, variable: &str) -> Option<Rc<Node>> {
    let from_environment = value.origin().is_some();
    match (value.kind, document) {
        (ValueKind::Table(members), None) => {
            let entries = entries_of(members, &[], variable);
            let at = entries.first()?.at.clone();
            Some(Node::new(&at, Shape::Table(entries)))
        }
        (ValueKind::Table(members), Some(document)) => match &document.shape {
            Shape::Table(entries) => {
                let entries = entries_of(members, entries, variable);
                Some(Node::new(&document.at, Shape::Table(entries)))
            }
            _ => Some(Rc::clone(document)),
        },
        (ValueKind::String(text), _) if from_environment => Some(out_of_environment(text, variable)),
        (_, document) => document.cloned(),
    }
}

fn entries_of(mut members: config::Map<String, Value>, document: &[Entry], variable: &str) -> Vec<Entry> {
    let variable_of = |key: &str| {
        let separator = if variable.ends_with("__") { "" } else { "__" };
        format!("{variable}{separator}{}", key.to_uppercase())
    };
    let mut entries = document.to_vec();
    for Entry { key, node, .. } in &mut entries {
        let value = members.remove(key);
        if let Some(over) = value.and_then(|value| laid_over(value, Some(node), &variable_of(key))) {
            *node = over;
        }
    }
    let mut added: Vec<_> = members.into_iter().collect();
    added.sort_by(|a, b| a.0.cmp(&b.0));
    entries.extend(added.into_iter().filter_map(|(key, value)| {
        let node = laid_over(value, None, &variable_of(&key))?;
        Some(Entry {
            key,
            at: node.at.clone(),
            node,
        })
    }));
    entries
}

/// A variable is a text, unless it reads as another TOML value: `8`, `true`, `["*"]`, `{ env = "NAME" }`.
fn out_of_environment(text: String, variable: &str) -> Rc<Node> {
    let at = Location::whole(format!("environment variable {variable}"));
    let shape = parse_value(&at, &text).and_then(Rc::into_inner).map(|node| node.shape);
    let shape = match shape {
        None | Some(Shape::Text(_)) => Shape::Text(text.clone()),
        Some(other) => other,
    };
    Rc::new(Node {
        at,
        shape,
        spelled: Some(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{Environment, Secrets};
    use crate::tree::parse;

    /// The first member of a file as it counts, where the environment has another value for it.
    fn counts(overrides: Overrides) -> String {
        let environment = Environment::from_iter([("UPSERT_GATEWAY__ID", "from-the-environment")]);
        let reading = Reading::new(&environment, Secrets::Skip, "config".as_ref());
        let text = "id = \"from-the-file\"\n";
        let document = parse(&"a.toml".into(), text).unwrap();
        let layered = layered(text, &document, overrides, &reading).unwrap();
        assert!(reading.problems.into_inner().is_empty());
        layered.entries()[0].node.text().unwrap().to_owned()
    }

    #[test]
    fn every_file_is_read_by_one_way_and_only_whether_the_environment_counts_differs() {
        assert_eq!(counts(Overrides::Environment), "from-the-environment");
        assert_eq!(counts(Overrides::Nothing), "from-the-file");
    }
}
