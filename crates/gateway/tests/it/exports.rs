//! An export of each of the six systems that `config/imports/` has a map for, with everything in it that spreadsheets and
//! people do to a file, by the real command into a real gateway: rows in are rows accepted and rows refused, each of these
//! named by its line, and every customer is field by field what the file says. `scripts/import-exports` does the same with
//! ten thousand rows of each.

#![expect(clippy::print_stdout, reason = "the figures are for whoever reads the output")]

mod file;
mod made_up;
mod oddities;
mod systems;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use upsert_simulators::{Running, Simulator, SimulatorOptions, Vendor};

use crate::own_gateway::OwnGateway;
use crate::process::{stderr, stdout, workspace};
use made_up::{MadeUp, Refused};
use systems::{Encoding, System};

/// A vendor that knows people by the merchant's own id alone: it has nothing against two with one phone.
fn connection(vendor: &Running) -> String {
    format!(
        "[[connections]]\nname = \"wallet\"\nprovider = \"add-update\"\nbase_url = \"{}\"\n\
         credentials = {{ api_key = {{ file = \"wallet.secret\" }} }}\nsettings = {{ merchant_id = \"m-1\", organisation_as_first_name = true }}\n",
        vendor.base_url()
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much is made up is for whoever starts the test to say"
)]
fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

fn comes_in(name: &str) {
    let system = System::named(name);
    let (rows, seed) = (number("EXPORT_ROWS", 300), number("EXPORT_SEED", 1));
    println!("{name}: EXPORT_ROWS={rows} EXPORT_SEED={seed}");
    let made = MadeUp::of(system, usize::try_from(rows).unwrap(), seed);
    let vendor = Simulator::start(Vendor::AddUpdate, SimulatorOptions::quick()).unwrap();
    let gateway = OwnGateway::start(&connection(&vendor), &[("wallet.secret", "sim-key")]);
    let file = gateway.folder.path().join("export.csv");
    fs::write(&file, &made.bytes).unwrap();

    let began = Instant::now();
    let told = import(&gateway, system, &file);
    let imported = began.elapsed();
    differ_in_nothing(name, "refused", &made.refused, &refused(&file));
    is_told_right(system, &made, &told);
    let customers = gateway.customers();
    are_they(name, &made.people, &customers);
    gateway.until_all_is_delivered(Duration::from_secs(600));
    vendor_has_them(name, &customers, &vendor);
    println!(
        "{name}: {rows} rows, {} bytes: {} accepted ({} customers), {} refused {}, {} guards taken off; imported in {imported:.1?}, \
         all of it {:.1?}",
        made.bytes.len(),
        told["accepted"],
        customers.len(),
        told["refused"],
        told["refused_by_code"],
        told["guards_taken_off"],
        began.elapsed(),
    );
}

fn import(gateway: &OwnGateway, system: &System, file: &Path) -> Json {
    let map = workspace(&format!("config/imports/{}.toml", system.name));
    let mut arguments = vec![
        "import",
        file.to_str().unwrap(),
        "--map",
        map.to_str().unwrap(),
        "--json",
    ];
    if system.encoding == Encoding::Windows1252 {
        arguments.extend(["--encoding", "windows-1252"]);
    }
    let output = gateway.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}: {}", system.name, stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}{}", stdout(&output), stderr(&output)))
}

/// The summary: nothing is lost, and it says what the file was.
fn is_told_right(system: &System, made: &MadeUp, told: &Json) {
    let mut by_code: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, code, _) in &made.refused {
        *by_code.entry(code).or_default() += 1;
    }
    assert_eq!(
        made.accepted + made.refused.len(),
        made.rows,
        "{}: the file is not as it is meant",
        system.name
    );
    let seen = |names: &[&str]| -> Vec<Json> { names.iter().map(|name| told[*name].clone()).collect() };
    assert_eq!(
        seen(&[
            "rows",
            "accepted",
            "refused",
            "refused_by_code",
            "guards_taken_off",
            "stopped",
            "repeated"
        ]),
        [
            json!(made.rows),
            json!(made.accepted),
            json!(made.refused.len()),
            json!(by_code),
            json!(made.guards),
            Json::Null,
            json!(0),
        ],
        "{}: {told:#}",
        system.name
    );
    let encoding = match system.encoding {
        Encoding::Utf8 | Encoding::Utf8WithMark => "UTF-8",
        Encoding::Utf16Le => "UTF-16LE",
        Encoding::Utf16Be => "UTF-16BE",
        Encoding::Windows1252 => "windows-1252",
    };
    assert_eq!(
        (&told["read_as"]["encoding"], &told["read_as"]["delimiter"]),
        (&json!(encoding), &json!(system.delimiter)),
        "{}",
        system.name
    );
}

