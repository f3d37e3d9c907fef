//! Fields that a vendor complains of, in any of the usual shapes, and which fields of ours they are, in any of the usual
//! spellings (`Phone`, `body.email`, `UpsertConsumerCustomer.emailAddress`, `/phone`, `phone_number`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use upsert_core::{Field, FieldError, Form, Sent};

/// Longest text of a vendor's that is handed on, in characters.
const LONGEST: usize = 1_000;
/// Most complaints that are handed on.
pub(crate) const MOST: usize = 50;

/// Members that name a field in a complaint.
const NAMING: [&str; 14] = [
    "field",
    "fieldName",
    "field_name",
    "path",
    "instancePath",
    "param",
    "parameter",
    "property",
    "propertyPath",
    "pointer",
    "loc",
    "attribute",
    "key",
    "name",
];
/// Members that hold the words of a complaint.
const WORDING: [&str; 9] = [
    "message",
    "msg",
    "detail",
    "description",
    "reason",
    "error",
    "title",
    "constraints",
    "code",
];

/// Words that people use for a field, whatever the vendor calls it.
const USUAL_NAMES: [(Field, &[&str]); 7] = [
    (Field::Email, &["email", "emailaddress", "mail", "mailaddress"]),
    (
        Field::Phone,
        &[
            "phone",
            "phonenumber",
            "mobile",
            "mobilenumber",
            "mobilephone",
            "telephone",
            "tel",
        ],
    ),
    (Field::GivenName, &["givenname", "firstname", "forename"]),
    (Field::FamilyName, &["familyname", "lastname", "surname"]),
    (
        Field::OrganisationName,
        &[
            "organisationname",
            "organizationname",
            "companyname",
            "company",
            "businessname",
        ],
    ),
    (Field::TaxId, &["taxid", "taxnumber", "vatid"]),
    (
        Field::Reference,
        &[
            "reference",
            "referenceid",
            "referencecustomerid",
            "externalid",
            "customerreference",
        ],
    ),
];

/// The names that a vendor may mean a field of ours by.
#[derive(Debug)]
pub struct FieldNames {
    /// The most certain ones first: as it was sent, as the table has it, as we call it, as people call it.
    classes: [Vec<Known>; 4],
}

#[derive(Debug)]
struct Known {
    /// Without case and punctuation, outermost first.
    parts: Vec<String>,
    pointer: String,
}

impl Known {
    fn new(name: &str, pointer: &str) -> Self {
        Self {
            parts: parts(name),
            pointer: pointer.to_owned(),
        }
    }
}

impl FieldNames {
    /// Of a vendor with these tables, and of what was sent to it, if anything was.
    pub fn new(forms: &[Form], sent: Option<&BTreeMap<String, Sent>>) -> Self {
        let maps = || forms.iter().flat_map(|form| &form.fields);
        let has = |field: Field| maps().any(|map| map.field == field);
        let sent = sent.into_iter().flatten();
        let in_table = maps().flat_map(|map| {
            let innermost = map.vendor_field.rsplit('/').next().unwrap_or_default();
            [map.vendor_field, innermost].map(|name| Known::new(name, map.field.pointer()))
        });
        let pointers = maps().map(|map| map.field.pointer());
        let usual = USUAL_NAMES.iter().filter(|(field, _)| has(*field));
        let usual = usual.flat_map(|(field, names)| names.iter().map(|name| Known::new(name, field.pointer())));
        Self {
            classes: [
                sent.map(|(name, sent)| Known::new(name, &sent.pointer)).collect(),
                in_table.collect(),
                pointers
                    .map(|pointer| Known::new(pointer.trim_start_matches("/addresses"), pointer))
                    .collect(),
                usual.collect(),
            ],
        }
    }

    /// Our pointer of the field that goes by this name; none where it is no field, or may be several. A part of a field
    /// (`tags[0]`, `metadata.plan`) is the field; what stands before it (`body`, `customer`) is left out, unless that is a
    /// field or an object of fields itself.
    pub fn pointer(&self, name: &str) -> Option<String> {
        let parts = parts(name);
        (1..=parts.len()).rev().find_map(|end| {
            (0..end)
                .take_while(|lead| !parts[..*lead].iter().any(|part| self.is_taken(part)))
                .find_map(|lead| self.of_name(&parts[lead..end].concat()))
        })
    }

    fn of_name(&self, name: &str) -> Option<String> {
        self.classes.iter().find_map(|class| {
            let mut found = class.iter().filter(|known| known.parts.concat() == name);
            let pointer = &found.next()?.pointer;
            found.all(|other| other.pointer == *pointer).then(|| pointer.clone())
        })
    }

