//! Answers, plans, problems, and what is no customer's.

use serde_json::json;
use upsert_core::{CustomerId, DeliveryId, EventId, KeyKind, Kind, MatchKey, Repeat, UpsertId, WireRequest};

use super::event::conflict;
use super::{
    customer, customer_record, delivery, delivery_error, ignored, noon, open, secret, secret_pointer, taken_event,
    warning, wrong,
};
use crate::{
    AuditCheck, AuditEntry, AuditFault, AuditMark, AuditMisfit, Configuration, ConfigurationChange,
    ConfigurationGeneration, ConfigurationLine, ConfigurationProblem, DeliveriesDone, Encryption, EventsDone,
    FailedUpsert, FieldMap, Form, LastReading, ListedMerchant, ListedUpsert, Logs, Plan, PlanAction, PlanRefusal,
    PlannedConnection, Problem, ProblemCode, Provider, Ready, ReadyConfiguration, Refused, RefusedDelivery,
    RefusedEvents, StoredMerchant, Through, UpsertAnswer, UpsertProblem, UpsertState, VendorProblem, VendorRefusal,
    WebhookProblem,
};

pub(crate) fn upsert_answer() -> UpsertAnswer {
    UpsertAnswer {
        upsert_id: UpsertId::oldest_at(noon()),
        state: UpsertState::PartiallyFailed,
        customer: customer_record(),
        deliveries: vec![delivery()],
        ignored: vec![ignored()],
    }
}

pub(crate) fn listed_upsert() -> ListedUpsert {
    ListedUpsert {
        upsert_id: UpsertId::oldest_at(noon()),
        state: UpsertState::Pending,
        merchant_id: open("acme"),
        customer_id: CustomerId::oldest_at(noon()),
        version: 3,
        new_customer: true,
        changed: true,
        rolled_back: true,
        by: open("shop"),
        through: Some(Through::Batch),
        created_at: noon(),
        ended_at: Some(noon()),
        ignored: vec![ignored()],
        deliveries: vec![delivery()],
    }
}

pub(crate) fn match_key() -> MatchKey {
    MatchKey {
        kind: KeyKind::Email,
        value: secret("e-mail"),
    }
}

pub(crate) fn wire_request() -> WireRequest {
    WireRequest {
        method: open("PUT"),
        path: format!("/customers/{}", secret("record")),
        body: json!({ (secret("name")): secret("value"), "vip": true }),
    }
}

pub(crate) fn plan_refusal() -> PlanRefusal {
    PlanRefusal {
        pointer: secret_pointer(),
        code: open("match_key_collision"),
        detail: open("another customer has this key"),
        connection: Some(open("crm")),
        customer_id: Some(CustomerId::oldest_at(noon())),
    }
}

pub(crate) fn planned_connection() -> PlannedConnection {
    PlannedConnection {
        connection: open("crm"),
        provider: open("crm"),
        required: true,
        action: Some(PlanAction::Update),
        match_key: Some(match_key()),
        request: Some(wire_request()),
        repeat: Some(Repeat::Safe),
        warnings: vec![warning()],
        refusals: vec![plan_refusal()],
    }
}

pub(crate) fn plan() -> Plan {
    Plan {
        customer_id: Some(CustomerId::oldest_at(noon())),
        customer: customer(),
        connections: vec![planned_connection()],
        ignored: vec![ignored()],
    }
}

pub(crate) fn problem() -> Problem {
    Problem {
        r#type: open("/problems/match_key_collision"),
        title: open("A vendor would take the customer for another one"),
        status: 409,
        code: ProblemCode::MatchKeyCollision,
        detail: open("1 field is not valid"),
        instance: open("/v1/customers"),
        request_id: open("request-1"),
        errors: vec![wrong()],
        conflicts: Some(vec![conflict()]),
    }
}

pub(crate) fn upsert_problem() -> UpsertProblem {
    UpsertProblem {
        problem: problem(),
        failed: FailedUpsert {
            answer: upsert_answer(),
            rolled_back: true,
        },
    }
}

pub(crate) fn vendor_problem() -> VendorProblem {
    VendorProblem {
        problem: problem(),
        refusal: VendorRefusal {
            error: delivery_error(),
        },
    }
}

pub(crate) fn webhook_problem() -> WebhookProblem {
    WebhookProblem {
        problem: problem(),
        refused: RefusedEvents {
            reason: ProblemCode::ValidationFailed,
            events: vec![taken_event()],
        },
    }
}

