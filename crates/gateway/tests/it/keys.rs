//! A new key fits its hash, and the block that comes with it is a right one.

use std::fs;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use upsert_settings::{Environment, Reach, Scope, Secrets, Settings};

use crate::own_gateway::OwnGateway;
use crate::process::{gateway, run, stderr, stdout};

#[test]
fn the_printed_hash_is_the_keys_and_the_block_makes_the_gateway_know_it() {
    let arguments = [
        "keys",
        "new",
        "--json",
        "--name",
        "crm",
        "--merchant",
        "acme",
        "--merchant",
        "solo",
        "--scope",
        "ops:read",
    ];
    let answer: Value = serde_json::from_str(&stdout(&run(&mut gateway(&arguments), ""))).unwrap();
    let key = answer["key"].as_str().unwrap();
    assert_eq!(answer["key_sha256"], HEXLOWER.encode(&Sha256::digest(key)));

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("merchants")).unwrap();
    for id in ["acme", "solo"] {
        let merchant = format!("id = \"{id}\"\n[[connections]]\nname = \"a\"\nprovider = \"rotor\"\n");
        fs::write(folder.path().join(format!("merchants/{id}.toml")), merchant).unwrap();
    }
    fs::write(folder.path().join("gateway.toml"), answer["toml"].as_str().unwrap()).unwrap();
    let settings = Settings::load(folder.path(), &Environment::default(), Secrets::Resolve).unwrap();
    let known = &settings.api_keys[0];
    assert_eq!(known.key_sha256[..], Sha256::digest(key)[..]);
    assert_eq!(
        known.merchants,
        Reach::Merchants(vec!["acme".to_owned(), "solo".to_owned()])
    );
    assert_eq!(
        (known.name.as_str(), known.scopes.as_slice()),
        ("crm", [Scope::OpsRead].as_slice())
    );
}

#[test]
fn people_get_the_key_once_its_hash_and_the_block() {
    let text = stdout(&run(&mut gateway(&["keys", "new"]), ""));
    let key = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("ugk_"))
        .unwrap();
    assert_eq!(text.matches(key).count(), 1);
    let hash = HEXLOWER.encode(&Sha256::digest(key));
    assert!(text.contains(&format!("\n  {hash}\n")), "{text}");
    let block = &text[text.find("[[api_keys]]").unwrap()..];
    let block: toml::Table = block.parse().unwrap();
    assert_eq!(block["api_keys"][0]["key_sha256"].as_str(), Some(hash.as_str()));
}

#[test]
fn the_first_key_wraps_what_others_have_and_makes_new_data_keys_where_that_is_asked() {
    let gateway = OwnGateway::start("", &[]);
    let rotated = gateway.run_by_platform(&["keys", "rotate"], "");
    assert_eq!(
        stdout(&rotated),
        "All is sealed with the key `one`: 0 data keys wrapped anew, 0 merchants sealed anew.\n",
        "{}",
        stderr(&rotated)
    );
    let renewed = gateway.run_by_platform(&["keys", "rotate", "--data-keys", "--json"], "");
    let renewed: Value = serde_json::from_str(&stdout(&renewed)).unwrap();
    assert_eq!((&renewed["key"], &renewed["encryption"]), (&"one".into(), &"on".into()));
}
