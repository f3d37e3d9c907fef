//! What a caller may see of customers, and what the API's documents are without the rest. Keys that may operate and not
//! read customers are common: nothing that they are answered says who somebody is.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::problem::Refusal;
use crate::view::answer::Answer;
use crate::view::mask::{MASK, cover, cover_code, cover_pointer, cover_value, is_code, is_open, masked, masked_wholly};

/// Members of a customer that say nothing of the person.
const OF_THE_RECORD: [&str; 6] = ["id", "version", "merchant_id", "created_at", "updated_at", "links"];

/// How much a caller may see of customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All of it.
    Whole,
    /// Only of what shape it is.
    Masked,
}

impl Visibility {
    /// Of a caller that may read customers, or may not.
    pub const fn of(may_read_customers: bool) -> Self {
        if may_read_customers { Self::Whole } else { Self::Masked }
    }

    /// What was sent to a vendor: its values are covered.
    pub(crate) fn sent(self, body: &Json) -> Json {
        match self {
            Self::Whole => body.clone(),
            Self::Masked => masked(body),
        }
    }

    /// A vendor's record may be named by the path of a request, so that is shown wholly or not at all.
    pub(crate) fn path(self, path: &str) -> Option<&str> {
        (self == Self::Whole).then_some(path)
    }

    /// What somebody sent, or is sent: members without their values; of what is no JSON nothing.
    pub(crate) fn document(self, text: &str) -> String {
        if self == Self::Whole {
            return text.to_owned();
        }
        let document = serde_json::from_str(text).map(|json| masked_wholly(&json).to_string());
        document.unwrap_or_else(|_| MASK.to_owned())
    }

    /// Somebody's words, which may repeat a value.
    pub(crate) fn words(self, words: &str) -> String {
        match self {
            Self::Whole => words.to_owned(),
            Self::Masked if words.is_empty() => String::new(),
            Self::Masked => MASK.to_owned(),
        }
    }

    /// A vendor's code, or a sentence in its place.
    pub(crate) fn code(self, code: String) -> String {
        if self.may_ask_for_code(&code) {
            code
        } else {
            MASK.to_owned()
        }
    }

    /// Whether deliveries may be looked for by this code: whoever finds what is covered has read it.
    pub(crate) fn may_ask_for_code(self, code: &str) -> bool {
        self == Self::Whole || is_code(code)
    }

    /// A customer, with or without its links.
    pub fn customer(self, shown: Json) -> Json {
        self.covering(shown, cover_customer)
    }

    /// A delivery, with or without its attempts.
    pub(crate) fn delivery(self, shown: Json) -> Json {
        self.covering(shown, cover_delivery)
    }

    /// An upsert with its deliveries, and the customer if it is there.
    pub(crate) fn upsert(self, shown: Json) -> Json {
        self.covering(shown, cover_upsert)
    }

    /// An event that came in.
    pub(crate) fn incoming(self, shown: Json) -> Json {
        self.covering(shown, |event| {
            member(event, "event_id", cover_code);
            member(event, "problem", cover_problem);
        })
    }

    /// The answer to an upsert.
    pub(crate) fn answer(self, answer: Answer) -> Answer {
        if self == Self::Whole {
            return answer;
        }
        let body =
            serde_json::from_str(&answer.body).map_or_else(|_| MASK.to_owned(), |body| self.upsert(body).to_string());
        Answer { body, ..answer }
    }

    /// What is wrong with a field may repeat what stands in it.
    pub(crate) fn refusal(self, mut refusal: Refusal) -> Refusal {
        if self == Self::Masked {
            for error in &mut refusal.errors {
                MASK.clone_into(&mut error.detail);
                cover_pointer(&mut error.pointer);
            }
        }
        refusal
    }

    fn covering(self, mut shown: Json, cover: impl Fn(&mut Json)) -> Json {
        if self == Self::Masked {
            cover(&mut shown);
        }
        shown
    }
}

