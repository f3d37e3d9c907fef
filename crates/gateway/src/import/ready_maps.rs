//! The maps in `config/imports/`: each with a small file of made-up people, and with ten thousand rows that have everything
//! in them that spreadsheets and people do to a file.

mod export;

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use upsert_core::{Field, Terms, canonicalise};
use upsert_settings::ImportMap;

use crate::import::rows::{Manner, Rows};
use export::Export;

const SYSTEMS: [&str; 6] = ["google-contacts", "hubspot", "mailchimp", "shopify", "square", "stripe"];
const ROWS: usize = 10_000;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../config/imports")
        .join(name)
}

fn map(system: &str, more: &str) -> ImportMap {
    let text = fs::read_to_string(file(&format!("{system}.toml"))).unwrap();
    ImportMap::read(system, &format!("{more}{text}")).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn each_map_has_a_file_and_each_file_is_read_as_it_is_meant() {
    let names: BTreeSet<String> = fs::read_dir(file(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected = SYSTEMS
        .iter()
        .flat_map(|name| [format!("{name}.csv"), format!("{name}.toml")]);
    assert_eq!(names, expected.collect());
    for system in SYSTEMS {
        let map = map(system, "");
        let input = fs::File::open(file(&format!("{system}.csv"))).unwrap();
        let manner = Manner {
            map: Some(&map),
            ..Manner::default()
        };
        let mut rows = Rows::csv(Box::new(input), manner).unwrap();
        let mut read = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let body: Json = serde_json::from_str(&row.body.unwrap()).unwrap();
            let canonical = canonicalise(&body, &Terms::strict(Some("US")));
            assert!(canonical.is_ok(), "{system}, line {}: {canonical:?}", row.line);
            read.push(json!({ "line": row.line, "guards": row.changed.guards, "body": body }));
        }
        insta::assert_json_snapshot!(system, read);
    }
}

/// Ten thousand rows come in or are named by their line, and nothing is in a wrong column.
fn take_in(number: usize) {
    let system = SYSTEMS[number];
    let header = fs::read_to_string(file(&format!("{system}.csv"))).unwrap();
    let export = Export::of(system, header.lines().next().unwrap(), ROWS, number);
    let empty = if system == "hubspot" {
        ""
    } else {
        "empty = [\"NULL\"]\n"
    };
    let map = map(system, empty);
    let manner = Manner {
        encoding: export.encoding,
        map: Some(&map),
        ..Manner::default()
    };
    let mut rows = Rows::csv(Box::new(Cursor::new(export.bytes.clone())), manner).unwrap();
    assert_eq!(rows.found.delimiter, Some(char::from(export.delimiter)), "{system}");
    let (mut accepted, mut refused) = (0, Vec::new());
    let mut expected = export.rows.iter();
    while let Some(row) = rows.next().unwrap() {
        let expected = expected.next().unwrap();
        assert_eq!(row.line, expected.line, "{system}");
        let Ok(body) = row.body else {
            refused.push(row.line);
            continue;
        };
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(body, expected.body, "{system}, line {}", row.line);
        match canonicalise(&body, &Terms::strict(Some("US"))) {
            Ok(canonical) => {
                accepted += 1;
                let phone = canonical
                    .patch
                    .fields
                    .get(&Field::Phone)
                    .map(|phone| format!("{phone:?}"));
                assert_eq!(
                    phone.is_some(),
                    !expected.body["phone"].is_null(),
                    "{system}, line {}",
                    row.line
                );
            }
            Err(_) => refused.push(row.line),
        }
    }
    assert!(
        rows.stopped.is_none() && expected.next().is_none(),
        "{system}: rows are lost"
    );
    assert_eq!(accepted + refused.len(), ROWS, "{system}");
    assert_eq!(refused, export.refused(), "{system}");
    assert!(
        refused.len() > ROWS / 100 && accepted > ROWS / 2,
        "{system}: the oddities are missing"
    );
}

#[test]
fn ten_thousand_contacts_of_google_come_in_or_are_named() {
    take_in(0);
}

#[test]
fn ten_thousand_contacts_of_hubspot_come_in_or_are_named() {
    take_in(1);
}

#[test]
fn ten_thousand_contacts_of_mailchimp_come_in_or_are_named() {
    take_in(2);
}

#[test]
fn ten_thousand_customers_of_shopify_come_in_or_are_named() {
    take_in(3);
}

#[test]
fn ten_thousand_customers_of_square_come_in_or_are_named() {
    take_in(4);
}

#[test]
fn ten_thousand_customers_of_stripe_come_in_or_are_named() {
    take_in(5);
}
