//! What many share is coded once for all of them: strangers who ask for a file neither hold a copy of it each nor have it
//! compressed over and over.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use actix_web::web::Bytes;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

/// There are two dozen files, and the document once for each prefix.
const MOST: usize = 64;

/// By name, the last that was coded.
#[derive(Default)]
pub(crate) struct CodedOnce(Mutex<HashMap<String, Slot>>);

struct Slot {
    /// It is held, so that nothing else can stand where it stands in memory.
    source: Bytes,
    coded: Arc<OnceCell<Bytes>>,
}

impl CodedOnce {
    /// The coded form of what has this name. `code` makes it, where nobody has for these very bytes.
    pub(crate) async fn get(&self, name: String, source: &Bytes, code: impl Future<Output = Bytes>) -> Bytes {
        match self.cell(name, source) {
            Some(cell) => cell.get_or_init(|| code).await.clone(),
            None => code.await,
        }
    }

    fn cell(&self, name: String, source: &Bytes) -> Option<Arc<OnceCell<Bytes>>> {
        let mut slots = self.0.lock();
        if let Some(slot) = slots.get(&name)
            && slot.source.as_ptr() == source.as_ptr()
            && slot.source.len() == source.len()
        {
            return Some(slot.coded.clone());
        }
        if slots.len() >= MOST && !slots.contains_key(&name) {
            return None;
        }
        let coded = Arc::<OnceCell<Bytes>>::default();
        let slot = Slot {
            source: source.clone(),
            coded: coded.clone(),
        };
        slots.insert(name, slot);
        Some(coded)
    }
}

impl fmt::Debug for CodedOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodedOnce")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_same_bytes_are_coded_once_and_others_of_the_name_anew() {
        let (coded, count) = (CodedOnce::default(), AtomicUsize::new(0));
        let code = async || {
            tokio::task::yield_now().await;
            Bytes::from(format!("{}", count.fetch_add(1, Ordering::Relaxed)))
        };
        let (first, second) = (Bytes::from("page".to_owned()), Bytes::from("page".to_owned()));
        let name = || "/metrics".to_owned();
        let all = (0..100).map(|_| coded.get(name(), &first, code()));
        let all = futures_util::future::join_all(all).await;
        assert!(all.iter().all(|one| one.as_ptr() == all[0].as_ptr()), "all share it");
        assert_eq!(coded.get(name(), &second, code()).await, "1");
        assert_eq!(coded.get("/other".to_owned(), &second, code()).await, "2");
        assert_eq!(count.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn names_without_end_are_coded_and_not_kept() {
        let (coded, source) = (CodedOnce::default(), Bytes::from_static(b"x"));
        for number in 0..MOST + 10 {
            let got = coded.get(number.to_string(), &source, async { Bytes::from_static(b"y") });
            assert_eq!(got.await, "y");
        }
        assert_eq!(coded.0.lock().len(), MOST);
    }
}
