//! `[[webhooks.in]]`: what its members come to.

use serde_json::{Value, json};
use upsert_settings::{Secrets, WebhookIn};
use upsert_webhook::{EventId, Mapped, Read};

use crate::folder::Folder;

const HEAD: &str = "id = \"acme\"\n[[connections]]\nname = \"rotor\"\nprovider = \"rotor\"\n[[webhooks.in]]\nsource = \"shop\"\n\
    verify = { scheme = \"standard-webhooks\", secret = { env = \"SECRET\" } }\n";

fn folder(source: &str) -> Folder {
    Folder::with_merchant(&format!("{HEAD}{source}")).env("SECRET", "s")
}

fn source(text: &str) -> WebhookIn {
    let settings = folder(text).load().unwrap_or_else(|problems| panic!("{problems:#?}"));
    settings.merchant("acme").unwrap().webhooks_in[0].clone()
}

fn mapped(source: &WebhookIn, event: Value) -> Vec<Mapped> {
    let parts = source.mapping.parts(event).unwrap();
    let read = |part| match source.mapping.read(part, &|_| None) {
        Read::Mapped(mapped) => mapped,
        other => panic!("{other:?}"),
    };
    parts.iter().map(read).collect()
}

#[test]
fn the_examples_of_the_contract_are_read() {
    let contract = r#"id = "acme"
[[webhooks.in]]
source = "shop"
verify = { scheme = "standard-webhooks", secret = { env = "ACME_SHOP_WEBHOOK_SECRET" } }
event_id = "/id"
only = { "/type" = ["customer.created", "customer.updated"] }
map = { reference = "/data/customer/id", email = "/data/customer/email", given_name = "/data/customer/first_name" }

[[webhooks.in]]
source = "crm"
verify = { scheme = "hmac", header = "x-signature", algorithm = "sha256", encoding = "hex", secret = { env = "ACME_CRM_SECRET" } }
event_id = "/event_id"
order_by = "/updated_at"
map = { reference = "/ref", email = "/mail", given_name = "/name" }
"#;
    let settings = Folder::with_merchant(contract).load_with(Secrets::Skip).unwrap();
    let event =
        json!({ "id": "e1", "type": "customer.created", "data": { "customer": { "id": 7, "email": "a@b.co" } } });
    let made = mapped(&settings.merchant("acme").unwrap().webhooks_in[0], event);
    assert_eq!(made[0].body, json!({ "reference": "7", "email": "a@b.co" }));
}

#[test]
fn every_member_of_a_rule_does_what_it_says() {
    let source = source(
        r#"event_id = ["$/batch", "/id"]
each = "/list"
order_by = "/at"
connection = "rotor"
provider_customer_id = "/vid"
only = { "/deleted" = [false, "no"], "$/version" = 2 }
[webhooks.in.map]
reference = { from = ["/ref", "/id"], required = true }
email = { from = "/mail", transform = ["trim", "lower"] }
given_name = { from = "/name", part = "given_name", transform = "upper" }
middle_name = { from = "/name", part = "middle_name", clear = true }
family_name = { from = "/name", part = "family_name" }
status = { from = "/state", values = { open = "active", 2 = "inactive" }, default = "active" }
verified = { value = true }
phone = { from = "/number", when = { "/kind" = "mobile" } }
tags = { from = "/labels", split = ";" }
notes = { join = ["/a", "/b"], with = " - ", default = "none" }
[webhooks.in.map.addresses]
billing = "/address"
[webhooks.in.map.addresses.property]
line1 = { join = ["/street", "/house"] }
[webhooks.in.map.metadata]
from = "/origin"
plan = { from = "/plan", transform = ["text"] }
"#,
    );
    let event = json!({ "batch": 9, "version": 2, "list": [{
        "id": 7, "at": "2026-11-20T08:00:00+01:00", "vid": 182, "deleted": false, "mail": " Ann@Example.com ",
        "name": "Ann Mary van der Berg", "state": 2, "number": "1", "kind": "home", "labels": "vip; new", "a": "x",
        "address": { "city": "Springfield" }, "street": "Main St", "house": 1, "origin": "fair", "plan": 3,
    }] });
    let made = mapped(&source, event).remove(0);
    assert_eq!(
        (made.event_id.as_str(), made.provider_customer_id.as_deref()),
        ("9:7", Some("182"))
    );
    assert_eq!(made.order.unwrap().as_str(), "t2026-11-20T07:00:00.000000000Z");
    assert_eq!(
        made.body,
        json!({
            "reference": "7", "email": "ann@example.com", "given_name": "ANN", "middle_name": "Mary",
            "family_name": "van der Berg", "status": "inactive", "verified": true, "tags": ["vip", "new"], "notes": "x",
            "addresses": { "billing": { "city": "Springfield" }, "property": { "line1": "Main St 1" } },
            "metadata": { "from": "fair", "plan": "3" },
        })
    );
    assert_eq!(source.connection.as_deref(), Some("rotor"));
    assert_eq!(source.locate("/metadata/plan").line, 31);
    assert_eq!(source.locate("/kind"), &source.location);
}

