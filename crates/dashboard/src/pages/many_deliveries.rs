//! `GET` and `POST /ops/deliveries/replay` and `/ops/deliveries/discard`: all that match a filter, counted before it is
//! done.

use actix_web::web::{Form, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use upsert_api::{DeliveriesDone, DeliveryFilter, DeliverySelection, DeliveryState, ProblemCode};
use upsert_app::{Refusal, StillMay};
use upsert_core::Word as _;
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::links::DELIVERIES;
use crate::pages::action::Action;
use crate::pages::deliveries::asked;
use crate::pages::sums;
use crate::pages::typed::Typed;
use crate::query::{Sent, read};
use crate::render::{Frame, Section, filters, moment, page};

/// So many are done at once; whoever wants more does it again.
const MOST: usize = 5_000;
/// Where matches are rare, so many parts of the list are looked through at once.
const MOST_PARTS: usize = 50;

/// Where it is confirmed and done.
pub(crate) fn path(action: Action) -> String {
    format!("{DELIVERIES}/{}", action.word())
}

/// Whether it can be done with deliveries in the states that are filtered by; without any, those that have failed are
/// meant.
pub(crate) fn suits(action: Action, filter: &DeliveryFilter) -> bool {
    let can = match action {
        Action::Replay => DeliveryState::can_be_replayed,
        Action::Discard => DeliveryState::can_be_discarded,
    };
    filter.state.iter().copied().all(can)
}

#[derive(Template)]
#[template(path = "many_deliveries.html")]
struct ConfirmPage {
    frame: Frame,
    action: Action,
    filter: Typed,
    matched: usize,
    /// Whether there are more than were counted.
    more: bool,
    counted_at: String,
    most: usize,
    back: String,
}

/// What the confirmed form sends: the filter, and when how many were counted.
#[derive(Deserialize)]
pub(crate) struct Confirmed {
    #[serde(flatten)]
    filter: Sent,
    counted_at: Timestamp,
    /// So many are done at the most: what still waits may come to match without a trace of when it did.
    counted: usize,
}

/// Counts those that it would be done with.
#[get("/deliveries/{action:replay|discard}")]
pub(crate) async fn confirm(
    session: Session,
    action: Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let action = Action::of(&action)?;
    let (typed, filter) = permitted(&session, action, &read(&request)?).await?;
    let selection = DeliverySelection {
        dry_run: true,
        ..filter.into()
    };
    let counted = done(&session, action, selection).await?;
    page(&ConfirmPage {
        action,
        matched: counted.matched,
        more: counted.more,
        counted_at: counted.counted_at.map(|at| at.to_string()).unwrap_or_default(),
        most: MOST,
        back: typed.address(DELIVERIES),
        filter: typed,
        frame: session.frame(Section::Deliveries, format!("{} all that match", action.verb())),
    })
}

/// Does it with all that match.
#[post("/deliveries/{action:replay|discard}")]
pub(crate) async fn carry_out(
    session: Session,
    action: Path<String>,
    confirmed: Form<Confirmed>,
) -> Result<HttpResponse, PageError> {
    let action = Action::of(&action)?;
    let (typed, filter) = permitted(&session, action, &confirmed.filter).await?;
    let result = all_parts(&session, action, filter, &confirmed).await;
    session.dashboard.snapshots.forget().await;
    let told = result.map(|sums| sums::told(&sums, action.done()));
    session.done(&typed.address(DELIVERIES), told).await
}

/// The filter with its states named.
async fn permitted(session: &Session, action: Action, sent: &Sent) -> Result<(Typed, DeliveryFilter), PageError> {
    session.needs(Scope::OpsWrite)?;
    let typed = Typed::of::<DeliveryFilter>(sent);
    let mut filter = asked(session, &typed).await?;
    if !suits(action, &filter) {
        let detail = format!("deliveries in these states cannot be {}", action.done());
        return Err(Refusal::new(ProblemCode::ValidationFailed, detail).into());
    }
    if !filter.state.is_empty() {
        return Ok((typed, filter));
    }
    filter.state.insert(DeliveryState::Failed);
    Ok((typed.with("state", DeliveryState::Failed.as_str()), filter))
}

async fn done(session: &Session, action: Action, selection: DeliverySelection) -> Result<DeliveriesDone, PageError> {
    let (caller, visibility) = (session.principal.caller(), session.visibility());
    let operations = &session.gateway().operations;
    let still_may: StillMay<'_> = &|| session.still_may_operate();
    let done = match action {
        Action::Replay => {
            operations
                .replay_matching(&caller, selection, visibility, still_may)
                .await?
        }
        Action::Discard => {
            operations
                .discard_matching(&caller, selection, visibility, still_may)
                .await?
        }
    };
    Ok(done)
}

/// Part after part, up to what is done at once. What was done before something went wrong is done, and told.
async fn all_parts(
    session: &Session,
    action: Action,
    filter: DeliveryFilter,
    confirmed: &Confirmed,
) -> Result<DeliveriesDone, PageError> {
    let most = confirmed.counted.min(MOST);
    let mut sums = DeliveriesDone::default();
    let mut selection = DeliverySelection {
        counted_at: Some(confirmed.counted_at),
        ..filter.into()
    };
    for _part in 0..MOST_PARTS {
        selection.limit = selection.limit.min(most - sums.matched);
        if selection.limit == 0 || session.still_may_operate().is_err() {
            break;
        }
        match done(session, action, selection.clone()).await {
            Ok(part) => {
                sums.add(part);
                selection.cursor.clone_from(&sums.next_cursor);
            }
            Err(refused) if sums.matched == 0 => return Err(refused),
            Err(refused) => {
                tracing::warn!(status = refused.status.as_u16(), "many deliveries: stopped on the way");
                break;
            }
        }
        if selection.cursor.is_none() {
            break;
        }
    }
    Ok(sums)
}

impl ConfirmPage {
    /// For people: what is filtered by, and how.
    fn words(&self) -> Vec<(String, String)> {
        let in_words = |(name, value): &(&'static str, String)| match *name {
            "state" => ((*name).to_owned(), value.replace('_', " ").replace(',', ", ")),
            "since" | "until" => {
                let at: Option<Timestamp> = value.parse().ok();
                let name = if *name == "since" { "made since" } else { "made before" };
                let at = at.map(|at| format!("{} UTC", moment(at)));
                (name.to_owned(), at.unwrap_or_else(|| value.clone()))
            }
            "error_kind" | "waiting_for" => (name.replace('_', " "), value.replace('_', " ")),
            _ => (name.replace('_', " "), value.clone()),
        };
        self.filter.members().iter().map(in_words).collect()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::dev::ResourceDef;
    use actix_web::web::Query;

    use super::*;

    #[test]
    fn a_confirmed_form_is_read_whole_and_only_what_can_be_done_is_no_id() {
        let form = "state=failed&merchant=acme&counted_at=2026-11-21T12:00:00Z&counted=3";
        let read = Query::<Confirmed>::from_query(form).unwrap();
        assert_eq!((read.filter.get("merchant"), read.counted), (Some("acme"), 3));
        assert_eq!(read.counted_at.to_string(), "2026-11-21T12:00:00Z");
        assert!(Query::<Confirmed>::from_query("counted_at=2026-11-21T12:00:00Z").is_err());
        let route = ResourceDef::new("/deliveries/{action:replay|discard}");
        assert!(route.is_match(&path(Action::Replay)[4..]) && route.is_match("/deliveries/discard"));
        assert!(!route.is_match("/deliveries/dlv_discard"));
    }

    #[test]
    fn states_of_which_some_cannot_be_given_up_are_not_offered() {
        let of = |states: &[DeliveryState]| DeliveryFilter {
            state: states.iter().copied().collect(),
            ..DeliveryFilter::default()
        };
        let suiting = |states| Action::ALL.map(|action| suits(action, &of(states)));
        assert_eq!(suiting(&[]), [true, true]);
        assert_eq!(suiting(&[DeliveryState::Failed]), [true, true]);
        assert_eq!(suiting(&[DeliveryState::Failed, DeliveryState::Waiting]), [false, true]);
        assert_eq!(
            suiting(&[DeliveryState::Failed, DeliveryState::Succeeded]),
            [false, false]
        );
    }
}
