//! The order of a batch's lines: those that name the same person are committed one after the other, as they stand, and
//! no other line waits for them.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use upsert_core::canonicalise::canonical_text;
use upsert_core::{CustomerId, Field, IdentifierKind};

use crate::merchant::Merchant;

/// Given once what it belongs to has been committed, or never will be.
#[derive(Debug, Clone, Default)]
pub struct CommitSignal(CancellationToken);

impl CommitSignal {
    /// It is committed, or never will be.
    pub fn give(&self) {
        self.0.cancel();
    }

    /// Waits until it is given.
    pub async fn given(&self) {
        self.0.cancelled().await;
    }
}

/// What a line names a person by, in canonical form.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Name {
    Id(CustomerId),
    Identifier(IdentifierKind, String),
}

/// One line's place in the order.
pub struct Turn {
    /// To be given when the line is committed.
    pub committed: CommitSignal,
    line: u64,
    names: Vec<Name>,
    before: Vec<CommitSignal>,
}

/// Shows no name: they are personal data.
impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Turn({})", self.line)
    }
}

impl Turn {
    /// Waits until every line before it that shares a name with it is committed.
    pub async fn comes(&self) {
        for before in &self.before {
            before.given().await;
        }
    }
}

/// The lines that are in progress. As large as their number, however many there were.
#[derive(Default)]
pub struct LineOrder {
    last: HashMap<Name, (u64, CommitSignal)>,
}

/// Shows no name: they are personal data.
impl fmt::Debug for LineOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LineOrder({} names)", self.last.len())
    }
}

impl LineOrder {
    /// Puts a line behind those that share a name with it. Lines come with growing numbers.
    pub fn queue(&mut self, line: u64, body: &Json, merchant: &Merchant) -> Turn {
        let names = names(body, merchant.default_region.as_deref());
        let committed = CommitSignal::default();
        let before = names
            .iter()
            .filter_map(|name| self.last.insert(name.clone(), (line, committed.clone())))
            .map(|(_, signal)| signal)
            .collect();
        Turn {
            committed,
            line,
            names,
            before,
        }
    }

    /// The line has been answered: whoever waits for it goes on, and nobody will wait for it any more.
    pub fn ended(&mut self, turn: &Turn) {
        turn.committed.give();
        for name in &turn.names {
            if self.last.get(name).is_some_and(|(line, _)| *line == turn.line) {
                self.last.remove(name);
            }
        }
    }
}

/// What cannot be read is no name: the upsert refuses the line for it.
fn names(body: &Json, region: Option<&str>) -> Vec<Name> {
    let text = |name: &str| body.get(name).and_then(Json::as_str);
    let id = text("id").and_then(|id| id.parse().ok()).map(Name::Id);
    let identifiers = IdentifierKind::ALL.into_iter().filter_map(|kind| {
        let field: Field = kind.field();
        let raw = text(field.pointer().trim_start_matches('/'))?;
        let value = canonical_text(field, raw, region).ok()?;
        Some(Name::Identifier(kind, value))
    });
    id.into_iter().chain(identifiers).collect()
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn merchant() -> Merchant {
        Merchant {
            id: "acme".to_owned(),
            default_region: Some("US".to_owned()),
            match_on: Vec::new(),
            sync_deadline: std::time::Duration::from_secs(1),
            connections: Vec::new(),
            routes: Vec::new(),
        }
    }

    fn may_go(turn: &Turn) -> bool {
        turn.comes().now_or_never().is_some()
    }

    #[test]
    fn a_line_waits_for_the_commit_of_each_line_before_it_that_names_the_same_person_in_any_spelling() {
        let (mut order, merchant) = (LineOrder::default(), merchant());
        let by_reference = order.queue(1, &json!({ "reference": "R" }), &merchant);
        let by_phone = order.queue(2, &json!({ "phone": "(202) 555-0123" }), &merchant);
        let stranger = order.queue(3, &json!({ "reference": "r", "email": "x@y.example" }), &merchant);
        let both = order.queue(4, &json!({ "reference": " R ", "phone": "+12025550123" }), &merchant);
        let mail = order.queue(5, &json!({ "email": "X@Y.example" }), &merchant);
        assert!(may_go(&by_reference) && may_go(&by_phone) && may_go(&stranger));
        assert!(!may_go(&both) && !may_go(&mail));
        by_reference.committed.give();
        stranger.committed.give();
        assert!(!may_go(&both), "the phone's line is not committed");
        assert!(may_go(&mail));
        order.ended(&by_phone);
        assert!(may_go(&both));
    }

    #[test]
    fn nothing_is_kept_of_lines_that_have_been_answered() {
        let (mut order, merchant) = (LineOrder::default(), merchant());
        let first = order.queue(1, &json!({ "reference": "R" }), &merchant);
        let second = order.queue(2, &json!({ "reference": "R" }), &merchant);
        order.ended(&first);
        let third = order.queue(3, &json!({ "reference": "R" }), &merchant);
        assert!(may_go(&second) && !may_go(&third));
        order.ended(&second);
        order.ended(&third);
        assert!(order.last.is_empty());
        let fourth = order.queue(4, &json!({ "reference": "R" }), &merchant);
        assert!(may_go(&fourth));
    }

    #[test]
    fn a_line_that_names_one_person_twice_does_not_wait_for_itself() {
        let mut order = LineOrder::default();
        let turn = order.queue(1, &json!({ "reference": "R", "email": "R@x.example" }), &merchant());
        assert!(may_go(&turn));
    }
}
