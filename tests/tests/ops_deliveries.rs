//! The dashboard's pages of deliveries, as a browser without scripts asks for them: the list and its filter, one delivery
//! with the vendor's words and what was sent, replay and discard of one and of all that match, and who may see what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, KEY, Operator, Page, Plan, World, api_key};

const PATIENCE: Duration = Duration::from_secs(20);
const READER: &str = "a-key-that-may-only-look";
const STRANGER: &str = "a-key-of-another-merchant";

/// What the vendor says: it repeats a value, and would be a script if it were taken for markup.
const WORDS: &str = r#"{"status":"error","message":"Validation failed","errors":[{"field":"email","message":"<script>alert('ann@x.example')</script>"}]}"#;

/// What a browser finds in a page.
trait Html {
    fn says(&self, html: &str);
    fn has_form(&self, action: &str) -> bool;
    /// The hidden fields of the form that leads there.
    fn form(&self, action: &str) -> Vec<(String, String)>;
    /// Where the link with this text leads.
    fn link(&self, text: &str) -> Option<String>;
    /// The deliveries of the list, in its order.
    fn rows(&self) -> Vec<String>;
}

impl Html for Page {
    #[track_caller]
    fn says(&self, html: &str) {
        assert!(self.html.contains(html), "{html:?} is not in: {}", self.html);
    }

    fn has_form(&self, action: &str) -> bool {
        self.html.contains(&format!("action=\"{action}\""))
    }

    fn form(&self, action: &str) -> Vec<(String, String)> {
        assert!(self.has_form(action), "no form leads to {action}: {}", self.html);
        let form = self.html.split(&format!("action=\"{action}\"")).nth(1).unwrap();
        let form = form.split("</form>").next().unwrap();
        let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
        let field = |field: &str| {
            let (name, rest) = field.split_once("\" value=\"").unwrap();
            (name.to_owned(), unescaped(rest.split('"').next().unwrap()))
        };
        fields.map(field).collect()
    }

    fn link(&self, text: &str) -> Option<String> {
        let (before, _) = self.html.split_once(&format!("\">{text}</a>"))?;
        Some(unescaped(before.rsplit("href=\"").next()?))
    }

    fn rows(&self) -> Vec<String> {
        let rows = self.html.split("<th scope=\"row\"><a href=\"").skip(1);
        rows.map(|row| row.split('"').next().unwrap().to_owned()).collect()
    }
}

async fn signed_in(world: &World, key: &str) -> Operator {
    Operator::sign_in(world, key).await.unwrap()
}

/// Posts the form of a page that leads to this address, with what stands in it, and goes where it is sent.
async fn submit(browser: &Operator, page: &Page, action: &str) -> Page {
    let form = page.form(action);
    let form: Vec<_> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    browser.post_and_follow(action, &form).await
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&").replace("&#34;", "\"")
}

/// With a key that may only look, and one of another merchant.
async fn world() -> World {
    let plan = Plan {
        only: vec!["rotor", "wallet"],
        gateway: api_key("reader", READER, "acme", "ops:read")
            + &api_key("stranger", STRANGER, "globex", "customers:read ops:read ops:write"),
        ..Plan::default()
    };
    let globex = "id = \"globex\"\ndefault_region = \"US\"\n[[connections]]\nname = \"rotor\"\nprovider = \"rotor\"\n\
                  base_url = \"http://127.0.0.1:9\"\ncredentials = { api_key = { file = \"rotor.secret\" } }\n";
    World::with_files(plan, &[("merchants/globex.toml", globex)]).await
}

fn person(number: u32) -> Json {
    json!({ "reference": format!("c{number}"), "given_name": "Ann", "family_name": "Lee", "email": format!("c{number}@x.example"), "phone": format!("202555{:04}", 1000 + number) })
}

/// An upsert that Rotor refuses, and the id of its delivery there.
async fn refused(world: &World, number: u32) -> String {
    let answered = world.upsert(&person(number)).await;
    assert_eq!(answered.status, 422, "{}", answered.text);
    id(&answered, "rotor")
}

