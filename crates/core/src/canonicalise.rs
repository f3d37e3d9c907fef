//! From a request body to a canonical patch. Every problem is reported at once, each with its JSON Pointer.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::customer::escape;
use crate::field::{Field, Rule, Value};
use crate::ids::CustomerId;
use crate::patch::{CustomerPatch, Patch};
use crate::problem::{Ignored, Problem};
use crate::text::{self, TextRule};

const TAG: TextRule = TextRule {
    max_chars: 100,
    multi_line: false,
};
const NAME: TextRule = TextRule {
    max_chars: 100,
    multi_line: false,
};
const METADATA: TextRule = TextRule {
    max_chars: 1_000,
    multi_line: true,
};
const MOST_TAGS: usize = 100;
const MOST_METADATA: usize = 100;

/// Objects that hold fields but are none themselves.
const GROUPS: [&str; 5] = [
    "/addresses",
    "/addresses/billing",
    "/addresses/property",
    "/service",
    "/notifications",
];

/// Members of a request that are no fields of the record.
const OTHER_MEMBERS: [&str; 4] = ["/id", "/tags_removed", "/provider_fields", "/links"];

/// What becomes of a member that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// The whole body is refused.
    #[default]
    Strict,
    /// An optional member is left out, and said to be.
    Lenient,
}

/// How a body is read.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// ISO 3166-1 alpha-2: what phone numbers without a country code are read by.
    pub region: Option<&'a str>,
    /// What becomes of a member that cannot be read.
    pub handling: Handling,
    /// Fields that are never left out: what a merchant's routes ask for.
    pub needed: &'a BTreeSet<Field>,
}

