//! A made-up export of a system: rows, the bodies that they have to become, and what is wrong with some of them.

use std::collections::BTreeMap;

use encoding_rs::{Encoding, WINDOWS_1252};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value as Json, json};

pub(super) struct Export {
    pub(super) bytes: Vec<u8>,
    /// What has to be said of it, where no mark says it.
    pub(super) encoding: Option<&'static Encoding>,
    pub(super) delimiter: u8,
    pub(super) rows: Vec<Expected>,
}

pub(super) struct Expected {
    pub(super) line: u64,
    pub(super) body: Json,
    is_refused: bool,
}

/// A column, the member of the body that its cell becomes, and the cell's text, whose value is another where a second
/// text says so.
type Cell = (&'static str, &'static str, String, Option<Json>);

impl Export {
    pub(super) fn of(system: &str, header: &str, rows: usize, seed: usize) -> Self {
        let columns: Vec<String> = header
            .split(',')
            .map(|name| name.trim_matches('"').to_owned())
            .collect();
        let delimiter = [b',', b'\t', b',', b',', b';', b'|'][seed];
        let mut chance = StdRng::seed_from_u64(seed as u64);
        let (mut text, mut line, mut all) = (String::new(), 1, Vec::new());
        let mut write = |record: &[String], line: &mut u64| {
            let mut writer = csv::WriterBuilder::new();
            let writer = writer
                .delimiter(delimiter)
                .flexible(true)
                .terminator(csv::Terminator::CRLF);
            let mut writer = writer.from_writer(Vec::new());
            if record.is_empty() {
                (text, *line) = (std::mem::take(&mut text) + "\r\n", *line + 1);
                return;
            }
            writer.write_record(record).unwrap();
            let written = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            *line += written.matches('\n').count() as u64;
            text.push_str(&written);
        };
        write(&columns, &mut line);
        for n in 0..rows {
            if chance.random_ratio(1, 40) {
                write(&[], &mut line);
            }
            let cells = cells(system, n, &mut chance);
            let mut row = vec![String::new(); columns.len()];
            let mut body = json!({ "source": source(system) });
            for (column, pointer, text, value) in &cells {
                let at = columns.iter().position(|name| name == column);
                row[at.unwrap_or_else(|| panic!("{system} has no column {column}"))].clone_from(text);
                let value = value.clone().unwrap_or_else(|| json!(text));
                if !value.is_null() && value != json!("") {
                    put(&mut body, pointer, value);
                }
            }
            let is_short = chance.random_ratio(1, 5);
            while is_short && row.last().is_some_and(String::is_empty) {
                row.pop();
            }
            let is_long = chance.random_ratio(1, 60);
            if is_long {
                row.resize(columns.len() + 1, "shifted".to_owned());
            }
            let is_unread = body["email"] == "nobody at all";
            all.push(Expected {
                line,
                body,
                is_refused: is_long || is_unread,
            });
            write(&row, &mut line);
        }
        let (bytes, encoding) = encoded(&text, seed);
        Self {
            bytes,
            encoding,
            delimiter,
            rows: all,
        }
    }

    /// The lines of the rows that cannot come in.
    pub(super) fn refused(&self) -> Vec<u64> {
        self.rows
            .iter()
            .filter(|row| row.is_refused)
            .map(|row| row.line)
            .collect()
    }
}

fn encoded(text: &str, seed: usize) -> (Vec<u8>, Option<&'static Encoding>) {
    let marked = format!("\u{feff}{text}");
    match seed {
        0 => (text.as_bytes().to_vec(), None),
        1 => (marked.encode_utf16().flat_map(u16::to_le_bytes).collect(), None),
        2 => (marked.into_bytes(), None),
        3 => (marked.encode_utf16().flat_map(u16::to_be_bytes).collect(), None),
        _ => (WINDOWS_1252.encode(text).0.into_owned(), Some(WINDOWS_1252)),
    }
}

fn put(body: &mut Json, pointer: &str, value: Json) {
    let mut at = body;
    for name in pointer.split('/').skip(1) {
        at = &mut at[name];
    }
    *at = value;
}

fn source(system: &str) -> &str {
    system.split('-').next().unwrap_or_default()
}

