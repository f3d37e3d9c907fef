//! Deliveries and plans as tables, one row a connection, warnings below.

use std::fmt::Write as _;

use upsert_api::{Delivery, DeliveryError, Plan, UpsertAnswer};
use upsert_core::{FieldOutcomes, Ignored, Warning};

use crate::show::delivery::state;
use crate::show::{or_dash, plain, wide_table};

/// What came of each delivery.
pub(super) fn deliveries(answer: &UpsertAnswer) -> String {
    let mut table = wide_table(&[
        "connection",
        "state",
        "outcome",
        "evidence",
        "matched by",
        "vendor id",
        "fields",
    ]);
    let mut notes = String::new();
    for delivery in &answer.deliveries {
        table.add_row([
            plain(&delivery.connection),
            state(delivery),
            or_dash(delivery.outcome),
            or_dash(delivery.evidence),
            or_dash(delivery.matched_by),
            or_dash(delivery.provider_customer_id.as_ref()),
            fields(&delivery.fields),
        ]);
        note_delivery(&mut notes, delivery);
    }
    note_ignored(&mut notes, &answer.ignored);
    format!("{}{notes}", table.trim_fmt())
}

/// What would be sent to each connection.
pub(crate) fn plan(plan: &Plan) -> String {
    let mut table = wide_table(&["connection", "action", "match key", "request"]);
    let mut notes = String::new();
    for planned in &plan.connections {
        let name = plain(&planned.connection);
        let request = planned.request.as_ref();
        table.add_row([
            name.clone(),
            or_dash(planned.action),
            or_dash(planned.match_key.as_ref().map(|key| key.kind)),
            or_dash(request.map(|request| format!("{} {}", request.method, request.path))),
        ]);
        if let Some(request) = request.filter(|request| !request.body.is_null()) {
            let _ = write!(notes, "\n{name} would get: {}", request.body);
        }
        note_warnings(&mut notes, &name, &planned.warnings);
        for refusal in &planned.refusals {
            let (at, detail) = (plain(&refusal.pointer), plain(&refusal.detail));
            let _ = write!(notes, "\n{name}: refuses {at}: {detail}");
        }
    }
    note_ignored(&mut notes, &plan.ignored);
    format!("{}{notes}", table.trim_fmt())
}

fn fields(fields: &FieldOutcomes) -> String {
    let counts = [
        (fields.confirmed.len(), "confirmed"),
        (fields.differs.len(), "differs"),
        (fields.unconfirmed.len(), "unconfirmed"),
    ];
    let shown = counts.into_iter().filter(|(count, _)| *count > 0);
    let shown: Vec<String> = shown.map(|(count, name)| format!("{count} {name}")).collect();
    or_dash(Some(shown.join(", ")).filter(|shown| !shown.is_empty()))
}

fn note_delivery(notes: &mut String, delivery: &Delivery) {
    let name = plain(&delivery.connection);
    for differs in &delivery.fields.differs {
        let (at, kept) = (plain(&differs.pointer), plain(&differs.kept));
        let _ = write!(notes, "\n{name}: {at} differs: the vendor keeps {kept}");
    }
    note_warnings(notes, &name, &delivery.warnings);
    if let Some(error) = &delivery.error {
        note_error(notes, &name, error);
    }
}

fn note_warnings(notes: &mut String, name: &str, warnings: &[Warning]) {
    for Warning { code, pointer, detail } in warnings {
        let _ = write!(notes, "\n{name}: {code} {}: {}", plain(pointer), plain(detail));
    }
}

fn note_error(notes: &mut String, name: &str, error: &DeliveryError) {
    let (kind, code) = (error.kind, or_dash(error.code.as_ref()));
    let _ = write!(notes, "\n{name}: {kind} {code}: {}", plain(&error.detail));
    for place in &error.errors {
        let (at, detail) = (or_dash(place.pointer.as_ref()), plain(&place.detail));
        let _ = write!(notes, "\n  {at}: {detail}");
    }
}

/// What was left out.
fn note_ignored(notes: &mut String, ignored: &[Ignored]) {
    for Ignored { pointer, code, detail } in ignored {
        let (at, detail, code) = (plain(pointer), plain(detail), plain(code));
        let _ = write!(notes, "\nleft out {at}: {detail} ({code})");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples::{self, delivery, whole};

    #[test]
    fn what_waits_differs_or_failed_is_said_below_the_table() {
        let waiting = delivery(
            json!({ "connection": "rotor", "state": "waiting", "waiting_for": "quota", "fields": {
            "confirmed": [], "differs": [{ "pointer": "/email", "kept": "old@x.example" }], "unconfirmed": ["/phone"] } }),
        );
        let places = json!([{ "pointer": "/phone", "vendor_field": "phone", "detail": "too short" }]);
        let error = samples::error(json!({ "code": "E1", "errors": places }));
        let failed = delivery(json!({ "connection": "payments", "state": "failed", "error": error }));
        let answer = whole(samples::taken(json!({ "deliveries": [waiting, failed] })), json!({}));
        let text = deliveries(&answer);
        for wanted in [
            "waiting for quota",
            "1 differs, 1 unconfirmed",
            "\nrotor: /email differs: the vendor keeps \"old@x.example\"",
            "\npayments: rejected E1: no\n  /phone: too short",
        ] {
            assert!(text.contains(wanted), "no `{wanted}` in:\n{text}");
        }
    }

    #[test]
    fn a_plan_that_refuses_says_where_and_why() {
        let refusals = json!([{ "pointer": "/email", "code": "required", "detail": "is required" }]);
        let planned = samples::planned(json!({ "connection": "payments", "refusals": refusals }));
        let text = plan(&samples::plan(json!({ "connections": [planned] })));
        assert!(text.ends_with("\npayments: refuses /email: is required"), "{text}");
    }
}