fn cover_customer(customer: &mut Json) {
    each(customer, "links", |link| {
        // Some vendors take the merchant's reference, an e-mail address or a phone number as their id.
        member(link, "provider_customer_id", cover);
    });
    let Json::Object(members) = customer else { return };
    let person = members
        .iter_mut()
        .filter(|(name, _)| !OF_THE_RECORD.contains(&name.as_str()));
    for (name, value) in person {
        match value {
            Json::Object(own) if matches!(name.as_str(), "metadata" | "provider_fields") => *own = covered_names(own),
            value => cover_field(&format!("/{name}"), value),
        }
    }
}

/// Covers a field of a customer by a value of the same type, so that whoever reads the record by its schema can go on. What
/// is covered of a yes or no is null.
fn cover_field(pointer: &str, value: &mut Json) {
    match value {
        Json::Object(members) => {
            for (name, inner) in members {
                cover_field(&format!("{pointer}/{name}"), inner);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(cover),
        Json::Bool(_) if !is_open(pointer) => *value = Json::Null,
        value => cover_value(pointer, value),
    }
}

/// Members whose names the merchant thought of: that there are some.
fn covered_names(members: &Map<String, Json>) -> Map<String, Json> {
    let some = members.iter().take(1);
    some.map(|_| (MASK.to_owned(), Json::from(MASK))).collect()
}

fn cover_delivery(delivery: &mut Json) {
    // A vendor may take our reference for its id.
    member(delivery, "provider_customer_id", cover);
    member(delivery, "fields", |fields| {
        each(fields, "confirmed", cover_name);
        each(fields, "unconfirmed", cover_name);
        each(fields, "differs", |differs| {
            let pointer = differs["pointer"].as_str().unwrap_or_default().to_owned();
            member(differs, "kept", |kept| cover_value(&pointer, kept));
            member(differs, "pointer", cover_name);
        });
    });
    each(delivery, "warnings", |warning| member(warning, "pointer", cover_name));
    member(delivery, "error", cover_error);
    each(delivery, "attempt_log", |attempt| {
        member(attempt, "error", cover_error);
        member(attempt, "vendor_said", |said| {
            for value in said.as_object_mut().into_iter().flat_map(Map::values_mut) {
                if !is_moment(value) {
                    *value = masked_wholly(value);
                }
            }
        });
    });
}

/// When a record was made or changed says nothing of whose it is.
fn is_moment(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok())
}

/// The vendor's words may repeat a value.
fn cover_error(error: &mut Json) {
    member(error, "code", cover_code);
    member(error, "vendor_request_id", cover_code);
    member(error, "detail", cover_words);
    member(error, "vendor_body", |body| {
        // Its members may be named after what was sent, too.
        if !body.is_null() {
            *body = Json::from(MASK);
        }
    });
    each(error, "errors", |complaint| {
        member(complaint, "detail", cover_words);
        member(complaint, "vendor_field", cover_words);
        member(complaint, "pointer", cover_name);
    });
}

fn cover_upsert(upsert: &mut Json) {
    member(upsert, "customer", cover_customer);
    each(upsert, "deliveries", cover_delivery);
    each(upsert, "ignored", |ignored| member(ignored, "pointer", cover_name));
}

fn cover_problem(problem: &mut Json) {
    each(problem, "errors", |wrong| {
        member(wrong, "detail", cover_words);
        member(wrong, "pointer", cover_name);
    });
}

/// A pointer to a field.
fn cover_name(pointer: &mut Json) {
    if let Json::String(pointer) = pointer {
        cover_pointer(pointer);
    }
}

fn cover_words(words: &mut Json) {
    if words.as_str().is_some_and(|words| !words.is_empty()) {
        cover(words);
    }
}

/// Nothing happens where there is none.
fn member(of: &mut Json, name: &str, cover: impl FnOnce(&mut Json)) {
    if let Some(value) = of.get_mut(name) {
        cover(value);
    }
}

/// Nothing happens to what is no list.
fn each(of: &mut Json, name: &str, cover: impl Fn(&mut Json)) {
    member(of, name, |list| {
        list.as_array_mut().into_iter().flatten().for_each(cover);
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn customer() -> Json {
        json!({
            "id": "cus_1", "version": 3, "merchant_id": "acme", "created_at": "then", "updated_at": "now",
            "reference": "R-CANARY", "kind": "person", "given_name": "CANARY", "family_name": null,
            "verified": true, "tags": ["CANARY"], "notifications": { "email": true, "sms": null },
            "addresses": { "billing": { "line1": "1 CANARY St", "line2": null } },
            "metadata": { "CANARY": "CANARY" }, "provider_fields": {},
            "links": [{ "connection": "crm", "provider_customer_id": "CANARY", "state": "in_sync" }],
        })
    }

    fn delivery() -> Json {
        let error = json!({
            "kind": "rejected", "code": "E_1", "detail": "CANARY", "vendor_status": 400, "vendor_request_id": "CANARY CANARY",
            "errors": [{ "pointer": "/metadata/CANARY", "vendor_field": "CANARY", "detail": "CANARY" }],
            "vendor_body": { "message": "CANARY", "errors": [{ "CANARY CANARY": true }] },
        });
        let said = json!({ "message": "CANARY", "createdAt": "2026-01-02T03:04:05Z", "more": { "name": "CANARY" } });
        json!({
            "id": "dlv_1", "provider_customer_id": "CANARY",
            "fields": {
                "confirmed": ["/email", "/metadata/CANARY"], "unconfirmed": ["/provider_fields/CANARY"],
                "differs": [
                    { "pointer": "/notifications/email", "kept": true },
                    { "pointer": "/metadata/CANARY", "kept": "CANARY" },
                ],
            },
            "warnings": [{ "code": "unsupported_field", "pointer": "/metadata/CANARY", "detail": "no place" }],
            "error": error,
            "attempt_log": [{ "number": 1, "error": error }, { "number": 2, "error": null, "vendor_said": said }],
        })
    }

    #[test]
    fn nothing_of_what_is_answered_says_who_it_is_and_the_rest_stays() {
        let upsert = json!({ "upsert_id": "ups_1", "customer": customer(), "deliveries": [delivery()],
            "ignored": [{ "pointer": "/metadata/CANARY", "code": "too_long", "detail": "is too long" }] });
        let covered = Visibility::Masked.upsert(upsert.clone());
        assert!(!covered.to_string().to_lowercase().contains("canary"), "{covered:#}");
        let customer = &covered["customer"];
        assert_eq!(
            (&customer["id"], &customer["kind"], &customer["verified"]),
            (&json!("cus_1"), &json!("person"), &json!(true))
        );
        assert_eq!(
            (&customer["family_name"], &customer["provider_fields"]),
            (&Json::Null, &json!({}))
        );
        assert_eq!(customer["tags"], json!([MASK]), "a list stays one");
        assert_eq!(customer["notifications"], json!({ "email": null, "sms": null }));
        let delivery = &covered["deliveries"][0];
        assert_eq!(
            (&delivery["error"]["code"], &delivery["error"]["vendor_status"]),
            (&json!("E_1"), &json!(400))
        );
        assert_eq!(delivery["error"]["vendor_body"], MASK);
        assert_eq!(
            delivery["attempt_log"][1]["vendor_said"],
            json!({ "message": MASK, "createdAt": "2026-01-02T03:04:05Z", "more": { "name": MASK } })
        );
        assert_eq!(delivery["fields"]["confirmed"], json!(["/email", "/metadata/•••"]));
        assert_eq!(
            delivery["fields"]["differs"][0]["kept"], MASK,
            "a yes says something too"
        );
        assert_eq!(Visibility::Whole.upsert(upsert.clone()), upsert);
    }

    #[test]
    fn a_document_keeps_its_members_and_none_of_its_values() {
        let text = r#"{"who":{"mail":"ann@example.com","age":41,"vip":true,"tags":["a",null]}}"#;
        let masked = r#"{"who":{"age":"•••","mail":"•••","tags":["•••","•••"],"vip":"•••"}}"#;
        assert_eq!(Visibility::Masked.document(text), masked);
        assert_eq!(Visibility::Masked.document("mail=ann@example.com"), MASK);
        assert_eq!(Visibility::Whole.document(text), text);
    }

    #[test]
    fn nothing_is_added_to_what_is_covered() {
        let listed = json!({ "id": "dlv_1", "error": null });
        assert_eq!(Visibility::Masked.delivery(listed.clone()), listed);
    }
}