#[test]
fn a_table_is_a_rule_exactly_where_a_field_stands() {
    let source = source(
        r#"event_id = "/id"
[webhooks.in.map.metadata]
from = { from = "/a" }
value.value = "x"
[webhooks.in.map.provider_fields]
april = "/april"
rotor.from = { value = { deep = [1] } }
[webhooks.in.map.service]
type = { value = "pest control" }
"#,
    );
    let made = mapped(&source, json!({ "id": 1, "a": "b", "april": { "x": 1 } })).remove(0);
    assert_eq!(
        made.body,
        json!({ "metadata": { "from": "b", "value": "x" }, "service": { "type": "pest control" },
            "provider_fields": { "april": { "x": 1 }, "rotor": { "from": { "deep": [1] } } } })
    );
}

#[test]
fn the_id_may_be_a_header_s() {
    let source = source("event_id = { header = \"Webhook-Id\" }\nmap = { reference = \"/id\" }\n");
    assert_eq!(source.mapping.event_id, EventId::Header("webhook-id".to_owned()));
    assert_eq!(source.event_id, json!({ "header": "webhook-id" }));
    assert_eq!(source.unsigned_id_header(), None);
    let other = self::source("event_id = { header = \"x-id\" }\nmap = { reference = \"/id\" }\n");
    assert_eq!(other.unsigned_id_header(), Some("x-id"));
}

#[test]
fn every_problem_of_a_source_is_told_with_its_line_and_what_was_meant() {
    let wrong = folder(
        r#"event_id = { headr = "x" }
each = "$/list"
order_by = ""
connection = "rotr"
only = { "/a" = [1, {}], "b" = "x" }
[webhooks.in.map]
email = { frm = "/a" }
phone = { from = "/a", value = "b" }
given_name = { from = [], part = "surname" }
family_name = { from = "/a~", transform = ["trimm", "upper"] }
notes = { value = "x", transform = ["trim"], default = "y" }
status = { from = "/a", values = {}, required = true, default = "z" }
tags = { from = "/a", split = "", with = "," }
kind = { from = "/a", split = ",", values = { a = "b" }, when = { a = 1 } }
source = ["/a", "/b"]
tax_id = { join = "/a", clear = true, required = true }
[webhooks.in.map.addresses]
biling = "/a"
billing = { citty = "/a", city = 3 }
[webhooks.in.map.service]
typ = "/a"
[webhooks.in.map.notifications]
phone = { from = 3 }
"#,
    );
    insta::assert_snapshot!(wrong.problems().join("\n"));
    let alone = folder("event_id = 3\nprovider_customer_id = \"/a\"\nmap = { metadata = {} }\n");
    insta::assert_snapshot!(alone.problems().join("\n"));
}
