//! What a wrong configuration is told.

use std::path::Path;

use upsert_settings::{Environment, Secrets, Settings};

use crate::folder::Folder;

#[test]
fn every_problem_of_every_file_is_reported_at_once() {
    let folder = Folder::new(include_str!("wrong-gateway.toml"));
    folder.write("merchants/acme.toml", include_str!("wrong-merchant.toml"));
    folder.write("merchants/again.toml", "id = \"twin\"\n");
    folder.write("merchants/twin.toml", "# the second of this id\nid = \"twin\"\n");
    insta::assert_snapshot!(folder.problems().join("\n"));
}

#[test]
fn every_syntax_error_has_its_line_and_the_other_files_are_read_on() {
    let folder = Folder::new("[server]\nbind = \nworkers = = 3\n");
    folder.write("merchants/acme.toml", "id = \"acme\"\nid = \"acme\"\n");
    folder.write("merchants/bytes.toml", b"id = \"acme\"\nname = \"\xff\"\n");
    folder.write("merchants/fine.toml", "id = \"fine\"\nnom = \"x\"\n");
    insta::assert_snapshot!(folder.problems().join("\n"));
}

#[test]
fn a_missing_folder_or_file_says_what_to_do() {
    let missing = Settings::load(
        Path::new("/nonexistent/config"),
        &Environment::default(),
        Secrets::Resolve,
    );
    let missing = missing.expect_err("there is no such folder");
    assert_eq!(
        missing[0].to_string(),
        "/nonexistent/config: there is no such folder (make it with a gateway.toml in it, or name another with --config)"
    );
    let folder = Folder::new("");
    std::fs::remove_file(folder.path().join("gateway.toml")).unwrap();
    assert_eq!(
        folder.problems(),
        ["config/gateway.toml: there is no such file (an empty one will do: every setting has a default)"]
    );
}

#[test]
fn a_merchant_that_cannot_be_read_is_not_called_missing_too() {
    let hash = "00".repeat(32);
    let folder = Folder::new(&format!(
        "[[api_keys]]\nname = \"crm\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"acme\"]\nscopes = [\"admin\"]\n"
    ));
    folder.write("merchants/acme.toml", "id = \n");
    assert_eq!(folder.problems().len(), 1, "{:?}", folder.problems());
}

#[test]
fn a_merchant_has_no_more_connections_than_an_upsert_can_have_deliveries() {
    let with = |connections: usize| {
        let connection = |number| format!("[[connections]]\nname = \"c{number}\"\nprovider = \"april\"\n");
        let connections: String = (0..connections).map(connection).collect();
        Folder::with_merchant(&format!("id = \"acme\"\n{connections}"))
    };
    assert!(with(1_000).load().is_ok());
    assert_eq!(
        with(1_001).problems(),
        ["config/merchants/acme.toml:2:1: connections: are 1001, and there may be 1000 at most"]
    );
}

#[test]
fn a_wrong_connection_does_not_make_its_routes_wrong() {
    let folder = Folder::with_merchant("id = \"acme\"\n[[connections]]\nname = \"a\"\n[[routes]]\nto = [\"a\"]\n");
    assert_eq!(
        folder.problems(),
        ["config/merchants/acme.toml:2:1: connections[0]: `provider` is required"]
    );
}

#[test]
fn a_default_is_never_the_problem_of_a_file() {
    // Each section with nothing but what it requires.
    let merchant = "id = \"acme\"\n[[connections]]\nname = \"a\"\nprovider = \"x\"\nretry = {}\nbreaker = {}\n[[routes]]\nto = [\"a\"]\nwhen = {}\n[webhooks]\nin = []\nout = []\n";
    assert!(Folder::with_merchant(merchant).load().is_ok());
    assert!(Folder::new("[server]\n[store]\n").load().is_ok());
}
