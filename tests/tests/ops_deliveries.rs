//! The dashboard's pages of deliveries, as a browser without scripts asks for them: the list and its filter, one delivery
//! with the vendor's words and what was sent, replay and discard of one and of all that match, and who may see what.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};
use serde_json::{Value as Json, json};
use upsert_simulators::{Answer, Effect, Fault};
use upsert_tests::{Answered, KEY, Plan, World};

const PATIENCE: Duration = Duration::from_secs(20);
const READER: &str = "a-key-that-may-only-look";
const STRANGER: &str = "a-key-of-another-merchant";

/// What the vendor says: it repeats a value, and would be a script if it were taken for markup.
const WORDS: &str = r#"{"status":"error","message":"Validation failed","errors":[{"field":"email","message":"<script>alert('ann@x.example')</script>"}]}"#;

/// Somebody who has signed in.
struct Browser {
    client: Client,
    url: String,
    cookie: String,
}

/// A page, or the way to one.
struct Page {
    status: u16,
    location: Option<String>,
    html: String,
}

impl Browser {
    async fn sign_in(world: &World, key: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let request = client
            .post(format!("{}/ops/session", world.url()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encoded(&[("key".to_owned(), key.to_owned())]));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 303);
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self {
            client,
            url: world.url(),
            cookie,
        }
    }

    async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, String::new()).await
    }

    async fn post(&self, path: &str, form: &[(String, String)]) -> Page {
        self.send(Method::POST, path, encoded(form)).await
    }

    /// Posts the form of a page that leads to this address, with what stands in it, and goes where it is sent.
    async fn submit(&self, page: &Page, action: &str) -> Page {
        let form = page.form(action);
        let answer = self.post(action, &form).await;
        assert_eq!(answer.status, 303, "{}", answer.html);
        self.get(answer.location.as_deref().unwrap()).await
    }

    async fn send(&self, method: Method, path: &str, body: String) -> Page {
        let request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let answer = request.send().await.unwrap();
        let location = answer.headers().get(LOCATION);
        Page {
            status: answer.status().as_u16(),
            location: location.map(|location| location.to_str().unwrap().to_owned()),
            html: answer.text().await.unwrap(),
        }
    }
}

impl Page {
    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.html.contains(text), "{text:?} is not in: {}", self.html);
    }

    #[track_caller]
    fn does_not_say(&self, text: &str) {
        assert!(!self.html.contains(text), "{text:?} is in: {}", self.html);
    }

    fn has_form(&self, action: &str) -> bool {
        self.html.contains(&format!("action=\"{action}\""))
    }

    /// The hidden fields of the form that leads there.
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

    /// Where the link with this text leads.
    fn link(&self, text: &str) -> Option<String> {
        let (before, _) = self.html.split_once(&format!("\">{text}</a>"))?;
        Some(unescaped(before.rsplit("href=\"").next()?))
    }

    /// The deliveries of the list, in its order.
    fn rows(&self) -> Vec<String> {
        let rows = self.html.split("<th scope=\"row\"><a href=\"").skip(1);
        rows.map(|row| row.split('"').next().unwrap().to_owned()).collect()
    }
}

fn encoded(form: &[(String, String)]) -> String {
    let mut url = Url::parse("http://form/").unwrap();
    url.query_pairs_mut().extend_pairs(form);
    url.query().unwrap_or_default().to_owned()
}

fn unescaped(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&").replace("&#34;", "\"")
}

fn key(name: &str, key: &str, merchant: &str, scopes: &str) -> String {
    let hash = data_encoding::HEXLOWER.encode(&upsert_settings::key_hash(key));
    format!(
        "[[api_keys]]\nname = \"{name}\"\nkey_sha256 = \"{hash}\"\nmerchants = [\"{merchant}\"]\nscopes = [{scopes}]\n\n"
    )
}

