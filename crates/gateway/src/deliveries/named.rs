//! Replay and discard of deliveries that are named: each for itself, so that one refusal does not keep the others.

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
                let refused = error.downcast::<Refused>()?;
                are_all_done = false;
                if !arguments.json {
                    output::complain(&format!("{id}: {refused}"));
                }
                refused.problem
            }
        };
        answers.push(answer);
    }
    if arguments.json {
        output::json(&json!({ "data": answers }))?;
    }
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
