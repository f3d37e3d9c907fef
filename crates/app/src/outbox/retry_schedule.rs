//! When an event is tried again, and when it is given up: the schedule that Standard Webhooks recommends.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use upsert_api::FailedAttempt;
use upsert_core::EventId;
use upsert_store::OutgoingEvent;

use crate::directory::webhooks::{EndpointAnswer, EndpointWords};

/// How long after each try the next one is made, as Standard Webhooks recommends; after the last one it is given up.
const SCHEDULE: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];
/// An event that has not got through by then is given up, however often it was tried: what the schedule comes to, and a
/// little more.
const TOO_OLD: SignedDuration = SignedDuration::from_hours(80);
/// The longest time that an endpoint may ask for.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);
/// It says that it wants no more events.
pub(crate) const GONE: u16 = 410;

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// HTTP status; none: no answer came.
    pub(crate) status: Option<u16>,
    /// Why it was not taken; none: it was.
    pub(crate) error: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) took: Duration,
    /// What the endpoint said that did not take it.
    pub(crate) words: EndpointWords,
}

impl Tried {
    /// Any 2xx takes it.
    pub(crate) fn answered(answer: EndpointAnswer, took: Duration) -> Self {
        let status = answer.status;
        let is_taken = (200..300).contains(&status);
        Self {
            status: Some(status),
            error: (!is_taken).then(|| format!("the endpoint answered {status}")),
            retry_after: answer.retry_after,
            took,
            words: answer.words,
        }
    }

    pub(crate) fn unanswered(why: String, took: Duration) -> Self {
        Self {
            status: None,
            error: Some(why),
            retry_after: None,
            took,
            words: EndpointWords::default(),
        }
    }
}

/// As it is kept with the event.
fn failed_attempt(tried: &Tried, why: &str, now: Timestamp) -> FailedAttempt {
    FailedAttempt {
        ended_at: now,
        duration_ms: u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX),
        status: tried.status,
        error: why.to_owned(),
        headers: tried.words.headers.clone(),
        body: tried.words.body.clone(),
    }
}

/// What the try leads to.
pub(crate) fn record(event: &mut OutgoingEvent, tried: &Tried, now: Timestamp) {
    event.note_try(tried.status, tried.error.clone(), now);
    let Some(why) = &tried.error else {
        return event.succeed(now);
    };
    event.keep_answer(failed_attempt(tried, why, now));
    let tries = usize::try_from(event.attempts()).unwrap_or(usize::MAX);
    let wait = SCHEDULE.get(tries - 1).filter(|_| tried.status != Some(GONE));
    match wait.filter(|_| now.duration_since(event.begun_at()) < TOO_OLD) {
        Some(wait) => {
            let due = now.checked_add(spread(*wait, tried.retry_after, event.id));
            event.retry_at(due.unwrap_or(Timestamp::MAX));
        }
        None => event.give_up(why, now),
    }
}