/// What everybody has, in the columns of this system.
#[expect(clippy::too_many_lines, reason = "each system's columns, one after the other")]
fn cells(system: &str, n: usize, chance: &mut StdRng) -> Vec<Cell> {
    let columns: BTreeMap<&str, &str> = match system {
        "shopify" => "reference=Customer ID|email=Email|phone=Phone|given=First Name|family=Last Name|note=Note|line1=Default Address Address1|city=Default Address City|postal=Default Address Zip|country=Default Address Country Code|tags=Tags|other=Total Spent",
        "stripe" => "reference=id|email=Email|name=Name|note=Description|line1=Card Address Line1|city=Card Address City|postal=Card Address Zip|country=Card Address Country|other=Total Spend",
        "hubspot" => "reference=Record ID|email=Email|phone=Mobile Phone Number|given=First Name|family=Last Name|line1=Street Address|city=City|postal=Postal Code|country=Country/Region|other=Contact owner",
        "mailchimp" => "email=Email Address|phone=Phone Number|given=First Name|family=Last Name|note=NOTES|quoted_tags=TAGS|other=Birthday",
        "square" => "reference=Reference ID|email=Email Address|phone=Phone Number|given=First Name|family=Last Name|note=Memo|line1=Street Address 1|city=City|postal=Postal Code|other=Nickname",
        _ => "email=E-mail 1 - Value|phone=Phone 1 - Value|given=First Name|family=Last Name|note=Notes|line1=Address 1 - Street|city=Address 1 - City|postal=Address 1 - Postal Code|country=Address 1 - Country|labels=Labels|other=Nickname",
    }
    .split('|')
    .filter_map(|pair| pair.split_once('='))
    .collect();
    let nothing = if system == "hubspot" { "(No value)" } else { "NULL" };
    let mut all: Vec<Cell> = Vec::new();
    let mut add = |what: &str, pointer: &'static str, text: String, value: Option<Json>| {
        if let Some(column) = columns.get(what) {
            all.push((column, pointer, text, value));
        }
    };
    let mut pick = |texts: &[&str]| texts[chance.random_range(0..texts.len())].to_owned();
    let guard = pick(&["", "", "'"]);
    add(
        "reference",
        "/reference",
        format!("{guard}0{n}"),
        Some(json!(format!("0{n}"))),
    );
    let email = match pick(&[
        "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "x",
    ])
    .as_str()
    {
        "" => format!("n{n}@example.com"),
        _ => "nobody at all".to_owned(),
    };
    add("email", "/email", email, None);
    let number = 12_025_550_000_u64 + (n as u64 % 9_000);
    let (phone, value) = match pick(&["plain", "guarded", "float", "formula", "none", "nothing"]).as_str() {
        "guarded" => (format!("'+{number}"), json!(format!("+{number}"))),
        "float" => (format!("{number}.0"), json!(format!("{number}.0"))),
        "formula" => (format!("=\"+{number}\""), json!(format!("+{number}"))),
        "none" => (String::new(), Json::Null),
        "nothing" => (nothing.to_owned(), Json::Null),
        _ => (format!("+{number}"), json!(format!("+{number}"))),
    };
    add("phone", "/phone", phone, Some(value));
    let (given, family) = (
        pick(&["Zoë", "Bram", "José", "D'Arcy"]),
        pick(&["Öhm", "O'Brien", "Smith", "'tHooft"]),
    );
    add("name", "/given_name", format!("{given} {family}"), Some(json!(given)));
    add("name", "/family_name", format!("{given} {family}"), Some(json!(family)));
    add("given", "/given_name", given, None);
    add("family", "/family_name", family, None);
    add(
        "note",
        "/notes",
        pick(&[
            "",
            "two\nlines",
            "three\r\n\r\nlines",
            "says \"hi\", twice; or | so",
            "5\" pipe\tx",
            "plain",
        ]),
        None,
    );
    add(
        "line1",
        "/addresses/billing/line1",
        pick(&["1 High St, Flat 2", "Markt 1; \"De Kat\"", "", nothing]),
        None,
    );
    add(
        "city",
        "/addresses/billing/city",
        pick(&["'s-Hertogenbosch", "Dover", "København"]),
        None,
    );
    let (postal, value) = match pick(&["guarded", "formula", "plain"]).as_str() {
        "guarded" => ("'02134", "02134"),
        "formula" => ("=\"02134\"", "02134"),
        _ => ("5211 JV", "5211 JV"),
    };
    add(
        "postal",
        "/addresses/billing/postal_code",
        postal.to_owned(),
        Some(json!(value)),
    );
    add(
        "country",
        "/addresses/billing/country",
        pick(&["US", "United States", "Netherlands", "South Korea", "", nothing]),
        None,
    );
    add(
        "tags",
        "/tags",
        "VIP, two; words".to_owned(),
        Some(json!(["VIP", "two; words"])),
    );
    add(
        "quoted_tags",
        "/tags",
        "\"VIP\",\"two, words\"".to_owned(),
        Some(json!(["VIP", "two, words"])),
    );
    add(
        "labels",
        "/tags",
        "* myContacts ::: Fair".to_owned(),
        Some(json!(["* myContacts", "Fair"])),
    );
    add(
        "other",
        "/other",
        format!("{n}, \"not\";\tmapped|\nat all"),
        Some(Json::Null),
    );
    for (_, _, text, value) in &mut all {
        if text == nothing {
            *value = Some(Json::Null);
        }
    }
    all
}
