//! All dead letters that match, replayed or discarded: counted first, done when somebody has seen the count.

use actix_web::web::{Form, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use askama::Template;

use upsert_api::{Direction, EventFilter, EventSelection, EventsDone};
use upsert_app::DeadLetters;
use upsert_settings::Scope;

use crate::auth::session::Session;
use crate::error::PageError;
use crate::pages::action::Action;
use crate::pages::events::{direction_of, merchants, path_of, typed};
use crate::pages::typed::Typed;
use crate::query::{Sent, read};
use crate::render::{Frame, Section, count, filters, page};

/// Dead letters that are handled at once.
const MOST: usize = 1_000;
/// Refusals that a notice tells one by one.
const TOLD: usize = 3;

#[derive(Template)]
#[template(path = "event_dead_letters.html")]
struct ConfirmPage {
    frame: Frame,
    what: Action,
    /// Where the form goes.
    action: String,
    back: String,
    filter: Typed,
    counted_at: String,
    done: EventsDone,
}

/// Dead letters that match, and what is to be done with them.
struct Asked {
    direction: Direction,
    action: Action,
    filter: Typed,
}

impl Asked {
    /// # Errors
    /// 404; 400 for a filter of the other direction.
    fn read((direction, action): &(String, String), sent: &Sent) -> Result<Self, PageError> {
        let direction = direction_of(direction)?;
        Ok(Self {
            direction,
            action: Action::of(action)?,
            // Dead letters are in one state alone.
            filter: typed(sent, direction)?.with("state", ""),
        })
    }

    fn letters(&self, filter: &Typed, dry_run: bool) -> Result<DeadLetters, PageError> {
        Ok(match self.direction {
            Direction::In => DeadLetters::In(selection(filter, dry_run)?),
            Direction::Out => DeadLetters::Out(selection(filter, dry_run)?),
        })
    }

    async fn handle(&self, session: &Session, letters: DeadLetters) -> Result<EventsDone, PageError> {
        let merchants = merchants(session, &self.filter)?;
        let (caller, visibility) = (session.principal.caller(), session.visibility());
        let operations = &session.gateway().operations;
        let done = operations
            .event_dead_letters(
                &caller,
                merchants.as_ref(),
                letters,
                self.action.into(),
                visibility,
                &|| session.still_may_operate(),
            )
            .await?;
        Ok(done)
    }

    fn back(&self) -> String {
        let list = self.filter.clone().with("state", "failed");
        list.address(&path_of(self.direction))
    }
}

fn selection<F: EventFilter>(typed: &Typed, dry_run: bool) -> Result<EventSelection<F>, PageError> {
    Ok(EventSelection {
        filter: typed.read()?,
        is_narrowed: typed.members().iter().any(|(name, _)| F::NAMES.contains(name)),
        dry_run,
        limit: MOST,
    })
}

type Named = Path<(String, String)>;

/// How many there are.
#[get("/events/{direction}/letters/{action}")]
pub(crate) async fn confirm(session: Session, named: Named, request: HttpRequest) -> Result<HttpResponse, PageError> {
    session.needs(Scope::OpsWrite)?;
    let asked = Asked::read(&named, &read(&request)?)?;
    let counted_at = session.gateway().clock().now().to_string();
    let done = asked.handle(&session, asked.letters(&asked.filter, true)?).await?;
    page(&ConfirmPage {
        what: asked.action,
        action: format!("{}/letters/{}", path_of(asked.direction), asked.action.word()),
        back: asked.back(),
        counted_at,
        done,
        frame: session.frame(Section::Webhooks, format!("{} dead letters", asked.action.verb())),
        filter: asked.filter,
    })
}

/// What was counted is done: what came later was not, and is left alone.
#[post("/events/{direction}/letters/{action}")]
pub(crate) async fn carry_out(session: Session, named: Named, form: Form<Sent>) -> Result<HttpResponse, PageError> {
    let asked = Asked::read(&named, &form)?;
    let carry_out = async {
        let mut counted = asked.filter.clone();
        if let Some(at) = form.get("counted_at").filter(|_| counted.get("until").is_empty()) {
            counted = counted.with("until", at);
        }
        let done = asked.handle(&session, asked.letters(&counted, false)?).await?;
        told(asked.action, &done)
    };
    session.operate(&asked.back(), carry_out).await
}

/// The sums; that nothing at all could be done is a problem.
fn told(action: Action, done: &EventsDone) -> Result<String, PageError> {
    let what = action.done();
    let mut says = format!("{} of {} dead letters {what}", count(done.done), count(done.matched));
    if done.refused > 0 {
        says = format!("{says}, {} refused", count(done.refused));
        for refusal in done.refusals.iter().take(TOLD) {
            says = format!("{says}; {}: {}", refusal.id, refusal.detail);
        }
    }
    if done.more {
        says = format!("{says}; more match than are handled at once");
    }
    if done.done == 0 && done.refused > 0 {
        Err(PageError::unreadable(says))
    } else {
        Ok(says)
    }
}
