//! `keys`: an API key for its caller, and the block that makes the gateway know it; and the rotation of the keys that
//! seal what is stored.

mod rotate;

use std::process::ExitCode;
use upsert_core::Word as _;

use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use serde_json::json;
use upsert_settings::{NewKey, Scope, generate_key, is_name};

use crate::arguments::wrong;
use crate::output;

#[derive(Args)]
pub(crate) struct KeysArguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make an API key
    ///
    /// Prints the key, which is for the caller and is stored nowhere, and the block for gateway.toml, which holds its
    /// hash alone. Nothing is written to any file.
    New(NewArguments),
    /// Have a running gateway wrap its data keys with the first of `store.encryption_keys`
    ///
    /// Put the new key in front of the old one first, at every gateway of the store: it is taken over without a restart.
    /// When this is done the old key may go, apart from what backups need and what the audit trail was keyed with. Where
    /// merchants are left that could not be sealed anew it names them and exits with 1.
    Rotate(rotate::RotateArguments),
}

#[derive(Args)]
struct NewArguments {
    /// Its name in the history of customers
    #[arg(long, default_value = "new-key", value_parser = name)]
    name: String,
    /// A merchant that it may speak for; may be repeated; "*" for all
    #[arg(long = "merchant", value_name = "ID", default_value = "*", value_parser = merchant)]
    merchants: Vec<String>,
    /// What it may do; may be repeated
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        default_values = [Scope::CustomersRead.as_str(), Scope::CustomersWrite.as_str()],
        value_parser = PossibleValuesParser::new(Scope::ALL.iter().map(|scope| scope.as_str()))
    )]
    scopes: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: KeysArguments) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::New(new) => make(&new),
        Action::Rotate(arguments) => rotate::run(arguments).await,
    }
}

fn make(new: &NewArguments) -> anyhow::Result<ExitCode> {
    if new.merchants.len() > 1 && new.merchants.iter().any(|merchant| merchant == "*") {
        let text = "--merchant \"*\" means all merchants: it stands alone";
        return Err(wrong(ErrorKind::ArgumentConflict, text));
    }
    let key = generate_key()?;
    let shown = json!({
        "key": key.key,
        "key_sha256": key.sha256_hex,
        "name": new.name,
        "merchants": new.merchants,
        "scopes": new.scopes,
        "toml": block(new, &key),
    });
    output::say(new.json, &shown, || text(new, &key))?;
    Ok(ExitCode::SUCCESS)
}

fn text(new: &NewArguments, key: &NewKey) -> String {
    format!(
        "The key, for the caller; it is shown this once:\n\n  {}\n\nIts SHA-256:\n\n  {}\n\nFor gateway.toml:\n\n{}",
        key.key,
        key.sha256_hex,
        block(new, key)
    )
}

/// Names, scopes and digits need no escape in TOML, whose texts and lists are written as Rust's are.
fn block(new: &NewArguments, key: &NewKey) -> String {
    format!(
        "[[api_keys]]\nname = {:?}\nkey_sha256 = {:?}\nmerchants = {:?}\nscopes = {:?}",
        new.name, key.sha256_hex, new.merchants, new.scopes
    )
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err("a name is 1 to 63 of a-z, 0-9, _ and -, the first a letter or a digit".to_owned())
    }
}

fn merchant(text: &str) -> Result<String, String> {
    if text == "*" { Ok(text.to_owned()) } else { name(text) }
}
