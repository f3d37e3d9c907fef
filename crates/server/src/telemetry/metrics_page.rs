//! The page of all metrics, made once for all who ask for it while one is being made: it asks the store, and needs no key.

use std::future::Future;

use actix_web::web::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::http::metrics::recorder;

/// The last page, and when it was begun.
#[derive(Debug, Default)]
pub(crate) struct MetricsPage(Mutex<Option<(Instant, Bytes)>>);

impl MetricsPage {
    /// A page that was begun after it was asked for.
    pub(crate) async fn fresh(&self, gauges: impl Future<Output = String>) -> Bytes {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((_, page)) = last.as_ref().filter(|(began, _)| *began >= asked) {
            // A copy of its own: whoever keeps it unread keeps no other from being made, and is counted.
            return Bytes::copy_from_slice(page);
        }
        let began = Instant::now();
        let gauges = gauges.await;
        let page = Bytes::from(recorder().render() + &gauges);
        *last = Some((began, page.clone()));
        Bytes::copy_from_slice(&page)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_while_a_page_is_made_share_the_next_one_and_nobody_gets_an_older_one() {
        let (page, made) = (MetricsPage::default(), Cell::new(0));
        let making = || async {
            made.set(made.get() + 1);
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            format!("made {}", made.get())
        };
        let first = page.fresh(making());
        let later = async {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            tokio::join!(page.fresh(making()), page.fresh(making()), page.fresh(making()))
        };
        let (first, later) = tokio::join!(first, later);
        assert!(first.ends_with(b"made 1"));
        for page in [later.0, later.1, later.2] {
            assert!(page.ends_with(b"made 2"));
        }
        assert!(page.fresh(making()).await.ends_with(b"made 3"));
    }
}
