//! The gateway below a path of another host: every link, form, cookie, `Location` and address stays below it, whether the
//! proxy leaves the path on (`base_path`) or takes it off and says so (`X-Forwarded-Prefix`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has to stop")]

use std::collections::{BTreeSet, VecDeque};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, header};
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_testkit::nginx::Nginx;
use upsert_tests::{KEY, Plan, World};

const PREFIX: &str = "/gw";
const PASSED_ON: &str = "x-forwarded-prefix";

/// Where a browser finds the gateway.
struct Site<'a> {
    world: &'a World,
    client: Client,
    /// `http://host:port`
    root: String,
    /// What a proxy that takes the prefix off would do, where none stands there: it is done by hand.
    is_stripped: bool,
    cookie: String,
}

impl<'a> Site<'a> {
    fn new(world: &'a World, root: String, is_stripped: bool) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let cookie = String::new();
        Self {
            world,
            client,
            root,
            is_stripped,
            cookie,
        }
    }

    /// A request for a path as the browser has it.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let below = path
            .strip_prefix(PREFIX)
            .unwrap_or_else(|| panic!("{path} leaves {PREFIX}"));
        let path = if self.is_stripped { below } else { path };
        let request = self.client.request(method, format!("{}{path}", self.root));
        let request = if self.is_stripped {
            request.header(PASSED_ON, PREFIX)
        } else {
            request
        };
        request
            .header(header::COOKIE, &self.cookie)
            .header("sec-fetch-site", "same-origin")
    }

    /// What stands there.
    async fn text(&self, path: &str) -> String {
        let answer = self.request(Method::GET, path).send().await.unwrap();
        answer.text().await.unwrap()
    }

    async fn sign_in(&mut self) {
        let form = self.text("/gw/ops").await;
        let action = links(&form)
            .into_iter()
            .find(|link| link.ends_with("/session"))
            .unwrap();
        let sent = self
            .request(Method::POST, &action)
            .form(&[("key", KEY), ("next", "/ops/connections")]);
        let answer = sent.send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), location(&answer)),
            (303, "/gw/ops/connections".to_owned())
        );
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("Path=/gw/ops"), "{cookie}");
        cookie.split(';').next().unwrap().clone_into(&mut self.cookie);
    }

    /// Follows every link from the overview and this customer on; the pages that there are.
    async fn walk(&self, customer: &str) -> BTreeSet<String> {
        let customer = format!("/gw/ops/customers/acme/{customer}");
        let mut next = VecDeque::from(["/gw/ops".to_owned(), customer, "/gw/ops/deliveries".to_owned()]);
        let mut seen: BTreeSet<String> = next.iter().cloned().collect();
        let mut pages = BTreeSet::new();
        while let Some(path) = next.pop_front() {
            let mut answer = self.request(Method::GET, &path).send().await.unwrap();
            assert!(
                [200, 303, 422].contains(&answer.status().as_u16()),
                "{path}: {answer:?}"
            );
            let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
            let html = match kind.as_str() {
                // It goes on and on: its first event, where it does not wait for something new.
                "text/event-stream" if path.ends_with("/overview") => {
                    String::from_utf8(answer.chunk().await.unwrap().unwrap().to_vec()).unwrap()
                }
                kind if kind.starts_with("text/html") => answer.text().await.unwrap(),
                _ => {
                    pages.insert(path);
                    continue;
                }
            };
            assert!(
                !html.contains("\"/ops"),
                "{path} says where it is on the gateway: {html}"
            );
            pages.insert(path.split('?').next().unwrap().to_owned());
            for link in links(&html) {
                assert!(link.starts_with("/gw/ops"), "{path} links to {link}");
                let link = link.replace("&amp;", "&").replace("&#38;", "&");
                // Filters lead on and on; each page is looked at with one of them.
                let (bare, _) = link.split_once('?').unwrap_or((&link, ""));
                let is_posted = html.contains(&format!("method=\"post\" action=\"{bare}\""));
                if seen.insert(bare.to_owned()) && !is_posted {
                    next.push_back(link);
                }
            }
        }
        pages
    }

    async fn holds_at_the_api(&self) {
        let upsert = |more: &'static str| {
            let request = self.request(Method::POST, "/gw/v1/customers").bearer_auth(KEY);
            request
                .header("prefer", "respond-async")
                .json(&json!({ "email": format!("{more}@example.com"), "given_name": more, "family_name": "Doe", "phone": "+12025550199" }))
        };
        let answer = upsert("lena").send().await.unwrap();
        assert_eq!(answer.status(), 202);
        let place = location(&answer);
        assert!(place.starts_with("/gw/v1/upserts/ups_"), "{place}");
        assert_eq!(
            self.request(Method::GET, &place)
                .bearer_auth(KEY)
                .send()
                .await
                .unwrap()
                .status(),
            200
        );

        let problem = self.request(Method::GET, "/gw/v1/nowhere").send().await.unwrap();
        assert_eq!(problem.json::<Json>().await.unwrap()["instance"], "/gw/v1/nowhere");
        let document = self.request(Method::GET, "/gw/openapi.json").send().await.unwrap();
        assert_eq!(
            document.json::<Json>().await.unwrap()["servers"],
            json!([{ "url": "/gw" }])
        );
        let docs = self.text("/gw/docs").await;
        for link in links(&docs) {
            assert!(!link.starts_with('/') && !link.contains("//"), "{link}");
            let file = self.request(Method::GET, &format!("/gw/{link}")).send().await.unwrap();
            assert_eq!(file.status(), 200, "{link}");
        }
    }

    async fn holds(&mut self) {
        let found = self.world.get("/v1/customers?limit=1").await;
        let customer = found.body["data"][0]["id"].as_str().unwrap().to_owned();
        self.sign_in().await;
        let pages = self.walk(&customer).await;
        assert!(pages.len() > 20, "only {pages:?}");
        for wanted in [
            "/gw/ops/live/overview",
            "/gw/ops/audit",
            "/gw/ops/connections/acme/rotor",
            "/gw/ops/events/in",
        ] {
            assert!(pages.contains(wanted), "{wanted} is not among {pages:?}");
        }
        assert!(
            pages.iter().any(|page| page.starts_with("/gw/ops/deliveries/dlv_")),
            "{pages:?}"
        );
        let paused = self
            .request(Method::POST, "/gw/ops/connections/acme/rotor/pause")
            .form(&[("a", "b")]);
        let paused = paused.send().await.unwrap();
        assert_eq!(
            (paused.status().as_u16(), location(&paused)),
            (303, "/gw/ops/connections/acme/rotor".to_owned())
        );
        self.holds_at_the_api().await;
        let out = self.request(Method::POST, "/gw/ops/session/end").send().await.unwrap();
        assert_eq!(location(&out), "/gw/ops");
        let gone = out.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(gone.contains("Path=/gw/ops") && gone.contains("Max-Age=0"), "{gone}");
        // What is asked for beside the proxy is where it is.
        assert_eq!(self.world.get("/livez").await.status, 200);
    }
}

