//! `events replay` and `events discard`: those that are named, or all that match.

use std::process::ExitCode;

use clap::Args;
use clap::error::ErrorKind;
use serde_json::{Map, Value as Json, json};
use upsert_api::{Direction, EventsDone, Texts};
use upsert_core::{CustomerId, EventId};

use super::which::Which;
use crate::api::{Answered, Api};
use crate::arguments::{word, wrong};
use crate::deed::Deed;
use crate::each::each;
use crate::import::target::Target;
use crate::show::{counted, line, plain};
use crate::{confirm, output};

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
#[command(mut_arg("merchant", |arg| arg.help("Only this merchant's")))]
pub(super) struct DoArguments {
    /// in: those that came in; out: those that go out
    #[arg(value_name = "in|out", value_parser = word::<Direction>)]
    direction: Direction,
    /// The events, evt_…; needed unless --matching says which
    #[arg(value_name = "ID")]
    ids: Vec<EventId>,
    /// Whom the event is about (replay of one that came in and does not say it by itself)
    #[arg(long, value_name = "ID", conflicts_with = "matching")]
    customer: Option<CustomerId>,
    /// All dead letters that match the filters, after a count and a yes
    #[arg(long, conflicts_with = "ids")]
    matching: bool,
    #[command(flatten)]
    which: Which,
    /// Do not ask; needed where nobody is at a terminal
    #[arg(long)]
    yes: bool,
    /// Only say how many match
    #[arg(long, requires = "matching")]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
    /// Print the gateway's answers as JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let filters = arguments.which.texts(arguments.direction)?;
    if arguments.customer.is_some() && (deed == Deed::Discard || arguments.ids.len() != 1) {
        let text = "--customer stands beside the replay of one event alone";
        return Err(wrong(ErrorKind::ArgumentConflict, text));
    }
    if arguments.matching {
        all_matching(deed, arguments, filters).await
    } else if arguments.ids.is_empty() {
        let (verb, direction) = (deed.verb(), arguments.direction);
        let text =
            format!("say which: ids (events {verb} {direction} ID...), or --matching for all that match the filters");
        Err(wrong(ErrorKind::MissingRequiredArgument, text))
    } else if filters.is_empty() {
        named(deed, arguments).await
    } else {
        let text = "filters stand beside --matching alone, not beside ids";
        Err(wrong(ErrorKind::ArgumentConflict, text))
    }
}

async fn named(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let api = Api::new(&arguments.target)?;
    let act = async |id: &EventId| -> anyhow::Result<(Json, String)> {
        let path = format!("v1/events/{}/{id}/{}", arguments.direction, deed.verb());
        let answer: Answered<Json> = match arguments.customer {
            Some(customer) => api.post_body(&path, &json!({ "customer_id": customer })).await?,
            None => api.post(&path).await?,
        };
        let line = format!("{id} {}{}", deed.done(), became(&answer.raw));
        Ok((answer.raw, line))
    };
    each(&arguments.ids, arguments.json, act).await
}

/// What a dead letter that came in turned into.
fn became(answer: &Json) -> String {
    let result = answer["result"].as_str().map(|result| format!(": {}", plain(result)));
    let upsert = answer["upsert_id"]
        .as_str()
        .map(|upsert| format!(", {}", plain(upsert)));
    result.unwrap_or_default() + &upsert.unwrap_or_default()
}

async fn all_matching(deed: Deed, arguments: &DoArguments, filters: Texts) -> anyhow::Result<ExitCode> {
    if deed == Deed::Discard && filters.is_empty() {
        let text = "discard --matching needs a filter, such as --source or --endpoint";
        return Err(wrong(ErrorKind::MissingRequiredArgument, text));
    }
    confirm::or_said(arguments.yes || arguments.dry_run)?;
    let api = Api::new(&arguments.target)?;
    let path = format!("v1/events/{}/{}", arguments.direction, deed.verb());
    let mut selection: Map<String, Json> = filters.into_iter().map(|(name, text)| (name, text.into())).collect();
    selection.insert("dry_run".to_owned(), true.into());
    let counted: Answered<EventsDone> = api.post_body(&path, &selection).await?;
    if arguments.dry_run {
        output::say(arguments.json, &counted.raw, || matching(&counted.value))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::complain(&matching(&counted.value));
    if !arguments.yes && counted.value.matched > 0 && !confirm::is_wanted(deed.verb())? {
        output::complain("nothing was done");
        return Ok(ExitCode::FAILURE);
    }
    selection.remove("dry_run");
    round_by_round(deed, arguments, &api, &path, &selection).await
}

/// As many at a time as one request does, until none is left that can be done. Those that are refused stay dead letters, and
/// match again: once a round does none, what is left is refused.
async fn round_by_round(
    deed: Deed,
    arguments: &DoArguments,
    api: &Api<'_>,
    path: &str,
    selection: &Map<String, Json>,
) -> anyhow::Result<ExitCode> {
    let (mut done, mut matched) = (0, None);
    loop {
        let mut round: Answered<EventsDone> = api.post_body(path, selection).await?;
        done += round.value.done;
        let matched = *matched.get_or_insert(round.value.matched);
        if round.value.more && round.value.done > 0 {
            continue;
        }
        // What matched at first, and what is refused at last.
        round.raw["done"] = done.into();
        round.raw["matched"] = matched.into();
        let is_all_done = round.value.refused == 0 && !round.value.more;
        output::say(arguments.json, &round.raw, || sum_of(deed, done, &round.value))?;
        return Ok(output::exit_code(is_all_done));
    }
}

/// "12 dead letters match".
fn matching(count: &EventsDone) -> String {
    let at_least = if count.more { "more than " } else { "" };
    let verb = if count.matched == 1 { "matches" } else { "match" };
    format!(
        "{at_least}{} {verb}",
        counted(count.matched, "dead letter", "dead letters")
    )
}

fn sum_of(deed: Deed, done: usize, last: &EventsDone) -> String {
    let mut said = format!("{done} {}, {} refused", deed.done(), last.refused);
    for refusal in &last.refusals {
        let told = format!("{}: {}: {}", refusal.id, refusal.code, plain(&refusal.detail));
        line(&mut said, 2, &told);
    }
    if last.more {
        line(
            &mut said,
            2,
            "and more that match were not reached: say with the filters which",
        );
    }
    said
}
