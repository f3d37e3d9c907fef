//! All dead letters that match, replayed or discarded: counted first, done when somebody has seen the count.

use actix_web::web::{Form, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;

use upsert_app::{DeadLetterAction, Direction};
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::event::action_of;
use crate::pages::events::{Filter, direction_of, word_of};
use crate::query::read;
use crate::render::{Frame, Section, count, filters, page};
use crate::shapes;
use crate::shapes::event::Done;

/// Dead letters that are handled at once.
const MOST: usize = 1_000;
/// Refusals that a notice tells one by one.
const TOLD: usize = 3;

#[derive(Template)]
#[template(path = "event_dead_letters.html")]
struct ConfirmPage {
    frame: Frame,
    is_replay: bool,
    /// Where the form goes.
    action: String,
    back: String,
    members: Vec<(&'static str, String)>,
    counted_at: String,
    done: Done,
}

type Named = Path<(String, String)>;

/// How many there are.
#[get("/events/{direction}/letters/{action}")]
pub(crate) async fn confirm(session: Session, named: Named, request: HttpRequest) -> Result<HttpResponse, PageError> {
    session.needs(Scope::OpsWrite)?;
    let (direction, action) = (direction_of(&named.0)?, action_of(&named.1)?);
    let filter: Filter = read(&request)?;
    let counted_at = session.dashboard.gateway.clock().now().to_string();
    let done = handled(&session, &filter, direction, action, true).await?;
    let is_replay = action == DeadLetterAction::Replay;
    let title = if is_replay {
        "Replay dead letters"
    } else {
        "Discard dead letters"
    };
    page(&ConfirmPage {
        is_replay,
        action: format!("/ops/events/{}/letters/{}", named.0, named.1),
        back: back_to(&filter, direction),
        members: filter.members(),
        counted_at,
        done,
        frame: session.frame(Section::Webhooks, title),
    })
}

/// What was counted is done.
#[post("/events/{direction}/letters/{action}")]
pub(crate) async fn carry_out(session: Session, named: Named, form: Form<Filter>) -> Result<HttpResponse, PageError> {
    let (direction, action) = (direction_of(&named.0)?, action_of(&named.1)?);
    let carried_out = async {
        session.needs(Scope::OpsWrite)?;
        let done = handled(&session, &form, direction, action, false).await?;
        told(action, &done)
    };
    let result = carried_out.await;
    session.dashboard.snapshots.forget().await;
    Ok(session.done(&back_to(&form, direction), result))
}

async fn handled(
    session: &Session,
    filter: &Filter,
    direction: Direction,
    action: DeadLetterAction,
    dry_run: bool,
) -> Result<Done, PageError> {
    let mut query = filter.query(session, direction)?;
    query.limit = MOST;
    query.cursor = None;
    let (gateway, caller) = (&session.dashboard.gateway, session.principal.caller());
    let answer = gateway
        .operations
        .event_dead_letters(&caller, query, direction, action, dry_run, session.visibility())
        .await?;
    shapes::read(answer)
}

fn back_to(filter: &Filter, direction: Direction) -> String {
    let path = format!("/ops/events/{}", word_of(direction));
    filter.address(&path, &[("state", Some("failed"))])
}

/// The sums; that nothing at all could be done is a problem.
fn told(action: DeadLetterAction, done: &Done) -> Result<String, PageError> {
    let what = match action {
        DeadLetterAction::Replay | DeadLetterAction::ReplayFor(_) => "replayed",
        DeadLetterAction::Discard => "discarded",
    };
    let mut says = format!("{} of {} dead letters {what}", count(done.handled), count(done.matched));
    if done.refused > 0 {
        says = format!("{says}, {} refused", count(done.refused));
        for refusal in done.refusals.iter().take(TOLD) {
            says = format!("{says}; {}: {}", refusal.id, refusal.detail);
        }
    }
    if done.more {
        says = format!("{says}; more match than are handled at once");
    }
    if done.handled == 0 && done.refused > 0 {
        Err(PageError::unreadable(says))
    } else {
        Ok(says)
    }
}
