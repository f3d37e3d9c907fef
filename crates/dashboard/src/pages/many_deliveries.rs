//! `GET` and `POST /ops/deliveries/replay` and `/ops/deliveries/discard`: all that match a filter, counted before it is
//! done.

use actix_web::web::Form;
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use upsert_app::{Gateway, ProblemCode, Refusal, Selection};
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::delivery_filter::DeliveryFilter;
use crate::query::read;
use crate::render::{Frame, Section, filters, page};
use crate::shapes;
use crate::shapes::sums::Sums;

/// So many are done at once; whoever wants more does it again.
const MOST: u64 = 5_000;
/// Where matches are rare, so many parts of the list are looked through at once.
const MOST_PARTS: usize = 50;

/// What can be done with all that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Replay,
    Discard,
}

impl Action {
    pub(crate) const ALL: [Self; 2] = [Self::Replay, Self::Discard];

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Replay => "/ops/deliveries/replay",
            Self::Discard => "/ops/deliveries/discard",
        }
    }

    pub(crate) const fn verb(self) -> &'static str {
        match self {
            Self::Replay => "Replay",
            Self::Discard => "Discard",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Replay => "replayed",
            Self::Discard => "discarded",
        }
    }

    /// Whether it can be done with deliveries in the states that are filtered by; without any, those that have failed are
    /// meant.
    pub(crate) fn suits(self, filter: &DeliveryFilter) -> bool {
        let states = filter.typed("state");
        let can = |state: &str| match self {
            Self::Replay => state == "failed",
            Self::Discard => matches!(state, "failed" | "pending" | "retrying" | "waiting"),
        };
        states.is_empty() || states.split(',').map(str::trim).all(can)
    }

    async fn with(self, gateway: &Gateway, session: &Session, selection: Selection) -> Result<Sums, PageError> {
        let caller = session.principal.caller();
        let answer = match self {
            Self::Replay => gateway.operations.replay_matching(&caller, selection).await?,
            Self::Discard => gateway.operations.discard_matching(&caller, selection).await?,
        };
        shapes::read(answer)
    }
}

#[derive(Template)]
#[template(path = "many_deliveries.html")]
struct ConfirmPage {
    frame: Frame,
    action: Action,
    filter: DeliveryFilter,
    matched: u64,
    /// Whether there are more than were counted.
    more: bool,
    counted_at: String,
    most: u64,
    back: String,
}

/// What the confirmed form sends: the filter, and when how many were counted.
#[derive(Deserialize)]
pub(crate) struct Confirmed {
    #[serde(flatten)]
    filter: DeliveryFilter,
    counted_at: String,
    /// So many are done at the most: what still waits may come to match without a trace of when it did.
    counted: u64,
}

/// Counts those that would be replayed.
#[get("/deliveries/replay")]
pub(crate) async fn count_replay(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    confirm(&session, Action::Replay, read(&request)?).await
}

/// Counts those that would be discarded.
#[get("/deliveries/discard")]
pub(crate) async fn count_discard(session: Session, request: HttpRequest) -> Result<HttpResponse, PageError> {
    confirm(&session, Action::Discard, read(&request)?).await
}

/// Replays all that match.
#[post("/deliveries/replay")]
pub(crate) async fn replay_all(session: Session, form: Form<Confirmed>) -> Result<HttpResponse, PageError> {
    do_all(&session, Action::Replay, form.into_inner()).await
}

/// Discards all that match.
#[post("/deliveries/discard")]
pub(crate) async fn discard_all(session: Session, form: Form<Confirmed>) -> Result<HttpResponse, PageError> {
    do_all(&session, Action::Discard, form.into_inner()).await
}

async fn confirm(session: &Session, action: Action, filter: DeliveryFilter) -> Result<HttpResponse, PageError> {
    let filter = permitted(session, action, filter)?;
    let mut body = filter.body();
    body.insert("dry_run".to_owned(), json!(true));
    let selection = selection(session, &filter, body)?;
    let counted = action.with(&session.dashboard.gateway, session, selection).await?;
    let verb = action.verb();
    page(&ConfirmPage {
        action,
        matched: counted.matched,
        more: counted.more,
        counted_at: counted.counted_at.unwrap_or_default(),
        most: MOST,
        back: filter.address(Section::Deliveries.path()),
        filter,
        frame: session.frame(Section::Deliveries, format!("{verb} all that match")),
    })
}

async fn do_all(session: &Session, action: Action, confirmed: Confirmed) -> Result<HttpResponse, PageError> {
    let filter = permitted(session, action, confirmed.filter.clone())?;
    let result = all_parts(session, action, &filter, &confirmed).await;
    session.dashboard.snapshots.forget().await;
    let back = filter.address(Section::Deliveries.path());
    Ok(session.done(&back, result.map(|sums| sums.told(action.done()))))
}

/// The filter with its states named.
fn permitted(session: &Session, action: Action, filter: DeliveryFilter) -> Result<DeliveryFilter, PageError> {
    session.needs(Scope::OpsWrite)?;
    if action.suits(&filter) {
        return Ok(filter.or_failed());
    }
    let detail = format!("deliveries in these states cannot be {}", action.done());
    Err(Refusal::new(ProblemCode::ValidationFailed, detail).into())
}

fn selection(session: &Session, filter: &DeliveryFilter, body: Map<String, Json>) -> Result<Selection, PageError> {
    Ok(Selection::read(
        &Json::Object(body),
        filter.merchants(session)?,
        session.visibility(),
    )?)
}

/// Part after part, up to what is done at once. What was done before something went wrong is done, and told.
async fn all_parts(
    session: &Session,
    action: Action,
    filter: &DeliveryFilter,
    confirmed: &Confirmed,
) -> Result<Sums, PageError> {
    let most = confirmed.counted.min(MOST);
    let mut sums = Sums::default();
    let mut cursor: Option<String> = None;
    for _part in 0..MOST_PARTS {
        let mut body = filter.body();
        body.insert("counted_at".to_owned(), json!(confirmed.counted_at));
        body.insert("limit".to_owned(), json!((most - sums.matched).min(1_000)));
        if let Some(cursor) = cursor {
            body.insert("cursor".to_owned(), json!(cursor));
        }
        let selection = selection(session, filter, body)?;
        let part = match action.with(&session.dashboard.gateway, session, selection).await {
            Ok(part) => part,
            Err(refused) if sums.matched == 0 => return Err(refused),
            Err(refused) => {
                tracing::warn!(status = refused.status.as_u16(), "many deliveries: stopped on the way");
                break;
            }
        };
        cursor = sums.add(part);
        if cursor.is_none() || sums.matched >= most {
            break;
        }
    }
    Ok(sums)
}
