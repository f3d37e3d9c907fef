//! Customers as NDJSON or as a table, with their links as a request takes them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write};

use anyhow::Context as _;
use serde_json::Value as Json;
use upsert_api::Link;
use upsert_core::Field;

use crate::import::Format;
use crate::import::guard::guarded;
use crate::import::links;

/// Where customers are written.
pub(super) enum Out<W: Write> {
    Ndjson(BufWriter<W>),
    Csv(Box<Table<W>>),
}

/// A table, whose columns are known only when the last customer is: until then they stand in a file without a name.
pub(super) struct Table<W: Write> {
    out: W,
    rows: BufWriter<File>,
    connections: BTreeSet<String>,
}

impl<W: Write> Out<W> {
    pub(super) fn new(format: Format, out: W) -> anyhow::Result<Self> {
        if format == Format::Ndjson {
            return Ok(Self::Ndjson(BufWriter::new(out)));
        }
        let rows = tempfile::tempfile().context("there is no place for the rows")?;
        Ok(Self::Csv(Box::new(Table {
            out,
            rows: BufWriter::new(rows),
            connections: BTreeSet::new(),
        })))
    }

    /// A customer as the API shows it: nothing of it is lost that this program does not know.
    pub(super) fn write(&mut self, customer: &Json, links: &[Link]) -> anyhow::Result<()> {
        let mut customer = without_nulls(customer);
        let live = links::live(links);
        let out: &mut dyn Write = match self {
            Self::Ndjson(out) => out,
            Self::Csv(table) => {
                table.connections.extend(live.keys().cloned());
                &mut table.rows
            }
        };
        customer["links"] = Json::Object(live);
        Ok(writeln!(out, "{customer}")?)
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Ndjson(mut out) => Ok(out.flush()?),
            Self::Csv(table) => table.end(),
        }
    }
}

impl<W: Write> Table<W> {
    fn end(self) -> anyhow::Result<()> {
        let fields = Field::ALL.iter().map(|field| field.pointer().to_owned());
        let links = self.connections.iter().map(|connection| format!("/links/{connection}"));
        let columns: Vec<String> = ["/id".to_owned()]
            .into_iter()
            .chain(fields)
            .chain(["/provider_fields".to_owned()])
            .chain(links)
            .collect();
        let mut writer = csv::Writer::from_writer(self.out);
        writer.write_record(
            columns
                .iter()
                .map(|pointer| pointer.trim_start_matches('/').replace('/', ".")),
        )?;
        let mut rows = self.rows.into_inner().context("the rows cannot be kept")?;
        rows.rewind()?;
        for row in BufReader::new(rows).lines() {
            let customer: Json = serde_json::from_str(&row?)?;
            let cell = |pointer: &String| cell(customer.pointer(pointer).unwrap_or(&Json::Null));
            writer.write_record(columns.iter().map(cell))?;
        }
        Ok(writer.flush()?)
    }
}

