//! What is shown to those who may not read customers, each with why: everything else of the same value has to be covered.

/// By pointer; `*` stands for each item of a list.
#[derive(Clone, Default)]
pub(super) struct Stays(pub(super) Vec<(String, &'static str)>);

impl Stays {
    fn of(why: &'static str, pointers: &[&str]) -> Self {
        Self(pointers.iter().map(|pointer| ((*pointer).to_owned(), why)).collect())
    }

    fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same, of a part of a greater whole.
    fn within(self, prefix: &str) -> Self {
        let moved = self.0.into_iter();
        Self(
            moved
                .map(|(pointer, why)| (format!("{prefix}{pointer}"), why))
                .collect(),
        )
    }
}

const ID: &str = "an id of the gateway's own making says nothing of whom it is";
const CONFIGURED: &str = "it stands in the configuration";
const CODE: &str = "a code of ours";
const WORD: &str = "one of a closed set of words";
const COUNT: &str = "how often, how long or how much";
const TIME: &str = "when the gateway or the vendor did something";
const OURS: &str = "a sentence of ours, which repeats no value";
const FLAG: &str = "about the work, not about the person";
const BY: &str = "whose key or which source it was, as configured";

pub(super) fn of_record() -> Stays {
    Stays::of(ID, &["/id"])
        .and(Stays::of(COUNT, &["/version"]))
        .and(Stays::of(CONFIGURED, &["/merchant_id"]))
        .and(Stays::of(TIME, &["/created_at", "/updated_at"]))
}

pub(super) fn of_link() -> Stays {
    Stays::of(CONFIGURED, &["/connection"])
        .and(Stays::of(WORD, &["/state"]))
        .and(Stays::of(FLAG, &["/shared"]))
        .and(Stays::of(TIME, &["/last_delivered_at"]))
}

pub(super) fn of_linked() -> Stays {
    of_record().and(of_link().within("/links/*"))
}

pub(super) fn of_ignored() -> Stays {
    Stays::of(CODE, &["/code"]).and(Stays::of(OURS, &["/detail"]))
}

pub(super) fn of_wrong() -> Stays {
    Stays::of(CODE, &["/code"]).and(Stays::of(CONFIGURED, &["/connection"]))
}

pub(super) fn of_history() -> Stays {
    of_ignored()
        .within("/ignored/*")
        .and(Stays::of(COUNT, &["/version"]))
        .and(Stays::of(TIME, &["/at"]))
        .and(Stays::of(BY, &["/by"]))
        .and(Stays::of(ID, &["/upsert_id", "/erasure_id"]))
        .and(Stays::of(FLAG, &["/refused"]))
}

pub(super) fn of_error() -> Stays {
    Stays::of(WORD, &["/kind", "/state_at_vendor"]).and(Stays::of("an HTTP status", &["/vendor_status"]))
}

pub(super) fn of_words() -> Stays {
    Stays::of(TIME, &["/at"])
        .and(Stays::of(ID, &["/delivery_id"]))
        .and(of_error().within("/error"))
}

pub(super) fn of_incident() -> Stays {
    let happened = Stays::of(TIME, &["/at", "/last_at"])
        .and(Stays::of(WORD, &["/kind", "/by"]))
        .and(Stays::of(COUNT, &["/times"]))
        .and(Stays::of("an HTTP status", &["/vendor_status"]))
        .and(Stays::of(OURS, &["/reason"]));
    let touched = Stays::of(COUNT, &["/customers", "/deliveries", "/coalesced"])
        .and(Stays::of(ID, &["/customer_ids/*"]))
        .and(Stays::of(FLAG, &["/is_all"]));
    Stays::of(ID, &["/incident_id"])
        .and(Stays::of(CONFIGURED, &["/merchant_id", "/connection"]))
        .and(Stays::of(WORD, &["/state", "/error_kind"]))
        .and(Stays::of(TIME, &["/began_at", "/answering_since", "/ended_at"]))
        .and(Stays::of(COUNT, &["/failures", "/timeline_left_out"]))
        .and(Stays::of("an HTTP status", &["/vendor_status"]))
        .and(Stays::of(OURS, &["/message"]))
        .and(happened.within("/timeline/*"))
        .and(of_words().within("/first_words"))
        .and(of_words().within("/last_words"))
        .and(touched.within("/touched"))
}

pub(super) fn of_delivery() -> Stays {
    Stays::of(ID, &["/id", "/superseded_by"])
        .and(Stays::of(CONFIGURED, &["/connection", "/provider", "/required"]))
        .and(Stays::of(
            WORD,
            &["/state", "/waiting_for", "/outcome", "/evidence", "/matched_by"],
        ))
        .and(Stays::of(COUNT, &["/attempts", "/duration_ms"]))
        .and(Stays::of(TIME, &["/next_attempt_at"]))
        .and(of_warning().within("/warnings/*"))
        .and(of_error().within("/error"))
}

pub(super) fn of_warning() -> Stays {
    Stays::of(CODE, &["/code"]).and(Stays::of(OURS, &["/detail"]))
}

pub(super) fn of_listed() -> Stays {
    of_delivery()
        .and(Stays::of(CONFIGURED, &["/merchant_id"]))
        .and(Stays::of(ID, &["/customer_id", "/upsert_id"]))
        .and(Stays::of(TIME, &["/created_at", "/ended_at"]))
}

pub(super) fn of_request() -> Stays {
    Stays::of(WORD, &["/method"])
}

pub(super) fn of_attempt() -> Stays {
    of_error()
        .within("/error")
        .and(of_request().within("/request"))
        .and(Stays::of(COUNT, &["/number"]))
        .and(Stays::of(TIME, &["/started_at", "/ended_at", "/vendor_said/createdAt"]))
        .and(Stays::of(WORD, &["/result"]))
        .and(Stays::of("an HTTP status", &["/vendor_status"]))
}

pub(super) fn of_whole_delivery() -> Stays {
    of_listed().and(of_attempt().within("/attempt_log/*"))
}

pub(super) fn of_answer() -> Stays {
    of_record()
        .within("/customer")
        .and(of_delivery().within("/deliveries/*"))
        .and(of_ignored().within("/ignored/*"))
        .and(Stays::of(ID, &["/upsert_id"]))
        .and(Stays::of(WORD, &["/state"]))
}

pub(super) fn of_listed_upsert() -> Stays {
    of_delivery()
        .within("/deliveries/*")
        .and(of_ignored().within("/ignored/*"))
        .and(Stays::of(ID, &["/upsert_id", "/customer_id"]))
        .and(Stays::of(WORD, &["/state", "/through"]))
        .and(Stays::of(CONFIGURED, &["/merchant_id"]))
        .and(Stays::of(COUNT, &["/version"]))
        .and(Stays::of(FLAG, &["/new_customer", "/changed", "/rolled_back"]))
        .and(Stays::of(BY, &["/by"]))
        .and(Stays::of(TIME, &["/created_at", "/ended_at"]))
}

pub(super) fn of_match_key() -> Stays {
    Stays::of(WORD, &["/kind"])
}

pub(super) fn of_plan_refusal() -> Stays {
    Stays::of(CODE, &["/code"])
        .and(Stays::of(OURS, &["/detail"]))
        .and(Stays::of(CONFIGURED, &["/connection"]))
        .and(Stays::of(ID, &["/customer_id"]))
}

pub(super) fn of_planned() -> Stays {
    of_match_key()
        .within("/match_key")
        .and(of_request().within("/request"))
        .and(of_warning().within("/warnings/*"))
        .and(of_plan_refusal().within("/refusals/*"))
        .and(Stays::of(CONFIGURED, &["/connection", "/provider", "/required"]))
        .and(Stays::of(WORD, &["/action", "/repeat"]))
}

pub(super) fn of_plan() -> Stays {
    of_planned()
        .within("/connections/*")
        .and(of_ignored().within("/ignored/*"))
        .and(Stays::of(ID, &["/customer_id"]))
}

fn of_conflict() -> Stays {
    Stays::of("which identifier, not its value", &["/pointer"])
        .and(Stays::of(ID, &["/customer_id"]))
        .and(Stays::of(CONFIGURED, &["/connection"]))
}

pub(super) fn of_problem() -> Stays {
    of_wrong()
        .within("/errors/*")
        .and(of_conflict().within("/conflicts/*"))
        .and(Stays::of(CODE, &["/code", "/type", "/title", "/status"]))
        .and(Stays::of(OURS, &["/detail"]))
        .and(Stays::of("the caller knows it", &["/instance", "/request_id"]))
}

pub(super) fn of_upsert_problem() -> Stays {
    of_problem().and(of_answer()).and(Stays::of(FLAG, &["/rolled_back"]))
}

pub(super) fn of_event_problem() -> Stays {
    of_wrong()
        .within("/errors/*")
        .and(of_conflict().within("/conflicts/*"))
        .and(Stays::of(CODE, &["/code"]))
        .and(Stays::of(OURS, &["/detail"]))
}

pub(super) fn of_incoming() -> Stays {
    of_event_problem()
        .within("/problem")
        .and(of_ignored().within("/ignored/*"))
        .and(Stays::of(ID, &["/id", "/customer_id", "/upsert_id"]))
        .and(Stays::of(CONFIGURED, &["/merchant_id", "/source"]))
        .and(Stays::of(WORD, &["/state"]))
        .and(Stays::of(TIME, &["/received_at", "/tried_at", "/unbelieved_time"]))
        .and(Stays::of(COUNT, &["/tries"]))
}

pub(super) fn of_outgoing() -> Stays {
    Stays::of(ID, &["/id"])
        .and(Stays::of(CONFIGURED, &["/merchant_id", "/endpoint"]))
        .and(Stays::of(WORD, &["/type", "/state"]))
        .and(Stays::of(
            TIME,
            &["/created_at", "/next_attempt_at", "/last_attempt_at", "/ended_at"],
        ))
        .and(Stays::of(COUNT, &["/attempts"]))
        .and(Stays::of("an HTTP status", &["/last_status"]))
        .and(Stays::of(
            "how the call failed: it is free of personal data",
            &["/last_error"],
        ))
}

pub(super) fn of_failed_attempt() -> Stays {
    Stays::of(TIME, &["/ended_at"])
        .and(Stays::of(COUNT, &["/duration_ms"]))
        .and(Stays::of("an HTTP status", &["/status"]))
        .and(Stays::of(OURS, &["/error"]))
}

pub(super) fn of_whole_outgoing() -> Stays {
    of_outgoing().and(of_failed_attempt().within("/failed_attempts/*"))
}

pub(super) fn of_taken() -> Stays {
    of_ignored()
        .within("/ignored/*")
        .and(Stays::of(ID, &["/id", "/upsert_id", "/customer_id"]))
        .and(Stays::of(WORD, &["/result"]))
        .and(Stays::of(TIME, &["/unbelieved_time"]))
}

pub(super) fn of_cause() -> Stays {
    Stays::of(WORD, &["/kind"])
        .and(Stays::of(COUNT, &["/count", "/states/failed", "/states/waiting"]))
        .and(Stays::of(ID, &["/newest_delivery_id"]))
        .and(Stays::of(TIME, &["/newest_at"]))
}

pub(super) fn of_trial() -> Stays {
    of_error()
        .within("/error")
        .and(Stays::of(ID, &["/delivery_id"]))
        .and(Stays::of(WORD, &["/tried", "/outcome", "/follows"]))
        .and(Stays::of("an HTTP status", &["/vendor_status"]))
        .and(Stays::of(COUNT, &["/duration_ms"]))
        .and(Stays::of(OURS, &["/detail"]))
}

pub(super) fn of_tried() -> Stays {
    of_trial().and(of_connection().within("/connection"))
}

pub(super) fn of_resumed() -> Stays {
    let trial = of_trial().within("/trial");
    of_connection().and(trial).and(Stays::of(OURS, &["/not_tried"]))
}

fn of_connection() -> Stays {
    Stays::of(CONFIGURED, &["/merchant_id", "/name", "/provider", "/required"])
        .and(Stays::of(OURS, &["/pause_reason"]))
        .and(of_state())
        .and(Stays::of(
            COUNT,
            &[
                "/waiting",
                "/in_flight",
                "/oldest_waiting_seconds",
                "/work_seconds",
                "/dead_letters",
                "/breaker/calls",
                "/breaker/faults",
                "/rate_limit/per_second",
                "/rate_limit/burst",
                "/rate_limit/per_day",
                "/rate_limit/used_today",
                "/rate_limit/left_today",
                "/rate_limit/left_today_for_bulk",
                "/rate_limit/per_day_for_bulk",
                "/concurrency/places",
                "/concurrency/in_use",
                "/concurrency/waiting",
                "/health/in_flight",
                "/health/latency_p50_ms",
                "/health/latency_p95_ms",
                "/health/latency_p99_ms",
                "/health/latency_usual_ms",
            ],
        ))
}

fn of_state() -> Stays {
    let words = [
        "/state",
        "/paused_by",
        "/breaker/state",
        "/rate_limit/blocked_by",
        "/health/last_failure_kind",
    ];
    let times = [
        "/paused_since",
        "/through_at",
        "/breaker/until",
        "/breaker/failing_since",
        "/rate_limit/opens_at",
        "/rate_limit/blocked_until",
        "/health/last_success_at",
        "/health/last_failure_at",
    ];
    Stays::of(WORD, &words)
        .and(Stays::of(TIME, &times))
        .and(Stays::of("an HTTP status", &["/breaker/failing_with"]))
}
