//! What `/metrics` shows, held against what is written of it: the page in docs, the dashboard, the alert rules.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has to stop"
)]

#[path = "metrics/prometheus.rs"]
mod prometheus;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use upsert_core::Word as _;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, LabelModifier, VectorSelector};
use promql_parser::util::{ExprVisitor, parse_duration, walk_expr};
use reqwest::Method;
use serde_json::{Value as Json, json};
use standardwebhooks::Webhook;
use upsert_simulators::{Answer, Cut, Effect, Fault};
use upsert_tests::{Answered, HOOK_SECRET, Plan, Receiver, World};

const PATIENCE: Duration = Duration::from_secs(20);
/// What Prometheus itself adds.
const OWN_METRICS: [&str; 1] = ["up"];
const OWN_LABELS: [&str; 2] = ["job", "instance"];

fn workspace(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(workspace(path)).unwrap()
}

/// One metric as a page shows it.
#[derive(Debug, Default, Clone, PartialEq)]
struct Family {
    kind: String,
    is_described: bool,
    /// By label: every value. Where the buckets of a histogram end is left out.
    labels: BTreeMap<String, BTreeSet<String>>,
    series: BTreeSet<String>,
}

/// Every metric of a page, by name.
fn families(page: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let family = families.entry(name.to_owned()).or_default();
            assert_eq!(family.kind, "", "{name} is there twice");
            kind.clone_into(&mut family.kind);
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            families.entry(name.to_owned()).or_default().is_described = !help.is_empty();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| {
                (name, rest.strip_suffix('}').unwrap_or_else(|| panic!("{line}")))
            });
            let family = families
                .iter_mut()
                .find(|(known, family)| known.as_str() == base(name, &family.kind))
                .unwrap_or_else(|| panic!("no type: {line}"))
                .1;
            family.series.insert(series.to_owned());
            for (label, value) in pairs(labels).into_iter().filter(|(label, _)| label != "le") {
                family.labels.entry(label).or_default().insert(value);
            }
        }
    }
    families
}

/// The name of the metric that a series belongs to.
fn base<'a>(name: &'a str, kind: &str) -> &'a str {
    let ends: &[&str] = if kind == "histogram" {
        &["_bucket", "_sum", "_count"]
    } else {
        &[]
    };
    ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

fn pairs(labels: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = labels;
    while let Some((name, more)) = rest.split_once("=\"") {
        let (value, after) = more.split_once('"').unwrap();
        assert!(
            !value.contains('\\'),
            "no name of a configuration has to be escaped: {labels}"
        );
        pairs.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start_matches(',');
    }
    assert!(rest.is_empty(), "{labels}");
    pairs
}

/// An expression with where it stands.
struct Asked {
    place: String,
    text: String,
    /// Labels that the words beside it show.
    shown: BTreeSet<String>,
}