/// As `import` reads it. Tags are joined where that can be taken apart again.
fn cell(value: &Json) -> String {
    let plain = |tag: &Json| {
        tag.as_str()
            .filter(|text| !text.contains([';', '[', '"']))
            .map(str::to_owned)
    };
    match value {
        Json::Null => String::new(),
        Json::String(text) => guarded(text).into_owned(),
        Json::Array(tags) if tags.is_empty() => String::new(),
        Json::Object(members) if members.is_empty() => String::new(),
        Json::Array(tags) => match tags.iter().map(plain).collect::<Option<Vec<String>>>() {
            Some(tags) => guarded(&tags.join(";")).into_owned(),
            None => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// A `null` in a request clears, and refuses where there is nothing that may be cleared: what is not there stays out.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use serde_json::json;
    use upsert_core::field::Rule;

    use super::*;
    use crate::import::rows::{Manner, Rows};

    fn written(format: Format, customers: &[Json]) -> String {
        let mut bytes = Vec::new();
        let mut out = Out::new(format, &mut bytes).unwrap();
        for customer in customers {
            let links: Vec<Link> = serde_json::from_value(customer["links"].clone()).unwrap();
            out.write(customer, &links).unwrap();
        }
        out.end().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn imported(format: Format, text: &str) -> Vec<Json> {
        let input = Box::new(Cursor::new(text.as_bytes().to_vec()));
        let mut rows = match format {
            Format::Ndjson => Rows::ndjson(input, None).unwrap(),
            Format::Csv => Rows::csv(input, Manner::default()).unwrap(),
        };
        let rows = std::iter::from_fn(|| rows.next().unwrap());
        rows.map(|row| serde_json::from_str(&row.body.unwrap()).unwrap())
            .collect()
    }

    fn put(customer: &mut Json, pointer: &str, value: Json) {
        let mut at = customer;
        for name in pointer.split('/').skip(1) {
            at = &mut at[name];
        }
        *at = value;
    }

    #[test]
    fn live_links_are_columns_of_their_own() {
        let link = |connection: &str, id: Json, state: &str| json!({ "connection": connection, "provider_customer_id": id, "state": state, "shared": false });
        let customers = [
            json!({ "id": "cus_1", "phone": "+12025550101", "version": 2, "notes": "=1+1", "metadata": { "a": "b" },
                "links": [link("rotor", json!("r-1"), "in_sync"), link("pay", Json::Null, "pending")] }),
            json!({ "id": "cus_2", "email": null, "links": [link("wallet", json!("=w"), "failed"), link("rotor", json!("old"), "superseded")] }),
        ];
        let expected = [
            json!({ "id": "cus_1", "phone": "+12025550101", "notes": "=1+1", "metadata": { "a": "b" }, "links": { "rotor": "r-1" } }),
            json!({ "id": "cus_2", "links": { "wallet": "=w" } }),
        ];
        for format in [Format::Csv, Format::Ndjson] {
            let text = written(format, &customers);
            assert_eq!(imported(format, &text), expected, "{text}");
        }
        let table = written(Format::Csv, &customers);
        assert!(
            table
                .lines()
                .next()
                .unwrap()
                .ends_with(",provider_fields,links.rotor,links.wallet"),
            "{table}"
        );
        assert!(
            table.contains("+12025550101") && !table.contains("'+1202") && table.contains("'=1+1"),
            "{table}"
        );
    }

    /// Texts that a canonical customer can hold: something, without blanks at its ends.
    fn text() -> impl Strategy<Value = String> {
        let nasty = "['=\"+@\\-0a;,\\[\\]|{}<]{1,6}";
        prop_oneof![
            nasty,
            "\\PC{1,12}",
            "[a-z\"'=\n\t]{1,8}",
            "NULL|N/A|yes|0123|\\+1202555[0-9]{4}|1e5|7\\.2E\\+12|\u{feff}x|sep=;"
        ]
        .prop_map(|text| text.trim().to_owned())
        // What has no shape of its own is not kept alone.
        .prop_filter("says something", |text| !upsert_core::text::trimmed(text).is_empty())
    }

    fn customer() -> impl Strategy<Value = Json> {
        let texts = || prop::collection::btree_map("[a-z]{1,5}", text(), 1..3);
        let rest = (
            prop::option::of(prop::collection::btree_set(text(), 1..4)),
            prop::option::of(prop::collection::btree_map(text(), text(), 1..3)),
            prop::option::of(texts()),
            prop::option::of(prop::collection::btree_map("[a-z]{1,5}", texts(), 1..3)),
        );
        let all = Field::ALL.len();
        let fields = prop::collection::vec(prop::option::of((text(), any::<bool>())), all);
        (text(), fields, rest).prop_map(|(id, fields, (tags, metadata, links, provider_fields))| {
            let mut customer = json!({ "id": id });
            for (field, value) in Field::ALL.iter().zip(fields) {
                let value = match (field.rule(), value) {
                    (_, None) | (Rule::Tags | Rule::Map, _) => continue,
                    (Rule::Flag, Some((_, flag))) => json!(flag),
                    (_, Some((text, _))) => json!(text),
                };
                put(&mut customer, field.pointer(), value);
            }
            let others = [
                ("tags", json!(tags)),
                ("metadata", json!(metadata)),
                ("links", json!(links)),
                ("provider_fields", json!(provider_fields)),
            ];
            others
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .for_each(|(name, value)| customer[name] = value);
            customer
        })
    }

    /// As the API shows it.
    fn shown(customer: &Json) -> Json {
        let mut shown = customer.clone();
        let links = customer["links"].as_object().into_iter().flatten();
        shown["links"] = links
            .map(|(name, id)| json!({ "connection": name, "provider_customer_id": id, "state": "in_sync", "shared": false }))
            .collect();
        shown["version"] = json!(3);
        shown["middle_name"] = customer.get("middle_name").cloned().unwrap_or_default();
        shown
    }

    proptest! {
        #[test]
        fn what_is_exported_and_imported_is_the_same_customer(customers in prop::collection::vec(customer(), 1..4)) {
            let all: Vec<Json> = customers.iter().map(shown).collect();
            for format in [Format::Csv, Format::Ndjson] {
                let mut read = imported(format, &written(format, &all));
                for customer in &mut read {
                    // No links and an empty object of them say the same.
                    let members = customer.as_object_mut().unwrap();
                    members.retain(|name, value| name != "links" || value.as_object().is_none_or(|links| !links.is_empty()));
                }
                prop_assert_eq!(&read, &customers);
            }
        }
    }
}
