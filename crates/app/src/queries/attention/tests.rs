use upsert_api::BreakerState;
use upsert_core::Word as _;

use super::*;
use found::{Found, ago, connection, disabled, endpoint, failing, in_state, paused, refused, source};

mod found;

/// Something with which this alone is wrong.
fn in_trouble(code: AttentionCode) -> Found {
    let mut one = connection("crm");
    match code {
        AttentionCode::ConfigurationRefused => return refused(2),
        AttentionCode::EndpointDisabled => return Found::endpoints([disabled("hooks")]),
        AttentionCode::EndpointFailing => return Found::endpoints([failing("hooks", 1, "it answered 500")]),
        AttentionCode::PausedByVendor => one = paused("crm", PausedBy::Vendor, "401"),
        AttentionCode::PausedByOperator => one = paused("crm", PausedBy::Operator, "paused by ann"),
        AttentionCode::BreakerOpen => one.state = ConnectionState::Open,
        AttentionCode::QuotaSpent => one.state = ConnectionState::QuotaSpent,
        AttentionCode::Throttled => one.state = ConnectionState::Throttled,
        AttentionCode::Degraded => one.state = ConnectionState::Degraded,
        AttentionCode::DeadLetters => one.dead_letters = 1,
        AttentionCode::WaitingLong => one.oldest_waiting_seconds = Some(LONG),
        AttentionCode::QuotaRunningOut => one.status.rate_limit.left_today = Some(100),
    }
    Found::connections([one])
}

#[test]
fn everything_that_can_be_wrong_is_told_by_its_code() {
    for code in AttentionCode::all() {
        let one = in_trouble(code).one();
        assert_eq!(one.code, code);
        assert!(!one.detail.is_empty() && !one.name.is_empty());
    }
}

#[test]
fn what_does_not_arrive_is_critical_and_what_may_come_to_that_a_warning() {
    let bad = AttentionCode::all().filter(|code| in_trouble(*code).one().severity == Severity::Critical);
    let bad: Vec<_> = bad.collect();
    let expected = [
        AttentionCode::ConfigurationRefused,
        AttentionCode::PausedByVendor,
        AttentionCode::BreakerOpen,
        AttentionCode::QuotaSpent,
        AttentionCode::EndpointDisabled,
        AttentionCode::DeadLetters,
    ];
    assert_eq!(bad, expected);
}

#[test]
fn what_is_well_gives_no_entry() {
    let mut unlimited = connection("unlimited");
    (
        unlimited.status.rate_limit.per_day,
        unlimited.status.rate_limit.left_today,
    ) = (None, None);
    unlimited.oldest_waiting_seconds = None;
    let found = Found {
        connections: vec![connection("crm"), unlimited],
        webhooks: Webhooks {
            sources: vec![source("shop", 0)],
            endpoints: vec![endpoint("hooks")],
        },
        refused: None,
    };
    assert_eq!(found.judged(), []);
    assert_eq!(Found::default().judged(), []);
}

#[test]
fn a_subject_has_one_entry_with_all_that_is_wrong_and_the_code_of_the_worst() {
    let mut all = in_state("crm", ConnectionState::Degraded);
    all.status.breaker.faults = 4;
    all.dead_letters = 2;
    all.oldest_waiting_seconds = Some(TOO_LONG);
    all.status.rate_limit.left_today = Some(50);
    let one = Found::connections([all]).one();
    assert_eq!(
        (one.severity, one.code),
        (Severity::Critical, AttentionCode::DeadLetters)
    );
    let details = [
        "2 deliveries failed for good",
        "3 waiting, the oldest for 1 h 0 min",
        "4 of the last 10 calls failed by the vendor's fault",
        "5 % of the day's calls are left",
    ];
    assert_eq!(one.detail, details.join("; "));
    assert_eq!((one.waiting, one.dead_letters), (3, 2));
    // Nobody knows since when there are dead letters of a connection: the entry's moment is of its code.
    assert_eq!(one.since, None);
}

#[test]
fn what_is_critical_comes_before_a_worse_code_that_is_a_warning() {
    // By its code a pause is less than a wait; by severity it is the wait that counts where it is too long.
    let mut held = paused("crm", PausedBy::Operator, "");
    held.oldest_waiting_seconds = Some(LONG);
    assert_eq!(
        Found::connections([held.clone()]).one().code,
        AttentionCode::WaitingLong
    );
    let mut endpoint = failing("hooks", 2, "");
    endpoint.oldest_waiting_seconds = Some(TOO_LONG);
    let one = Found::endpoints([endpoint]).one();
    assert_eq!(
        (one.severity, one.code),
        (Severity::Critical, AttentionCode::WaitingLong)
    );
}