    fn is_taken(&self, part: &str) -> bool {
        self.classes
            .iter()
            .flatten()
            .any(|known| known.parts.iter().any(|own| own == part))
    }

    /// A list of complaints, or an object of them by field. A complaint of no field keeps its words.
    pub fn complaints(&self, said: &Json) -> Vec<FieldError> {
        let mut found = Vec::new();
        self.gather(None, said, &mut found);
        found.truncate(MOST);
        found
    }

    /// The complaints in running words: sentences that begin with a field, each with what it says of it.
    pub fn in_words(&self, words: &str) -> Vec<FieldError> {
        let sentences = words.split(['\n', ';']).map(str::trim);
        let found = sentences.filter_map(|sentence| {
            let name = beginning(sentence)?;
            let pointer = self.pointer(name)?;
            Some(FieldError {
                pointer: Some(pointer),
                vendor_field: cut(name),
                detail: cut(sentence),
            })
        });
        found.take(MOST).collect()
    }

    fn gather(&self, field: Option<&str>, said: &Json, found: &mut Vec<FieldError>) {
        match said {
            Json::Array(entries) => entries.iter().for_each(|entry| self.gather(field, entry, found)),
            Json::Object(members) => self.gather_object(field, members, found),
            Json::Null => {}
            Json::String(text) if text.trim().is_empty() => {}
            Json::String(text) => found.push(self.complaint(field, text)),
            other => found.push(self.complaint(field, &other.to_string())),
        }
    }

    fn gather_object(&self, outer: Option<&str>, members: &Map<String, Json>, found: &mut Vec<FieldError>) {
        let source = members.get("source").and_then(Json::as_object);
        let field = named(members).or_else(|| source.and_then(named));
        let words = WORDING.iter().find_map(|name| members.get(*name).and_then(words_of));
        match (field, words) {
            (Some(field), words) => found.push(self.complaint(Some(&field), &words.unwrap_or_default())),
            (None, Some(words)) if outer.is_some() || !self.are_fields(members) => {
                found.push(self.complaint(outer, &words));
            }
            _ => {
                for (name, inner) in members {
                    self.gather(Some(name), inner, found);
                }
            }
        }
    }

    /// Whether these are complaints by field, one of which happens to be called like a word for words.
    fn are_fields(&self, members: &Map<String, Json>) -> bool {
        members.keys().all(|name| self.pointer(name).is_some())
    }

    fn complaint(&self, field: Option<&str>, words: &str) -> FieldError {
        let name = field.or_else(|| beginning(words).filter(|name| self.pointer(name).is_some()));
        FieldError {
            pointer: name.and_then(|name| self.pointer(name)),
            vendor_field: name.map(cut).unwrap_or_default(),
            detail: cut(words),
        }
    }
}

/// The field that a complaint names: a text, or a path of texts and places.
fn named(members: &Map<String, Json>) -> Option<String> {
    NAMING.iter().find_map(|name| match members.get(*name)? {
        Json::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Json::Array(path) if matches!(*name, "path" | "loc") => {
            let parts = path.iter().map(|part| match part {
                Json::String(text) => Some(text.clone()),
                Json::Number(place) => Some(place.to_string()),
                _ => None,
            });
            parts.collect::<Option<Vec<_>>>().map(|parts| parts.join("."))
        }
        _ => None,
    })
}

fn words_of(json: &Json) -> Option<String> {
    let texts = |values: Vec<&Json>| {
        let texts: Vec<&str> = values.into_iter().filter_map(Json::as_str).collect();
        texts.join("; ")
    };
    let words = match json {
        Json::String(text) => text.trim().to_owned(),
        Json::Array(items) => texts(items.iter().collect()),
        Json::Object(members) => texts(members.values().collect()),
        _ => return None,
    };
    (!words.is_empty()).then_some(words)
}

/// The first word of a sentence, quotes and colon apart.
fn beginning(words: &str) -> Option<&str> {
    let word = words.split_whitespace().next()?;
    let is_punctuation = |c: char| matches!(c, '"' | '\'' | '`' | ':' | ',' | '(' | ')');
    Some(word.trim_matches(is_punctuation)).filter(|word| !word.is_empty())
}

