//! What one process tells the others that work with the same store, beside what is kept.

use std::collections::BTreeSet;

use upsert_core::CustomerId;

/// Where others are to look now, rather than when they would look anyway. Nothing depends on them: they may be lost.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each names one place, and any of them come together"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// At the rows of connections and endpoints.
    pub connections: bool,
    /// At merchants that live in the store.
    pub merchants: bool,
    /// At deliveries that are due.
    pub deliveries: bool,
    /// At events that go out and are due.
    pub events: bool,
    /// At what became of these customers' deliveries: whoever brought them, others may be waiting for it.
    pub customers: BTreeSet<CustomerId>,
}

impl Hints {
    /// To look at everything that is not one customer's.
    pub const fn of_everything() -> Self {
        Self {
            connections: true,
            merchants: true,
            deliveries: true,
            events: true,
            customers: BTreeSet::new(),
        }
    }

    /// To look at what became of this customer's deliveries.
    pub fn of_customer(customer: CustomerId) -> Self {
        Self {
            customers: BTreeSet::from([customer]),
            ..Self::default()
        }
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// And at this too.
    pub fn add(&mut self, more: Self) {
        self.connections |= more.connections;
        self.merchants |= more.merchants;
        self.deliveries |= more.deliveries;
        self.events |= more.events;
        self.customers.extend(more.customers);
    }
}
