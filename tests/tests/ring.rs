//! Two systems in a ring: each is a vendor that the gateway writes to and a source that tells it of every change, the
//! gateway's own writes included. Whatever somebody edits in either reaches the other once, and then it is quiet.
//!
//! What is promised when both sides change the same customer at the same moment, and what is not:
//!
//! - Different fields: both edits arrive, where the connection sends changes only (`payload = "changed"`) and the source
//!   has an `order_by`. A vendor that is sent the whole customer gets the old value of what it has just changed itself,
//!   and one whose events have no order cannot say which of two came first.
//! - The same field: nothing but that it comes to rest. Which of the two values stays is decided by which event is taken
//!   last, and both sides may end with the other's value until somebody edits again.
//!
//! So a customer is edited again only when all of its edits before have arrived and all of its events are taken
//! ([`Ring::rests`]); customers do not wait for each other.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has to stop; what was measured is for whoever reads the output"
)]

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value as Json, json};
use upsert_simulators::{HookEntry, HookTime, Record, Rewrite, Rewrites, Told};
use upsert_tests::{HOOK_SECRET, Plan, Vendored, World};

const PATIENCE: Duration = Duration::from_secs(200);
const PEOPLE: usize = 100;
const ROTOR: usize = 0;
const WALLET: usize = 1;
/// Given name, family name, phone, e-mail, in the words of each side.
const NAMES: [[&str; 4]; 2] = [
    ["first_name", "last_name", "phone", "email"],
    ["firstName", "lastName", "phoneNumber", "email"],
];
const OURS: [&str; 4] = ["given_name", "family_name", "phone", "email"];

/// How the form of a field is that a vendor keeps.
type Form = fn(&str) -> String;

/// What differs from ring to ring.
struct Course {
    /// Names of the sources begin so.
    name: &'static str,
    order_by: Option<&'static str>,
    rewrites: Rewrites,
    /// What the rewrites make of each field.
    forms: [Form; 4],
    /// Lines for the wallet's connection.
    wallet: &'static str,
    /// Most edits of one customer at once, of different fields.
    at_once: usize,
    copies: [u32; 2],
    shuffle_ms: u64,
    when: [HookTime; 2],
    edits: usize,
}

impl Course {
    fn new(name: &'static str, order_by: Option<&'static str>) -> Self {
        Self {
            name,
            order_by,
            rewrites: Rewrites::default(),
            forms: [str::to_owned; 4],
            wallet: "",
            at_once: 1,
            copies: [1, 2],
            shuffle_ms: 5,
            when: [HookTime::BeforeAnswer, HookTime::AfterAnswer],
            edits: 1_000,
        }
    }

    fn tables(&self) -> String {
        let order = self
            .order_by
            .map_or_else(String::new, |pointer| format!("order_by = \"{pointer}\"\n"));
        let source = |side: usize, connection: &str, id: &str, more: &str| {
            let rules = OURS.iter().zip(NAMES[side]);
            let rules: Vec<String> = rules
                .map(|(ours, theirs)| format!("{ours} = \"/record/{theirs}\""))
                .collect();
            format!(
                "\n[[webhooks.in]]\nsource = \"{}-{connection}\"\nconnection = \"{connection}\"\n\
                 verify = {{ scheme = \"standard-webhooks\", secret = {{ file = \"hook.secret\" }} }}\n\
                 event_id = \"/id\"\n{order}provider_customer_id = \"/record/{id}\"\nmap = {{ {}{more} }}\n",
                self.name,
                rules.join(", "),
            )
        };
        source(ROTOR, "rotor", "id", "")
            + &source(WALLET, "wallet", "externalId", ", reference = \"/record/externalId\"")
    }
}

struct Person {
    customer: String,
    /// The record of each side.
    ids: [String; 2],
    values: [String; 4],
    /// Where somebody typed the value; none: it came through the gateway to both.
    typed_at: [Option<usize>; 4],
    edits_left: usize,
}

/// One edit.
struct Edit {
    person: usize,
    side: usize,
    field: usize,
    value: String,
}

struct Ring {
    world: World,
    course: Course,
    people: Vec<Person>,
    edits: Vec<Edit>,
    dice: StdRng,
}

/// Both sides at one moment.
struct Look {
    records: [HashMap<String, Record>; 2],
    /// Events of each record that there were, and that were taken.
    told: [HashMap<String, (u64, u64)>; 2],
}

fn value(field: usize, number: usize) -> String {
    match field {
        0 => format!("N{number}ame"),
        1 => format!("F{number}amily-Name"),
        2 => format!("+141550{number:05}"),
        _ => format!("person{number}@ring.example"),
    }
}

