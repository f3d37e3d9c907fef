//! A page that is made for all who ask meanwhile, of which few copies are ever alive: those that somebody reads slowly count too.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use actix_web::web::Bytes;
use parking_lot::Mutex;

use crate::http::shared_answer::{Making, SharedAnswer};

/// So many may be held by somebody before a new one is made.
const MOST_HELD: usize = 4;

/// The last one, and those before it that are still being read.
#[derive(Default)]
pub(crate) struct SharedPage {
    last: SharedAnswer<Bytes>,
    held: Arc<Mutex<Vec<Bytes>>>,
}

impl SharedPage {
    /// One that is made now, if there were not too many lately and not too many are being read.
    pub(crate) fn ask(&self, make: impl Future<Output = Bytes> + Send + 'static) -> Making<Bytes> {
        let held = self.held.clone();
        if let Some(made) = self.last.made().filter(|_| is_full(&held)) {
            return made;
        }
        self.last.ask(async move {
            let page = make.await;
            held.lock().push(page.clone());
            page
        })
    }
}

fn is_full(held: &Mutex<Vec<Bytes>>) -> bool {
    let mut held = held.lock();
    held.retain(|page| !page.is_unique());
    held.len() >= MOST_HELD
}

impl fmt::Debug for SharedPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedPage")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_reads_slowly_keeps_few_pages_alive_and_once_gone_a_new_one_is_made() {
        let page = SharedPage::default();
        let ask = |number: usize| page.ask(async move { Bytes::from(number.to_string()) });
        let mut read = Vec::new();
        for number in 1..100 {
            // No more than eight in a second are made anyway.
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            read.push(ask(number).await);
        }
        let told = |page: &Bytes| String::from_utf8(page.to_vec()).unwrap();
        let mut alive: Vec<String> = read.iter().map(told).collect();
        alive.dedup();
        assert_eq!(alive, ["1", "2", "3", "4"]);
        // A slice of one holds all of it.
        let slice = read.pop().unwrap().split_to(1);
        read.clear();
        assert_eq!(ask(100).await, "100");
        drop(slice);
        assert_eq!(ask(101).await, "101");
    }
}
