//! Replay and discard of deliveries that are named: each for itself, so that one refusal does not keep the others.

use std::io;
use std::process::ExitCode;

use serde_json::{Value as Json, json};
use upsert_api::{ListedDelivery, UpsertAnswer};
use upsert_core::DeliveryId;

use super::{Deed, DoArguments};
use crate::api::{Api, Refused};
use crate::output;

pub(super) async fn run(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let (mut answers, mut are_all_done) = (Vec::new(), true);
    for id in &arguments.ids {
        let answer = match act(&api, deed, id).await {
            Ok((answer, line)) => {
                if !arguments.json {
                    output::answer(&line)?;
                }
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
                refused.raw
            }
        };
        answers.push(answer);
    }
    say_all(arguments.json, &answers)?;
    Ok(output::exit_code(are_all_done))
}

/// What the gateway said, and the same for people.
async fn act(api: &Api<'_>, deed: Deed, id: &DeliveryId) -> anyhow::Result<(Json, String)> {
    let path = format!("v1/deliveries/{id}/{}", deed.verb());
    Ok(match deed {
        Deed::Replay => {
            let answer = api.post::<UpsertAnswer>(&path).await?;
            let by = answer.value;
            (answer.raw, format!("{id} replayed by {}: {}", by.upsert_id, by.state))
        }
        Deed::Discard => {
            let answer = api.post::<ListedDelivery>(&path).await?;
            (answer.raw, format!("{id} discarded"))
        }
    })
}

/// One document of all answers; people were told each as it came.
fn say_all(as_json: bool, answers: &[Json]) -> io::Result<()> {
    if as_json {
        output::json(&json!({ "data": answers }))?;
    }
    Ok(())
}
