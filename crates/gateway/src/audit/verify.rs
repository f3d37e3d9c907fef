//! `audit verify`: the whole chain, part by part; what does not fit, and what to note for the next time.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde_json::json;
use upsert_api::{AuditCheck, AuditMark};

use crate::api::Api;
use crate::import::target::Target;
use crate::output;
use crate::show::plain;

const AFTER: &str =
    "It shows whether an entry was changed, taken out, put in, exchanged, or cut off. What is cut off together with
the store's own note of where the chain ends can only be seen from outside: keep the last line elsewhere,
and give it with --noted the next time (or have --keep do both).

Examples:
  upsert-gateway audit verify
  upsert-gateway audit verify --noted 42:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  upsert-gateway audit verify --keep /mnt/elsewhere/audit-head";

#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct VerifyArguments {
    /// An entry that was noted before, which has to be there still
    #[arg(long, value_name = "NUMBER:HASH", conflicts_with = "keep")]
    noted: Option<String>,
    /// A file with what was noted the last time, which is compared, and written anew where everything fits
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Over all parts.
#[derive(Default)]
struct Sums {
    checked: u64,
    keyed: u64,
}

pub(super) async fn run(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let noted = match &arguments.keep {
        Some(path) => kept(path)?,
        None => arguments.noted.clone(),
    };
    let api = Api::new(&arguments.target)?;
    let (mut sums, mut cursor) = (Sums::default(), None::<String>);
    let last = loop {
        let request = api.request(Method::GET, "v1/audit/verify")?;
        let given = [("cursor", cursor.take()), ("noted", noted.clone())];
        let given: Vec<(&str, String)> = given
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .collect();
        let part = api.answer::<AuditCheck>(request.query(&given)).await?.value;
        sums.checked += part.checked;
        sums.keyed += part.keyed;
        match part.next_cursor.clone() {
            Some(next) => cursor = Some(next),
            None => break part,
        }
    };
    if let (true, Some(path), Some(head)) = (last.fits, &arguments.keep, &last.head) {
        let note = format!("{}\n", written(head));
        fs::write(path, note).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let whole = json!({
        "fits": last.fits, "misfit": last.misfit, "checked": sums.checked, "keyed": sums.keyed,
        "forgotten": last.forgotten, "head": last.head,
    });
    output::say(arguments.json, &whole, || told(&last, &sums))?;
    Ok(output::exit_code(last.fits))
}

/// What was noted the last time; none: it is the first time.
fn kept(path: &PathBuf) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn written(head: &AuditMark) -> String {
    format!("{}:{}", head.number, plain(&head.hash))
}

fn told(last: &AuditCheck, sums: &Sums) -> String {
    if let Some(misfit) = &last.misfit {
        let (number, code) = (misfit.number, misfit.code);
        let detail = plain(&misfit.detail);
        return format!(
            "Entry {number} does not fit ({code}): {detail}.\n{} entries before it do.",
            sums.checked
        );
    }
    let Some(head) = &last.head else {
        return "The audit trail is empty.".to_owned();
    };
    let keyed = match sums.keyed {
        all if all == sums.checked => "all are keyed".to_owned(),
        0 => "none is keyed: whoever can write the store could have made all of them".to_owned(),
        some => format!("{some} are keyed"),
    };
    let forgotten = match last.forgotten {
        0 => String::new(),
        number => format!(" Those up to entry {number} were forgotten, since they were older than entries are kept."),
    };
    format!(
        "{} entries fit; {keyed}.{forgotten}\nNote the last one elsewhere:\n{}",
        sums.checked,
        written(head)
    )
}

#[cfg(test)]
mod tests {
    use upsert_api::{AuditFault, AuditMisfit};

    use super::*;

    fn check() -> AuditCheck {
        AuditCheck {
            fits: true,
            misfit: None,
            checked: 3,
            keyed: 3,
            forgotten: 0,
            head: Some(AuditMark {
                number: 7,
                hash: "9f".repeat(32),
            }),
            next_cursor: None,
        }
    }

    #[test]
    fn people_are_told_what_does_not_fit_or_what_to_note() {
        let sums = |checked, keyed| Sums { checked, keyed };
        let fits = told(&check(), &sums(3, 3));
        assert!(fits.starts_with("3 entries fit; all are keyed.\n"), "{fits}");
        assert!(fits.ends_with(&format!("7:{}", "9f".repeat(32))), "{fits}");
        assert!(told(&check(), &sums(3, 0)).contains("none is keyed"));
        let older = AuditCheck {
            forgotten: 4,
            ..check()
        };
        assert!(told(&older, &sums(3, 1)).contains("1 are keyed. Those up to entry 4 were forgotten"));
        let empty = AuditCheck { head: None, ..check() };
        assert_eq!(told(&empty, &sums(0, 0)), "The audit trail is empty.");
        let wrong = AuditCheck {
            fits: false,
            misfit: Some(AuditMisfit {
                number: 5,
                code: AuditFault::Missing,
                detail: "entry 5 is missing".to_owned(),
            }),
            ..check()
        };
        let told = told(&wrong, &sums(4, 4));
        assert_eq!(
            told,
            "Entry 5 does not fit (missing): entry 5 is missing.\n4 entries before it do."
        );
    }
}
