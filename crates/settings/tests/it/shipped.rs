//! The files in `config/` say everything that there is to set, and what they say is right.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::Value;
use upsert_settings::{Document, Secrets, Settings, known_members};

use crate::folder::Folder;

fn shipped(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(name);
    fs::read_to_string(path).unwrap()
}

/// The file with every setting taken out of its comment: `#name`, not `# a word`.
fn with_all_settings(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with([' ', '#']) && !setting.is_empty() => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                paths(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

fn shipped_paths(name: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    paths(
        &Value::Table(with_all_settings(&shipped(name)).parse().unwrap()),
        "",
        &mut found,
    );
    found
}

#[test]
fn every_member_stands_in_the_shipped_files() {
    let (gateway, merchant) = (shipped_paths("gateway.toml"), shipped_paths("merchants/acme.toml"));
    let missing: Vec<_> = known_members()
        .into_iter()
        .filter(|member| {
            !if member.document == Document::Gateway {
                &gateway
            } else {
                &merchant
            }
            .contains(&member.path)
        })
        .collect();
    assert!(missing.is_empty(), "not in config/: {missing:#?}");
}

#[test]
fn the_shipped_files_show_the_defaults() {
    let gateway: toml::Table = with_all_settings(&shipped("gateway.toml")).parse().unwrap();
    let acme: toml::Table = with_all_settings(&shipped("merchants/acme.toml")).parse().unwrap();
    let mut compared = 0;
    for member in known_members() {
        let document = if member.document == Document::Gateway {
            &gateway
        } else {
            &acme
        };
        let exempt = [
            "connections[].credentials",
            "routes[].when",
            "webhooks.in[].only",
            "store.encryption_keys",
        ];
        let Some(default) = member
            .default
            .filter(|_| !member.is_section && !exempt.contains(&member.path.as_str()))
        else {
            continue;
        };
        let parts: Vec<&str> = member.path.split('.').collect();
        let shown = shown(&Value::Table(document.clone()), &parts);
        let default: toml::Table = format!("v = {default}").parse().unwrap();
        assert_eq!(shown.as_ref(), Some(&default["v"]), "{}", member.path);
        compared += 1;
    }
    assert!(compared > 25, "only {compared} defaults were compared");
}

fn folder_of(change: impl Fn(&str) -> String) -> Folder {
    let folder = Folder::new(&change(&shipped("gateway.toml")));
    for name in ["acme", "globex", "solo"] {
        let name = format!("merchants/{name}.toml");
        folder.write(&name, change(&shipped(&name)));
    }
    folder
}

fn load(folder: &Folder) -> Settings {
    folder
        .load_with(Secrets::Skip)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn the_shipped_files_are_right_as_they_are() {
    let settings = load(&folder_of(str::to_owned));
    assert_eq!(settings.merchants.len(), 3);
    assert!(settings.api_keys.is_empty() && settings.store.encryption_keys.is_empty());
    let acme: Vec<_> = settings
        .merchant("acme")
        .unwrap()
        .connections
        .iter()
        .map(|connection| connection.name.as_str())
        .collect();
    assert_eq!(acme, ["rotor", "payments", "wallet"]);
}

#[test]
fn the_shipped_files_are_right_with_every_setting_on() {
    let settings = load(&folder_of(with_all_settings));
    assert_eq!(settings.api_keys[0].name, "crm-sync");
    assert_eq!(settings.merchant("acme").unwrap().webhooks_in.len(), 3);
    assert_eq!(settings.merchant("acme").unwrap().webhooks_out.len(), 2);
}

/// Puts a date, which no setting is, at the first place that has the member; whether there is one.
fn spoil(value: &mut Value, path: &str) -> bool {
    let (part, rest) = path
        .split_once('.')
        .map_or((path, None), |(part, rest)| (part, Some(rest)));
    let Some(found) = value.get_mut(part.trim_end_matches("[]")) else {
        return false;
    };
    match (rest, found) {
        (None, found) => {
            *found = Value::Datetime("2026-11-20".parse().unwrap());
            true
        }
        (Some(rest), Value::Array(items)) => items.iter_mut().any(|item| spoil(item, rest)),
        (Some(rest), found) => spoil(found, rest),
    }
}

fn without_indices(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[test]
fn every_known_member_is_read_and_checked() {
    for member in known_members() {
        let folder = folder_of(with_all_settings);
        let name = if member.document == Document::Gateway {
            "gateway.toml"
        } else {
            "merchants/acme.toml"
        };
        let mut document = Value::Table(with_all_settings(&shipped(name)).parse().unwrap());
        assert!(spoil(&mut document, &member.path), "{} is not in {name}", member.path);
        folder.write(name, toml::to_string(&document).unwrap());
        let problems = folder
            .load_with(Secrets::Skip)
            .expect_err("a date stands where none may");
        let found = problems
            .iter()
            .any(|problem| without_indices(&problem.path) == without_indices(&member.path));
        assert!(found, "{}: {problems:#?}", member.path);
    }
}

/// What stands under these names; of a list, in the first item that has it.
fn shown(value: &Value, parts: &[&str]) -> Option<Value> {
    let Some((first, rest)) = parts.split_first() else {
        return Some(value.clone());
    };
    let found = value.get(first.trim_end_matches("[]"))?;
    if first.ends_with("[]") {
        found.as_array()?.iter().find_map(|item| shown(item, rest))
    } else {
        shown(found, rest)
    }
}
