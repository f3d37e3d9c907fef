//! What is done to several, each for itself, so that one refusal does not keep the others.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::api::Refused;
use crate::output;

/// Does it to each: people are told each as it comes, programs get one document at the end.
///
/// # Errors
/// Something else than a refusal, such as a gateway that is gone; what was done before is told first.
pub(crate) async fn each<I: Display>(
    ids: &[I],
    as_json: bool,
    act: impl AsyncFn(&I) -> anyhow::Result<(Json, String)>,
) -> anyhow::Result<ExitCode> {
    let (mut answers, mut are_all_done) = (Vec::new(), true);
    for id in ids {
        let answer = match act(id).await {
            Ok((answer, line)) => {
                if !as_json {
                    output::answer(&line)?;
                }
                answer
            }
            Err(error) => {
                let refused = match error.downcast::<Refused>() {
                    Ok(refused) => refused,
                    Err(error) if answers.is_empty() => return Err(error),
                    Err(error) => {
                        say_all(as_json, &answers)?;
                        return Err(error);
                    }
                };
                are_all_done = false;
                if !as_json {
                    output::complain(&format!("{id}: {refused}"));
                }
                refused.raw
            }
        };
        answers.push(answer);
    }
    say_all(as_json, &answers)?;
    Ok(output::exit_code(are_all_done))
}

fn say_all(as_json: bool, answers: &[Json]) -> io::Result<()> {
    if as_json {
        output::json(&json!({ "data": answers }))?;
    }
    Ok(())
}
