//! What may happen, one step at a time, and how likely it is.

use std::fmt;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

/// What a vendor does with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Accept,
    /// Writes, and the answer comes after so many seconds: after 20 it has outlived its lease.
    AcceptAfter(u8),
    /// Writes, and the answer is lost.
    AcceptUnseen,
    /// Writes, and its time-out is over before it says so.
    TimeOutAfterWrite,
    TimeOutBeforeWrite,
    Reject,
    RejectAfter(u8),
    Unauthorised,
    RateLimited(Option<u16>),
    QuotaSpent,
    Down,
    /// Writes, and answers what nobody understands.
    BrokenContract,
    /// Nothing goes out: the breaker is open.
    HeldBack,
}

/// One request.
#[derive(Clone)]
pub struct Submit {
    pub person: u8,
    pub by_reference: bool,
    pub email: Change,
    pub phone: Change,
    pub given_name: Change,
    pub notes: Change,
    pub tags: Change,
    pub takes_tags: bool,
    pub has_key: bool,
    pub respond_async: bool,
    pub force: bool,
}

/// What becomes of one field.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Keep,
    Clear,
    /// One of a few values.
    Set(u8),
}

#[derive(Debug, Clone)]
pub enum Action {
    Submit(Submit),
    /// At once, on tasks of their own.
    Together(Vec<Submit>),
    /// An event that comes in; its id may have been used before, by the same or another one.
    Event {
        id: u8,
        says: Submit,
    },
    /// A former idempotency key, with its body or another one.
    Repeat {
        nth: usize,
        same_body: bool,
    },
    /// What the vendor does with its next call.
    Next {
        vendor: usize,
        act: Act,
    },
    /// What the vendor does until further notice.
    Usually {
        vendor: usize,
        act: Act,
    },
    Wait {
        millis: u32,
    },
    /// Whatever is on its way ends, then the clocks stand so many hours later.
    Hours(u8),
    /// The wall clock jumps against the monotonic one.
    Jump {
        minutes: i8,
    },
    /// The process dies, with its calls in whatever state, and another one starts.
    Crash,
    /// The process ends in good order, and another one starts.
    Restart,
    Pause(usize),
    Resume(usize),
    NewCredentials(usize),
    /// Removes the connection from the configuration, or brings it back.
    Toggle(usize),
    Unlink {
        nth: usize,
        vendor: usize,
    },
    /// The store refuses the write that comes after so many others.
    StoreFails {
        after: u8,
    },
}

/// Short, since a failing sequence is read by people.
impl fmt::Debug for Submit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.body())?;
        let how = [
            (self.has_key, " key"),
            (self.respond_async, " async"),
            (self.force, " no-cache"),
        ];
        how.iter()
            .filter(|(is_so, _)| *is_so)
            .try_for_each(|(_, name)| f.write_str(name))
    }
}

impl Submit {
    /// The request's body.
    pub fn body(&self) -> Json {
        let mut body = Map::new();
        if self.by_reference {
            body.insert("reference".to_owned(), json!(format!("r{}", self.person)));
        }
        let email = |n| json!(format!("p{}@example.com", (self.person + n) % 4));
        let phone = |n| json!(format!("+44207946000{}", (self.person + n) % 4));
        let mut put = |name: &str, change: Change, value: &dyn Fn(u8) -> Json| match change {
            Change::Keep => {}
            Change::Clear => drop(body.insert(name.to_owned(), Json::Null)),
            Change::Set(n) => drop(body.insert(name.to_owned(), value(n))),
        };
        put("email", self.email, &email);
        put("phone", self.phone, &phone);
        put("given_name", self.given_name, &|n| json!(format!("Name {n}")));
        put("notes", self.notes, &|n| json!(format!("Note {n}")));
        let tags = if self.takes_tags && matches!(self.tags, Change::Set(_)) {
            "tags_removed"
        } else {
            "tags"
        };
        put(tags, self.tags, &|n| json!([format!("t{n}")]));
        Json::Object(body)
    }
}

fn change(values: u8, clears: u32) -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => Just(Change::Keep),
        clears => Just(Change::Clear),
        4 => (0..values).prop_map(Change::Set),
    ]
}

/// Mostly a person's own address: now and then somebody else's.
fn contact() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => Just(Change::Keep),
        1 => Just(Change::Clear),
        10 => Just(Change::Set(0)),
        1 => (1..4_u8).prop_map(Change::Set),
    ]
}

fn submit() -> impl Strategy<Value = Submit> {
    let who = (0..4_u8, prop::bool::weighted(0.7), contact(), contact());
    let what = (change(3, 1), change(3, 1), change(3, 1), prop::bool::ANY);
    let how = (
        prop::bool::weighted(0.5),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.1),
    );
    (who, what, how).prop_map(|(who, what, how)| Submit {
        person: who.0,
        by_reference: who.1,
        email: who.2,
        phone: who.3,
        given_name: what.0,
        notes: what.1,
        tags: what.2,
        takes_tags: what.3,
        has_key: how.0,
        respond_async: how.1,
        force: how.2,
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Accept),
        3 => (1..40_u8).prop_map(Act::AcceptAfter),
        2 => Just(Act::AcceptUnseen),
        2 => Just(Act::TimeOutAfterWrite),
        2 => Just(Act::TimeOutBeforeWrite),
        4 => Just(Act::Reject),
        2 => (1..40_u8).prop_map(Act::RejectAfter),
        1 => Just(Act::Unauthorised),
        2 => prop::option::of(1..4_000_u16).prop_map(Act::RateLimited),
        1 => Just(Act::QuotaSpent),
        3 => Just(Act::Down),
        1 => Just(Act::BrokenContract),
        1 => Just(Act::HeldBack),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        30 => submit().prop_map(Action::Submit),
        5 => prop::collection::vec(submit(), 2..4).prop_map(Action::Together),
        8 => (0..24_u8, submit()).prop_map(|(id, says)| Action::Event { id, says }),
        6 => (any::<usize>(), prop::bool::weighted(0.8))
            .prop_map(|(nth, same_body)| Action::Repeat { nth, same_body }),
        16 => (0..3_usize, act()).prop_map(|(vendor, act)| Action::Next { vendor, act }),
        4 => (0..3_usize, act()).prop_map(|(vendor, act)| Action::Usually { vendor, act }),
        6 => (0..3_usize).prop_map(|vendor| Action::Usually { vendor, act: Act::Accept }),
        14 => (1..2_000_u32).prop_map(|millis| Action::Wait { millis }),
        8 => (2_000..40_000_u32).prop_map(|millis| Action::Wait { millis }),
        3 => prop_oneof![Just(1_u8), Just(2), Just(24)].prop_map(Action::Hours),
        1 => prop_oneof![Just(-60_i8), Just(60)].prop_map(|minutes| Action::Jump { minutes }),
        4 => Just(Action::Crash),
        2 => Just(Action::Restart),
        2 => (0..3_usize).prop_map(Action::Pause),
        3 => (0..3_usize).prop_map(Action::Resume),
        2 => (0..3_usize).prop_map(Action::NewCredentials),
        2 => (1..3_usize).prop_map(Action::Toggle),
        1 => (any::<usize>(), 0..3_usize).prop_map(|(nth, vendor)| Action::Unlink { nth, vendor }),
        2 => (0..6_u8).prop_map(|after| Action::StoreFails { after }),
    ]
}

/// A sequence.
pub fn actions(most: usize) -> impl Strategy<Value = Vec<Action>> {
    prop::collection::vec(action(), 1..=most)
}
