//! What became of an event, as its sender is told and as it is kept.

use upsert_api::{EventProblem, EventResult, ProblemCode, TakenEvent};
use upsert_core::{Ignored, Problem};
use upsert_store::IncomingEvent;
use upsert_webhook::{Forged, MapProblem, Mapped};

use crate::problem::Refusal;

/// What became of an event, or of one customer's part of it.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The source's configuration leaves it out.
    LeftOut,
    /// It is the sender's test call.
    Ping,
    /// It was here before.
    Repeated(Box<IncomingEvent>),
    /// It is durable.
    Done(Box<IncomingEvent>),
    /// It cannot be taken, and is kept as a dead letter.
    Refused(Box<IncomingEvent>, Box<Refusal>),
    /// It is about somebody who was erased: nothing of it is kept.
    Erased(Box<Refusal>),
}

/// What the sender is told.
#[derive(Debug, Default)]
pub struct Intake {
    /// One entry for each customer in the event.
    pub data: Vec<TakenEvent>,
    /// Whether anything was stored that had not been here before.
    pub is_new: bool,
    /// Why a part of it could not be taken: the first that could not.
    pub refusal: Option<Refusal>,
}

impl Taken {
    /// In a word.
    pub(crate) fn result(&self) -> EventResult {
        match self {
            Self::LeftOut => EventResult::LeftOut,
            Self::Ping => EventResult::Ping,
            Self::Repeated(_) => EventResult::Repeated,
            Self::Done(event) => event.state().into(),
            Self::Refused(..) | Self::Erased(_) => EventResult::Refused,
        }
    }

    /// As the sender is told.
    pub(crate) fn shown(&self) -> TakenEvent {
        let (event, ignored) = match self {
            Self::LeftOut | Self::Ping | Self::Erased(_) => (None, Vec::new()),
            Self::Repeated(event) => (Some(event), Vec::new()),
            Self::Done(event) | Self::Refused(event, _) => (Some(event), event.ignored.clone()),
        };
        TakenEvent {
            id: event.map(|event| event.id),
            event_id: event.map(|event| event.event_id.clone()),
            result: self.result(),
            upsert_id: event.and_then(|event| event.upsert()),
            customer_id: event.and_then(|event| event.customer()),
            unbelieved_time: event.and_then(|event| event.unbelieved_time),
            ignored,
        }
    }
}

impl Intake {
    pub(crate) fn add(&mut self, taken: Taken) {
        self.is_new |= matches!(taken, Taken::Done(_));
        self.data.push(taken.shown());
        if let Taken::Refused(_, refusal) | Taken::Erased(refusal) = taken
            && self.refusal.is_none()
        {
            self.refusal = Some(*refusal);
        }
    }
}

/// 401.
pub(crate) fn unbelieved(forged: &Forged) -> Refusal {
    Refusal::new(
        ProblemCode::Unauthenticated,
        format!("the event is not believed: {forged}"),
    )
}

/// 422, with everything that is wrong by its place in the event.
pub(crate) fn unmapped(problems: Vec<MapProblem>) -> Refusal {
    let problem = |problem: MapProblem| {
        let of = if problem.target.is_empty() {
            String::new()
        } else {
            format!(" (for {})", problem.target)
        };
        Problem::new(problem.pointer, problem.code, format!("{}{of}", problem.detail))
    };
    let detail = "the event cannot be mapped to a customer";
    Refusal {
        errors: problems.into_iter().map(problem).collect(),
        ..Refusal::new(ProblemCode::ValidationFailed, detail)
    }
}

/// What of an event was left out: first by its mapping, then of what that made of it. In the words of the body, and in the
/// event's.
pub(crate) fn left_out(mapped: &Mapped, of_body: &[Ignored]) -> (Vec<Ignored>, Vec<Ignored>) {
    let by_mapping = |problem: &MapProblem| {
        let ignored = |pointer: &str, detail: String| Ignored {
            pointer: pointer.to_owned(),
            code: problem.code.to_owned(),
            detail,
        };
        let in_the_events_words = format!("{} (for {})", problem.detail, problem.target);
        (
            ignored(&problem.target, problem.detail.clone()),
            ignored(&problem.pointer, in_the_events_words),
        )
    };
    let by_canonicalising = |ignored: &Ignored| {
        let in_the_events_words = Ignored {
            pointer: mapped.origin(&ignored.pointer).unwrap_or_default(),
            detail: format!("{} (for {})", ignored.detail, ignored.pointer),
            ..ignored.clone()
        };
        (ignored.clone(), in_the_events_words)
    };
    let all = mapped.ignored.iter().map(by_mapping);
    all.chain(of_body.iter().map(by_canonicalising)).unzip()
}

/// Whoever sent it knows the event and not what it became: problems point into the event, and say which member of the
/// body they are of.
pub(crate) fn in_the_events_words(mut refusal: Refusal, mapped: &Mapped) -> Refusal {
    for problem in &mut refusal.errors {
        let origin = mapped.origin(&problem.pointer);
        let suffix = if origin.is_some() {
            ""
        } else {
            ", which the event says nothing of"
        };
        let target = std::mem::replace(&mut problem.pointer, origin.unwrap_or_default());
        let detail = std::mem::take(&mut problem.detail);
        problem.detail = if target.is_empty() {
            detail
        } else {
            format!("{detail} (for {target}{suffix})")
        };
    }
    refusal
}

/// Why it could not be taken, as it is kept.
pub(crate) fn kept_problem(refusal: &Refusal) -> EventProblem {
    EventProblem {
        code: refusal.code,
        detail: refusal.detail.clone(),
        errors: refusal.errors.clone(),
        conflicts: (!refusal.conflicts.is_empty()).then(|| refusal.conflicts.clone()),
    }
}