/// Names between these marks, such as `{{ $labels.` and a blank or a brace.
fn between(text: &str, mark: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let found = text.split(mark).skip(1);
    found
        .map(|rest| rest.chars().take_while(|c| is_of_name(*c)).collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

fn alerts() -> Vec<Json> {
    let file: Json = serde_saphyr::from_str(&text_of("deploy/prometheus/alerts.yml")).unwrap();
    let groups = file["groups"].as_array().unwrap();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

fn dashboard() -> Json {
    serde_json::from_str(&text_of("deploy/grafana/upsert-gateway.json")).unwrap()
}

/// Every expression of the alerts and of the dashboard.
fn asked() -> Vec<Asked> {
    let mut asked: Vec<Asked> = alerts()
        .iter()
        .map(|alert| Asked {
            place: format!("the alert {}", alert["alert"]),
            text: alert["expr"].as_str().unwrap().to_owned(),
            shown: between(&alert["annotations"].to_string(), "$labels."),
        })
        .collect();
    let dashboard = dashboard();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            asked.push(Asked {
                place: format!("the panel {}", panel["title"]),
                text: without_variables(target["expr"].as_str().unwrap()),
                shown: between(target["legendFormat"].as_str().unwrap(), "{{"),
            });
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["definition"].as_str() else {
            continue;
        };
        let inner = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
        let (selector, label) = inner.rsplit_once(", ").unwrap();
        asked.push(Asked {
            place: format!("the variable {}", variable["name"]),
            text: without_variables(selector),
            shown: BTreeSet::from([label.to_owned()]),
        });
    }
    asked
}

/// Grafana puts values in their place; a choice of all is this.
fn without_variables(expr: &str) -> String {
    let expr = expr.replace("$__rate_interval", "1m");
    let expr = expr
        .replace("\"$merchant\"", "\".*\"")
        .replace("\"$connection\"", "\".*\"");
    assert!(!expr.contains('$'), "an unknown variable: {expr}");
    expr
}

/// Finds what an expression asks of the metrics that there are.
struct Asking<'a> {
    shown: &'a BTreeMap<String, Family>,
    place: &'a str,
    /// Labels of all metrics in it.
    labels: BTreeSet<String>,
    selectors: usize,
}

impl Asking<'_> {
    fn check(shown: &BTreeMap<String, Family>, asked: &Asked) {
        let expr = parser::parse(&asked.text).unwrap_or_else(|error| panic!("{}: {error}", asked.place));
        let mut asking = Asking {
            shown,
            place: &asked.place,
            labels: BTreeSet::new(),
            selectors: 0,
        };
        walk_expr(&mut asking, &expr).unwrap();
        assert!(asking.selectors > 0, "{} asks for nothing", asked.place);
        let kept = grouped_by(&expr).unwrap_or_else(|| asking.labels.clone());
        let missing: Vec<&String> = asked.shown.difference(&kept).collect();
        assert!(
            missing.is_empty(),
            "{} shows {missing:?}, which is not there: {}",
            asked.place,
            asked.text
        );
    }

    /// The labels of the metric, Prometheus' own included.
    fn select(&mut self, selector: &VectorSelector) {
        self.selectors += 1;
        let (place, name) = (self.place, selector.name.as_deref().unwrap());
        let mut labels: BTreeSet<String> = OWN_LABELS.map(str::to_owned).into();
        if !OWN_METRICS.contains(&name) {
            let family = self
                .shown
                .iter()
                .find(|(known, family)| known.as_str() == base(name, &family.kind));
            let (known, family) = family.unwrap_or_else(|| panic!("{place}: {name} is not shown"));
            assert_eq!(
                family.kind == "histogram",
                name != known,
                "{place}: {name} is no series"
            );
            labels.extend(family.labels.keys().cloned());
            labels.extend(name.ends_with("_bucket").then(|| "le".to_owned()));
            for matcher in &selector.matchers.matchers {
                assert!(
                    labels.contains(&matcher.name),
                    "{place}: {name} has no {}",
                    matcher.name
                );
                let values = &family.labels[&matcher.name];
                let holds = |value: &String| matcher.is_match(value);
                assert!(values.iter().any(holds), "{place}: nothing is {matcher} in {values:?}");
                let is_exact = matches!(matcher.op, MatchOp::Equal);
                assert!(!is_exact || values.contains(&matcher.value), "{place}: {matcher}");
            }
        }
        self.labels.extend(labels);
    }
}

impl ExprVisitor for Asking<'_> {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        match expr {
            Expr::VectorSelector(selector) => self.select(selector),
            Expr::MatrixSelector(selector) => self.select(&selector.vs),
            _ => {}
        }
        Ok(true)
    }

    fn post_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        let named: Vec<&LabelModifier> = match expr {
            Expr::Aggregate(aggregate) => aggregate.modifier.iter().collect(),
            Expr::Binary(binary) => binary.modifier.iter().filter_map(|one| one.matching.as_ref()).collect(),
            _ => Vec::new(),
        };
        for label in named.iter().flat_map(|modifier| &modifier.labels().labels) {
            assert!(
                self.labels.contains(label),
                "{}: nothing has the label {label}",
                self.place
            );
        }
        Ok(true)
    }
}

/// Which statuses each selector takes.
fn collect_statuses(expr: &Expr, into: &mut Vec<Vec<&'static str>>) {
    struct Statuses<'a>(&'a mut Vec<Vec<&'static str>>);
    impl ExprVisitor for Statuses<'_> {
        type Error = String;

        fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
            let Expr::MatrixSelector(selector) = expr else {
                return Ok(true);
            };
            let matchers = &selector.vs.matchers.matchers;
            let taken = ["200", "404", "500", "502", "503", "504"].into_iter();
            let taken = taken.filter(|status| matchers.iter().all(|matcher| matcher.is_match(status)));
            self.0.push(taken.collect());
            Ok(true)
        }
    }
    walk_expr(&mut Statuses(into), expr).unwrap();
}