impl Ring {
    async fn start(course: Course) -> Self {
        let world = World::with(Plan {
            only: vec!["rotor", "wallet"],
            tables: course.tables(),
            wallet: course.wallet.to_owned(),
            ..Plan::default()
        })
        .await;
        world.rotor.rewrites(course.rewrites.clone());
        for (side, name) in ["rotor", "wallet"].into_iter().enumerate() {
            let mut hook = world.hook(&format!("{}-{name}", course.name), HOOK_SECRET);
            hook.copies = course.copies[side];
            hook.shuffle_ms = course.shuffle_ms;
            hook.when = course.when[side];
            [&world.rotor, &world.wallet][side].tell(vec![hook]);
        }
        let mut ring = Self {
            world,
            course,
            people: Vec::new(),
            edits: Vec::new(),
            dice: StdRng::seed_from_u64(7),
        };
        ring.settle().await;
        ring
    }

    /// A hundred customers, by the API.
    async fn settle(&mut self) {
        let world = &self.world;
        let born = join_all((0..PEOPLE).map(|number| async move {
            let values = [0, 1, 2, 3].map(|field| value(field, number));
            let mut body = json!({ "reference": format!("p-{number}") });
            for (name, value) in OURS.iter().zip(&values) {
                body[*name] = json!(value);
            }
            let answer = world.upsert(&body).await;
            assert_eq!(answer.status, 201, "{}", answer.text);
            let id = |connection: &str| {
                answer.delivery(connection)["provider_customer_id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            Person {
                customer: answer.customer_id(),
                ids: [id("rotor"), id("wallet")],
                values,
                typed_at: [None; 4],
                edits_left: 0,
            }
        }))
        .await;
        self.people = born;
        // add-update's own id is shown in no answer.
        let by_key: HashMap<String, String> = self
            .world
            .wallet
            .records()
            .into_iter()
            .map(|it| (text(&it, "externalId").to_owned(), it.id))
            .collect();
        for person in &mut self.people {
            let key = std::mem::take(&mut person.ids[WALLET]);
            person.ids[WALLET].clone_from(&by_key[&key]);
        }
        self.run().await;
        let each = self.course.edits / PEOPLE;
        self.people.iter_mut().for_each(|person| person.edits_left = each);
    }

    fn sides(&self) -> [&Vendored; 2] {
        [&self.world.rotor, &self.world.wallet]
    }

    fn look(&self) -> Look {
        // First what was told: what is told after it belongs to a version that the records show then.
        let told = self.sides().map(|side| count_told(&side.hooks().journal()));
        let by_id = |side: &Vendored| side.records().into_iter().map(|it| (it.id.clone(), it)).collect();
        Look {
            told,
            records: self.sides().map(by_id),
        }
    }

    fn expected(&self, person: &Person, side: usize, field: usize) -> String {
        let value = &person.values[field];
        if side == ROTOR && person.typed_at[field] != Some(ROTOR) {
            (self.course.forms[field])(value)
        } else {
            value.clone()
        }
    }

    /// Whether every edit of this customer has arrived, and every version of both records was told and taken.
    fn rests(&self, look: &Look, person: &Person) -> bool {
        (0..2).all(|side| {
            let id = &person.ids[side];
            let record = &look.records[side][id];
            let copies = record.version * u64::from(self.course.copies[side]);
            look.told[side].get(id) == Some(&(copies, copies))
                && (0..4).all(|field| text(record, NAMES[side][field]) == self.expected(person, side, field))
        })
    }

    /// Edits for as long as there are edits left, each as soon as its customer rests.
    async fn run(&mut self) {
        let began = Instant::now();
        loop {
            let look = self.look();
            let resting: Vec<usize> = (0..PEOPLE)
                .filter(|number| self.rests(&look, &self.people[*number]))
                .collect();
            let ready: Vec<usize> = resting
                .iter()
                .copied()
                .filter(|number| self.people[*number].edits_left > 0)
                .collect();
            if resting.len() == PEOPLE && ready.is_empty() {
                return;
            }
            for number in ready {
                self.edit(number);
            }
            if began.elapsed() > PATIENCE {
                self.tell_who_does_not_rest(&look).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn tell_who_does_not_rest(&self, look: &Look) -> ! {
        let person = self.people.iter().find(|person| !self.rests(look, person)).unwrap();
        let shown = |side: usize| {
            let id = &person.ids[side];
            let expected: Vec<String> = (0..4).map(|field| self.expected(person, side, field)).collect();
            format!(
                "{expected:?}\n is {:?}\n told {:?}",
                look.records[side][id],
                look.told[side].get(id)
            )
        };
        let path = format!("/v1/customers/{}/history", person.customer);
        let history = self.world.get(&path).await.text;
        panic!(
            "{} does not rest:\n{}\n{}\n{history}",
            person.customer,
            shown(ROTOR),
            shown(WALLET)
        );
    }

    fn edit(&mut self, number: usize) {
        // An add-update call always carries the given name, so that is Rotor's alone where several are under way.
        let is_shared = self.course.at_once > 1;
        let mut fields = [0, 1, 2, 3];
        fields.shuffle(&mut self.dice);
        let most = self.course.at_once.min(self.people[number].edits_left);
        for field in fields.into_iter().take(most) {
            let side = if is_shared && field == 0 {
                ROTOR
            } else {
                self.dice.random_range(0..2)
            };
            let value = value(field, PEOPLE + self.edits.len());
            let person = &mut self.people[number];
            person.values[field].clone_from(&value);
            person.typed_at[field] = Some(side);
            person.edits_left -= 1;
            let id = person.ids[side].clone();
            self.sides()[side].edits(&id, &json!({ NAMES[side][field]: value }));
            self.edits.push(Edit {
                person: number,
                side,
                field,
                value,
            });
        }
    }

    fn calls(&self) -> [u64; 2] {
        self.sides().map(|side| side.journal().counts().received)
    }

    /// Events by what became of them.
    async fn results(&self) -> BTreeMap<String, u64> {
        let shown = self.world.get("/metrics").await.text;
        let mine = format!("source=\"{}-", self.course.name);
        let mut results = BTreeMap::new();
        let lines = shown
            .lines()
            .filter(|line| line.starts_with("upsert_gateway_events_in_total{") && line.contains(&mine));
        for line in lines {
            let (_, rest) = line.split_once("result=\"").unwrap();
            let result = rest.split('"').next().unwrap().to_owned();
            *results.entry(result).or_default() += line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        }
        results
    }

    /// No call and no event for two seconds, and everybody has the same.
    async fn is_at_rest(&self) {
        let moved = || (self.calls(), self.sides().map(|side| side.hooks().counts().attempts));
        let before = moved();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(moved(), before, "calls and events in two quiet seconds");
        assert_eq!(self.sides().map(|side| side.hooks().under_way()), [0, 0]);
        let look = self.look();
        for person in &self.people {
            assert!(self.rests(&look, person), "{} has moved", person.customer);
            let known = self.world.get(&format!("/v1/customers/{}", person.customer)).await;
            for (field, name) in OURS.iter().enumerate() {
                assert_eq!(known.body[*name], person.values[field], "{}", known.text);
            }
        }
        for path in ["/v1/events/in?state=failed", "/v1/deliveries?state=failed"] {
            assert_eq!(self.world.get(path).await.body["data"], json!([]), "{path}");
        }
    }

    /// Bodies of the calls at one side, by record, in their order.
    fn bodies(&self, side: usize) -> HashMap<String, Vec<Json>> {
        let mut bodies: HashMap<String, Vec<Json>> = HashMap::new();
        for entry in self.sides()[side].journal().entries() {
            let written = entry.write.unwrap();
            bodies
                .entry(written.record)
                .or_default()
                .push(serde_json::from_str(&entry.body).unwrap());
        }
        bodies
    }

    /// Each edit was brought to the other side by one call.
    fn each_arrived_once(&self) {
        let bodies = [self.bodies(ROTOR), self.bodies(WALLET)];
        for edit in &self.edits {
            let other = 1 - edit.side;
            let name = NAMES[other][edit.field];
            let at_other = &bodies[other][&self.people[edit.person].ids[other]];
            // A call that says nothing of the field leaves it as it was.
            let mut said: Vec<&Json> = at_other
                .iter()
                .map(|body| &body[name])
                .filter(|said| !said.is_null())
                .collect();
            said.dedup();
            let brought = said.into_iter().filter(|said| *said == edit.value.as_str()).count();
            assert_eq!(brought, 1, "{} among {at_other:?}", edit.value);
        }
    }

    /// No edit of Rotor's, which is sent changes only, was ever sent to it.
    async fn nothing_was_written_back(&self) {
        let bodies = self.bodies(ROTOR);
        for edit in self.edits.iter().filter(|edit| edit.side == ROTOR) {
            let carries = |body: &Json| body.to_string().contains(&edit.value);
            let person = &self.people[edit.person];
            let at_rotor = &bodies[&person.ids[ROTOR]];
            if at_rotor.iter().any(carries) {
                let path = format!("/v1/customers/{}/history", person.customer);
                let history = self.world.get(&path).await.text;
                panic!("{} among {at_rotor:?}\n{history}", edit.value);
            }
        }
    }

    fn edits_at(&self, side: usize) -> u64 {
        self.edits.iter().filter(|edit| edit.side == side).count() as u64
    }
}

fn text<'a>(record: &'a Record, field: &str) -> &'a str {
    record.fields.get(field).and_then(Json::as_str).unwrap_or_default()
}

fn count_told(journal: &[HookEntry]) -> HashMap<String, (u64, u64)> {
    let mut told: HashMap<String, (u64, u64)> = HashMap::new();
    for entry in journal {
        let (all, taken) = told.entry(entry.record.clone()).or_default();
        *all += 1;
        *taken += u64::from(entry.told == Told::Taken);
    }
    told
}

/// One edit of a customer at a time: every count is exact.
async fn one_by_one(course: Course) {
    let mut ring = Ring::start(course).await;
    let people = PEOPLE as u64;
    assert_eq!(ring.calls(), [people, people], "the first events called nobody");
    let (before, began) = (ring.results().await, Instant::now());
    ring.run().await;
    let took = began.elapsed();
    ring.is_at_rest().await;

    let (from_rotor, from_wallet) = (ring.edits_at(ROTOR), ring.edits_at(WALLET));
    assert_eq!(
        ring.calls(),
        [people + from_wallet, people + from_rotor],
        "one call for each edit"
    );
    ring.each_arrived_once();
    ring.nothing_was_written_back().await;
    let after = ring.results().await;
    let grown = |result: &str| after.get(result).unwrap_or(&0) - before.get(result).unwrap_or(&0);
    let edits = ring.edits.len() as u64;
    println!(
        "{}: {edits} edits in {} ms, {after:?}",
        ring.course.name,
        took.as_millis()
    );
    assert_eq!(grown("accepted"), edits, "{after:?}");
    assert_eq!(grown("echo"), edits, "each write that an edit made was told: {after:?}");
}

fn upper(text: &str) -> String {
    text.to_uppercase()
}

fn spaced(phone: &str) -> String {
    format!("+1 {}-{}-{}", &phone[2..5], &phone[5..8], &phone[8..])
}

fn cut(text: &str) -> String {
    text.chars().take(8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_edits_each_reach_the_other_side_once_and_the_ring_comes_to_rest() {
    one_by_one(Course::new("plain", Some("/version"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_without_an_order_make_no_loop_either() {
    one_by_one(Course::new("unordered", None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_rewrote_and_showed_is_no_edit_of_its() {
    one_by_one(Course {
        rewrites: Rewrites::of([
            ("first_name", Rewrite::Upper),
            ("last_name", Rewrite::Cut(8)),
            ("phone", Rewrite::SpacedPhone),
        ]),
        forms: [upper, cut, spaced, str::to_owned],
        ..Course::new("shown", Some("/at"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_vendor_rewrote_in_silence_is_no_edit_of_its() {
    one_by_one(Course {
        rewrites: Rewrites::of([
            ("first_name", Rewrite::Upper),
            ("last_name", Rewrite::Upper),
            ("phone", Rewrite::SpacedPhone),
        ])
        .silently(),
        forms: [upper, upper, spaced, str::to_owned],
        ..Course::new("silent", Some("/version"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_of_one_customer_at_both_sides_at_once_all_arrive_once() {
    let mut ring = Ring::start(Course {
        wallet: "payload = \"changed\"",
        at_once: 3,
        copies: [2, 2],
        shuffle_ms: 20,
        ..Course::new("crowded", Some("/version"))
    })
    .await;
    let began = Instant::now();
    ring.run().await;
    let took = began.elapsed();
    ring.is_at_rest().await;

    let people = PEOPLE as u64;
    let (calls, results) = (ring.calls(), ring.results().await);
    println!(
        "crowded: {} edits in {} ms, {calls:?} calls, {results:?}",
        ring.edits.len(),
        took.as_millis()
    );
    // Two that come in one event, or while a call is under way, go out as one.
    assert!(calls[ROTOR] <= people + ring.edits_at(WALLET), "{calls:?}");
    assert!(calls[WALLET] <= people + ring.edits_at(ROTOR), "{calls:?}");
    ring.each_arrived_once();
    ring.nothing_was_written_back().await;
}
