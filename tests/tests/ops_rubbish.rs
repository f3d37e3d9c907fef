//! The dashboard among people and programs that mean it badly, or not at all: rubbish in addresses and forms, keys that
//! change under a page that lies open, and more pages than there are places.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::time::Duration;

use reqwest::{Client, Method, header};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, timeout};
use upsert_tests::{KEY, Operator, Page, Plan, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);
const CLERK: &str = "a-key-that-loses-its-scopes";

const FORM: &str = "application/x-www-form-urlencoded";

const PAGES: [&str; 23] = [
    "/ops",
    "/ops/connections",
    "/ops/connections/acme/rotor",
    "/ops/deliveries",
    "/ops/deliveries/replay",
    "/ops/deliveries/discard",
    "/ops/deliveries/dlv_06GZWEAX2NTGQ9ME3W97QF0HVG",
    "/ops/live/deliveries/dlv_06GZWEAX2NTGQ9ME3W97QF0HVG",
    "/ops/customers",
    "/ops/customers/acme/CUSTOMER",
    "/ops/customers/acme/CUSTOMER/unlink/rotor",
    "/ops/plan",
    "/ops/webhooks",
    "/ops/events/in",
    "/ops/events/out",
    "/ops/events/in/letters/replay",
    "/ops/events/out/letters/discard",
    "/ops/events/in/iev_06GZWEAX2NTGQ9ME3W97QF0HVG",
    "/ops/events/out/cus_06GZWEAX2NTGQ9ME3W97QF0HVG",
    "/ops/audit",
    "/ops/configuration",
    "/ops/session",
    "/ops/nowhere",
];

const FORMS: [&str; 16] = [
    "/ops/session",
    "/ops/session/end",
    "/ops/customers",
    "/ops/plan",
    "/ops/connections/acme/nowhere/pause",
    "/ops/connections/nobody/rotor/resume",
    "/ops/deliveries/replay",
    "/ops/deliveries/discard",
    "/ops/deliveries/rubbish/replay",
    "/ops/deliveries/cus_06GZWEAX2NTGQ9ME3W97QF0HVG/discard",
    "/ops/webhooks/acme/nowhere/test",
    "/ops/webhooks/acme/nowhere/enable",
    "/ops/events/in/letters/replay",
    "/ops/events/out/letters/discard",
    "/ops/events/in/rubbish/replay",
    "/ops/customers/acme/CUSTOMER/unlink/nowhere",
];

const MEMBERS: [&str; 19] = [
    "state",
    "merchant",
    "connection",
    "error_kind",
    "error_code",
    "waiting_for",
    "since",
    "until",
    "customer_id",
    "upsert_id",
    "cursor",
    "source",
    "event_id",
    "endpoint",
    "type",
    "counted_at",
    "limit",
    "key",
    "body",
];

fn ann() -> Json {
    json!({ "reference": "r", "given_name": "Ann", "family_name": "Lee", "email": "ann@x.example", "phone": "2025550123" })
}