/// The parts of a path, without case and punctuation; places in lists are left out.
fn parts(name: &str) -> Vec<String> {
    let parts = name.split(['.', '/', '[', ']', '$', '#', '>']);
    let parts = parts.map(|part| {
        let letters = part.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect::<String>()
    });
    // A part of nothing has no byte but digits either.
    parts
        .filter(|part| !part.bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

/// A vendor's text, as much of it as is handed on.
pub fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use upsert_core::FieldMap;

    use super::*;

    fn form(fields: &[(Field, &'static str)]) -> Form {
        let map = |(field, vendor_field): &(Field, &'static str)| FieldMap {
            field: *field,
            vendor_field,
            required: false,
            soft_limit: None,
            readable: true,
        };
        Form {
            kinds: vec![],
            match_keys: vec![],
            fields: fields.iter().map(map).collect(),
        }
    }

    fn names() -> FieldNames {
        FieldNames::new(
            &[form(&[
                (Field::Email, "emailAddress"),
                (Field::Phone, "phoneNumber"),
                (Field::GivenName, "firstName"),
                (Field::BillingCity, "billing_city"),
                (Field::PropertyCity, "property_city"),
                (Field::NotifyEmail, "notificationOptions/notifyEmail"),
                (Field::Notes, "remarks"),
                (Field::Tags, "tags"),
                (Field::Metadata, "metadata"),
            ])],
            None,
        )
    }

    #[test]
    fn a_field_is_known_by_any_usual_spelling() {
        for (name, pointer) in [
            ("emailAddress", "/email"),
            ("email", "/email"),
            ("Email", "/email"),
            ("E-Mail", "/email"),
            ("EMAIL_ADDRESS", "/email"),
            ("email address", "/email"),
            ("body.email", "/email"),
            ("customer.email", "/email"),
            ("UpsertConsumerCustomer.emailAddress", "/email"),
            ("$.customer.email", "/email"),
            ("#/email", "/email"),
            ("/email", "/email"),
            ("body/email", "/email"),
            ("body[email]", "/email"),
            ("['email']", "/email"),
            ("data.attributes.email", "/email"),
            ("customers[0].email", "/email"),
            ("email.address", "/email"),
            ("email.0.invalid", "/email"),
            ("Phone", "/phone"),
            ("phone_number", "/phone"),
            ("phoneNumber", "/phone"),
            ("/phone", "/phone"),
            ("mobile", "/phone"),
            ("given_name", "/given_name"),
            ("first_name", "/given_name"),
            ("billing.city", "/addresses/billing/city"),
            ("BillingCity", "/addresses/billing/city"),
            ("/addresses/property/city", "/addresses/property/city"),
            ("billing[0].city", "/addresses/billing/city"),
            ("remarks", "/notes"),
            ("tags.0", "/tags"),
            ("tags[12]", "/tags"),
            ("metadata.email", "/metadata"),
            ("metadata/plan", "/metadata"),
            ("notificationOptions.notifyEmail", "/notifications/email"),
            ("notify_email", "/notifications/email"),
            ("notifications.email", "/notifications/email"),
        ] {
            assert_eq!(names().pointer(name).as_deref(), Some(pointer), "{name}");
        }
    }

    #[test]
    fn what_is_no_field_or_may_be_several_is_none() {
        // A wrong field is worse than none: the `email` of the notifications is no e-mail address.
        for name in [
            "",
            "0",
            "name",
            "city",
            "notificationOptions.email",
            "billing.phone",
            "emails",
            "family_name",
            "tax_id",
            "$",
            "_",
        ] {
            assert_eq!(names().pointer(name), None, "{name}");
        }
        let both = FieldNames::new(
            &[
                form(&[(Field::GivenName, "name")]),
                form(&[(Field::OrganisationName, "name")]),
            ],
            None,
        );
        assert_eq!(both.pointer("name"), None);
    }

    #[test]
    fn as_it_was_sent_goes_before_the_tables() {
        let sent = Sent {
            pointer: "/provider_fields/nick".into(),
            value: json!("x"),
            merged: false,
        };
        let sent = BTreeMap::from([("email_address".to_owned(), sent)]);
        let names = FieldNames::new(&[form(&[(Field::Email, "emailAddress")])], Some(&sent));
        assert_eq!(names.pointer("emailAddress").as_deref(), Some("/provider_fields/nick"));
        assert_eq!(names.pointer("email").as_deref(), Some("/email"));
    }

    #[test]
    fn complaints_are_read_in_every_usual_shape() {
        let said = |json: Json| {
            let found = names().complaints(&json);
            let rows = found
                .into_iter()
                .map(|it| json!([it.pointer, it.vendor_field, it.detail]));
            Json::Array(rows.collect())
        };
        let of_email = json!([["/email", "email", "Invalid"]]);
        for shape in [
            json!([{ "field": "email", "message": "Invalid" }]),
            json!([{ "param": "email", "msg": "Invalid" }]),
            json!([{ "property": "email", "constraints": { "isEmail": "Invalid" } }]),
            json!([{ "path": ["email"], "message": "Invalid" }]),
            json!([{ "name": "email", "reason": "Invalid" }]),
            json!({ "field": "email", "message": "Invalid" }),
            json!({ "email": "Invalid" }),
            json!({ "email": ["Invalid"] }),
            json!({ "email": { "message": "Invalid" } }),
            json!([{ "email": "Invalid" }]),
            json!([[{ "attribute": "email", "code": "Invalid" }]]),
        ] {
            assert_eq!(said(shape.clone()), of_email, "{shape}");
        }
        for (shape, read) in [
            (
                json!([{ "loc": ["body", "email"], "msg": "bad" }]),
                json!([["/email", "body.email", "bad"]]),
            ),
            (
                json!([{ "loc": ["tags", 0], "msg": "bad" }]),
                json!([["/tags", "tags.0", "bad"]]),
            ),
            (
                json!([{ "source": { "pointer": "/data/email" }, "detail": "bad" }]),
                json!([["/email", "/data/email", "bad"]]),
            ),
            (
                json!(["email must be an email"]),
                json!([["/email", "email", "email must be an email"]]),
            ),
            (
                json!(["\"phone\" is required"]),
                json!([["/phone", "phone", "\"phone\" is required"]]),
            ),
            (json!(["Nothing works"]), json!([[null, "", "Nothing works"]])),
            (
                json!([{ "message": "No field" }, { "field": "", "message": "None" }]),
                json!([[null, "", "No field"], [null, "", "None"]]),
            ),
            (json!([{ "field": "email" }]), json!([["/email", "email", ""]])),
            (
                json!([{ "field": "shoe_size", "message": "odd" }]),
                json!([[null, "shoe_size", "odd"]]),
            ),
            (
                json!([{ "field": " ", "param": "email", "message": "bad" }]),
                json!([["/email", "email", "bad"]]),
            ),
            (
                json!({ "name": ["is too short"] }),
                json!([[null, "name", "is too short"]]),
            ),
            (
                json!([{ "field": "email", "message": ["a", 7, "b"] }]),
                json!([["/email", "email", "a; b"]]),
            ),
            (json!([{ "path": [{}], "message": "odd" }]), json!([[null, "", "odd"]])),
            (
                json!({ "email": ["a", "b"], "tags": 7 }),
                json!([
                    ["/email", "email", "a"],
                    ["/email", "email", "b"],
                    ["/tags", "tags", "7"]
                ]),
            ),
            (json!([null, "", " ", [], {}]), json!([])),
            (json!(null), json!([])),
        ] {
            assert_eq!(said(shape.clone()), read, "{shape}");
        }
    }

    #[test]
    fn complaints_by_field_are_known_though_a_field_is_called_like_a_word_for_words() {
        let names = FieldNames::new(&[form(&[(Field::Notes, "description"), (Field::Email, "email")])], None);
        let read = |said: Json| {
            let found = names.complaints(&said).into_iter();
            Json::Array(found.map(|it| json!([it.pointer, it.detail])).collect())
        };
        assert_eq!(
            read(json!({ "description": "too long", "email": "bad" })),
            json!([["/notes", "too long"], ["/email", "bad"]])
        );
        // Within a complaint of a field, and beside what is no field, they are its words.
        assert_eq!(
            read(json!({ "email": { "description": "bad" } })),
            json!([["/email", "bad"]])
        );
        assert_eq!(
            read(json!({ "description": "nothing works", "code": 7 })),
            json!([[null, "nothing works"]])
        );
    }

    #[test]
    fn a_sentence_that_begins_with_a_field_is_a_complaint_of_it() {
        let found = names().in_words("emailAddress: not valid; Something else\nphone_number is too short;");
        let rows: Vec<_> = found
            .iter()
            .map(|it| (it.pointer.as_deref(), it.vendor_field.as_str(), it.detail.as_str()))
            .collect();
        assert_eq!(
            rows,
            [
                (Some("/email"), "emailAddress", "emailAddress: not valid"),
                (Some("/phone"), "phone_number", "phone_number is too short"),
            ]
        );
    }

    #[test]
    fn endless_complaints_are_cut() {
        let many = names().complaints(&json!(vec!["x".repeat(2_000); 200]));
        assert_eq!((many.len(), many[0].detail.len()), (50, 1_000));
        assert_eq!(names().in_words(&"email bad;".repeat(200)).len(), 50);
    }
}