/// The labels that an expression leaves; none: all of its metrics'.
fn grouped_by(expr: &Expr) -> Option<BTreeSet<String>> {
    match expr {
        Expr::Aggregate(aggregate) => match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => Some(labels.labels.iter().cloned().collect()),
            Some(LabelModifier::Exclude(_)) => None,
            None => Some(BTreeSet::new()),
        },
        Expr::Paren(paren) => grouped_by(&paren.expr),
        Expr::Binary(binary) => grouped_by(&binary.lhs).or_else(|| grouped_by(&binary.rhs)),
        Expr::Call(call) => call.args.args.iter().find_map(|argument| grouped_by(argument)),
        _ => None,
    }
}

/// Of the page in docs: name, kind, labels.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let page = text_of("docs/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let words = |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        assert!(!cells[3].is_empty() && !cells[5].is_empty(), "unit and meaning: {row}");
        let [name] = &words(cells[1])[..] else { panic!("{row}") };
        (
            name.clone(),
            (cells[2].to_owned(), words(cells[4]).into_iter().collect()),
        )
    })
    .collect()
}

const SOURCE: &str = r#"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { file = "hook.secret" } }
event_id = "/id"
map = { reference = "/who", given_name = "/first", family_name = "/last", email = "/mail" }
"#;

async fn world(receiver: &Receiver) -> World {
    let endpoint = format!(
        "\n[[webhooks.out]]\nname = \"crm\"\nurl = \"{}\"\nevents = [\"customer.upserted\"]\nsecret = {{ file = \
         \"hook.secret\" }}\n",
        receiver.url()
    );
    World::with(Plan {
        rotor: "retry = { attempts = 2, base = \"5ms\", cap = \"10ms\" }".to_owned(),
        april: "required = false\nrate_limit = { per_second = 500, burst = 500, per_day = 10000 }".to_owned(),
        wallet: "required = false\nbreaker = { min_calls = 1, failure_ratio = 0.01, open_for = \"300s\" }".to_owned(),
        tables: endpoint + SOURCE,
        reloads: true,
        // Metrics are a process's own.
        is_one_process: true,
        ..Plan::default()
    })
    .await
}

const PEOPLE: [&str; 5] = ["ann", "bob", "cut", "dan", "fay"];

/// One of the people, other than in any other round.
fn customer(who: &str, round: usize) -> Json {
    let phone = 1_000 + 100 * PEOPLE.iter().position(|one| *one == who).unwrap() + round;
    json!({
        "reference": format!("{who}-{round}"), "given_name": "Ann", "family_name": "Lee",
        "email": format!("{who}-{round}@x.example"), "phone": format!("202555{phone}"),
    })
}

async fn post(world: &World, path: &str) -> Answered {
    world.send(Method::POST, path, None, &[]).await
}

async fn event(world: &World, secret: &str, id: &str, who: &str) -> u16 {
    let body = json!({ "id": id, "who": who, "first": "Eve", "last": "Day", "mail": format!("{who}@x.example") });
    let now = jiff::Timestamp::now().as_second();
    let signature = Webhook::new(secret)
        .unwrap()
        .sign(id, now, body.to_string().as_bytes())
        .unwrap();
    let now = now.to_string();
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", &now),
        ("webhook-signature", &signature),
    ];
    let answered = world
        .send(Method::POST, "/v1/webhooks/acme/shop", Some(&body), &headers)
        .await;
    answered.status
}