/// What stands in a filter that nobody thought of.
fn rubbish() -> Vec<String> {
    let long = "x".repeat(10_000);
    [
        "%00",
        "%ff%fe",
        "%",
        "-1",
        "99999999999999999999",
        "-009999-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0000",
        "%F0%9F%92%A9",
        "cus_06GZWEAX2NTGQ9ME3W97QF0HVG",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "%3Cscript%3E",
        "..%2F..",
        "%0D%0Ax:%20y",
        "failed,failed,,",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([long])
    .collect()
}

/// A page of ours with its headers, and no document of the API.
fn is_page(what: &str, page: &Page) {
    assert!(page.status < 500, "{what}: {} {}", page.status, page.html);
    let kind = page
        .headers
        .get(header::CONTENT_TYPE)
        .map(|kind| kind.to_str().unwrap().to_owned());
    let is_html = kind.as_deref().is_some_and(|kind| kind.starts_with("text/html"));
    assert!(is_html || page.location.is_some(), "{what}: {} {kind:?}", page.status);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
    if page.status >= 400 {
        assert!(!page.text().contains("this cannot be shown"), "{what}: {}", page.text());
    }
    page.hides("<script>alert");
    assert!(
        !page.html.contains("<script>&#60;") && !page.html.contains("value=\"<script"),
        "{what}"
    );
}

#[tokio::test]
async fn rubbish_in_an_address_gets_a_page_that_says_what_is_wrong() {
    let world = World::start().await;
    let customer = world.upsert(&ann()).await.customer_id();
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    for path in PAGES {
        let path = path.replace("CUSTOMER", &customer);
        let mut tried = vec![
            path.clone(),
            format!("{path}?nonsense=1&a=b&a=c"),
            format!("{path}?%ff=%00&&&="),
        ];
        for value in rubbish() {
            let all: Vec<String> = MEMBERS.iter().map(|name| format!("{name}={value}")).collect();
            tried.push(format!(
                "{path}?{}",
                all.join("&").chars().take(40_000).collect::<String>()
            ));
        }
        for name in MEMBERS {
            tried.push(format!("{path}?{name}=a&{name}=b"));
        }
        if path.matches('/').count() > 2 {
            let parent = path.rsplit_once('/').unwrap().0;
            tried.extend(rubbish().iter().map(|value| format!("{parent}/{value}")));
        }
        for address in tried {
            let page = operator.open(&address).await;
            is_page(&address, &page);
        }
    }
    for path in [
        "/ops/connections/acme/%ff",
        "/ops/live/connections/acme/%00",
        "/ops/live/connections?merchant=a&merchant=b",
    ] {
        let page = operator.open(path).await;
        is_page(path, &page);
        assert!(page.status == 404 || page.status == 400, "{path}: {}", page.status);
    }
}

#[tokio::test]
async fn each_member_of_a_filter_that_is_rubbish_alone_gets_a_page_too() {
    let world = World::start().await;
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    for path in [
        "/ops/deliveries",
        "/ops/deliveries/replay",
        "/ops/events/in",
        "/ops/events/out/letters/replay",
        "/ops/webhooks",
    ] {
        for name in MEMBERS {
            for value in rubbish() {
                let address = format!("{path}?{name}={value}");
                is_page(&address, &operator.open(&address).await);
            }
        }
    }
}

#[tokio::test]
async fn rubbish_in_a_form_gets_a_page_that_says_what_is_wrong() {
    let world = World::start().await;
    let customer = world.upsert(&ann()).await.customer_id();
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut bodies: Vec<(&str, String)> = Vec::new();
    for value in rubbish() {
        let all: Vec<String> = MEMBERS.iter().map(|name| format!("{name}={value}")).collect();
        bodies.push((FORM, all.join("&")));
        for name in ["state", "q", "kind", "cursor", "since", "key", "next", "body"] {
            bodies.push((FORM, format!("{name}={value}&merchant=acme")));
        }
    }
    bodies.extend([
        (FORM, String::new()),
        (FORM, "&&&=".to_owned()),
        (FORM, "state=a&state=b&q=1&q=2&key=a&key=b".to_owned()),
        (FORM, format!("body={}&q={0}&key={0}&state={0}", "x".repeat(300_000))),
        ("application/json", "{}".to_owned()),
        ("text/plain", "q=1".to_owned()),
        ("multipart/form-data; boundary=x", "--x--".to_owned()),
        ("rubbish", "q=1".to_owned()),
        ("application/x-www-form-urlencoded; charset=nonsense", "q=1".to_owned()),
    ]);
    for path in FORMS {
        let path = path.replace("CUSTOMER", &customer);
        let mut operator = Operator::sign_in(&world, KEY).await.unwrap();
        for (kind, body) in &bodies {
            let request = client
                .post(format!("{}{path}", world.url()))
                .header(header::CONTENT_TYPE, *kind);
            let page = operator.send(request.body(body.clone())).await;
            let what = format!("{path} {kind} {}", &body[..body.len().min(80)]);
            is_page(&what, &page);
            if let Some(back) = &page.location {
                let led = operator.open(back).await;
                assert!(led.status < 500, "{what}: {back}: {}", led.text());
            }
            if path == "/ops/session/end" {
                operator = Operator::sign_in(&world, KEY).await.unwrap();
            }
        }
    }
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    for (method, path, status, allow) in [
        (Method::PUT, "/ops", 405, Some("GET, HEAD, OPTIONS")),
        (Method::DELETE, "/ops/deliveries", 405, Some("GET, HEAD, OPTIONS")),
        (Method::PATCH, "/ops/plan", 405, Some("GET, HEAD, POST, OPTIONS")),
        (Method::POST, "/ops/connections", 405, Some("GET, HEAD, OPTIONS")),
        (Method::POST, "/ops/assets/x/htmx.js", 405, Some("GET, HEAD, OPTIONS")),
        (Method::GET, "/ops/assets/x/nothing.js", 404, None),
        (Method::TRACE, "/ops/x", 404, None),
    ] {
        let what = format!("{method} {path}");
        let page = operator
            .send(client.request(method, format!("{}{path}", world.url())))
            .await;
        is_page(&what, &page);
        let allowed = page.headers.get(header::ALLOW).map(|value| value.to_str().unwrap());
        assert_eq!((page.status, allowed), (status, allow), "{what}");
    }
    let slash = operator.open("/ops/").await;
    assert_eq!((slash.status, slash.location.as_deref()), (303, Some("/ops")));
    let asset = operator.open("/ops/assets/x/ops.css").await;
    assert!(asset.headers.contains_key(header::CONTENT_SECURITY_POLICY));
}

async fn with_clerk() -> World {
    World::with_files(
        Plan {
            reloads: true,
            gateway: api_key("clerk", CLERK, "acme", "ops:read ops:write customers:read"),
            ..Plan::default()
        },
        &[("merchants/other.toml", "id = \"other\"\n")],
    )
    .await
}

async fn rekeyed(world: &World, before: &str, after: &str) {
    let file = world.folder().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(before), "{text}");
    std::fs::write(&file, text.replace(before, after)).unwrap();
    world.reconfigure(|acme| format!("{acme}\n# changed\n")).await;
}

