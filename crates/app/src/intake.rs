//! What became of an event, as its sender is told and as it is kept.

use serde_json::{Map, Value as Json, json};

use upsert_core::{Ignored, Problem};
use upsert_store::IncomingEvent;
use upsert_webhook::{Forged, MapProblem, Mapped};

use crate::problem::{ProblemCode, Refusal};

/// What became of an event, or of one customer's part of it.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The source's configuration leaves it out.
    LeftOut,
    /// It was here before.
    Repeated(Box<IncomingEvent>),
    /// It is durable, without what could not be read.
    Done(Box<IncomingEvent>, Vec<Ignored>),
    /// It cannot be taken, and is kept as a dead letter.
    Refused(Box<IncomingEvent>, Box<Refusal>),
}

/// What the sender is told.
#[derive(Debug, Default)]
pub struct Intake {
    /// One entry for each customer in the event.
    pub data: Vec<Json>,
    /// Whether anything was stored that had not been here before.
    pub is_new: bool,
    /// Why a part of it could not be taken: the first that could not.
    pub refusal: Option<Refusal>,
}

impl Taken {
    /// For the metrics.
    pub(crate) fn result(&self) -> &'static str {
        match self {
            Self::LeftOut => "left_out",
            Self::Repeated(_) => "repeated",
            Self::Done(event, _) => event.state.as_str(),
            Self::Refused(..) => "refused",
        }
    }
}

impl Intake {
    pub(crate) fn add(&mut self, taken: Taken) {
        self.is_new |= matches!(taken, Taken::Done(..));
        self.data.push(taken_json(&taken));
        if let Taken::Refused(_, refusal) = taken
            && self.refusal.is_none()
        {
            self.refusal = Some(*refusal);
        }
    }
}

/// As the sender is told.
pub(crate) fn taken_json(taken: &Taken) -> Json {
    let shown = |event: &IncomingEvent, result: &str, ignored: &[Ignored]| {
        json!({
            "id": event.id,
            "event_id": event.event_id,
            "result": result,
            "upsert_id": event.upsert,
            "customer_id": event.customer,
            "ignored": ignored,
        })
    };
    match taken {
        Taken::LeftOut => json!({
            "id": null, "event_id": null, "result": "left_out", "upsert_id": null, "customer_id": null,
            "ignored": [],
        }),
        Taken::Repeated(event) => shown(event, "repeated", &[]),
        Taken::Done(event, ignored) => shown(event, event.state.as_str(), ignored),
        Taken::Refused(event, _) => shown(event, "refused", &[]),
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

/// The same of what was left out.
pub(crate) fn ignored_in_the_events_words(ignored: &[Ignored], mapped: &Mapped) -> Vec<Ignored> {
    let told = |ignored: &Ignored| Ignored {
        pointer: mapped.origin(&ignored.pointer).unwrap_or_default(),
        code: ignored.code.clone(),
        detail: format!("{} (for {})", ignored.detail, ignored.pointer),
    };
    ignored.iter().map(told).collect()
}

/// Why it could not be taken, as it is kept.
pub(crate) fn problem_json(refusal: &Refusal) -> Json {
    let mut kept = Map::new();
    kept.insert("code".to_owned(), json!(refusal.code.as_str()));
    kept.insert("detail".to_owned(), json!(refusal.detail));
    kept.insert("errors".to_owned(), json!(refusal.errors));
    if !refusal.conflicts.is_empty() {
        kept.insert("conflicts".to_owned(), json!(refusal.conflicts));
    }
    Json::Object(kept)
}
