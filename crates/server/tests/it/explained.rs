//! What a problem's `type` leads to: a page of the gateway itself.

use reqwest::Method;

use upsert_api::ProblemCode;
use upsert_core::Word as _;

use crate::served::{ConfigSnapshot, header, read};

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page_wherever_the_gateway_is_seen() {
    for (server, base, prefix) in [
        ("", "", None),
        ("base_path = \"/gw\"", "/gw", None),
        ("trusted_proxies = [\"127.0.0.1\"]", "", Some("/tools/gw")),
    ] {
        let served = ConfigSnapshot::with(server).await;
        let refused = served.get(&format!("{base}/v1/customers"), "");
        let refused = prefix.map_or_else(
            || refused.try_clone().unwrap(),
            |prefix| refused.try_clone().unwrap().header("X-Forwarded-Prefix", prefix),
        );
        let (status, problem) = read(refused).await;
        let leads_to = problem["type"].as_str().unwrap();
        let seen = prefix.unwrap_or(base);
        assert_eq!((status, leads_to), (401, &*format!("{seen}/problems/unauthenticated")));
        // A proxy takes its prefix off.
        let path = leads_to.strip_prefix(prefix.unwrap_or_default()).unwrap();
        let page = served.get(path, "").send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert_eq!(header(&page, "content-type"), Some("text/html; charset=utf-8"));
        assert!(
            page.text()
                .await
                .unwrap()
                .contains("<code>unauthenticated</code>, status 401")
        );
        served.running.stop().await;
    }
}

#[tokio::test]
async fn every_code_has_a_page_for_everybody_and_no_other_word_has_one() {
    let served = ConfigSnapshot::start().await;
    for code in ProblemCode::all() {
        let path = format!("/problems/{code}");
        let page = served.get(&path, "").send().await.unwrap();
        assert_eq!(page.status(), 200, "{code}");
        assert!(
            header(&page, "content-security-policy")
                .unwrap()
                .starts_with("default-src 'none'")
        );
        let length = page.content_length().unwrap();
        assert!(page.text().await.unwrap().contains(code.title()));
        let head = served.request(Method::HEAD, &path, "").send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), header(&head, "content-length")),
            (200, Some(&*length.to_string()))
        );
    }
    for word in [
        "no_such_code",
        "Not_Found",
        "..%2f..%2fetc",
        "<script>",
        &"x".repeat(5_000),
    ] {
        let (status, problem) = read(served.get(&format!("/problems/{word}"), "")).await;
        assert_eq!((status, &problem["code"]), (404, &"not_found".into()), "{word}");
    }
    served.running.stop().await;
}
