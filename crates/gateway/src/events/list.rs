//! `events list`: one row an event, newest first.

use std::process::ExitCode;

use clap::Args;
use clap::error::ErrorKind;
use jiff::Timestamp;
use upsert_api::{Direction, Event, IncomingEvent, IncomingState, OutgoingEvent, OutgoingState, Page, Texts};
use upsert_core::{CustomerId, Word};

use super::which::Which;
use crate::api::Api;
use crate::arguments::{word, wrong};
use crate::import::target::Target;
use crate::paging::Paging;
use crate::show::{ago, cut, keep_whole, or_dash, place, plain, table};
use crate::{moment, output, paging};

const MOST_WORDS: usize = 80;

const EXAMPLES: &str = "Examples:
  upsert-gateway events list in --state failed
  upsert-gateway events list in --merchant acme --source shop --since 2h
  upsert-gateway events list out --endpoint audit --state pending,retrying --all --json";

#[derive(Args)]
#[command(after_help = EXAMPLES, mut_arg("merchant", |arg| arg.help("Only this merchant's")))]
pub(super) struct ListArguments {
    /// in: those that came in; out: those that go out
    #[arg(value_name = "in|out", value_parser = word::<Direction>)]
    direction: Direction,
    /// failed (dead letters) and others, as the API has them; several with commas
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,
    /// The customer, cus_… (in)
    #[arg(long, value_name = "ID")]
    customer: Option<CustomerId>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    target: Target,
    /// Print JSON: one page, however many it took
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let filters = filters(arguments)?;
    let api = Api::new(&arguments.target)?;
    let path = format!("v1/events/{}", arguments.direction);
    let page = arguments.paging.of(&api, &path, &filters).await?;
    output::say(arguments.json, &page.raw, || shown(&page.value, moment::now()))?;
    Ok(ExitCode::SUCCESS)
}

fn filters(arguments: &ListArguments) -> anyhow::Result<Texts> {
    let mut texts = arguments.which.texts(arguments.direction)?;
    for state in &arguments.state {
        match arguments.direction {
            Direction::In => known::<IncomingState>(state)?,
            Direction::Out => known::<OutgoingState>(state)?,
        }
    }
    if !arguments.state.is_empty() {
        texts.insert("state".to_owned(), arguments.state.join(","));
    }
    match (arguments.customer, arguments.direction) {
        (None, _) => {}
        (Some(customer), Direction::In) => {
            texts.insert("customer_id".to_owned(), customer.to_string());
        }
        (Some(_), Direction::Out) => {
            let text = "--customer says nothing about events of this direction (out)";
            return Err(wrong(ErrorKind::ArgumentConflict, text));
        }
    }
    Ok(texts)
}

fn known<T: Word>(state: &str) -> anyhow::Result<()> {
    match word::<T>(state) {
        Ok(_) => Ok(()),
        Err(error) => Err(wrong(
            ErrorKind::InvalidValue,
            format!("--state {}: {error}", plain(state)),
        )),
    }
}

fn shown(page: &Page<Event>, now: Timestamp) -> String {
    if page.data.is_empty() {
        return "No event matches.".to_owned();
    }
    let mut table = table(&["event", "of", "state"]);
    for event in &page.data {
        table.add_row(match event {
            Event::Incoming(event) => incoming(event, now),
            Event::Outgoing(event) => outgoing(event, now),
        });
    }
    keep_whole(&mut table, 0, 30);
    paging::shown(&table, page, "event", "events")
}

fn incoming(event: &IncomingEvent, now: Timestamp) -> [String; 3] {
    let why = event.problem.as_ref().map(|problem| &problem.detail);
    [
        format!("{}\n{}", event.id, or_dash(event.customer_id)),
        format!(
            "{}\n{}",
            place(&event.merchant_id, &event.source),
            ago(event.received_at, now)
        ),
        how(event.state, why),
    ]
}

fn outgoing(event: &OutgoingEvent, now: Timestamp) -> [String; 3] {
    [
        format!("{}\n{}", event.id, plain(&event.r#type)),
        format!(
            "{}\n{}",
            place(&event.merchant_id, &event.endpoint),
            ago(event.created_at, now)
        ),
        said(
            how(event.state, event.last_error.as_ref()),
            event.last_answer.as_deref(),
        ),
    ]
}

/// With the first line of what the endpoint said.
fn said(how: String, answer: Option<&str>) -> String {
    match answer {
        Some(answer) => format!("{how}\nit said: {}", plain(answer)),
        None => how,
    }
}

/// How it stands, and why.
fn how(state: impl std::fmt::Display, why: Option<&String>) -> String {
    match why {
        Some(why) => format!("{state}\n{}", cut(&plain(why), MOST_WORDS)),
        None => state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::samples::whole;

    #[test]
    fn an_event_that_an_endpoint_did_not_take_shows_the_first_line_of_what_it_said() {
        let shown = |answer: Json| {
            let event: OutgoingEvent = whole(
                json!({ "id": "evt_06GZW88GRDSBF772HB0WJ89TJW", "merchant_id": "acme", "endpoint": "erp",
                    "type": "customer.upserted", "state": "retrying", "created_at": "2026-01-01T00:00:00Z", "attempts": 1,
                    "last_status": 502, "last_error": "the endpoint answered 502", "last_answer": answer }),
                json!({}),
            );
            outgoing(&event, "2026-01-01T00:01:00Z".parse().unwrap())[2].clone()
        };
        assert_eq!(
            shown(json!("Bad\u{1b}\u{202e} Gateway")),
            "retrying\nthe endpoint answered 502\nit said: Bad   Gateway"
        );
        assert_eq!(shown(Json::Null), "retrying\nthe endpoint answered 502");
    }
}
