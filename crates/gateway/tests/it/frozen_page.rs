//! A page that lies open while the process behind it stands still.

use std::time::{Duration, Instant};

use upsert_tests::Browser;
use upsert_tests::browser::PATIENCE;

use crate::demo::on_a_runtime;
use crate::own_gateway::{OwnGateway, Vendors};

/// From the last news on.
const GREYS_WITHIN: Duration = Duration::from_secs(12);

#[test]
fn a_page_without_news_says_so_and_greys_within_twelve_seconds_and_goes_on_by_itself() {
    let (connections, secrets) = Vendors::start().connections("");
    let own = OwnGateway::start(&connections, &secrets);
    let (url, key) = own.target();
    on_a_runtime(async {
        let browser = Browser::start(&url).await;
        browser.open("/ops").await;
        browser.fill("key", key).await;
        browser.press("Enter").await;
        browser.wait_for_text("Needs attention", PATIENCE).await;
        // Nothing changes, and there are news all the same.
        tokio::time::sleep(GREYS_WITHIN).await;
        assert_eq!(browser.count("body.silent").await, 0);

        own.signal_all("STOP");
        let frozen = Instant::now();
        browser
            .wait_for_text("No news from the gateway for 1", GREYS_WITHIN)
            .await;
        assert!(frozen.elapsed() < GREYS_WITHIN, "{:?}", frozen.elapsed());
        browser.wait_for_count("body.silent", 1, PATIENCE).await;
        own.signal_all("CONT");
        browser.wait_gone("No news from the gateway").await;
        browser.wait_for_count("body.silent", 0, PATIENCE).await;
        browser.assert_clean().await;
    });
}
