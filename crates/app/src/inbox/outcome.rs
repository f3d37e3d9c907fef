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
    /// It is the sender's test call.
    Ping,
    /// It was here before.
    Repeated(Box<IncomingEvent>),
    /// It is durable.
    Done(Box<IncomingEvent>),
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
            Self::Ping => "ping",
            Self::Repeated(_) => "repeated",
            Self::Done(event) => event.state.as_str(),
            Self::Refused(..) => "refused",
        }
    }
}

impl Intake {
    pub(crate) fn add(&mut self, taken: Taken) {
        self.is_new |= matches!(taken, Taken::Done(_));
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
    let with = |event: &IncomingEvent, result: &str, ignored: &[Ignored]| {
        json!({
            "id": event.id,
            "event_id": event.event_id,
            "result": result,
            "upsert_id": event.upsert,
            "customer_id": event.customer,
            "ignored": ignored,
            "unbelieved_time": event.unbelieved_time,
        })
    };
    let shown = |event: &IncomingEvent, result: &str| with(event, result, &event.ignored);
    let nothing = |result: &str| {
        json!({
            "id": null, "event_id": null, "result": result, "upsert_id": null, "customer_id": null, "ignored": [],
            "unbelieved_time": null,
        })
    };
    match taken {
        Taken::LeftOut | Taken::Ping => nothing(taken.result()),
        Taken::Repeated(event) => with(event, "repeated", &[]),
        Taken::Done(event) => shown(event, event.state.as_str()),
        Taken::Refused(event, _) => shown(event, "refused"),
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