fn location(answer: &Response) -> String {
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

/// Whatever an element names, but for places on the page itself.
fn links(html: &str) -> Vec<String> {
    let names = [
        " href=\"",
        " src=\"",
        " action=\"",
        " formaction=\"",
        " hx-get=\"",
        " hx-post=\"",
        " sse-connect=\"",
    ];
    let mut links = Vec::new();
    for name in names {
        let found = html.split(name).skip(1).filter_map(|rest| rest.split('"').next());
        links.extend(
            found
                .filter(|link| !link.is_empty() && !link.starts_with('#'))
                .map(str::to_owned),
        );
    }
    links
}

/// With something to see on every page: an upsert, a dead letter, a source and an endpoint.
async fn world(server: &str) -> World {
    let tables = "[[webhooks.in]]\nsource = \"shop\"\n\
                  verify = { scheme = \"standard-webhooks\", secret = { file = \"hook.secret\" } }\n\
                  event_id = \"/id\"\nmap = { reference = \"/ref\" }\n\
                  [[webhooks.out]]\nname = \"internal\"\nurl = \"http://127.0.0.1:9/hooks\"\nevents = [\"customer.upserted\"]\n\
                  secret = { file = \"hook.secret\" }\n";
    let plan = Plan {
        server: server.to_owned(),
        tables: tables.to_owned(),
        ..Plan::default()
    };
    let world = World::with(plan).await;
    let refused = Answer::new(422).body(r#"{"status":"error","message":"no"}"#);
    world.rotor.faults().set(vec![Fault::once(Effect::Answer(refused))]);
    for name in ["ann", "bob"] {
        let path = "/v1/customers";
        let body = json!({ "reference": name, "given_name": name, "family_name": "Doe", "email": format!("{name}@example.com"),
            "phone": format!("+1202555{}", 1000 + u16::from(name.as_bytes()[0])) });
        let answer = world.send(Method::POST, path, Some(&body), &[]).await;
        assert!(answer.status < 500, "{}", answer.text);
    }
    world
}

#[tokio::test]
async fn no_link_leaves_a_prefix_that_the_proxy_leaves_on() {
    let world = world("base_path = \"/gw\"").await;
    Site::new(&world, world.url(), false).holds().await;
}

#[tokio::test]
async fn no_link_leaves_a_prefix_that_the_proxy_takes_off_and_tells() {
    let world = world("trusted_proxies = [\"127.0.0.1\"]").await;
    Site::new(&world, world.url(), true).holds().await;
}

#[tokio::test]
async fn a_prefix_that_anybody_tells_means_nothing() {
    let world = world("").await;
    let answer = world.send(Method::GET, "/ops", None, &[(PASSED_ON, "/evil")]).await;
    assert!(
        answer.text.contains("\"/ops/session\"") && !answer.text.contains("evil"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn no_link_leaves_the_location_of_a_real_nginx() {
    let world = world("trusted_proxies = [\"127.0.0.1\"]").await;
    let gateway = world.url().trim_start_matches("http://").parse().unwrap();
    let nginx = Nginx::start(include_str!("../../deploy/nginx/prefix.conf"), gateway);
    Site::new(&world, format!("http://{}", nginx.address()), false)
        .holds()
        .await;
}
