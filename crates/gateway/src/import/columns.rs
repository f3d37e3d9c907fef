//! What a CSV file's columns are, and how a row becomes a request's body.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use csv::StringRecord;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use upsert_core::Field;
use upsert_core::field::Rule;

use crate::import::rows::NOT_IMPORTED;

/// `--map`: what the columns are, where their names do not say it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnMap {
    /// Column → field.
    #[serde(default)]
    columns: BTreeMap<String, String>,
    /// Columns that are left out.
    #[serde(default)]
    ignore: BTreeSet<String>,
    /// Field → what every row has, whatever stands in it.
    #[serde(default)]
    constants: BTreeMap<String, String>,
    /// Field → what a row has where it says nothing.
    #[serde(default)]
    defaults: BTreeMap<String, String>,
}

/// How a cell is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Flag,
    Tags,
    Json,
}

/// A member of the body.
#[derive(Debug, Clone)]
struct Place {
    path: Vec<String>,
    form: Form,
}

/// The columns of one file.
#[derive(Debug)]
pub(crate) struct Columns {
    places: Vec<Option<Place>>,
    constants: Vec<(Place, String)>,
    defaults: Vec<(Place, String)>,
}

impl Columns {
    /// # Errors
    /// Which names are not fields.
    pub(crate) fn new(headers: &StringRecord, map: Option<&str>) -> anyhow::Result<Self> {
        let map: ColumnMap = match map {
            Some(text) => toml::from_str(text).context("the map cannot be read")?,
            None => ColumnMap::default(),
        };
        if let Some(missing) = map
            .columns
            .keys()
            .find(|name| !headers.iter().any(|header| header == *name))
        {
            bail!("the map names the column `{missing}`, which the file does not have");
        }
        let mut unknown = Vec::new();
        let mut seen = BTreeSet::new();
        let mut places = Vec::new();
        for header in headers {
            let name = map.columns.get(header).map_or_else(|| header.trim(), String::as_str);
            let is_left_out = map.ignore.contains(header) || NOT_IMPORTED.contains(&name);
            let place = if is_left_out { None } else { place(name) };
            match &place {
                None if !is_left_out => unknown.push(header.to_owned()),
                Some(place) if !seen.insert(place.path.clone()) => bail!("two columns are `{name}`"),
                _ => {}
            }
            places.push(place);
        }
        if !unknown.is_empty() {
            bail!(
                "no field is named so: {}. Name columns as fields are named (`given_name`, `addresses.billing.line1`), or \
                 say in a map (--map) what they are, or which to ignore",
                unknown.join(", ")
            );
        }
        Ok(Self {
            places,
            constants: fixed(&map.constants)?,
            defaults: fixed(&map.defaults)?,
        })
    }

    /// An empty cell is a member that is not there, which keeps what is known.
    pub(crate) fn body(&self, record: &StringRecord) -> Result<Json, &'static str> {
        let mut body = Map::new();
        for (place, text) in &self.defaults {
            put(&mut body, &place.path, cell(place.form, text)?);
        }
        for (place, text) in self.places.iter().zip(record) {
            if let Some(place) = place.as_ref().filter(|_| !text.trim().is_empty()) {
                put(&mut body, &place.path, cell(place.form, text)?);
            }
        }
        for (place, text) in &self.constants {
            put(&mut body, &place.path, cell(place.form, text)?);
        }
        Ok(Json::Object(body))
    }
}

fn fixed(all: &BTreeMap<String, String>) -> anyhow::Result<Vec<(Place, String)>> {
    let one = |(name, text): (&String, &String)| {
        let place = place(name).with_context(|| format!("the map names `{name}`, which is no field"))?;
        Ok((place, text.clone()))
    };
    all.iter().map(one).collect()
}

/// A field by its pointer, or the same with dots.
fn place(name: &str) -> Option<Place> {
    let pointer = if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/{}", name.replace('.', "/"))
    };
    let path: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
    let form = match path.first()?.as_str() {
        "id" if path.len() == 1 => Form::Text,
        "tags_removed" if path.len() == 1 => Form::Tags,
        "metadata" if path.len() == 2 => Form::Text,
        "provider_fields" if path.len() == 3 => Form::Text,
        "metadata" | "provider_fields" if path.len() == 1 => Form::Json,
        _ => match Field::from_pointer(&pointer)?.rule() {
            Rule::Flag => Form::Flag,
            Rule::Tags => Form::Tags,
            Rule::Map => Form::Json,
            _ => Form::Text,
        },
    };
    Some(Place { path, form })
}

fn cell(form: Form, text: &str) -> Result<Json, &'static str> {
    Ok(match form {
        Form::Text => json!(text),
        Form::Flag => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => json!(true),
            "false" | "no" | "n" | "0" => json!(false),
            // What it means is not ours to guess: the gateway says that this is no flag.
            _ => json!(text),
        },
        Form::Tags if text.trim_start().starts_with('[') => serde_json::from_str(text).map_err(|_| "malformed_json")?,
        Form::Tags => text.split(';').map(str::trim).filter(|tag| !tag.is_empty()).collect(),
        Form::Json => serde_json::from_str(text).map_err(|_| "malformed_json")?,
    })
}

fn put(body: &mut Map<String, Json>, path: &[String], value: Json) {
    match path {
        [] => {}
        [name] => {
            body.insert(name.clone(), value);
        }
        [name, rest @ ..] => {
            let inner = body.entry(name.clone()).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_go_to_their_fields_and_empty_ones_nowhere() {
        let headers = StringRecord::from(vec![
            "Mail",
            "addresses.billing.line1",
            "/tags",
            "verified",
            "metadata.plan",
            "x",
        ]);
        let map = "ignore = [\"x\"]\n[columns]\nMail = \"email\"\n[constants]\nsource = \"crm\"\n[defaults]\nverified = \"no\"\n";
        let columns = Columns::new(&headers, Some(map)).unwrap();
        let row = StringRecord::from(vec!["a@x.example", "1 Main St", "vip; new", "", "gold", "?"]);
        assert_eq!(
            columns.body(&row).unwrap(),
            json!({ "email": "a@x.example", "addresses": { "billing": { "line1": "1 Main St" } }, "tags": ["vip", "new"],
                "verified": false, "metadata": { "plan": "gold" }, "source": "crm" })
        );
        let row = StringRecord::from(vec!["", "", "[\"a;b\"]", "yes", "", ""]);
        assert_eq!(
            columns.body(&row).unwrap(),
            json!({ "tags": ["a;b"], "verified": true, "source": "crm" })
        );
    }

    #[test]
    fn columns_that_are_no_fields_are_named() {
        let headers = StringRecord::from(vec!["email", "fisrt_name", "version"]);
        let error = Columns::new(&headers, None).unwrap_err().to_string();
        assert!(error.contains("fisrt_name") && !error.contains("version"), "{error}");
        let twice = StringRecord::from(vec!["email", "/email"]);
        assert!(Columns::new(&twice, None).is_err());
    }
}
