//! Replay and discard of deliveries that are named: each for itself, so that one refusal does not keep the others.

use std::io;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use super::{Deed, DoArguments};
use crate::api::{Api, Refused};
use crate::output;
use crate::show::text;

pub(super) async fn run(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let (mut answers, mut are_all_done) = (Vec::new(), true);
    for id in &arguments.ids {
        let path = format!("v1/deliveries/{id}/{}", deed.verb());
        let answer = match api.post(&path, None).await {
            Ok(answer) => {
                say_done(arguments.json, &line(deed, id, &answer))?;
                answer
            }
            Err(error) => {
                let refused = match error.downcast::<Refused>() {
                    Ok(refused) => refused,
                    // What was done before is told first.
                    Err(error) if answers.is_empty() => return Err(error),
                    Err(error) => {
                        say_all(arguments.json, &answers)?;
                        return Err(error);
                    }
                };
                are_all_done = false;
                if !arguments.json {
                    output::complain(&format!("{id}: {refused}"));
                }
                refused.problem
            }
        };
        answers.push(answer);
    }
    say_all(arguments.json, &answers)?;
    Ok(if are_all_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn say_done(as_json: bool, line: &str) -> anyhow::Result<()> {
    if !as_json {
        output::answer(line)?;
    }
    Ok(())
}

/// One document of all answers; people were told each as it came.
fn say_all(as_json: bool, answers: &[Json]) -> io::Result<()> {
    if as_json {
        output::json(&json!({ "data": answers }))?;
    }
    Ok(())
}

fn line(deed: Deed, id: &str, answer: &Json) -> String {
    match deed {
        Deed::Replay => format!(
            "{id} replayed by {}: {}",
            text(answer, "upsert_id"),
            text(answer, "state")
        ),
        Deed::Discard => format!("{id} discarded"),
    }
}