/// With a key that may only look, and one of another merchant.
async fn world() -> World {
    let plan = Plan {
        only: vec!["rotor", "wallet"],
        gateway: key("reader", READER, "acme", "\"ops:read\"")
            + &key(
                "stranger",
                STRANGER,
                "globex",
                "\"customers:read\", \"ops:read\", \"ops:write\"",
            ),
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
    let browser = Browser::sign_in(&world, KEY).await;
    let path = format!("/ops/deliveries/{id}");
    let list = browser.get("/ops/deliveries?state=failed").await;
    assert_eq!(list.rows(), [path.clone()]);
    list.says("acme / rotor");

    let page = browser.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.html);
    page.says("&#60;script&#62;alert(&#39;ann@x.example&#39;)&#60;/script&#62;");
    page.does_not_say("<script>alert");
    page.says("<code>/email</code>");
    page.says("rejected");
    page.says("status 400");
    page.does_not_say("rotor_sim_secret");
    let customer = world.get(&format!("/v1/deliveries/{id}")).await.body["customer_id"].clone();
    page.says(&format!("/ops/customers/acme/{}", customer.as_str().unwrap()));

    world.rotor.faults().clear();
    let new = browser.submit(&page, &format!("{path}/replay")).await;
    new.says(&format!("{id} is replayed: this delivery takes its place"));
    none_is_open(&world).await;
    let old = browser.get(&path).await;
    let new_path = old.html.split("by <a class=\"mono\" href=\"").nth(1).unwrap();
    let new = browser.get(new_path.split('"').next().unwrap()).await;
    new.says("<span class=\"state succeeded\">");
    new.says("<dd>created</dd>");
    assert_eq!(world.rotor.records().len(), 1);
    assert!(!old.has_form(&format!("{path}/replay")), "superseded: {}", old.html);
    let again = browser.post(&format!("{path}/replay"), &[]).await;
    assert_eq!(again.location.as_deref(), Some(&*path));
    browser.get(&path).await.says("class=\"notice bad\"");
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_and_all_that_match_are_replayed_after_they_were_counted() {
    let world = world().await;
    rotor_refuses(&world);
    for number in 0..52 {
        refused(&world, number).await;
    }
    let browser = Browser::sign_in(&world, KEY).await;
    let filter = "/ops/deliveries?state=failed&connection=rotor";
    let first = browser
        .get(&format!(
            "{filter}&merchant=acme&since=2020-01-01T00:00&error_kind=rejected"
        ))
        .await;
    first.says("value=\"2020-01-01T00:00:00\"");
    let second = browser.get(&first.link("Next page").unwrap()).await;
    assert_eq!((first.rows().len(), second.rows().len()), (50, 2), "{}", second.html);
    let all: BTreeSet<String> = first.rows().into_iter().chain(second.rows()).collect();
    assert_eq!(all.len(), 52, "no row twice");
    assert_eq!(second.link("Next page"), None);
    let back = browser.get(&second.link("First page").unwrap()).await;
    assert_eq!(back.rows(), first.rows());
    let wallets = browser.get("/ops/deliveries?state=failed&connection=wallet").await;
    wallets.says("No delivery matches");
    let future = browser.get(&format!("{filter}&since=2999-01-01T00:00")).await;
    assert_eq!(future.rows(), Vec::<String>::new());

    let list = browser.get(filter).await;
    let counted = browser.get(&list.link("Replay all that match…").unwrap()).await;
    counted.says("<strong>52</strong>");
    counted.says("<dt>connection</dt><dd>rotor</dd>");
    let still = browser.get(filter).await;
    assert_eq!(still.rows().len(), 50, "counting does nothing");
    world.rotor.faults().clear();
    let done = browser.submit(&counted, "/ops/deliveries/replay").await;
    done.says("52 of 52 were replayed");
    none_is_open(&world).await;
    assert_eq!(world.rotor.records().len(), 52);
    let nothing = browser
        .get("/ops/deliveries/replay?state=failed&connection=rotor")
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
    let browser = Browser::sign_in(&world, KEY).await;
    let path = format!("/ops/deliveries/{}", ids[0]);
    let discard = format!("{path}/discard");
    let page = browser.get(&path).await;
    let discarded = browser.submit(&page, &discard).await;
    discarded.says("<span class=\"state discarded\">");
    discarded.says("class=\"notice ok\"");
    assert!(!discarded.has_form(&discard));
    assert_eq!(browser.post(&discard, &[]).await.status, 303);
    browser.get(&path).await.says("class=\"notice bad\"");

    let counted = browser.get("/ops/deliveries/discard?connection=rotor").await;
    counted.says("<strong>2</strong>");
    counted.says("<dt>state</dt><dd>failed</dd>");
    let done = browser.submit(&counted, "/ops/deliveries/discard").await;
    done.says("2 of 2 were discarded");
    let left = world.get("/v1/deliveries?state=failed").await;
    assert_eq!(left.body["data"], json!([]));
    let calls = world.rotor.journal().counts().received;
    assert_eq!(calls, 3, "nothing was sent again");

    let ended = browser.get("/ops/deliveries?state=succeeded").await;
    assert_eq!(ended.link("Discard all that match…"), None);
    let ended = browser.get("/ops/deliveries/discard?state=succeeded").await;
    assert_eq!(ended.status, 422, "{}", ended.html);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_the_form_keeps_what_was_typed() {
    let world = world().await;
    let browser = Browser::sign_in(&world, KEY).await;
    let page = browser
        .get("/ops/deliveries?state=fialed&connection=%22%3Eroto&since=yesterday&cursor=nonsense")
        .await;
    assert_eq!(page.status, 400, "{}", page.html);
    page.says("The filter cannot be read: state: is not known here");
    page.says("The filter cannot be read: since: is not an RFC 3339 time");
    page.says("<option value=\"fialed\" selected>");
    page.says("name=\"since\" value=\"yesterday\" aria-invalid");
    page.says("value=\"&#34;&#62;roto\"");
    let page = browser.get("/ops/deliveries?cursor=nonsense").await;
    assert_eq!(page.status, 400, "{}", page.html);
    assert_eq!(browser.get("/ops/deliveries/dlv_nonsense").await.status, 404);
    assert_eq!(browser.get("/ops/deliveries?merchant=nobody").await.status, 404);
}

#[tokio::test]
async fn a_key_that_may_only_look_sees_no_words_and_no_buttons_and_may_post_nothing() {
    let world = world().await;
    rotor_refuses(&world);
    let id = refused(&world, 1).await;
    let reader = Browser::sign_in(&world, READER).await;
    let path = format!("/ops/deliveries/{id}");
    for path in ["/ops/deliveries?state=failed", &path] {
        let page = reader.get(path).await;
        assert_eq!(page.status, 200, "{}", page.html);
        page.says("•••");
        page.says("rejected");
        for hidden in ["alert(", "ann@x.example", "c1@x.example", "2025551001", "Lee"] {
            page.does_not_say(hidden);
        }
        for action in ["replay", "discard"] {
            page.does_not_say(&format!("/{action}"));
        }
    }
    for action in ["replay", "discard"] {
        let one = reader.post(&format!("{path}/{action}"), &[]).await;
        let form = [("state".to_owned(), "failed".to_owned())];
        let all = reader.post(&format!("/ops/deliveries/{action}"), &form).await;
        let count = reader.get(&format!("/ops/deliveries/{action}?state=failed")).await;
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
    let stranger = Browser::sign_in(&world, STRANGER).await;
    let path = format!("/ops/deliveries/{id}");
    assert_eq!(stranger.get(&path).await.status, 404);
    for action in ["replay", "discard"] {
        assert_eq!(stranger.post(&format!("{path}/{action}"), &[]).await.status, 404);
        let all = stranger.get(&format!("/ops/deliveries/{action}?state=failed")).await;
        all.says(&format!("there is nothing to {action}"));
        let form = [("state".to_owned(), "failed".to_owned())];
        let posted = stranger.post(&format!("/ops/deliveries/{action}"), &form).await;
        let back = stranger.get(posted.location.as_deref().unwrap()).await;
        back.says("nothing matched");
    }
    assert_eq!(stranger.get("/ops/deliveries?merchant=acme").await.status, 404);
    stranger
        .get("/ops/deliveries?state=failed")
        .await
        .says("No delivery matches");
    let still = world.get(&format!("/v1/deliveries/{id}")).await;
    assert_eq!(still.body["state"], "failed");
}
