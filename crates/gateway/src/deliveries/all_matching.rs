//! Replay and discard of all deliveries that match: counted, asked for, then done page by page.

use std::process::ExitCode;

use clap::error::ErrorKind;
use upsert_api::{DeliveriesDone, DeliverySelection};

use super::DoArguments;
use crate::api::{Api, Refused};
use crate::arguments::wrong;
use crate::deed::Deed;
use crate::show::{counted, line, plain};
use crate::{confirm, output};

pub(super) async fn run(deed: Deed, arguments: &DoArguments) -> anyhow::Result<ExitCode> {
    let filter = arguments.filters.given();
    if deed == Deed::Discard && !filter.is_narrowed() {
        let text = "discard --matching needs a filter, such as --connection or --state";
        return Err(wrong(ErrorKind::MissingRequiredArgument, text));
    }
    confirm::or_said(arguments.yes || arguments.dry_run)?;
    let api = Api::new(&arguments.target)?;
    let path = format!("v1/deliveries/{}", deed.verb());
    let mut selection = DeliverySelection::from(filter);
    selection.dry_run = true;
    let counted = api.post_body::<DeliveriesDone>(&path, &selection).await?;
    let count = &counted.value;
    if arguments.dry_run {
        output::say(arguments.json, &counted.raw, || matching(count))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !is_wanted(deed, arguments, count)? {
        output::complain("nothing was done");
        return Ok(ExitCode::FAILURE);
    }
    selection.dry_run = false;
    // No more than was counted, whatever fails while somebody reads the question.
    selection.counted_at = count.counted_at;
    let most = (!count.more).then_some(count.matched);
    let mut sum = DeliveriesDone::default();
    let ended = page_by_page(&api, &path, selection, most, &mut sum).await;
    finish(deed, arguments.json, &sum, ended)
}

/// "12 deliveries match".
fn matching(count: &DeliveriesDone) -> String {
    let at_least = if count.more { "more than " } else { "" };
    let verb = if count.matched == 1 { "matches" } else { "match" };
    format!("{at_least}{} {verb}", counted(count.matched, "delivery", "deliveries"))
}

/// Says how many, and asks unless it was answered beforehand or there is nothing to ask about.
fn is_wanted(deed: Deed, arguments: &DoArguments, count: &DeliveriesDone) -> anyhow::Result<bool> {
    output::complain(&matching(count));
    if arguments.yes || count.matched == 0 {
        return Ok(true);
    }
    Ok(confirm::is_wanted(deed.verb())?)
}

/// Cursors go towards older ones, so what fails anew meanwhile is not done twice. The sum is right whatever fails.
async fn page_by_page(
    api: &Api<'_>,
    path: &str,
    mut selection: DeliverySelection,
    most: Option<usize>,
    sum: &mut DeliveriesDone,
) -> anyhow::Result<()> {
    let page_size = selection.limit;
    loop {
        if let Some(left) = most.map(|most| most.saturating_sub(sum.matched)) {
            if left == 0 {
                (sum.more, sum.next_cursor) = (false, None);
                return Ok(());
            }
            selection.limit = left.min(page_size);
        }
        sum.add(api.post_body::<DeliveriesDone>(path, &selection).await?.value);
        selection.cursor.clone_from(&sum.next_cursor);
        if !sum.more {
            return Ok(());
        }
    }
}

/// What was done is told even if a later page failed.
fn finish(deed: Deed, as_json: bool, sum: &DeliveriesDone, ended: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    match ended {
        Err(error) if !sum.more => return Err(error),
        Ok(()) => output::say(as_json, sum, || sum_of(deed, sum))?,
        Err(error) => {
            // One document alone: the sum, which says that there is more.
            output::say(as_json, sum, || format!("{}; then it ended early", sum_of(deed, sum)))?;
            let refused = error.downcast::<Refused>()?;
            output::complain(&refused.to_string());
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(output::exit_code(sum.refused == 0))
}

fn sum_of(deed: Deed, sum: &DeliveriesDone) -> String {
    let mut said = format!("{} {}, {} refused", sum.done, deed.done(), sum.refused);
    for refusal in &sum.refusals {
        let detail = plain(&refusal.detail);
        line(
            &mut said,
            2,
            &format!("{}: {}: {detail}", refusal.delivery_id, refusal.code),
        );
    }
    let untold = sum.refused.saturating_sub(sum.refusals.len());
    if untold > 0 {
        line(&mut said, 2, &format!("and {untold} more"));
    }
    said
}