/// Up to a tenth more, so that what failed together does not come back together; and what the endpoint asked for.
fn spread(wait: SignedDuration, asked: Option<Duration>, id: EventId) -> SignedDuration {
    let part = i64::try_from(id.as_uuid().as_u128() % 1_000).unwrap_or_default();
    let wait = wait + SignedDuration::from_micros(i64::try_from(wait.as_micros()).unwrap_or_default() / 10_000 * part);
    let asked = asked.and_then(|asked| SignedDuration::try_from(asked).ok());
    wait.max(asked.unwrap_or_default().min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use upsert_store::OutgoingState;

    use super::*;

    fn event(attempts: u32) -> OutgoingEvent {
        let (id, now) = (EventId::from_uuid(uuid::Uuid::from_u128(7)), Timestamp::UNIX_EPOCH);
        let mut event = OutgoingEvent::new(id, "acme", "hooks", "customer.upserted", "{}".to_owned(), now);
        (0..attempts).for_each(|_| event.note_try(Some(503), None, now));
        event
    }

    fn after_try(mut event: OutgoingEvent, tried: &Tried, now: Timestamp) -> OutgoingEvent {
        record(&mut event, tried, now);
        event
    }

    fn answered(status: u16, retry_after: Option<Duration>) -> Tried {
        let words = EndpointWords {
            headers: [("server".to_owned(), "nginx".to_owned())].into(),
            body: Some(format!("<h1>{status}</h1>").into()),
        };
        let answer = EndpointAnswer {
            status,
            retry_after,
            words,
        };
        Tried::answered(answer, Duration::from_millis(41))
    }

    #[test]
    fn what_an_endpoint_said_is_kept_of_the_last_ten_tries_until_it_takes_the_event() {
        let now = Timestamp::UNIX_EPOCH;
        let mut event = event(0);
        for status in 500..512 {
            record(&mut event, &answered(status, None), now);
            if event.state() == OutgoingState::Failed {
                event.replay(now);
            }
        }
        record(
            &mut event,
            &Tried::unanswered("could not connect".to_owned(), Duration::ZERO),
            now,
        );
        let kept = event.failed_attempts();
        let statuses: Vec<_> = kept.iter().map(|failed| failed.status).collect();
        assert_eq!(statuses, (503..512).map(Some).chain([None]).collect::<Vec<_>>());
        assert_eq!(
            (kept[8].first_line().as_deref(), kept[8].duration_ms),
            (Some("511"), 41)
        );
        assert_eq!((&*kept[9].error, &kept[9].body), ("could not connect", &None));
        assert!(!format!("{:?} {event:?} {:?}", kept[8], answered(503, None)).contains("<h1>"));
        let mut taken = event.clone();
        record(&mut taken, &answered(204, None), now);
        let mut given_up = event;
        given_up.give_up("gone", now);
        assert!(
            given_up.failed_attempts()[8].body.is_some(),
            "a dead letter is looked into"
        );
        given_up.discard();
        for ended in [taken, given_up] {
            let words = ended.failed_attempts().iter();
            let words: Vec<_> = words.map(|failed| (failed.headers.len(), &failed.body)).collect();
            assert_eq!(words, [(0, &None); 10], "it may repeat what it was sent");
        }
    }

    #[test]
    fn an_event_is_tried_ten_times_over_three_days_and_then_given_up() {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut waiting = event(0);
        let mut waits = Vec::new();
        while waiting.state().is_open() {
            waiting = after_try(waiting, &answered(503, None), now);
            if let Some(next) = waiting.next_attempt_at() {
                waits.push(next.duration_since(now).as_secs());
                now = next;
            }
        }
        let usual = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(waits.len(), usual.len());
        for (wait, usual) in waits.into_iter().zip(usual) {
            assert!((usual..=usual + usual / 10).contains(&wait), "{wait} s for {usual}");
        }
        assert_eq!((waiting.attempts(), waiting.state()), (10, OutgoingState::Failed));
        assert_eq!(waiting.last_error(), Some("the endpoint answered 503"));
        assert_eq!(waiting.body(), "{}", "a dead letter can be replayed");
    }

    #[test]
    fn a_redirect_fails_and_what_was_taken_is_not_kept() {
        let redirected = after_try(event(0), &answered(302, None), Timestamp::UNIX_EPOCH);
        assert_eq!(redirected.state(), OutgoingState::Retrying);
        let taken = after_try(event(3), &answered(204, None), Timestamp::UNIX_EPOCH);
        assert_eq!((taken.state(), taken.body()), (OutgoingState::Succeeded, ""));
    }

    #[test]
    fn an_endpoint_may_ask_for_more_time_but_not_for_ever() {
        let now = Timestamp::UNIX_EPOCH;
        let after = |asked| {
            let event = after_try(event(0), &answered(429, Some(asked)), now);
            event.next_attempt_at().map(|at| at.duration_since(now).as_secs())
        };
        assert_eq!(after(Duration::from_secs(600)), Some(600));
        assert_eq!(after(Duration::from_secs(1)), Some(5));
        assert_eq!(after(Duration::from_hours(900)), Some(86_400));
    }

    #[test]
    fn an_old_dead_letter_that_is_replayed_is_tried_as_often_as_a_new_event() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(20 * 24);
        let again = after_try(event(0), &answered(503, None), now);
        assert_eq!(again.state(), OutgoingState::Failed, "too old");
        let mut replayed = again;
        replayed.replay(now);
        let again = after_try(replayed, &answered(503, None), now);
        assert_eq!(again.state(), OutgoingState::Retrying);
    }

    #[test]
    fn gone_is_not_tried_again() {
        let gone = after_try(event(0), &answered(410, None), Timestamp::UNIX_EPOCH);
        assert_eq!((gone.state(), gone.attempts()), (OutgoingState::Failed, 1));
    }
}