#[test]
fn actions_stand_once_and_those_of_the_worst_come_first() {
    let mut one = in_state("crm", ConnectionState::Open);
    (one.dead_letters, one.oldest_waiting_seconds) = (1, Some(LONG));
    let actions = Found::connections([one]).one().actions;
    assert_eq!(actions, [Action::Try, Action::List, Action::Replay, Action::Discard]);
    let mut gone = disabled("hooks");
    gone.dead_letters = 1;
    let actions = Found::endpoints([gone]).one().actions;
    let expected = [
        Action::Enable,
        Action::Test,
        Action::List,
        Action::Replay,
        Action::Discard,
    ];
    assert_eq!(actions, expected);
    let mut vendors = paused("crm", PausedBy::Vendor, "");
    vendors.dead_letters = 1;
    let actions = Found::connections([vendors]).one().actions;
    let expected = [
        Action::Try,
        Action::Resume,
        Action::List,
        Action::Replay,
        Action::Discard,
    ];
    assert_eq!(actions, expected);
    assert_eq!(refused(1).one().actions, [Action::CheckConfiguration]);
}

#[test]
fn a_call_is_offered_where_the_vendor_may_answer_otherwise_by_now_and_not_where_we_hold_calls_back_ourselves() {
    let offers = |connection| Found::connections([connection]).one().actions.contains(&Action::Try);
    let in_state = |state| in_state("crm", state);
    for state in [
        ConnectionState::Open,
        ConnectionState::Throttled,
        ConnectionState::QuotaSpent,
    ] {
        assert!(offers(in_state(state)), "{state}");
    }
    assert!(offers(paused("crm", PausedBy::Vendor, "")) && !offers(paused("crm", PausedBy::Operator, "")));
    let mut spent = in_state(ConnectionState::QuotaSpent);
    spent.status.rate_limit.left_today = Some(0);
    assert!(!offers(spent), "by our own count");
    let mut shaky = in_state(ConnectionState::Degraded);
    shaky.status.breaker.faults = 2;
    assert!(!offers(shaky.clone()), "its last call went well");
    shaky.status.breaker.failing_since = Some(ago(60));
    assert!(offers(shaky));
}

#[test]
fn every_action_is_offered_for_something() {
    let offered: Vec<Action> = AttentionCode::all()
        .flat_map(|code| in_trouble(code).one().actions)
        .collect();
    for action in Action::all() {
        assert!(offered.contains(&action), "{action}");
    }
}

