//! Wakes those who wait for news of a customer, and nobody else. While a vendor hangs thousands may wait; what is going
//! on with other customers must not have each of them read the store again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use upsert_core::CustomerId;

/// A bell for each customer of whom somebody waits for news.
#[derive(Debug, Default)]
pub(crate) struct Notifier(Mutex<HashMap<CustomerId, Hung>>);

/// A bell, and how many listen to it.
#[derive(Debug, Default)]
struct Hung {
    bell: Arc<Notify>,
    listeners: usize,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening<'a> {
    notifier: &'a Notifier,
    customer: CustomerId,
    bell: Arc<Notify>,
}

impl Notifier {
    /// Hears from now on what becomes of this customer's deliveries.
    pub(crate) fn listen(&self, customer: CustomerId) -> Listening<'_> {
        let mut hung = self.hung();
        let own = hung.entry(customer).or_default();
        own.listeners += 1;
        Listening {
            notifier: self,
            customer,
            bell: own.bell.clone(),
        }
    }

    /// Something of this customer has changed: whoever listens is to look again.
    pub(crate) fn ring(&self, customer: CustomerId) {
        if let Some(own) = self.hung().get(&customer) {
            own.bell.notify_waiters();
        }
    }

    fn hung(&self) -> MutexGuard<'_, HashMap<CustomerId, Hung>> {
        self.0.lock()
    }
}

impl Deref for Listening<'_> {
    type Target = Notify;
    fn deref(&self) -> &Notify {
        &self.bell
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut own) = self.notifier.hung().entry(self.customer) {
            own.get_mut().listeners -= 1;
            if own.get().listeners == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use upsert_core::{IdSource, SystemClock};

    use super::*;

    #[tokio::test]
    async fn a_bell_wakes_those_who_wait_for_its_customer_and_nobody_else() {
        let (notifier, ids) = (Notifier::default(), IdSource::new(Arc::new(SystemClock)));
        let (ann, bob) = (ids.customer("acme"), ids.customer("acme"));
        let (first, second, other) = (notifier.listen(ann), notifier.listen(ann), notifier.listen(bob));
        let (mut one, mut two) = (Box::pin(first.notified()), Box::pin(second.notified()));
        let mut three = Box::pin(other.notified());
        for waiting in [&mut one, &mut two, &mut three] {
            assert!(!waiting.as_mut().enable());
        }
        notifier.ring(ann);
        assert!(one.now_or_never().is_some() && two.now_or_never().is_some());
        assert!(three.now_or_never().is_none());
        drop((first, other));
        assert_eq!(notifier.hung().len(), 1, "one still listens");
        drop(second);
        assert!(notifier.hung().is_empty(), "a bell hangs only while somebody listens");
    }
}