fn id(answered: &Answered, connection: &str) -> String {
    answered.delivery(connection)["id"].as_str().unwrap().to_owned()
}

fn rotor_refuses(world: &World) {
    let refuses = Effect::Answer(Answer::new(400).body(WORDS));
    world.rotor.faults().add(Fault::always(refuses));
}

async fn none_is_open(world: &World) {
    let open = "/v1/deliveries?state=pending,in_flight,retrying,waiting";
    world.until(open, PATIENCE, |page| page.body["data"] == json!([])).await;
}

#[tokio::test]
async fn a_dead_letter_shows_the_vendors_words_and_what_was_sent_and_is_replayed_when_the_vendor_is_mended() {
    let world = world().await;
    rotor_refuses(&world);
    let id = refused(&world, 1).await;
    let browser = signed_in(&world, KEY).await;
    let path = format!("/ops/deliveries/{id}");
    let list = browser.open("/ops/deliveries?state=failed").await;
    assert_eq!(list.rows(), std::slice::from_ref(&path));
    list.says("acme / rotor");

    let page = browser.open(&path).await;
    assert_eq!(page.status, 200, "{}", page.html);
    page.says("&#60;script&#62;alert(&#39;ann@x.example&#39;)&#60;/script&#62;");
    page.hides("<script>alert");
    page.says("<code>/email</code>");
    page.says("rejected");
    page.says("status 400");
    page.says("The request as it was sent");
    page.says("c1@x.example");
    page.hides("rotor_sim_secret");
    let customer = world.get(&format!("/v1/deliveries/{id}")).await.body["customer_id"].clone();
    page.says(&format!("/ops/customers/acme/{}", customer.as_str().unwrap()));

    world.rotor.faults().clear();
    let new = submit(&browser, &page, &format!("{path}/replay")).await;
    new.says(&format!("{id} is replayed: this delivery takes its place"));
    none_is_open(&world).await;
    let old = browser.open(&path).await;
    let new_path = old.html.split("by <a class=\"mono\" href=\"").nth(1).unwrap();
    let new = browser.open(new_path.split('"').next().unwrap()).await;
    new.says("<span class=\"state succeeded\">");
    new.says("<dd>created</dd>");
    assert_eq!(world.rotor.records().len(), 1);
    assert!(!old.has_form(&format!("{path}/replay")), "superseded: {}", old.html);
    let again = browser.post(&format!("{path}/replay"), &[]).await;
    assert_eq!(again.location.as_deref(), Some(&*path));
    browser.open(&path).await.says("class=\"notice bad\"");
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_and_all_that_match_are_replayed_after_they_were_counted() {
    let world = world().await;
    rotor_refuses(&world);
    for number in 0..52 {
        refused(&world, number).await;
    }
    let browser = signed_in(&world, KEY).await;
    let filter = "/ops/deliveries?state=failed&connection=rotor";
    let first = browser
        .open(&format!(
            "{filter}&merchant=acme&since=2020-01-01T00:00&error_kind=rejected"
        ))
        .await;
    first.says("value=\"2020-01-01T00:00:00\"");
    let second = browser.open(&first.link("Next page").unwrap()).await;
    assert_eq!((first.rows().len(), second.rows().len()), (50, 2), "{}", second.html);
    let all: BTreeSet<String> = first.rows().into_iter().chain(second.rows()).collect();
    assert_eq!(all.len(), 52, "no row twice");
    assert_eq!(second.link("Next page"), None);
    let back = browser.open(&second.link("First page").unwrap()).await;
    assert_eq!(back.rows(), first.rows());
    let wallets = browser.open("/ops/deliveries?state=failed&connection=wallet").await;
    wallets.says("No delivery matches");
    let future = browser.open(&format!("{filter}&since=2999-01-01T00:00")).await;
    assert_eq!(future.rows(), Vec::<String>::new());

    let list = browser.open(filter).await;
    let counted = browser.open(&list.link("Replay all that match…").unwrap()).await;
    counted.says("<strong>52</strong>");
    counted.says("<dt>connection</dt><dd>rotor</dd>");
    let still = browser.open(filter).await;
    assert_eq!(still.rows().len(), 50, "counting does nothing");
    world.rotor.faults().clear();
    let done = submit(&browser, &counted, "/ops/deliveries/replay").await;
    done.says("52 of 52 were replayed");
    none_is_open(&world).await;
    assert_eq!(world.rotor.records().len(), 52);
    let nothing = browser
        .open("/ops/deliveries/replay?state=failed&connection=rotor")
        .await;
    nothing.says("there is nothing to replay");
    assert!(!nothing.has_form("/ops/deliveries/replay"));
}

#[tokio::test]
async fn one_is_discarded_then_the_others_and_a_second_time_is_told_as_refused() {
    let world = world().await;
    rotor_refuses(&world);
    let ids = [
        refused(&world, 1).await,
        refused(&world, 2).await,
        refused(&world, 3).await,
    ];
    let browser = signed_in(&world, KEY).await;
    let path = format!("/ops/deliveries/{}", ids[0]);
    let discard = format!("{path}/discard");
    let page = browser.open(&path).await;
    let discarded = submit(&browser, &page, &discard).await;
    discarded.says("<span class=\"state discarded\">");
    discarded.says("class=\"notice ok\"");
    assert!(!discarded.has_form(&discard));
    assert_eq!(browser.post(&discard, &[]).await.status, 303);
    browser.open(&path).await.says("class=\"notice bad\"");

    let counted = browser.open("/ops/deliveries/discard?connection=rotor").await;
    counted.says("<strong>2</strong>");
    counted.says("<dt>state</dt><dd>failed</dd>");
    let newer = refused(&world, 4).await;
    let done = submit(&browser, &counted, "/ops/deliveries/discard").await;
    done.says("2 of 2 were discarded");
    let left = world.get("/v1/deliveries?state=failed").await;
    assert_eq!(left.body["data"].as_array().unwrap().len(), 1, "{}", left.text);
    assert_eq!(left.body["data"][0]["id"], json!(newer), "nobody has counted that one");
    let calls = world.rotor.journal().counts().received;
    assert_eq!(calls, 4, "nothing was sent again");

    let ended = browser.open("/ops/deliveries?state=succeeded").await;
    assert_eq!(ended.link("Discard all that match…"), None);
    let ended = browser.open("/ops/deliveries/discard?state=succeeded").await;
    assert_eq!(ended.status, 422, "{}", ended.html);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_the_form_keeps_what_was_typed() {
    let world = world().await;
    let browser = signed_in(&world, KEY).await;
    let page = browser
        .open("/ops/deliveries?state=fialed&connection=%22%3Eroto&since=yesterday&cursor=nonsense")
        .await;
    assert_eq!(page.status, 400, "{}", page.html);
    page.says("The filter cannot be read: state: is not known here");
    page.says("The filter cannot be read: since: is not an RFC 3339 time");
    page.says("<option value=\"fialed\" selected>");
    page.says("name=\"since\" value=\"yesterday\" aria-invalid");
    page.says("value=\"&#34;&#62;roto\"");
    let page = browser.open("/ops/deliveries?cursor=nonsense").await;
    assert_eq!(page.status, 400, "{}", page.html);
    assert_eq!(browser.open("/ops/deliveries/dlv_nonsense").await.status, 404);
    assert_eq!(browser.open("/ops/deliveries?merchant=nobody").await.status, 404);
}

#[tokio::test]
async fn a_key_that_may_only_look_sees_no_words_and_no_buttons_and_may_post_nothing() {
    let world = world().await;
    rotor_refuses(&world);
    let id = refused(&world, 1).await;
    let reader = signed_in(&world, READER).await;
    let path = format!("/ops/deliveries/{id}");
    for path in ["/ops/deliveries?state=failed", &path] {
        let page = reader.open(path).await;
        assert_eq!(page.status, 200, "{}", page.html);
        page.says("•••");
        page.says("rejected");
        for hidden in ["alert(", "ann@x.example", "c1@x.example", "2025551001", "Lee"] {
            page.hides(hidden);
        }
        for action in ["replay", "discard"] {
            page.hides(&format!("/{action}"));
        }
    }
    let detail = reader.open(&path).await;
    detail.says("POST •••");
    detail.says("&#34;email&#34;: &#34;•••&#34;");
    for action in ["replay", "discard"] {
        let one = reader.post(&format!("{path}/{action}"), &[]).await;
        let form = [
            ("state", "failed"),
            ("counted_at", "2999-01-01T00:00:00Z"),
            ("counted", "1"),
        ];
        let all = reader.post(&format!("/ops/deliveries/{action}"), &form).await;
        let count = reader.open(&format!("/ops/deliveries/{action}?state=failed")).await;
        for refused in [one, all, count] {
            assert_eq!(refused.status, 403, "{}", refused.html);
            refused.says("ops:write");
        }
    }
    let still = world.get(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(still.body["state"], "failed");
}

#[tokio::test]
async fn for_a_key_of_another_merchant_there_is_no_such_delivery() {
    let world = world().await;
    rotor_refuses(&world);
    let id = refused(&world, 1).await;
    let stranger = signed_in(&world, STRANGER).await;
    let path = format!("/ops/deliveries/{id}");
    assert_eq!(stranger.open(&path).await.status, 404);
    for action in ["replay", "discard"] {
        assert_eq!(stranger.post(&format!("{path}/{action}"), &[]).await.status, 404);
        let all = stranger.open(&format!("/ops/deliveries/{action}?state=failed")).await;
        all.says(&format!("there is nothing to {action}"));
        let form = [
            ("state", "failed"),
            ("counted_at", "2999-01-01T00:00:00Z"),
            ("counted", "1"),
        ];
        let posted = stranger.post(&format!("/ops/deliveries/{action}"), &form).await;
        let back = stranger.open(posted.location.as_deref().unwrap()).await;
        back.says("nothing matched");
    }
    assert_eq!(stranger.open("/ops/deliveries?merchant=acme").await.status, 404);
    stranger
        .open("/ops/deliveries?state=failed")
        .await
        .says("No delivery matches");
    let still = world.get(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(still.body["state"], "failed");
}

#[tokio::test]
async fn a_connections_page_groups_its_failures_by_cause_and_each_leads_to_its_deliveries() {
    let world = world().await;
    let browser = signed_in(&world, KEY).await;
    let path = "/ops/connections/acme/rotor";
    browser.open(path).await.shows("None: no delivery has failed");
    rotor_refuses(&world);
    refused(&world, 1).await;
    refused(&world, 2).await;
    world.rotor.faults().clear();
    let gone = Effect::Answer(Answer::new(200).body("no JSON at all"));
    world.rotor.faults().add(Fault::always(gone));
    let broken = world.upsert(&person(3)).await;
    assert_eq!(
        broken.delivery("rotor")["error"]["kind"],
        "broken_contract",
        "{}",
        broken.text
    );

    let page = browser.open(path).await;
    page.shows("rejected 2 the vendor refuses the request: Validation failed");
    page.shows("broken contract");
    let rejected = browser.open(&page.link("rejected").unwrap()).await;
    assert_eq!(rejected.rows().len(), 2, "{}", rejected.html);
    let broken = browser.open(&page.link("broken contract").unwrap()).await;
    assert_eq!(broken.rows().len(), 1, "{}", broken.html);
    let reader = signed_in(&world, READER).await;
    reader
        .open(path)
        .await
        .shows("rejected 2 •••")
        .hides("Validation failed");
}