pub(crate) fn deliveries_done() -> DeliveriesDone {
    DeliveriesDone {
        dry_run: true,
        matched: 3,
        done: 2,
        refused: 1,
        refusals: vec![RefusedDelivery {
            delivery_id: DeliveryId::oldest_at(noon()),
            code: ProblemCode::NotFound,
            detail: open("there is no such delivery"),
        }],
        more: true,
        next_cursor: Some(open("next")),
        counted_at: Some(noon()),
    }
}

pub(crate) fn events_done() -> EventsDone {
    EventsDone {
        dry_run: true,
        matched: 3,
        done: 2,
        refused: 1,
        refusals: vec![Refused {
            id: EventId::oldest_at(noon()),
            code: ProblemCode::Overloaded,
            detail: open("somebody else changed it"),
        }],
        more: true,
    }
}

fn configuration_change() -> ConfigurationChange {
    ConfigurationChange {
        place: open("merchants/acme: connections.crm.timeout"),
        from: Some(open("5s")),
        to: Some(open("10s")),
    }
}

pub(crate) fn configuration() -> Configuration {
    Configuration {
        generation: 3,
        since: noon(),
        stale: true,
        refused_at: Some(noon()),
        problems: vec![ConfigurationProblem {
            file: open("merchants/acme.toml"),
            line: 3,
            column: 7,
            path: open("connections[2].timeout"),
            message: open("is no length of time"),
            hint: Some(open("write `10s`")),
        }],
        other_problems: 2,
        waits_for_restart: vec![configuration_change()],
        history: vec![ConfigurationGeneration {
            generation: 3,
            at: noon(),
            changes: vec![configuration_change()],
            left_out: 1,
        }],
        configured: vec![ConfigurationLine {
            place: open("merchants/acme: connections.crm.timeout"),
            text: open("10s"),
        }],
    }
}

pub(crate) fn audit_entry() -> AuditEntry {
    AuditEntry {
        number: 7,
        at: noon(),
        by: open("platform"),
        action: open("connection.pause"),
        subject: open("connections/acme/crm"),
        merchant_id: Some(open("acme")),
        detail: Some(json!({ "generation": 3 })),
    }
}

pub(crate) fn audit_check() -> AuditCheck {
    AuditCheck {
        fits: false,
        misfit: Some(AuditMisfit {
            number: 7,
            code: AuditFault::Changed,
            detail: open("the entry is not what its hash was made of"),
        }),
        checked: 6,
        keyed: 5,
        forgotten: 3,
        head: Some(AuditMark {
            number: 9,
            hash: open("9f3c"),
        }),
        next_cursor: Some(open("next")),
    }
}

pub(crate) fn listed_merchant() -> ListedMerchant {
    ListedMerchant {
        id: "acme".to_owned(),
        name: Some("Acme Plumbing".to_owned()),
        generation: 3,
        put_at: noon(),
        put_by: "platform".to_owned(),
        in_file: false,
    }
}

pub(crate) fn stored_merchant() -> StoredMerchant {
    let members = json!({ "id": "acme", "connections": [{ "name": "crm", "provider": "rotor" }] });
    StoredMerchant {
        generation: 3,
        put_at: noon(),
        put_by: "platform".to_owned(),
        members: members.as_object().cloned().unwrap_or_default(),
    }
}

pub(crate) fn ready() -> Ready {
    Ready {
        status: open("ready"),
        configuration: ReadyConfiguration {
            generation: 3,
            merchants: 2,
            last_reading: LastReading::TakenOver,
        },
        store: open("reachable"),
        migrations: open("done"),
        encryption: Encryption::Off,
    }
}

pub(crate) fn logs() -> Logs {
    Logs {
        filter: open("debug"),
        configured: open("info"),
        until: Some(noon()),
    }
}

pub(crate) fn provider() -> Provider {
    Provider {
        name: open("crm"),
        title: open("Rotor"),
        docs_url: open("https://rotor.example/docs"),
        default_base_url: open("https://api.rotor.example"),
        forms: vec![Form {
            kinds: vec![Kind::Person, Kind::Organisation],
            fields: vec![FieldMap {
                pointer: open("/email"),
                vendor_field: open("emailAddress"),
                required: true,
                soft_limit: Some(64),
                readable: true,
            }],
            required_fields: vec![open("/email")],
            match_keys: vec![KeyKind::Email],
        }],
        tells_created_from_updated: true,
        can_clear: true,
        merges_tags: true,
        updates_by_id: true,
        can_read: true,
        default_payload: upsert_core::Payload::Changed,
        credentials: vec![open("token")],
        protected: vec![open("emailAddress")],
        known_daily_limit: Some(1_000),
    }
}