/// The rows that were refused, as the file beside the export names them.
fn refused(file: &Path) -> BTreeSet<Refused> {
    let text = fs::read_to_string(format!("{}.refused.ndjson", file.display())).unwrap();
    let all = text.lines().map(|line| {
        let row: Json = serde_json::from_str(line).unwrap();
        let word = |value: &Json| value.as_str().unwrap().to_owned();
        let errors = row["errors"].as_array().unwrap().iter();
        let errors = errors.map(|error| (word(&error["pointer"]), word(&error["code"])));
        (row["line"].as_u64().unwrap(), word(&row["code"]), errors.collect())
    });
    let all: Vec<Refused> = all.collect();
    let each: BTreeSet<Refused> = all.iter().cloned().collect();
    assert_eq!(all.len(), each.len(), "a row is refused twice");
    each
}

/// Every person is there once, with every field and no other.
fn are_they(name: &str, people: &[Json], customers: &[Json]) {
    let expected: BTreeSet<String> = people.iter().map(ToString::to_string).collect();
    let found: BTreeSet<String> = customers.iter().map(|customer| said(customer).to_string()).collect();
    differ_in_nothing(name, "customers", &expected, &found);
    assert_eq!((people.len(), expected.len()), (customers.len(), found.len()), "{name}");
}

fn differ_in_nothing<T: Ord + std::fmt::Debug>(name: &str, what: &str, expected: &BTreeSet<T>, found: &BTreeSet<T>) {
    let missing: Vec<&T> = expected.difference(found).take(3).collect();
    let others: Vec<&T> = found.difference(expected).take(3).collect();
    assert!(
        missing.is_empty() && others.is_empty(),
        "{name}, {what}: expected and not there:\n{missing:#?}\nthere and not expected:\n{others:#?}"
    );
}

/// A customer without what the gateway itself adds, and without what is not known.
fn said(customer: &Json) -> Json {
    let mut said = customer.clone();
    let members = said.as_object_mut().unwrap();
    for own in ["id", "merchant_id", "created_at", "updated_at", "links"] {
        members.remove(own);
    }
    known(&said).unwrap()
}

fn known(value: &Json) -> Option<Json> {
    match value {
        Json::Null => None,
        Json::Array(items) if items.is_empty() => None,
        Json::Object(members) => {
            let all = members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), known(value)?)));
            let all: serde_json::Map<String, Json> = all.collect();
            (!all.is_empty()).then_some(Json::Object(all))
        }
        other => Some(other.clone()),
    }
}

/// And the vendor was sent each of them, with what is known of them now: under the reference, or under the gateway's id where
/// a reference came later.
fn vendor_has_them(name: &str, customers: &[Json], vendor: &Running) {
    let there = vendor.records().into_iter().map(|record| {
        let field = |name: &str| record.fields.get(name).cloned().unwrap_or_default();
        let id = field("externalId").as_str().unwrap().to_owned();
        (id, [field("firstName"), field("email"), field("phoneNumber")])
    });
    let there: BTreeMap<String, [Json; 3]> = there.collect();
    for customer in customers {
        let is_organisation = customer["kind"] == "organisation";
        let first = if is_organisation {
            "organisation_name"
        } else {
            "given_name"
        };
        let ids = ["reference", "id"]
            .iter()
            .filter_map(|member| customer[*member].as_str());
        let sent: Vec<&[Json; 3]> = ids.filter_map(|id| there.get(id)).collect();
        let expected = [first, "email", "phone"].map(|member| customer[member].clone());
        assert_eq!(sent, [&expected], "{name}: {customer:#}");
    }
    assert_eq!(customers.len(), there.len(), "{name}: records at the vendor");
}

#[test]
fn an_export_of_shopify_comes_in_or_is_named_by_its_lines() {
    comes_in("shopify");
}

#[test]
fn an_export_of_stripe_comes_in_or_is_named_by_its_lines() {
    comes_in("stripe");
}

#[test]
fn an_export_of_hubspot_comes_in_or_is_named_by_its_lines() {
    comes_in("hubspot");
}

#[test]
fn an_export_of_mailchimp_comes_in_or_is_named_by_its_lines() {
    comes_in("mailchimp");
}

#[test]
fn an_export_of_square_comes_in_or_is_named_by_its_lines() {
    comes_in("square");
}

#[test]
fn an_export_of_google_contacts_comes_in_or_is_named_by_its_lines() {
    comes_in("google-contacts");
}