/// Everything that operators are told of, by hand and by vendors' faults. Each round brings other customers.
async fn round(world: &World, number: usize) {
    let name = |what: &str| format!("{what}-{number}");
    for _created_then_unchanged in 0..2 {
        let made = world.upsert(&customer("ann", number)).await;
        assert!((200..300).contains(&made.status), "{}", made.text);
    }
    world
        .get(&format!("/v1/customers?email={}@x.example", name("ann")))
        .await;
    world
        .rotor
        .faults()
        .set(vec![Fault::once(Effect::Answer(Answer::new(400)))]);
    world.upsert(&customer("bob", number)).await;
    world
        .rotor
        .faults()
        .set(vec![Fault::times(1, Effect::Cut { at: Cut::AfterWrite })]);
    world.upsert(&customer("cut", number)).await;
    world.rotor.faults().clear();
    post(world, "/v1/connections/acme/rotor/pause").await;
    let first = world.upsert(&customer("dan", number)).await;
    let waiting = first.delivery("rotor")["id"].as_str().unwrap().to_owned();
    let mut newer = customer("dan", number);
    newer["given_name"] = json!("Daniel");
    let second = world.upsert(&newer).await;
    assert_eq!(
        world.get(&format!("/v1/deliveries/{waiting}")).await.body["state"],
        "superseded"
    );
    let waiting = second.delivery("rotor")["id"].as_str().unwrap().to_owned();
    assert_eq!(
        post(world, &format!("/v1/deliveries/{waiting}/discard")).await.status,
        200
    );
    post(world, "/v1/connections/acme/rotor/resume").await;
    let own = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCwgbm90IG91cnM=";
    assert_eq!(event(world, own, &name("forged"), &name("eve")).await, 401);
    assert_eq!(event(world, HOOK_SECRET, &name("true"), &name("eve")).await, 202);
    // The breaker opens, and what is asked then is held back.
    world
        .wallet
        .faults()
        .set(vec![Fault::always(Effect::Answer(Answer::new(500)))]);
    world.upsert(&customer("fay", number)).await;
    let is_open = |answered: &Answered| {
        let connections = answered.body["data"].as_array().unwrap();
        connections
            .iter()
            .any(|one| one["name"] == "wallet" && one["state"] == "open")
    };
    world.until("/v1/connections", PATIENCE, is_open).await;
    let held = world.get("/v1/connections/acme/wallet/customers").await;
    assert_eq!(held.status, 502, "{}", held.text);
    world.get("/nowhere").await;
    world.get("/metrics").await;
}

/// The page once nothing moves any more: what is on its way ends, and only this page's own requests are counted.
async fn settled(world: &World, receiver: &Receiver, told: usize) -> String {
    receiver.until_count(told, PATIENCE).await;
    let idle = |answered: &Answered| {
        let rotor = &families(&answered.text)["upsert_gateway_connection_waiting"].series;
        let is_zero = |name: &str| {
            answered.text.contains(&format!(
                "{name}{{merchant=\"acme\",connection=\"rotor\",provider=\"rotor\"}} 0\n"
            ))
        };
        !rotor.is_empty()
            && is_zero("upsert_gateway_connection_waiting")
            && is_zero("upsert_gateway_connection_in_flight")
    };
    world.until("/metrics", PATIENCE, idle).await.text
}

#[tokio::test]
async fn what_is_drawn_alarmed_or_documented_is_what_the_gateway_shows_and_labels_are_bounded() {
    let receiver = Receiver::start(HOOK_SECRET);
    let world = world(&receiver).await;
    round(&world, 1).await;
    round(&world, 2).await;
    let mut unclear = customer("ann", 1);
    unclear["verified"] = json!("perhaps");
    let lenient = world.upsert_with(&unclear, &[("Prefer", "handling=lenient")]).await;
    assert_eq!(lenient.body["ignored"][0]["pointer"], "/verified", "{}", lenient.text);
    let page = settled(&world, &receiver, 1).await;
    let shown = families(&page);

    for asked in asked() {
        Asking::check(&shown, &asked);
    }
    let documented = documented();
    assert_eq!(
        documented.keys().collect::<BTreeSet<_>>(),
        shown.keys().collect::<BTreeSet<_>>(),
        "docs/metrics.md has every metric and no other"
    );
    for (name, family) in &shown {
        let (kind, labels) = &documented[name];
        assert_eq!(kind, &family.kind, "{name}");
        assert_eq!(labels, &family.labels.keys().cloned().collect(), "{name}");
        assert!(
            family.is_described && !family.series.is_empty(),
            "{name} is described and shown"
        );
        for value in family.labels.values().flatten() {
            let is_id = ["cus_", "ups_", "dlv_", "evt_"]
                .iter()
                .any(|prefix| value.contains(prefix));
            assert!(!is_id && !value.contains('@'), "{name}: {value}");
        }
    }
    // Others, treated the same: no new series.
    for number in 3..8 {
        round(&world, number).await;
    }
    let later = families(&settled(&world, &receiver, 2).await);
    for (name, family) in later {
        let new: Vec<&String> = family.series.difference(&shown[&name].series).collect();
        assert!(new.is_empty(), "{name}: {new:?}");
    }
}

