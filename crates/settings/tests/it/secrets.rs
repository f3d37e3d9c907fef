//! References to secrets, and that what they refer to is never shown.

use secrecy::ExposeSecret;
use upsert_settings::{Reference, Secrets};

use crate::folder::Folder;

fn with_key(reference: &str) -> Folder {
    Folder::with_merchant(&format!(
        "id = \"acme\"\n[[connections]]\nname = \"a\"\nprovider = \"x\"\ncredentials = {{ api_key = {reference} }}\n"
    ))
}

fn value_of(folder: &Folder) -> String {
    let settings = folder.load().unwrap();
    let secret = &settings.merchant("acme").unwrap().connections[0].credentials["api_key"];
    assert!(secret.is_resolved());
    secret.value().expose_secret().to_owned()
}

#[test]
fn a_secret_comes_from_the_environment_or_from_a_file_without_its_last_line_break() {
    assert_eq!(value_of(&with_key("{ env = \"KEY\" }").env("KEY", "canary")), "canary");
    let folder = with_key("{ file = \"secrets/key\" }");
    folder.write("secrets/key", " canary\nsecond line\r\n");
    assert_eq!(value_of(&folder), " canary\nsecond line");
    assert!(folder.load().unwrap().secret_files[0].ends_with("secrets/key"));
}

#[test]
fn an_absolute_path_is_taken_as_it_is() {
    let elsewhere = Folder::new("");
    elsewhere.write("key", "canary");
    let path = elsewhere.path().join("key");
    assert_eq!(
        value_of(&with_key(&format!("{{ file = {:?} }}", path.display().to_string()))),
        "canary"
    );
}

#[test]
fn a_secret_in_the_file_itself_is_refused_and_not_repeated() {
    let problems = with_key("\"canary\"").problems();
    assert_eq!(
        problems,
        [
            "config/merchants/acme.toml:5:27: connections[0].credentials.api_key: secrets never stand in a file (write { env = \"NAME\" } or { file = \"/path\" })"
        ]
    );
}

#[test]
fn a_reference_that_leads_nowhere_is_reported_by_its_name() {
    let place = "config/merchants/acme.toml:5:27: connections[0].credentials.api_key:";
    assert_eq!(
        with_key("{ env = \"KEY\" }").problems(),
        [format!("{place} the environment variable `KEY` is not set")]
    );
    assert_eq!(
        with_key("{ env = \"KEY\" }").env("KEY", " \n").problems(),
        [format!("{place} the environment variable `KEY` is empty")]
    );
    let missing = with_key("{ file = \"key\" }").problems().join("");
    assert!(
        missing.starts_with(&format!("{place} the file `config/key` cannot be read: ")),
        "{missing}"
    );
    let folder = with_key("{ file = \"key\" }");
    folder.write("key", "\n");
    assert_eq!(folder.problems(), [format!("{place} the file `config/key` is empty")]);
    folder.write("key", b"\xff\xfecanary");
    assert!(!folder.problems().join("").contains("canary"));
    folder.write("key", "x".repeat(70_000));
    assert_eq!(
        folder.problems(),
        [format!(
            "{place} the file `config/key` cannot be read: longer than 64 KiB"
        )]
    );
    assert_eq!(
        with_key("{ file = \"/dev/zero\" }").problems(),
        [format!("{place} the file `/dev/zero` cannot be read: not a file")]
    );
}

#[test]
fn offline_no_reference_is_followed_and_its_form_is_still_checked() {
    let settings = with_key("{ env = \"ABSENT\" }").load_with(Secrets::Skip).unwrap();
    let secret = &settings.merchant("acme").unwrap().connections[0].credentials["api_key"];
    assert!(!secret.is_resolved() && !settings.secrets_resolved);
    assert_eq!(secret.reference(), &Reference::Env("ABSENT".to_owned()));
    assert!(with_key("\"canary\"").load_with(Secrets::Skip).is_err());
}

#[test]
fn a_store_url_with_a_password_is_a_reference() {
    let in_file = Folder::new("[store]\nurl = \"postgres://gateway:canary@db/gateway\"\n")
        .problems()
        .join("");
    assert!(
        in_file.contains("gateway.toml:2:7: store.url: secrets never stand in a file") && !in_file.contains("canary"),
        "{in_file}"
    );
    let by_reference =
        Folder::new("[store]\nurl = { env = \"STORE\" }\n").env("STORE", "postgres://gateway:canary@db/gateway");
    let settings = by_reference.load().unwrap();
    assert_eq!(settings.store.url.to_string(), "postgres://db/gateway");
    assert!(
        Folder::new("[store]\nurl = { env = \"STORE\" }\n")
            .env("STORE", "canary")
            .problems()
            .join("")
            .contains("not the URL of a store")
    );
}

#[test]
fn no_debug_and_no_dump_shows_a_secret() {
    let folder = with_key("{ env = \"KEY\" }").env("KEY", "canary");
    let settings = folder.load().unwrap();
    let shown = format!("{settings:?} {settings:#?} {}", settings.effective());
    assert!(shown.contains("KEY") && !shown.contains("canary"));
}
