//! `keys rotate`: the first of the configured keys wraps and seals what other ones did.

use std::process::ExitCode;

use clap::Args;
use upsert_api::KeysRotated;

use crate::api::{self, Api};
use crate::import::target::Target;
use crate::output;
use crate::show::{counted, plain};

#[derive(Args)]
#[command(mut_arg("merchant", |arg| arg.hide(true)))]
pub(super) struct RotateArguments {
    /// Make a new data key for each merchant as well; what was stored before opens as ever
    #[arg(long)]
    data_keys: bool,
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: RotateArguments) -> anyhow::Result<ExitCode> {
    let outcome = rotate(&arguments).await;
    api::told(outcome, arguments.json)
}

async fn rotate(arguments: &RotateArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let path = if arguments.data_keys {
        "v1/encryption/renew"
    } else {
        "v1/encryption/rotate"
    };
    let rotated = api.post::<KeysRotated>(path).await?;
    output::say(arguments.json, &rotated.raw, || text(&rotated.value))?;
    Ok(if rotated.value.merchants_left.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(rotated: &KeysRotated) -> String {
    let left = &rotated.merchants_left;
    let what = if left.is_empty() { "All" } else { "Not all" };
    let mut sentences = vec![format!(
        "{what} is sealed with the key `{}`: {} wrapped anew, {} sealed anew.",
        plain(&rotated.key),
        counted(rotated.wrapped_anew, "data key", "data keys"),
        counted(rotated.merchants_sealed_anew, "merchant", "merchants")
    )];
    if !left.is_empty() {
        let names: Vec<_> = left.iter().map(plain).collect();
        sentences.push(format!(
            "Sealed with another key still, which has to stay: {}. The gateway's log says why.",
            names.join(", ")
        ));
    }
    if !rotated.audit_keys.is_empty() {
        let names: Vec<_> = rotated
            .audit_keys
            .iter()
            .map(|key| format!("`{}`", plain(key)))
            .collect();
        sentences.push(format!(
            "Entries of the audit trail are keyed with {}: keep that configured, behind the first, for as long as they are kept.",
            names.join(", ")
        ));
    }
    if rotated.new_data_keys > 0 {
        let made = counted(rotated.new_data_keys, "data key", "data keys");
        sentences.push(format!("{made} made: in use at every gateway within a minute."));
    }
    if rotated.encryption != upsert_api::Encryption::On {
        sentences.push(format!("Encryption: {}.", rotated.encryption));
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_named_and_nothing_else_is_claimed() {
        let mut rotated = KeysRotated {
            key: "b".to_owned(),
            wrapped_anew: 2,
            merchants_sealed_anew: 1,
            merchants_left: Vec::new(),
            new_data_keys: 0,
            audit_keys: Vec::new(),
            encryption: upsert_api::Encryption::On,
        };
        let all = "All is sealed with the key `b`: 2 data keys wrapped anew, 1 merchant sealed anew.";
        assert_eq!(text(&rotated), all);
        rotated.audit_keys = vec!["a".to_owned()];
        let stays = "Entries of the audit trail are keyed with `a`: keep that configured, behind the first, for as long as they \
                     are kept.";
        assert_eq!(text(&rotated), format!("{all} {stays}"));
        rotated.audit_keys.clear();
        rotated.merchants_left = vec!["acme".to_owned(), "globex".to_owned()];
        assert_eq!(
            text(&rotated),
            "Not all is sealed with the key `b`: 2 data keys wrapped anew, 1 merchant sealed anew. \
             Sealed with another key still, which has to stay: acme, globex. The gateway's log says why."
        );
    }
}
