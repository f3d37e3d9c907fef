//! Replay and discard of all deliveries that match: counted, asked for, then done page by page.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use clap::error::ErrorKind;
use serde_json::{Map, Value as Json, json};

use super::{Deed, DoArguments, wrong};
use crate::api::{Api, Refused};
use crate::output;
use crate::show::{counted, line, list, number, text};

/// Done by one request, at the most.
const PAGE: u64 = 1_000;

/// What became of them, over all pages.
#[derive(Default)]
struct Sum {
    matched: u64,
    done: u64,
    refused: u64,
    refusals: Vec<Json>,
    next_cursor: Option<String>,
}

pub(super) async fn run(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let filters = arguments.filters.given();
    if deed == Deed::Discard && filters.is_empty() {
        let text = "discard --matching needs a filter, such as --connection or --state";
        return Err(wrong(ErrorKind::MissingRequiredArgument, text));
    }
    // Before anything is asked of the gateway: whoever cannot be asked has to say it beforehand.
    if !(arguments.yes || arguments.dry_run || io::stdin().is_terminal()) {
        let text = "--matching without a terminal to ask at needs --yes (or --dry-run)";
        return Err(wrong(ErrorKind::MissingRequiredArgument, text));
    }
    let api = Api::new(&arguments.target)?;
    let path = format!("v1/deliveries/{}", deed.verb());
    let mut body: Map<String, Json> = filters
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    body.insert("dry_run".to_owned(), true.into());
    let count = api.post(&path, Some(&body.clone().into())).await?;
    body.remove("dry_run");
    if arguments.dry_run {
        say(arguments.json, &count, &matching(&count))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !is_wanted(deed, arguments, &count)? {
        output::complain("nothing was done");
        return Ok(ExitCode::FAILURE);
    }
    // No more than was counted, whatever fails while somebody reads the question.
    body.insert("counted_at".to_owned(), count["counted_at"].clone());
    let most = (count["more"] != true).then(|| number(&count, "matched"));
    let mut sum = Sum::default();
    let ended = page_by_page(&api, &path, body, most, &mut sum).await;
    finish(deed, arguments.json, &sum, ended)
}

/// "12 deliveries match".
fn matching(count: &Json) -> String {
    let at_least = if count["more"] == true { "more than " } else { "" };
    let matched = number(count, "matched");
    let verb = if matched == 1 { "matches" } else { "match" };
    format!("{at_least}{} {verb}", counted(matched, "delivery", "deliveries"))
}

/// Says how many, and asks unless it was answered beforehand or there is nothing to ask about.
fn is_wanted(deed: Deed, arguments: &DoArguments, count: &Json) -> anyhow::Result<bool> {
    output::complain(&matching(count));
    if arguments.yes || number(count, "matched") == 0 {
        return Ok(true);
    }
    output::complain(&format!("{} them? [y/N]", capital(deed.verb())));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// Cursors go towards older ones, so what fails anew meanwhile is not done twice.
async fn page_by_page(
    api: &Api<'_>,
    path: &str,
    mut body: Map<String, Json>,
    most: Option<u64>,
    sum: &mut Sum,
) -> anyhow::Result<()> {
    loop {
        if let Some(left) = most.map(|most| most.saturating_sub(sum.matched)) {
            if left == 0 {
                sum.next_cursor = None;
                return Ok(());
            }
            body.insert("limit".to_owned(), left.min(PAGE).into());
        }
        let page = api.post(path, Some(&body.clone().into())).await?;
        sum.matched += number(&page, "matched");
        sum.done += number(&page, "done");
        sum.refused += number(&page, "refused");
        sum.refusals.extend_from_slice(list(&page, "refusals"));
        sum.next_cursor = page["next_cursor"].as_str().map(str::to_owned);
        match &sum.next_cursor {
            Some(cursor) => body.insert("cursor".to_owned(), cursor.clone().into()),
            None => return Ok(()),
        };
    }
}

/// What was done is told even if a later page failed.
fn finish(deed: Deed, as_json: bool, sum: &Sum, ended: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    let whole = json!({
        "dry_run": false, "matched": sum.matched, "done": sum.done, "refused": sum.refused, "refusals": sum.refusals,
        "more": sum.next_cursor.is_some(), "next_cursor": sum.next_cursor,
    });
    match ended {
        Err(error) if sum.next_cursor.is_none() => return Err(error),
        Ok(()) => say(as_json, &whole, &sum_of(deed, sum))?,
        Err(error) => {
            // One document alone: the sum, which says that there is more.
            say(as_json, &whole, &format!("{}; then it ended early", sum_of(deed, sum)))?;
            let refused = error.downcast::<Refused>()?;
            output::complain(&refused.to_string());
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(if sum.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn sum_of(deed: Deed, sum: &Sum) -> String {
    let mut said = format!("{} {}, {} refused", sum.done, deed.done(), sum.refused);
    for refusal in &sum.refusals {
        let (id, code, detail) = (
            text(refusal, "delivery_id"),
            text(refusal, "code"),
            text(refusal, "detail"),
        );
        line(&mut said, 2, &format!("{id}: {code}: {detail}"));
    }
    if let Some(untold) = sum
        .refused
        .checked_sub(u64::try_from(sum.refusals.len()).unwrap_or(u64::MAX))
        && untold > 0
    {
        line(&mut said, 2, &format!("and {untold} more"));
    }
    said
}

fn say(as_json: bool, value: &Json, text: &str) -> io::Result<()> {
    if as_json {
        output::json(value)
    } else {
        output::answer(text)
    }
}
