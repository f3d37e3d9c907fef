//! The retry rule, as tables.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use upsert_core::{ErrorKind, Held, ProviderError, Repeat, RetryAdvice, StateAtVendor, WaitingFor};
use upsert_policy::{Decision, RetryBudget, RetryPolicy, RetryRule, again};

use crate::scripted::{broken, fault, jitter, quota_spent, rejected, secs, throttled, unauthorised, unavailable_for};

const AGE_LEFT: Duration = Duration::from_hours(72);

fn decide(error: &ProviderError, attempt: u32, repeat: Repeat, budget_left: bool) -> Decision {
    again(
        error,
        attempt,
        repeat,
        &RetryPolicy::default(),
        budget_left,
        AGE_LEFT,
        1.0,
    )
}

fn retry(millis: u64) -> Decision {
    let after = Duration::from_millis(millis);
    Decision::Retry { after }
}

fn later(seconds: u64) -> Decision {
    let after = secs(seconds);
    Decision::Later { after }
}

fn hold(waiting_for: WaitingFor, for_at_least: Option<Duration>) -> Decision {
    Decision::Hold(Held {
        waiting_for,
        for_at_least,
    })
}

fn with(state: StateAtVendor, advice: RetryAdvice) -> ProviderError {
    ProviderError::new(ErrorKind::Transient, state, advice, "it did not work")
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_failure_leads_where_the_table_says() {
    use Repeat::{Safe, Unsafe};
    use StateAtVendor::{Unchanged, Unknown};
    let once = || with(Unchanged, RetryAdvice::Once);
    let table: Vec<(&str, ProviderError, u32, Repeat, bool, Decision)> = vec![
        ("unknown and safe: again", fault(), 1, Safe, true, retry(200)),
        ("the ceiling doubles", fault(), 2, Safe, true, retry(400)),
        ("attempts left: one", fault(), 3, Safe, true, retry(800)),
        ("attempts used up: background", fault(), 4, Safe, true, later(20)),
        ("no budget: background", fault(), 1, Safe, false, later(20)),
        ("unknown and unsafe: never", fault(), 1, Unsafe, true, Decision::Fail),
        (
            "unsafe, but unchanged: again",
            with(Unchanged, RetryAdvice::Backoff),
            1,
            Unsafe,
            true,
            retry(200),
        ),
        ("refused: never", rejected(), 1, Safe, true, Decision::Fail),
        ("broken contract: never", broken(), 1, Safe, true, Decision::Fail),
        ("once: one more", once(), 1, Safe, true, retry(200)),
        ("once: and no other", once(), 2, Safe, true, Decision::Fail),
        ("once without budget: later", once(), 1, Safe, false, later(20)),
        (
            "once, unknown, unsafe: never",
            with(Unknown, RetryAdvice::Once),
            1,
            Unsafe,
            true,
            Decision::Fail,
        ),
        (
            "retry-after is a floor",
            unavailable_for(secs(3)),
            1,
            Safe,
            true,
            retry(3_200),
        ),
        (
            "a long one is for the background",
            unavailable_for(secs(21)),
            1,
            Safe,
            true,
            later(41),
        ),
        (
            "a short one there: the delay's own",
            unavailable_for(secs(3)),
            6,
            Safe,
            true,
            later(80),
        ),
        (
            "credentials",
            unauthorised(),
            1,
            Safe,
            true,
            hold(WaitingFor::Paused, None),
        ),
        (
            "429 with a time",
            throttled(Some(secs(60))),
            1,
            Safe,
            true,
            hold(WaitingFor::RateLimit, Some(secs(66))),
        ),
        (
            "429 holds whatever the attempt",
            throttled(None),
            9,
            Safe,
            false,
            hold(WaitingFor::RateLimit, Some(secs(20))),
        ),
        (
            "quota",
            quota_spent(None),
            1,
            Unsafe,
            true,
            hold(WaitingFor::Quota, None),
        ),
        (
            "quota with a time",
            quota_spent(Some(secs(9))),
            1,
            Safe,
            true,
            hold(WaitingFor::Quota, Some(secs(9))),
        ),
        (
            "held back by a layer",
            ProviderError::held(WaitingFor::Breaker, Some(secs(15)), "open"),
            0,
            Unsafe,
            false,
            hold(WaitingFor::Breaker, Some(secs(15))),
        ),
    ];
    for (case, error, attempt, repeat, budget_left, expected) in table {
        assert_eq!(decide(&error, attempt, repeat, budget_left), expected, "{case}");
    }
}

#[test]
fn a_429_that_names_no_hold_holds_by_its_kind() {
    let mut error = throttled(Some(secs(10)));
    error.held = None;
    assert_eq!(
        decide(&error, 1, Repeat::Safe, true),
        hold(WaitingFor::RateLimit, Some(secs(11)))
    );
    let mut error = unauthorised();
    error.held = None;
    assert_eq!(decide(&error, 1, Repeat::Safe, true), hold(WaitingFor::Paused, None));
}

#[test]
fn what_a_429_names_is_held_with_up_to_a_tenth_more_and_what_it_does_not_name_half_drawn() {
    let policy = RetryPolicy::default();
    for (chance, named, backoff) in [(0.0, 60_000, 100), (0.5, 63_000, 150), (1.0, 66_000, 200)] {
        let decide = |error: &ProviderError| again(error, 1, Repeat::Safe, &policy, true, AGE_LEFT, chance);
        let held = |millis| hold(WaitingFor::RateLimit, Some(Duration::from_millis(millis)));
        assert_eq!(decide(&throttled(Some(secs(60)))), held(named), "{chance}");
        assert_eq!(decide(&throttled(None)), held(backoff), "{chance}");
    }
}

#[test]
fn background_delays_double_from_the_cap_to_an_hour() {
    let delays: Vec<_> = (4..=13)
        .map(|attempt| decide(&fault(), attempt, Repeat::Safe, true))
        .collect();
    let expected = [20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600].map(later);
    assert_eq!(delays, expected);
    assert_eq!(decide(&fault(), u32::MAX, Repeat::Safe, true), later(3_600));
}

#[test]
fn nothing_is_planned_beyond_the_age_but_what_does_not_age() {
    let policy = RetryPolicy::default();
    let decide = |error: &ProviderError, attempt, left| again(error, attempt, Repeat::Safe, &policy, true, left, 1.0);
    assert_eq!(decide(&fault(), 1, secs(1)), retry(200));
    assert_eq!(decide(&fault(), 1, Duration::from_millis(200)), Decision::Fail);
    assert_eq!(decide(&fault(), 4, secs(21)), later(20));
    assert_eq!(decide(&fault(), 4, secs(20)), Decision::Fail);
    assert_eq!(decide(&throttled(Some(secs(10))), 1, Duration::ZERO), Decision::Fail);
    assert_eq!(
        decide(&unauthorised(), 1, Duration::ZERO),
        hold(WaitingFor::Paused, None)
    );
    assert_eq!(
        decide(&quota_spent(None), 1, Duration::ZERO),
        hold(WaitingFor::Quota, None)
    );
}

#[tokio::test(start_paused = true)]
async fn retries_use_the_budget_up_and_nothing_else_does() {
    let budget = Arc::new(RetryBudget::default());
    let rule = RetryRule::new(RetryPolicy::default(), Arc::clone(&budget), jitter(1.0));
    for _ in 0..10 {
        assert!(matches!(
            rule.decide(&throttled(None), 1, Repeat::Safe, AGE_LEFT),
            Decision::Hold(_)
        ));
        assert_eq!(rule.decide(&rejected(), 1, Repeat::Safe, AGE_LEFT), Decision::Fail);
        assert_eq!(rule.decide(&fault(), 4, Repeat::Safe, AGE_LEFT), later(20));
    }
    for _ in 0..3 {
        assert_eq!(rule.decide(&fault(), 1, Repeat::Safe, AGE_LEFT), retry(200));
    }
    assert_eq!(
        rule.decide(&fault(), 1, Repeat::Safe, AGE_LEFT),
        later(20),
        "the three free ones are gone"
    );
    (0..5).for_each(|_| budget.called());
    assert_eq!(rule.decide(&fault(), 1, Repeat::Safe, AGE_LEFT), retry(200));
}

#[test]
fn what_failed_together_does_not_come_back_together() {
    let policy = RetryPolicy::default();
    let mut bins = [0_u32; 20];
    for call in 0..1_000 {
        let chance = f64::from(call) / 1_000.0;
        let Decision::Later { after } = again(&fault(), 5, Repeat::Safe, &policy, true, AGE_LEFT, chance) else {
            panic!("five attempts are more than four");
        };
        bins[usize::try_from(after.as_secs() - 20).unwrap()] += 1;
    }
    let (most, mean) = (*bins.iter().max().unwrap(), 1_000 / 20);
    assert!(most <= 3 * mean, "{bins:?}");
}

proptest! {
    #[test]
    fn jitter_stays_within_its_bounds(
        attempt in 1_u32..=20,
        attempts in 1_u32..=20,
        base in 1_u64..10_000,
        times in 1_u32..1_000,
        floor in prop::option::of(1_u64..100_000),
        chance in 0.0..=1.0,
    ) {
        let base = Duration::from_millis(base);
        let cap = (base * times).min(Duration::from_hours(1));
        let attempts = attempts.try_into().unwrap();
        let policy = RetryPolicy { attempts, base, cap, ..RetryPolicy::default() };
        let floor = floor.map(Duration::from_millis);
        let advice = floor.map_or(RetryAdvice::Backoff, RetryAdvice::After);
        let error = with(StateAtVendor::Unchanged, advice);
        let floor = floor.unwrap_or_default();
        match again(&error, attempt, Repeat::Safe, &policy, true, Duration::MAX, chance) {
            Decision::Retry { after } => {
                prop_assert!(attempt < attempts.get());
                let ceiling = (base * 2_u32.pow(attempt - 1)).min(cap);
                prop_assert!(after >= floor && after <= floor + ceiling);
            }
            Decision::Later { after } => {
                prop_assert!(attempt >= attempts.get() || floor > cap);
                prop_assert!(after >= floor && after >= cap / 2);
                prop_assert!(after <= (floor + cap).max(Duration::from_hours(1)));
            }
            decision => prop_assert!(false, "{decision:?}"),
        }
    }
}
