//! How many pages are kept up to date at once: in all, and for one key, so that no key takes them all.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// In all.
const MOST: usize = 256;
/// For one key: several people may have it, each with some pages open.
const MOST_OF_A_KEY: usize = 64;

/// By the hash of their key.
#[derive(Debug, Default)]
pub(crate) struct LivePlaces(Mutex<HashMap<[u8; 32], usize>>);

/// The place of one page, until it is dropped.
#[derive(Debug)]
pub(crate) struct LivePlace {
    places: Arc<LivePlaces>,
    key_hash: [u8; 32],
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// All are taken.
    All,
    /// The key has as many as it may.
    OfKey,
}

impl LivePlaces {
    /// A place for a page that this key opened.
    ///
    /// # Errors
    /// See [`Full`].
    pub(crate) fn take(self: &Arc<Self>, key_hash: [u8; 32]) -> Result<LivePlace, Full> {
        let mut taken = self.0.lock();
        if taken.get(&key_hash).is_some_and(|of_key| *of_key >= MOST_OF_A_KEY) {
            return Err(Full::OfKey);
        }
        if taken.values().sum::<usize>() >= MOST {
            return Err(Full::All);
        }
        *taken.entry(key_hash).or_default() += 1;
        Ok(LivePlace {
            places: self.clone(),
            key_hash,
        })
    }
}

impl Drop for LivePlace {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        if let Some(of_key) = taken.get_mut(&self.key_hash) {
            *of_key -= 1;
            if *of_key == 0 {
                taken.remove(&self.key_hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_leaves_places_to_others_and_gets_its_own_back() {
        let places = Arc::new(LivePlaces::default());
        let take = |key: u8| places.take([key; 32]);
        let mut of_one: Vec<LivePlace> = (0..MOST_OF_A_KEY).filter_map(|_| take(1).ok()).collect();
        assert_eq!((of_one.len(), take(1).unwrap_err()), (MOST_OF_A_KEY, Full::OfKey));
        of_one.pop();
        of_one.push(take(1).unwrap());
        let others: Vec<LivePlace> = (2..=4)
            .flat_map(|key| std::iter::repeat_n(key, MOST_OF_A_KEY))
            .filter_map(|key| take(key).ok())
            .collect();
        assert_eq!((others.len(), take(5).unwrap_err()), (MOST - MOST_OF_A_KEY, Full::All));
        drop((of_one, others));
        assert!(take(5).is_ok() && places.0.lock().is_empty());
    }
}
