//! One customer of an event: what it becomes, and what would be done with it.

use jiff::Timestamp;
use serde_json::{Value, json};
use upsert_api::{Plan, Problem};
use upsert_core::{Handling, Ignored};
use upsert_server::{Rehearsal, unbelieved_time};
use upsert_settings::WebhookIn;
use upsert_webhook::{MapProblem, Mapped, Mapping, Part, Read};

/// One customer of an event.
pub(super) struct Customer {
    pub(super) index: Option<usize>,
    pub(super) read: Read,
    /// The sender's test call: nothing would be done.
    is_ping: bool,
    /// The time that it gives itself, where that is too far ahead to be believed.
    pub(super) unbelieved_time: Option<Timestamp>,
    /// The plan, or why it is refused; none: there is nothing to plan.
    pub(super) planned: Option<Result<Plan, Problem>>,
}

impl Customer {
    pub(super) fn read(
        mapping: &Mapping,
        part: &Part,
        header: &dyn Fn(&str) -> Option<String>,
        now: Timestamp,
    ) -> Self {
        let read = mapping.read(part, header);
        Self {
            index: part.index,
            unbelieved_time: unbelieved_time(&read, now),
            ..Self::of(read)
        }
    }

    /// The event cannot be read at all, or carries no list where one should be.
    pub(super) fn unreadable(problem: MapProblem) -> Self {
        Self::of(Read::unreadable(problem))
    }

    pub(super) fn ping() -> Self {
        Self {
            is_ping: true,
            ..Self::of(Read::LeftOut)
        }
    }

    fn of(read: Read) -> Self {
        Self {
            index: None,
            read,
            is_ping: false,
            unbelieved_time: None,
            planned: None,
        }
    }

    pub(super) fn plan(&mut self, rehearsal: &Rehearsal, merchant: &str, handling: Handling) {
        if let Read::Mapped(mapped) = &self.read {
            self.planned = rehearsal.plan(merchant, &mapped.body, handling);
        }
    }

    /// Whether nothing refuses it.
    pub(super) fn is_right(&self) -> bool {
        match (&self.read, &self.planned) {
            (Read::LeftOut, _) => true,
            (Read::Mapped(_), Some(Ok(plan))) => plan.connections.iter().all(|planned| planned.refusals.is_empty()),
            _ => false,
        }
    }

    pub(super) fn event_id(&self) -> Option<&str> {
        match &self.read {
            Read::Mapped(mapped) => Some(&mapped.event_id),
            Read::Refused { event_id, .. } => event_id.as_deref(),
            Read::LeftOut => None,
        }
    }

    pub(super) fn mapped(&self) -> Option<&Mapped> {
        match &self.read {
            Read::Mapped(mapped) => Some(mapped),
            _ => None,
        }
    }

    pub(super) fn problems(&self) -> &[MapProblem] {
        match &self.read {
            Read::Refused { problems, .. } => problems,
            _ => &[],
        }
    }

    pub(super) fn to_json(&self, source: &WebhookIn) -> Value {
        let mapped = self.mapped();
        let problem = |problem: &MapProblem| {
            let at = source.locate(&problem.target);
            json!({
                "pointer": problem.pointer, "target": problem.target, "code": problem.code, "detail": problem.detail,
                "file": *at.file, "line": at.line, "column": at.column,
            })
        };
        json!({
            "index": self.index,
            "result": self.result(),
            "event_id": self.event_id(),
            "order": mapped.and_then(|mapped| mapped.order.as_ref()).map(ToString::to_string),
            "provider_customer_id": mapped.and_then(|mapped| mapped.provider_customer_id.as_ref()),
            "unbelieved_time": self.unbelieved_time,
            "body": mapped.map(|mapped| &mapped.body),
            "fingerprint_of": mapped.map(Mapped::taken),
            "blanks": mapped.map(|mapped| &mapped.blanks),
            "given": mapped.map(|mapped| &mapped.given),
            "emptied": mapped.map(|mapped| &mapped.emptied),
            "problems": self.problems().iter().map(problem).collect::<Vec<_>>(),
            "ignored": self.ignored(),
            "plan": self.planned.as_ref().and_then(|planned| planned.as_ref().ok()),
            "refusal": self.planned.as_ref().and_then(|planned| planned.as_ref().err()).map(|problem| json!({
                "code": problem.code, "detail": problem.detail, "errors": problem.errors,
            })),
        })
    }

    /// What would be left out, since it cannot be read.
    fn ignored(&self) -> Vec<Ignored> {
        let by_mapping = self.mapped().into_iter().flat_map(|mapped| &mapped.ignored);
        let by_mapping = by_mapping.map(|problem| Ignored {
            pointer: problem.target.clone(),
            code: problem.code.to_owned(),
            detail: problem.detail.clone(),
        });
        let plan = self.planned.as_ref().and_then(|planned| planned.as_ref().ok());
        let of_body = plan.into_iter().flat_map(|plan| plan.ignored.iter().cloned());
        by_mapping.chain(of_body).collect()
    }

    pub(super) fn result(&self) -> &'static str {
        match (&self.read, self.is_right()) {
            _ if self.is_ping => "ping",
            (Read::LeftOut, _) => "left_out",
            (_, true) => "mapped",
            (_, false) => "refused",
        }
    }
}