#[tokio::test]
async fn scopes_that_a_key_loses_are_lost_at_once_on_pages_forms_and_what_is_live() {
    let world = with_clerk().await;
    let clerk = Operator::sign_in(&world, CLERK).await.unwrap();
    let page = "/ops/connections/acme/rotor";
    clerk.open(page).await.shows("Pause");
    let live = "/ops/live/connections/acme/rotor";
    let with_button = timeout(PATIENCE, clerk.event(live, "event: part")).await.unwrap();
    assert!(with_button.contains("/pause"), "{with_button}");
    let watching = clerk.clone();
    let mut listening = watching.listen(live).await;
    timeout(PATIENCE, listening.until("/pause")).await.unwrap();

    rekeyed(
        &world,
        "\"ops:read\", \"ops:write\", \"customers:read\"]\n",
        "\"ops:read\"]\n",
    )
    .await;
    clerk.open(page).await.hides("/pause").shows("Personal data is masked");
    let refused = clerk.post_and_follow(&format!("{page}/pause"), &[]).await;
    refused.shows("your key lacks the scope `ops:write`");
    // What was sent before is still on its way.
    let loses_its_button = async { while listening.next().await.unwrap().contains("/pause") {} };
    timeout(PATIENCE, loses_its_button).await.unwrap();

    rekeyed(
        &world,
        "merchants = [\"acme\"]\nscopes = [\"ops:read\"]\n",
        "merchants = [\"other\"]\nscopes = [\"ops:read\"]\n",
    )
    .await;
    assert_eq!(clerk.open(page).await.status, 404);
    let ended = timeout(PATIENCE, listening.to_the_end()).await.unwrap();
    assert!(!ended.contains("/pause"), "{ended}");

    let mut overview = clerk.listen("/ops/live/overview").await;
    timeout(PATIENCE, overview.until("event: part")).await.unwrap();
    rekeyed(&world, "scopes = [\"ops:read\"]\n", "scopes = [\"customers:read\"]\n").await;
    assert_eq!(clerk.open("/ops/connections").await.status, 401);
    timeout(PATIENCE, overview.to_the_end()).await.unwrap();
}

#[tokio::test]
async fn so_many_pages_are_live_at_a_time_and_a_server_that_stops_waits_for_none_of_them() {
    let secrets = [
        "first-of-others",
        "second-of-others",
        "third-of-others",
        "fourth-of-others",
    ];
    let mut world = World::with(Plan {
        gateway: secrets
            .map(|secret| api_key(secret, secret, "acme", "ops:read"))
            .concat(),
        // How many pages are kept up to date is a process's own.
        is_one_process: true,
        ..Plan::default()
    })
    .await;
    let mut open = Vec::new();
    for secret in secrets {
        let other = Operator::sign_in(&world, secret).await.unwrap();
        for _page in 0..64 {
            open.push(other.listen("/ops/live/overview").await);
        }
        let one_more = other.open("/ops/live/overview").await;
        assert_eq!(one_more.status, 429, "one key has its part: {}", one_more.text());
        one_more.shows("too many pages of your key are kept up to date");
    }
    let operator = Operator::sign_in(&world, KEY).await.unwrap();
    let one_more = operator.open("/ops/live/overview").await;
    assert_eq!(one_more.status, 503, "{}", one_more.text());
    one_more.shows("too many pages are kept up to date");
    assert_eq!(operator.open("/ops").await.status, 200, "pages are there still");
    drop(open.pop());
    let deadline = Instant::now() + PATIENCE;
    let mut again = loop {
        let again = operator.listen("/ops/live/overview").await;
        if again.status == 200 {
            break again;
        }
        assert!(Instant::now() < deadline, "a page that was closed leaves its place");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    timeout(PATIENCE, again.until("event: part")).await.unwrap();
    let began = Instant::now();
    world.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn whoever_signs_in_gets_a_new_session_and_the_one_before_is_over() {
    let world = World::start().await;
    let client = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let planted = "upsert_gateway_session=planted-by-somebody-else";
    let sign_in = |cookie: String| {
        client
            .post(format!("{}/ops/session", world.url()))
            .header(header::COOKIE, cookie)
            .header("x-forwarded-proto", "https")
            .form(&[("key", KEY)])
            .send()
    };
    let first = sign_in(planted.to_owned()).await.unwrap();
    let first = first.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(first.contains("Secure") && !first.contains("planted"), "{first}");
    let first = first.split(';').next().unwrap().to_owned();
    sign_in(first.clone()).await.unwrap();
    for cookie in [planted.to_owned(), first] {
        let page = client
            .get(format!("{}/ops/connections", world.url()))
            .header(header::COOKIE, cookie);
        assert_eq!(page.send().await.unwrap().status(), 401);
    }
}