impl<'a> Terms<'a> {
    /// Everything has to be readable.
    pub fn strict(region: Option<&'a str>) -> Self {
        static NONE: BTreeSet<Field> = BTreeSet::new();
        Self {
            region,
            handling: Handling::Strict,
            needed: &NONE,
        }
    }
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Canonical {
    /// The change that it asks for.
    pub patch: CustomerPatch,
    /// What was left out, in the order of the body's members.
    pub ignored: Vec<Ignored>,
}

/// Reads a request body.
///
/// # Errors
/// Every problem that the body has, in the order of its members. An identifier has to be there.
pub fn canonicalise(body: &Json, terms: &Terms<'_>) -> Result<Canonical, Vec<Problem>> {
    let region = terms.region;
    let Some(members) = body.as_object() else {
        return Err(vec![Problem::new(
            "",
            "invalid_type",
            "the body has to be a JSON object",
        )]);
    };
    let mut reading = Reading {
        region,
        patch: CustomerPatch::default(),
        problems: Vec::new(),
    };
    reading.object("", members);
    let Reading {
        patch, mut problems, ..
    } = reading;
    if let Some(Patch::Set(Value::Tags(added))) = patch.fields.get(&Field::Tags)
        && added.iter().any(|tag| patch.tags_removed.contains(tag))
    {
        problems.push(Problem::new(
            "/tags_removed",
            "contradiction",
            "a tag is added and removed at once",
        ));
    }
    if problems.is_empty() && !patch.has_identifier() {
        let detail = "at least one of id, reference, email and phone is needed";
        problems.push(Problem::new("", "identifier_missing", detail));
    }
    if problems.is_empty() {
        Ok(Canonical {
            patch,
            ignored: Vec::new(),
        })
    } else {
        Err(problems)
    }
}

/// Canonicalises one value as the field's rule says; used where a single value is looked up by.
///
/// # Errors
/// Why it was refused.
pub fn canonical_text(field: Field, raw: &str, region: Option<&str>) -> Result<String, text::Refused> {
    match field.rule() {
        Rule::Email => text::email(raw),
        Rule::Phone => text::phone(raw, region),
        Rule::Country => text::country(raw),
        Rule::Text(rule) => text::text(raw, rule),
        Rule::Word(words) => one_of(raw, words),
        Rule::Flag | Rule::Tags | Rule::Map => text::text(raw, NAME),
    }
}

fn one_of(raw: &str, words: &[&str]) -> Result<String, text::Refused> {
    let given = raw.trim().to_lowercase();
    if words.contains(&given.as_str()) {
        Ok(given)
    } else {
        Err(text::Refused {
            code: "invalid_value",
            detail: format!("has to be one of: {}", words.join(", ")),
        })
    }
}

struct Reading<'a> {
    region: Option<&'a str>,
    patch: CustomerPatch,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, pointer: &str, code: &str, detail: impl Into<String>) {
        self.problems.push(Problem::new(pointer, code, detail));
    }

    fn wrong_type(&mut self, pointer: &str, wanted: &str) {
        self.problem(pointer, "invalid_type", format!("has to be {wanted}"));
    }

    fn object(&mut self, base: &str, members: &Map<String, Json>) {
        for (name, value) in members {
            let pointer = format!("{base}/{}", escape(name));
            if let Some(field) = Field::from_pointer(&pointer) {
                self.field(field, value);
            } else if GROUPS.contains(&pointer.as_str()) {
                self.group(&pointer, value);
            } else {
                match pointer.as_str() {
                    "/id" => self.id(value),
                    "/tags_removed" => self.tags_removed(value),
                    "/provider_fields" => self.provider_fields(value),
                    "/links" => self.links(value),
                    _ => self.unknown(&pointer),
                }
            }
        }
    }

    fn group(&mut self, pointer: &str, value: &Json) {
        match value {
            Json::Object(members) => self.object(pointer, members),
            Json::Null => {
                let under = format!("{pointer}/");
                for field in Field::ALL.iter().filter(|field| field.pointer().starts_with(&under)) {
                    self.patch.fields.insert(*field, Patch::Clear);
                }
            }
            _ => self.wrong_type(pointer, "an object or null"),
        }
    }

    fn unknown(&mut self, pointer: &str) {
        let known = Field::ALL
            .iter()
            .map(|field| field.pointer())
            .chain(GROUPS)
            .chain(OTHER_MEMBERS);
        let nearest = known
            .map(|known| (strsim::damerau_levenshtein(pointer, known), known))
            .min()
            .filter(|(distance, known)| *distance <= 3.max(known.len() / 3));
        let detail = match nearest {
            Some((_, known)) => format!("is not known; did you mean {known}?"),
            None => "is not known".to_owned(),
        };
        self.problem(pointer, "unknown_field", detail);
    }

    fn field(&mut self, field: Field, value: &Json) {
        let change = match (field.rule(), value) {
            (Rule::Map, _) => return self.metadata(value),
            (_, Json::Null) => Some(Patch::Clear),
            (Rule::Tags, _) => self
                .tags(field.pointer(), value)
                .map(|tags| Patch::Set(Value::Tags(tags))),
            (Rule::Flag, Json::Bool(flag)) => Some(Patch::Set(Value::Flag(*flag))),
            (Rule::Flag, _) => {
                self.wrong_type(field.pointer(), "true, false or null");
                None
            }
            (_, Json::String(raw)) => match canonical_text(field, raw, self.region) {
                Ok(canonical) => Some(Patch::Set(Value::Text(canonical))),
                Err(refused) => {
                    self.problem(field.pointer(), refused.code, refused.detail);
                    None
                }
            },
            (_, _) => {
                self.wrong_type(field.pointer(), "a string or null");
                None
            }
        };
        match change {
            Some(Patch::Clear) if field == Field::Kind => {
                self.problem(field.pointer(), "invalid_value", "cannot be cleared");
            }
            Some(change) => drop(self.patch.fields.insert(field, change)),
            None => {}
        }
    }

    fn id(&mut self, value: &Json) {
        match value {
            Json::Null => {}
            Json::String(text) => match text.parse::<CustomerId>() {
                Ok(id) => self.patch.id = Some(id),
                Err(_) => self.problem("/id", "invalid_id", "is not a customer id of this gateway (cus_…)"),
            },
            _ => self.wrong_type("/id", "a string or null"),
        }
    }

    fn tags(&mut self, pointer: &str, value: &Json) -> Option<BTreeSet<String>> {
        let Some(list) = value.as_array() else {
            self.wrong_type(pointer, "a list of strings");
            return None;
        };
        let before = self.problems.len();
        let mut tags = BTreeSet::new();
        for (index, tag) in list.iter().enumerate() {
            let at = format!("{pointer}/{index}");
            match tag.as_str().map(|raw| text::text(raw, TAG)) {
                Some(Ok(tag)) => drop(tags.insert(tag)),
                Some(Err(refused)) => self.problem(&at, refused.code, refused.detail),
                None => self.wrong_type(&at, "a string"),
            }
        }
        if tags.len() > MOST_TAGS {
            self.problem(pointer, "too_many", format!("holds more than {MOST_TAGS} tags"));
        }
        (self.problems.len() == before).then_some(tags)
    }

    fn tags_removed(&mut self, value: &Json) {
        if !value.is_null()
            && let Some(tags) = self.tags("/tags_removed", value)
        {
            self.patch.tags_removed = tags;
        }
    }

    fn metadata(&mut self, value: &Json) {
        let members = match value {
            Json::Null => {
                self.patch.metadata = Some(Patch::Clear);
                return;
            }
            Json::Object(members) => members,
            _ => return self.wrong_type("/metadata", "an object of strings, or null"),
        };
        if members.len() > MOST_METADATA {
            self.problem(
                "/metadata",
                "too_many",
                format!("holds more than {MOST_METADATA} members"),
            );
        }
        let mut changes = BTreeMap::new();
        for (name, value) in members {
            let at = format!("/metadata/{}", escape(name));
            let canonical_name = match text::text(name, NAME) {
                Ok(canonical) => canonical,
                Err(refused) => {
                    self.problem(&at, refused.code, format!("its name {}", refused.detail));
                    continue;
                }
            };
            let change = match value {
                Json::Null => Patch::Clear,
                Json::String(raw) => match text::text(raw, METADATA) {
                    Ok(canonical) => Patch::Set(canonical),
                    Err(refused) => {
                        self.problem(&at, refused.code, refused.detail);
                        continue;
                    }
                },
                _ => {
                    self.wrong_type(&at, "a string or null");
                    continue;
                }
            };
            changes.insert(canonical_name, change);
        }
        self.patch.metadata = Some(Patch::Set(changes));
    }

    fn links(&mut self, value: &Json) {
        const LINK: TextRule = TextRule {
            max_chars: 255,
            multi_line: false,
        };
        let members = match value {
            Json::Null => return,
            Json::Object(members) => members,
            _ => return self.wrong_type("/links", "an object of vendors' ids by connection"),
        };
        for (connection, id) in members {
            let at = format!("/links/{}", escape(connection));
            match id.as_str().map(|raw| text::text(raw, LINK)) {
                Some(Ok(id)) => drop(self.patch.links.insert(connection.clone(), id)),
                Some(Err(refused)) => self.problem(&at, refused.code, refused.detail),
                None => self.wrong_type(&at, "a string, the vendor's id"),
            }
        }
    }

    /// Passed through as it is, so only the shape is looked at; plans check names against the vendor's match keys.
    fn provider_fields(&mut self, value: &Json) {
        let names = match value {
            Json::Null => {
                return self.problem(
                    "/provider_fields",
                    "invalid_value",
                    "clear it by provider, not as a whole",
                );
            }
            Json::Object(names) => names,
            _ => return self.wrong_type("/provider_fields", "an object of objects"),
        };
        for (name, value) in names {
            let change = match value {
                Json::Null => Patch::Clear,
                Json::Object(members) => Patch::Set(members.clone()),
                _ => {
                    self.wrong_type(&format!("/provider_fields/{}", escape(name)), "an object or null");
                    continue;
                }
            };
            self.patch.provider_fields.insert(name.clone(), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::customer::Customer;

    fn strict(body: &Json, region: Option<&str>) -> Result<CustomerPatch, Vec<Problem>> {
        canonicalise(body, &Terms::strict(region)).map(|canonical| canonical.patch)
    }

    fn codes(body: &Json) -> Vec<(String, String)> {
        strict(body, Some("US"))
            .unwrap_err()
            .into_iter()
            .map(|p| (p.pointer, p.code))
            .collect()
    }

    #[test]
    fn every_problem_of_a_body_is_reported_at_once_with_its_pointer() {
        let body = json!({
            "email": "nobody", "phone": 5, "given_nmae": "Jo", "addresses": { "billing": { "country": "Atlantis", "zip": "1" } },
            "tags": ["a", 1], "metadata": { "a": { } }, "verified": "yes", "status": "asleep", "service": 3, "id": "x",
            "provider_fields": { "april": 1 }
        });
        let found = codes(&body);
        let expected = [
            ("/email", "invalid_email"),
            ("/phone", "invalid_type"),
            ("/given_nmae", "unknown_field"),
            ("/addresses/billing/country", "invalid_country"),
            ("/addresses/billing/zip", "unknown_field"),
            ("/tags/1", "invalid_type"),
            ("/metadata/a", "invalid_type"),
            ("/verified", "invalid_type"),
            ("/status", "invalid_value"),
            ("/service", "invalid_type"),
            ("/id", "invalid_id"),
            ("/provider_fields/april", "invalid_type"),
        ];
        for (pointer, code) in expected {
            assert!(
                found.contains(&(pointer.to_owned(), code.to_owned())),
                "{pointer} {code} not in {found:?}"
            );
        }
        assert_eq!(found.len(), expected.len());
    }

    #[test]
    fn a_misspelt_field_is_refused_with_the_nearest_name() {
        let problems = strict(&json!({ "email": "a@b.co", "given_nmae": "x" }), None).unwrap_err();
        assert_eq!(problems[0].detail, "is not known; did you mean /given_name?");
    }

    #[test]
    fn a_body_without_any_identifier_is_refused() {
        assert_eq!(
            codes(&json!({ "given_name": "Jo" })),
            [(String::new(), "identifier_missing".to_owned())]
        );
        assert_eq!(
            codes(&json!({ "email": null, "given_name": "Jo" }))[0].1,
            "identifier_missing"
        );
    }

    #[test]
    fn null_clears_absent_keeps_and_a_value_sets() {
        let first = json!({ "reference": "r", "given_name": "A", "family_name": "B", "tags": ["x", "y"],
            "metadata": { "a": "1", "b": "2" }, "addresses": { "billing": { "line1": "1", "city": "C" } } });
        let record = Customer::default().merged(&strict(&first, None).unwrap());
        let second = json!({ "reference": "r", "given_name": null, "tags": ["z"], "tags_removed": ["x"],
            "metadata": { "a": null, "c": "3" }, "addresses": { "billing": { "city": null } } });
        let record = record.merged(&strict(&second, None).unwrap());
        assert_eq!(
            Json::Object(record.to_json(false)),
            json!({ "reference": "r", "kind": "person", "family_name": "B", "tags": ["y", "z"],
                "metadata": { "b": "2", "c": "3" }, "addresses": { "billing": { "line1": "1" } } })
        );
    }

    #[test]
    fn only_an_organisations_name_makes_a_new_customer_an_organisation() {
        let kind = |body: Json| {
            Customer::default()
                .merged(&strict(&body, None).unwrap())
                .kind()
                .as_str()
        };
        assert_eq!(
            kind(json!({ "reference": "r", "organisation_name": "X" })),
            "organisation"
        );
        assert_eq!(
            kind(json!({ "reference": "r", "organisation_name": "X", "given_name": "Y" })),
            "person"
        );
        assert_eq!(kind(json!({ "reference": "r" })), "person");
    }

    fn arbitrary_body() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            "\\PC{0,20}".prop_map(Json::from),
        ];
        let names = prop::sample::select(vec![
            "id",
            "reference",
            "email",
            "phone",
            "given_name",
            "addresses",
            "billing",
            "country",
            "tags",
            "metadata",
            "service",
            "type",
            "notes",
            "kind",
            "status",
            "provider_fields",
            "tags_removed",
            "odd~/name",
        ]);
        leaf.prop_recursive(3, 24, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec((names.clone(), inner), 0..5)
                    .prop_map(|members| Json::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_body_whatever_makes_it_panic(body in arbitrary_body()) {
            let _ = strict(&body, Some("US"));
        }

        #[test]
        fn a_record_survives_its_json_and_merging_it_into_itself_changes_nothing(
            reference in "[a-z]{1,8}", notes in "[a-zA-Z \n]{1,20}", tags in prop::collection::btree_set("[a-z]{1,5}", 0..4),
            metadata in prop::collection::btree_map("[a-z/~]{1,5}", "[a-z]{1,5}", 0..4),
        ) {
            let body = json!({ "reference": reference, "notes": format!("n{notes}"), "tags": tags, "metadata": metadata });
            let record = Customer::default().merged(&strict(&body, None).unwrap());
            let read = Customer::from_json(&Json::Object(record.to_json(true))).unwrap();
            prop_assert!(record == read);
            let mut again = record.to_json(false);
            again.remove("provider_fields");
            let merged = record.merged(&strict(&Json::Object(again), None).unwrap());
            prop_assert!(record.changes_to(&merged).is_empty());
        }

        #[test]
        fn the_last_value_sent_wins_and_fields_not_sent_stay(
            edits in prop::collection::vec((0usize..4, prop::option::of("[a-z]{1,6}")), 1..20)
        ) {
            let names = ["given_name", "family_name", "notes", "source"];
            let mut model: BTreeMap<&str, String> = BTreeMap::new();
            let mut record = Customer::default();
            for (index, value) in edits {
                let name = names[index];
                let body = json!({ "reference": "r", name: value });
                record = record.merged(&strict(&body, None).unwrap());
                match value {
                    Some(value) => { model.insert(name, value); }
                    None => { model.remove(name); }
                }
            }
            let json = record.to_json(true);
            for name in names {
                prop_assert_eq!(json[name].as_str(), model.get(name).map(String::as_str));
            }
        }
    }
}
