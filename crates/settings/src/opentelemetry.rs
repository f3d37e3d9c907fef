//! The environment variables that OpenTelemetry gives every program. Each counts where neither the file nor an override of ours
//! says anything.

use std::rc::Rc;

use percent_encoding::percent_decode_str;

use crate::environment::Environment;
use crate::problems::{Location, Problem};
use crate::section::Reading;
use crate::tree::{Entry, Node, Shape};

const SECTION: &str = "telemetry";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const NAME_IN_RESOURCE: &str = "service.name";

/// The document with what the variables say beside it.
pub(crate) fn beside(document: Rc<Node>, reading: &Reading<'_>) -> Rc<Node> {
    let environment = reading.environment;
    let mut found = Vec::new();
    let mut say = |member: &str, variable: &str, shape: Shape| {
        let at = at(variable);
        let node = Node::new(&at, shape);
        let key = member.to_owned();
        found.push(Entry { key, at, node });
    };
    let attributes = said(environment, RESOURCE).map(|text| pairs(text, reading));
    let mut attributes = attributes.unwrap_or_default();
    let name_at = attributes.iter().position(|(key, _)| key == NAME_IN_RESOURCE);
    let name_there = name_at.map(|index| attributes.remove(index).1);
    if let Some(endpoint) = said(environment, ENDPOINT) {
        say("otlp_endpoint", ENDPOINT, Shape::Text(endpoint.to_owned()));
    }
    match (said(environment, SERVICE_NAME), name_there) {
        (Some(name), _) => say("service_name", SERVICE_NAME, Shape::Text(name.to_owned())),
        (None, Some(name)) => say("service_name", RESOURCE, Shape::Text(name)),
        (None, None) => {}
    }
    if !attributes.is_empty() {
        let at = at(RESOURCE);
        let entry = |(key, value): (String, String)| Entry {
            key,
            at: at.clone(),
            node: Node::new(&at, Shape::Text(value)),
        };
        let entries = attributes.into_iter().map(entry).collect();
        say("resource_attributes", RESOURCE, Shape::Table(entries));
    }
    with(document, found)
}

fn at(variable: &str) -> Location {
    Location::whole(format!("environment variable {variable}"))
}

/// An empty variable is none.
fn said<'e>(environment: &'e Environment, variable: &str) -> Option<&'e str> {
    environment.get(variable).map(str::trim).filter(|text| !text.is_empty())
}

/// `key=value,key=value`, the values percent-encoded.
fn pairs(text: &str, reading: &Reading<'_>) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (key, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), value.into_owned()))
    };
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut pairs: Vec<(String, String)> = Vec::new();
    for part in parts {
        match pair(part) {
            // Of two the later one counts, as in a list of settings.
            Some((key, value)) => {
                pairs.retain(|(known, _)| *known != key);
                pairs.push((key, value));
            }
            // The platform sets it for every program: a gateway is not to stand still for it.
            None => reading.warn(
                Problem::new(
                    &at(RESOURCE),
                    "",
                    "a part of it is left out: it is not `key=value` with a percent-encoded value",
                )
                .hint("such as deployment.environment.name=production,team=crm"),
            ),
        }
    }
    pairs
}

fn with(document: Rc<Node>, found: Vec<Entry>) -> Rc<Node> {
    let section = document.get(SECTION);
    let is_new = |entry: &Entry| section.is_none_or(|section| section.get(&entry.key).is_none());
    let added: Vec<Entry> = found.into_iter().filter(is_new).collect();
    let Some(first) = added.first() else {
        return document;
    };
    let at = section.map_or_else(|| first.at.clone(), |section| section.at.clone());
    let mut members = section.map_or_else(Vec::new, |section| section.entries().to_vec());
    members.extend(added);
    let node = Node::new(&at, Shape::Table(members));
    let mut entries = document.entries().to_vec();
    match entries.iter_mut().find(|entry| entry.key == SECTION) {
        Some(entry) => entry.node = node,
        None => entries.push(Entry {
            key: SECTION.to_owned(),
            at,
            node,
        }),
    }
    Node::new(&document.at, Shape::Table(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Secrets;
    use crate::tree::parse;

    /// The members of the section, and how many warnings there are. There is never a problem.
    fn read(file: &str, variables: &[(&str, &str)]) -> (Vec<String>, usize) {
        let environment = variables.iter().copied().collect::<Environment>();
        let reading = Reading::new(&environment, Secrets::Skip, "config".as_ref());
        let document = parse(&"gateway.toml".into(), file).unwrap();
        let read = beside(document, &reading);
        let shown = |entry: &Entry| match &entry.node.shape {
            Shape::Text(text) => format!("{}={text}", entry.key),
            Shape::Table(entries) => {
                let all = entries
                    .iter()
                    .map(|entry| format!("{}={}", entry.key, entry.node.text().unwrap()));
                format!("{}={{{}}}", entry.key, all.collect::<Vec<_>>().join(","))
            }
            _ => entry.key.clone(),
        };
        let section = read.get(SECTION).map_or(&[][..], |section| section.entries());
        assert_eq!(reading.problems.into_inner(), []);
        (section.iter().map(shown).collect(), reading.warnings.into_inner().len())
    }

    #[test]
    fn each_counts_where_the_file_says_nothing() {
        let variables = [
            (ENDPOINT, "http://collector:4318"),
            (SERVICE_NAME, "crm-gateway"),
            (RESOURCE, "team=crm%20core, zone=eu,service.name=other,"),
        ];
        let all = [
            "otlp_endpoint=http://collector:4318",
            "service_name=crm-gateway",
            "resource_attributes={team=crm core,zone=eu}",
        ];
        assert_eq!(read("", &variables), (all.map(str::to_owned).to_vec(), 0));
        let (members, _) = read(
            "[telemetry]\nservice_name = \"mine\"\notlp_endpoint = \"\"\n",
            &variables,
        );
        assert_eq!(
            members,
            [
                "service_name=mine",
                "otlp_endpoint=",
                "resource_attributes={team=crm core,zone=eu}"
            ]
        );
        let (members, _) = read("", &variables[2..]);
        assert_eq!(
            members,
            ["service_name=other", "resource_attributes={team=crm core,zone=eu}"]
        );
    }

    #[test]
    fn an_empty_one_is_none_and_what_cannot_be_read_is_told() {
        let nothing = [(ENDPOINT, ""), (SERVICE_NAME, " "), (RESOURCE, "")];
        assert_eq!(read("", &nothing), (Vec::new(), 0));
        for wrong in ["team", "=crm", "team=%ff"] {
            assert_eq!(read("", &[(RESOURCE, wrong)]), (Vec::new(), 1), "{wrong}");
            let beside = format!("zone=eu,{wrong}");
            let zone = vec!["resource_attributes={zone=eu}".to_owned()];
            assert_eq!(read("", &[(RESOURCE, &beside)]), (zone, 1), "{wrong}");
        }
    }
}