#[test]
fn what_costs_most_stands_first_and_what_costs_the_same_by_severity_code_and_name() {
    let of = |merchant: &str, mut connection: Connection| {
        merchant.clone_into(&mut connection.merchant_id);
        connection
    };
    let mut waits = connection("slow");
    waits.oldest_waiting_seconds = Some(TOO_LONG);
    let mut found = Found::connections([
        in_state("throttled", ConnectionState::Throttled),
        of("globex", in_state("a", ConnectionState::Open)),
        in_state("b", ConnectionState::Open),
        in_state("a", ConnectionState::Open),
        waits,
        paused("vendor", PausedBy::Vendor, ""),
        connection("fine"),
    ]);
    found.webhooks.endpoints = vec![disabled("gone"), failing("ill", 1, "")];
    found.webhooks.sources = vec![source("shop", 1)];
    found.refused = refused(1).refused;
    let judged = found.judged();
    let told = judged
        .iter()
        .map(|one| (one.merchant_id.as_deref().unwrap_or_default(), &*one.name));
    let expected = [
        ("", "configuration"),
        ("acme", "slow"),
        ("acme", "vendor"),
        ("acme", "a"),
        ("acme", "b"),
        ("globex", "a"),
        ("acme", "throttled"),
        ("acme", "gone"),
        ("acme", "ill"),
        ("acme", "shop"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn what_waits_counts_by_its_age_and_before_any_number_of_dead_letters() {
    let down = |name, waiting, age, dead_letters| {
        let mut down = in_state(name, ConnectionState::Open);
        (down.waiting, down.oldest_waiting_seconds, down.dead_letters) = (waiting, age, dead_letters);
        down
    };
    let found = Found::connections([
        down("few_dead", 0, None, 1),
        down("many_dead", 0, None, 900),
        down("just_now", 1, Some(0), 0),
        down("many_for_short", 4_000, Some(5), 0),
        down("few_for_long", 50, Some(500), 0),
        down("quiet", 0, None, 0),
    ]);
    let names: Vec<_> = found.judged().into_iter().map(|one| one.name).collect();
    let expected = [
        "few_for_long",
        "many_for_short",
        "just_now",
        "many_dead",
        "few_dead",
        "quiet",
    ];
    assert_eq!(names, expected);
}

#[test]
fn waiting_for_five_minutes_is_looked_at_and_for_an_hour_is_bad() {
    for (age, severity) in [
        (None, None),
        (Some(299), None),
        (Some(300), Some(Severity::Warning)),
        (Some(3_599), Some(Severity::Warning)),
        (Some(3_600), Some(Severity::Critical)),
    ] {
        let (mut one, mut other) = (connection("crm"), endpoint("hooks"));
        (one.oldest_waiting_seconds, other.oldest_waiting_seconds) = (age, age);
        for found in [Found::connections([one]), Found::endpoints([other])] {
            let judged = found.judged();
            assert_eq!(judged.first().map(|one| one.severity), severity, "{age:?}");
            let since = judged.first().map(|one| one.since);
            assert_eq!(since, age.filter(|_| severity.is_some()).map(|age| Some(ago(age))));
        }
    }
}

#[test]
fn a_quota_of_which_a_tenth_is_left_is_running_out_and_a_spent_one_is_told_once() {
    for (left, is_told) in [(1_000, false), (110, false), (100, true), (1, true), (0, true)] {
        let mut one = connection("crm");
        one.status.rate_limit.left_today = Some(left);
        assert_eq!(Found::connections([one]).judged().len(), usize::from(is_told), "{left}");
    }
    let mut spent = in_state("crm", ConnectionState::QuotaSpent);
    (spent.status.rate_limit.left_today, spent.status.rate_limit.used_today) = (Some(0), 1_000);
    let one = Found::connections([spent]).one();
    let detail = "the day's calls are spent (1000 of 1000), 3 waiting; the next ones open in 12 h 0 min, earlier only with a larger \
                  `per_day`";
    assert_eq!((one.code, &*one.detail), (AttentionCode::QuotaSpent, detail));
}

#[test]
fn a_refused_configuration_is_the_gateways_own_trouble() {
    let one = refused(2).one();
    assert_eq!(
        (one.subject, one.merchant_id, &*one.name),
        (Subject::Gateway, None, "configuration")
    );
    assert_eq!(
        (one.code, one.since),
        (AttentionCode::ConfigurationRefused, Some(ago(30)))
    );
    let stays = "what was in force before stays";
    assert_eq!(
        one.detail,
        format!("the last reading of the files was refused with 2 problems: {stays}")
    );
    assert!(refused(1).one().detail.contains("with 1 problem:"));
}

#[test]
fn each_subject_says_what_it_is_and_whose() {
    let mut dead = endpoint("hooks");
    dead.dead_letters = 4;
    for (found, subject, name, detail) in [
        (
            in_trouble(AttentionCode::DeadLetters),
            Subject::Connection,
            "crm",
            "1 delivery failed for good",
        ),
        (
            Found::sources([source("shop", 1)]),
            Subject::Source,
            "shop",
            "1 event could not be taken",
        ),
        (
            Found::sources([source("shop", 2)]),
            Subject::Source,
            "shop",
            "2 events could not be taken",
        ),
        (
            Found::endpoints([dead]),
            Subject::Endpoint,
            "hooks",
            "4 events could not be handed over",
        ),
    ] {
        let one = found.one();
        assert_eq!((one.subject, &*one.name, &*one.detail), (subject, name, detail));
        assert_eq!(
            (one.merchant_id.as_deref(), one.code),
            (Some("acme"), AttentionCode::DeadLetters)
        );
    }
    assert_eq!(Found::sources([source("shop", 1)]).one().since, Some(ago(500)));
}

#[test]
fn a_pause_says_whose_it_is_since_when_and_why() {
    for (pause, detail) in [
        (
            paused("crm", PausedBy::Operator, "paused by ann"),
            "paused by hand for 1 min, 3 waiting: paused by ann",
        ),
        (
            paused("crm", PausedBy::Operator, ""),
            "paused by hand for 1 min, 3 waiting",
        ),
        (
            paused("crm", PausedBy::Vendor, "the key is revoked"),
            "the vendor refuses its credentials: put them right, or resume it; paused for 1 min, 3 waiting: the key is revoked",
        ),
    ] {
        let one = Found::connections([pause]).one();
        assert_eq!((&*one.detail, one.since), (detail, Some(ago(60))));
    }
}

#[test]
fn one_that_is_down_tells_since_when_what_waits_and_what_the_vendor_answered() {
    let mut down = in_state("crm", ConnectionState::Open);
    down.status.breaker.state = BreakerState::Open;
    (down.waiting, down.oldest_waiting_seconds) = (4_000, Some(TOO_LONG));
    let breaker = &mut down.status.breaker;
    (breaker.failing_since, breaker.failing_with) = (Some(ago(360)), Some(503));
    // Once it is open it counts anew.
    (breaker.calls, breaker.faults) = (0, 0);
    let one = Found::connections([down.clone()]).one();
    assert_eq!(
        (&*one.detail, one.since),
        ("down for 6 min, 4,000 waiting, 503", Some(ago(360)))
    );

    // While a call finds out whether it still is, it is.
    (down.state, down.status.breaker.state) = (ConnectionState::Degraded, BreakerState::HalfOpen);
    assert_eq!(Found::connections([down.clone()]).one(), one);
    // There was no answer, nothing waits, and nobody knows since when.
    down.status.breaker.failing_with = None;
    (down.waiting, down.oldest_waiting_seconds) = (0, None);
    assert_eq!(Found::connections([down.clone()]).one().detail, "down for 6 min");
    down.status.breaker.failing_since = None;
    assert_eq!(Found::connections([down]).one().detail, "down");
}

#[test]
fn a_vendor_that_failed_the_last_time_is_not_judged_by_an_empty_window() {
    let mut failing = in_state("crm", ConnectionState::Degraded);
    let breaker = &mut failing.status.breaker;
    (breaker.calls, breaker.faults) = (0, 0);
    (breaker.failing_since, breaker.failing_with) = (Some(ago(120)), Some(502));
    let one = Found::connections([failing]).one();
    assert_eq!(
        (&*one.detail, one.code),
        ("failing for 2 min, 3 waiting, 502", AttentionCode::Degraded)
    );
}

#[test]
fn an_endpoint_that_is_disabled_is_not_told_to_fail_too() {
    let mut gone = disabled("hooks");
    gone.failures_in_a_row = 5;
    let one = Found::endpoints([gone]).one();
    let detail = "it said that it is gone (410), and is sent nothing; enable it once it is there again";
    assert_eq!((&*one.detail, one.since), (detail, Some(ago(90))));
    let one = Found::endpoints([failing("hooks", 1, "could not connect")]).one();
    assert_eq!(one.detail, "it failed the last time: could not connect");
    assert_eq!(
        Found::endpoints([failing("hooks", 7, "")]).one().detail,
        "it failed 7 times in a row"
    );
}

#[test]
fn long_words_of_others_are_cut() {
    let long = "ü".repeat(MOST_WORDS + 1);
    let cut = format!("{}…", "ü".repeat(MOST_WORDS));
    let says = Found::connections([paused("crm", PausedBy::Operator, &long)])
        .one()
        .detail;
    assert_eq!(says, format!("paused by hand for 1 min, 3 waiting: {cut}"));
    let says = Found::endpoints([failing("hooks", 1, &long)]).one().detail;
    assert_eq!(says, format!("it failed the last time: {cut}"));
    let just = "ü".repeat(MOST_WORDS);
    assert!(
        Found::endpoints([failing("hooks", 1, &just)])
            .one()
            .detail
            .ends_with('ü')
    );
}

#[test]
fn numbers_are_told_in_groups() {
    for (number, told) in [(0, "0"), (999, "999"), (4_000, "4,000"), (1_234_567, "1,234,567")] {
        assert_eq!(grouped(number), told);
    }
}

#[test]
fn lengths_of_time_are_told_as_people_tell_them() {
    for (seconds, told) in [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (200_000, "2 d 7 h"),
    ] {
        assert_eq!(lasting(seconds), told);
    }
}