#[tokio::test]
async fn each_delivery_is_counted_once_by_how_it_ended() {
    let receiver = Receiver::start(HOOK_SECRET);
    let world = world(&receiver).await;
    round(&world, 1).await;
    let page = settled(&world, &receiver, 1).await;
    let count = |connection: &str, state: &str, outcome: &str, kind: &str| -> u64 {
        let labels = format!("state=\"{state}\",outcome=\"{outcome}\",error_kind=\"{kind}\"");
        let connection = format!("connection=\"{connection}\"");
        let mut of_it = page.lines().filter(|line| {
            line.starts_with("upsert_gateway_deliveries_total{") && line.contains(&labels) && line.contains(&connection)
        });
        let line = of_it.next().unwrap_or_else(|| panic!("{labels}: {page}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let listed = world.get("/v1/deliveries?connection=rotor&limit=200").await;
    let of_state = |state: &str| {
        let data = listed.body["data"].as_array().unwrap();
        u64::try_from(data.iter().filter(|one| one["state"] == state).count()).unwrap()
    };
    assert_eq!(
        count("rotor", "succeeded", "unchanged", "none"),
        1,
        "it ended at the commit"
    );
    let succeeded: u64 = ["created", "updated", "upserted", "unchanged"]
        .map(|outcome| count("rotor", "succeeded", outcome, "none"))
        .iter()
        .sum();
    assert_eq!(succeeded, of_state("succeeded"), "{}", listed.text);
    assert_eq!(count("rotor", "failed", "none", "rejected"), 1);
    assert_eq!(count("rotor", "superseded", "none", "none"), of_state("superseded"));
    assert_eq!(
        (count("rotor", "discarded", "none", "none"), of_state("discarded")),
        (1, 1)
    );
}

/// Alerts ask for the increase of these: the first failure would be none if the counter came with it.
#[tokio::test]
async fn before_anything_fails_its_counter_is_there_at_zero_also_of_what_a_reload_brings() {
    let mut world = World::with(Plan {
        only: vec!["rotor"],
        tables: SOURCE.to_owned(),
        reloads: true,
        ..Plan::default()
    })
    .await;
    let failed = |connection: &str, kind: &str| {
        format!(
            "upsert_gateway_deliveries_total{{merchant=\"acme\",connection=\"{connection}\",provider=\"rotor\",\
             state=\"failed\",outcome=\"none\",error_kind=\"{kind}\"}} 0\n"
        )
    };
    let forged = |source: &str| {
        format!("upsert_gateway_events_in_total{{merchant=\"acme\",source=\"{source}\",result=\"forged\"}} 0\n")
    };
    let attempts = |connection: &str, outcome: &str| {
        format!(
            "upsert_gateway_attempts_total{{merchant=\"acme\",connection=\"{connection}\",provider=\"rotor\",\
             outcome=\"{outcome}\"}} 0\n"
        )
    };
    let succeeded = |connection: &str| {
        format!(
            "upsert_gateway_deliveries_total{{merchant=\"acme\",connection=\"{connection}\",provider=\"rotor\",\
             state=\"succeeded\",outcome=\"created\",error_kind=\"none\"}} 0\n"
        )
    };
    let held = "connection=\"rotor\",provider=\"rotor\",waiting_for=\"breaker\"} 0\n";
    let accepted = "upsert_gateway_events_in_total{merchant=\"acme\",source=\"shop\",result=\"accepted\"} 0\n";
    let kinds = upsert_core::ErrorKind::all().map(upsert_core::Word::as_str);
    let page = world.get("/metrics").await.text;
    for kind in kinds {
        assert!(page.contains(&failed("rotor", kind)), "{kind}: {page}");
    }
    assert!(page.contains(&forged("shop")), "{page}");
    for outcome in ["created", "transient", "abandoned"] {
        assert!(page.contains(&attempts("rotor", outcome)), "{outcome}: {page}");
    }
    assert!(
        page.contains(&succeeded("rotor")) && page.contains(held) && page.contains(accepted),
        "{page}"
    );
    world
        .reconfigure(|text| {
            let text = text.replace("name = \"rotor\"", "name = \"second\"");
            text.replace("source = \"shop\"", "source = \"till\"")
        })
        .await;
    let page = world.get("/metrics").await.text;
    for line in [
        failed("second", "rejected"),
        attempts("second", "transient"),
        succeeded("second"),
        forged("till"),
    ] {
        assert!(page.contains(&line), "{line}: {page}");
    }
    world.stop().await;
}

/// A vendor that fails is no fault of the gateway: it has alerts of its own.
#[test]
fn what_vendors_fail_at_is_not_counted_as_the_gateways_errors() {
    let alerts = alerts();
    let errors = alerts
        .iter()
        .find(|alert| alert["alert"] == "UpsertGatewayErrors")
        .unwrap();
    let mut counted = Vec::new();
    collect_statuses(&parser::parse(errors["expr"].as_str().unwrap()).unwrap(), &mut counted);
    assert_eq!(
        counted,
        [
            ["500", "503", "504"].as_slice(),
            &["200", "404", "500", "502", "503", "504"]
        ]
    );
}

#[tokio::test]
async fn nothing_stands_of_a_connection_that_is_gone() {
    let world = World::with(Plan {
        only: vec!["rotor", "april"],
        reloads: true,
        ..Plan::default()
    })
    .await;
    world.upsert(&customer("ann", 0)).await;
    let gauges = |page: &str| {
        let of_april = |line: &&str| line.starts_with("upsert_gateway_connection_") && line.contains("\"april\"");
        page.lines().filter(of_april).count()
    };
    assert!(gauges(&world.get("/metrics").await.text) > 0);
    world
        .reconfigure(|text| {
            let at = text.find("[[connections]]\nname = \"april\"").unwrap();
            text[..at].to_owned()
        })
        .await;
    let page = world.get("/metrics").await.text;
    assert_eq!(gauges(&page), 0, "{page}");
    assert!(page.contains("upsert_gateway_config_generation 2"), "{page}");
}

#[test]
fn every_alert_says_when_how_grave_it_is_and_what_to_do() {
    let alerts = alerts();
    assert!(alerts.len() >= 10);
    let mut names = BTreeSet::new();
    for alert in &alerts {
        let text = |value: &Json| value.as_str().unwrap_or_else(|| panic!("{alert}")).to_owned();
        assert!(names.insert(text(&alert["alert"])), "{alert} is there twice");
        assert!(parse_duration(&text(&alert["for"])).unwrap() > Duration::ZERO);
        assert!(["critical", "warning"].contains(&text(&alert["labels"]["severity"]).as_str()));
        for words in ["summary", "description"] {
            assert!(text(&alert["annotations"][words]).len() > 20, "{alert}");
        }
    }
    let scraped: Json = serde_saphyr::from_str(&text_of("deploy/prometheus/prometheus.yml")).unwrap();
    assert_eq!(scraped["rule_files"], json!(["alerts.yml"]));
    assert_eq!(scraped["scrape_configs"][0]["job_name"], "upsert-gateway");
}

#[test]
fn the_dashboard_can_be_imported_and_takes_its_data_from_where_it_is_told() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(
        (&variables[0]["name"], &variables[0]["type"]),
        (&json!("datasource"), &json!("datasource"))
    );
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .map(|panel| panel["title"].as_str().unwrap())
        .collect();
    assert_eq!(
        rows,
        ["Overview", "Connections", "Deliveries", "Webhooks", "Store", "Process"]
    );
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            !targets.is_empty()
                && targets
                    .iter()
                    .all(|target| target["datasource"]["uid"] == "${datasource}")
        );
    }
}

#[test]
fn promtool_takes_the_rules_where_it_is_there() {
    let rules = workspace("deploy/prometheus/alerts.yml");
    match Command::new("promtool").args(["check", "rules"]).arg(&rules).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => println!("promtool is not on the PATH: its part is left out"),
    }
}
