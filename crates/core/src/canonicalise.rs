//! From a request body to a canonical patch. Every problem is reported at once, each with its JSON Pointer.

mod terms;
#[cfg(test)]
mod tests;

use crate::word::Word as _;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use crate::country::country;
use crate::customer::escape;
use crate::email::email;
use crate::field::{Field, Rule, Value};
use crate::ids::CustomerId;
use crate::matching::IdentifierKind;
use crate::patch::{CustomerPatch, Patch};
use crate::phone::{self, phone};
use crate::problem::{Ignored, Problem};
use crate::text::{self, LineBreaks, Refused, TextRule, text};

pub use terms::{Canonical, Handling, Terms};

const TAG: TextRule = TextRule::new(100, LineBreaks::Blank);
const NAME: TextRule = TextRule::new(100, LineBreaks::Refused);
const LINK: TextRule = TextRule::new(255, LineBreaks::Refused);
const METADATA: TextRule = TextRule::new(1_000, LineBreaks::Kept);
/// Bytes of the pointer of most members.
const USUAL_POINTER: usize = 64;
/// Shops tag their customers freely: Shopify alone takes 250.
const MOST_TAGS: usize = 1_000;
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

/// Reads a request body.
///
/// Where `terms` are lenient, an optional member that cannot be read is left out and told. What says who it is, what a route
/// asks for and what nobody knows is not optional; an e-mail or a phone is only where nothing weaker would then decide who it
/// is: one that cannot be read is another value, not an absent one.
///
/// # Errors
/// Every problem that the body has, in the order of its members. An identifier has to be there.
pub fn canonicalise(body: &Json, terms: &Terms<'_>) -> Result<Canonical, Vec<Problem>> {
    let Some(members) = body.as_object() else {
        let detail = "the body has to be a JSON object";
        return Err(vec![Problem::new("", "invalid_type", detail)]);
    };
    let mut reading = Reading {
        terms,
        patch: CustomerPatch::default(),
        problems: Vec::new(),
        ignored: Vec::new(),
    };
    reading.object("", members);
    reading.hold_tags_against_removed_ones();
    reading.keep_unreadable_identifiers();
    if reading.problems.is_empty() {
        reading.problems.extend(identifier_missing(&reading.patch, terms));
    }
    let Reading {
        patch,
        problems,
        ignored,
        ..
    } = reading;
    if problems.is_empty() {
        Ok(Canonical { patch, ignored })
    } else {
        Err(problems)
    }
}

fn identifier_missing(patch: &CustomerPatch, terms: &Terms<'_>) -> Option<Problem> {
    if patch.id.is_some() {
        return None;
    }
    let mut unfit = None;
    for kind in IdentifierKind::all() {
        let Some(value) = patch.text(kind.field()) else {
            continue;
        };
        unfit = Some((kind.field().pointer(), terms.never_match.unfit(kind, value)?));
    }
    Some(match unfit {
        Some((pointer, why)) => {
            let detail = format!("{}: something else that says who it is is needed", why.detail());
            Problem::new(pointer, "identifier_missing", detail)
        }
        None => {
            let detail = "at least one of id, reference, email and phone is needed";
            Problem::new("", "identifier_missing", detail)
        }
    })
}

/// Canonicalises one value as the field's rule says; used where a single value is looked up by.
///
/// # Errors
/// Why it was refused.
pub fn canonical_text(field: Field, raw: &str, region: Option<&str>) -> Result<String, Refused> {
    match field.rule() {
        Rule::Email => email(raw),
        Rule::Phone => phone(raw, region),
        Rule::Country => country(raw),
        Rule::Text(rule) => text(raw, rule),
        Rule::Word(words) => one_of(raw, words),
        Rule::Flag | Rule::Tags | Rule::Map => text(raw, NAME),
    }
}

fn one_of(raw: &str, words: &[&str]) -> Result<String, Refused> {
    let given = text::trimmed(raw).to_lowercase();
    if given.is_empty() {
        Err(Refused::empty())
    } else if words.contains(&given.as_str()) {
        Ok(given)
    } else {
        let detail = format!("has to be one of: {}", words.join(", "));
        Err(Refused::new("invalid_value", detail))
    }
}

struct Reading<'a> {
    terms: &'a Terms<'a>,
    patch: CustomerPatch,
    problems: Vec<Problem>,
    ignored: Vec<Ignored>,
}

impl Reading<'_> {
    fn is_lenient(&self) -> bool {
        self.terms.handling == Handling::Lenient
    }

    /// What refuses the body, whoever sent it.
    fn problem(&mut self, pointer: &str, code: &str, detail: impl Into<String>) {
        self.problems.push(Problem::new(pointer, code, detail));
    }

    /// A member that cannot be read: left out where that may be, else a problem.
    fn unreadable(&mut self, pointer: &str, code: &str, detail: impl Into<String>) {
        let problem = Problem::new(pointer, code, detail);
        if self.is_lenient() && self.is_optional(pointer) {
            self.ignored.push(problem.into());
        } else {
            self.problems.push(problem);
        }
    }

    fn is_optional(&self, pointer: &str) -> bool {
        let holds = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
        let is_in = |field: &str| field == pointer || holds(field, pointer) || holds(pointer, field);
        let is_never = ["/id", "/reference", "/kind", "/links"].into_iter().any(is_in);
        !is_never && !self.terms.needed.iter().any(|field| is_in(field.pointer()))
    }

    fn wrong_type(&mut self, pointer: &str, wanted: &str) {
        self.unreadable(pointer, "invalid_type", format!("has to be {wanted}"));
    }

    /// A text that is refused. A blank one says nothing where the sender cannot be asked.
    fn refused(&mut self, pointer: &str, refused: Refused) {
        if !(self.is_lenient() && refused.code == text::EMPTY) {
            self.unreadable(pointer, refused.code, refused.detail);
        }
    }

    /// Of an identifier that was left out, so that a weaker one would decide who it is, nothing is left out.
    fn keep_unreadable_identifiers(&mut self) {
        let is_left_out = |kind: &IdentifierKind| {
            let pointer = kind.field().pointer();
            let is_ignored = self.ignored.iter().any(|ignored| ignored.pointer == pointer);
            is_ignored && !self.patch.fields.contains_key(&kind.field())
        };
        self.patch.unreadable = IdentifierKind::all().filter(is_left_out).collect();
        let patch = &self.patch;
        if patch.id.is_some() || patch.text(Field::Reference).is_some() {
            return;
        }
        let recognises = |kind: &IdentifierKind| {
            let value = patch.text(kind.field());
            value.is_some_and(|value| self.terms.never_match.unfit(*kind, value).is_none())
        };
        let decisive = self.terms.match_on.iter().take_while(|kind| !recognises(kind));
        let decisive: Vec<&str> = decisive.map(|kind| kind.field().pointer()).collect();
        let unreadable: Vec<&str> = patch.unreadable.iter().map(|kind| kind.field().pointer()).collect();
        let is_decisive = |ignored: &Ignored| {
            let pointer = ignored.pointer.as_str();
            decisive.contains(&pointer) && unreadable.contains(&pointer)
        };
        let (kept, left_out): (Vec<Ignored>, Vec<Ignored>) =
            std::mem::take(&mut self.ignored).into_iter().partition(is_decisive);
        self.ignored = left_out;
        let problems = kept.into_iter().map(|kept| {
            let detail = format!("{}; nothing else that is sure says who it is", kept.detail);
            Problem::new(kept.pointer, &kept.code, detail)
        });
        self.problems.extend(problems);
    }

    fn hold_tags_against_removed_ones(&mut self) {
        if let Some(Patch::Set(Value::Tags(added))) = self.patch.fields.get(&Field::Tags)
            && added.iter().any(|tag| self.patch.tags_removed.contains(tag))
        {
            self.problem("/tags_removed", "contradiction", "a tag is added and removed at once");
        }
    }

    fn object(&mut self, base: &str, members: &Map<String, Json>) {
        let mut pointer = String::with_capacity(USUAL_POINTER);
        for (name, value) in members {
            pointer.clear();
            pointer.extend([base, "/", &escape(name)]);
            if self.says_nothing(&pointer, value) {
                continue;
            }
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

    /// A blank text where something is known by this name says nothing where the sender cannot be asked.
    fn says_nothing(&self, pointer: &str, value: &Json) -> bool {
        let is_blank = |text: &str| text::trimmed(text).is_empty();
        self.is_lenient()
            && value.as_str().is_some_and(is_blank)
            && (Field::from_pointer(pointer).is_some() || GROUPS.contains(&pointer) || OTHER_MEMBERS.contains(&pointer))
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
        let fields = Field::ALL.iter().map(|field| field.pointer());
        let known = fields.chain(GROUPS).chain(OTHER_MEMBERS);
        let nearest = known.map(|known| (strsim::damerau_levenshtein(pointer, known), known));
        let is_near = |(distance, known): &(usize, &str)| *distance <= 3.max(known.len() / 3);
        let nearest = nearest.min().filter(is_near);
        let detail = match nearest {
            Some((_, known)) => format!("is not known; did you mean {known}?"),
            None => "is not known".to_owned(),
        };
        self.problem(pointer, "unknown_field", detail);
    }

    fn field(&mut self, field: Field, value: &Json) {
        let pointer = field.pointer();
        let change = match (field.rule(), value) {
            (Rule::Map, _) => return self.metadata(value),
            (_, Json::Null) if field == Field::Kind => {
                return self.unreadable(pointer, "invalid_value", "cannot be cleared");
            }
            (_, Json::Null) => Some(Patch::Clear),
            (Rule::Tags, _) => self.tags(pointer, value).map(|tags| Patch::Set(Value::Tags(tags))),
            (Rule::Flag, Json::Bool(flag)) => Some(Patch::Set(Value::Flag(*flag))),
            (Rule::Flag, _) => return self.wrong_type(pointer, "true, false or null"),
            (_, Json::String(raw)) => self.text(field, raw).map(|text| Patch::Set(Value::Text(text))),
            (_, _) => return self.wrong_type(pointer, "a string or null"),
        };
        if let Some(change) = change {
            self.patch.fields.insert(field, change);
        }
    }

    fn text(&mut self, field: Field, raw: &str) -> Option<String> {
        let pointer = field.pointer();
        let read = match field.rule() {
            Rule::Phone if self.is_lenient() => phone::read(raw, self.terms.region).map(|read| {
                if read.has_extension {
                    let left_out = phone::extension();
                    let left_out = Problem::new(pointer, left_out.code, left_out.detail);
                    self.ignored.push(left_out.into());
                }
                read.e164
            }),
            Rule::Text(rule) => return self.line(pointer, raw, rule),
            _ => canonical_text(field, raw, self.terms.region),
        };
        read.map_err(|refused| self.refused(pointer, refused)).ok()
    }

    /// A text whose line breaks may be read as blanks where the sender cannot be asked.
    fn line(&mut self, pointer: &str, raw: &str, rule: TextRule) -> Option<String> {
        let may_be_broken = self.is_lenient() && rule.line_breaks == LineBreaks::Blank;
        let broken = Some(text::trimmed(raw)).filter(|given| may_be_broken && given.contains(text::is_line_break));
        let read = match broken {
            Some(given) => text(&text::joined(given, " "), rule),
            None => text(raw, rule),
        };
        if broken.is_some() && read.is_ok() {
            let detail = "holds a line break, which was read as a blank";
            self.ignored
                .push(Problem::new(pointer, "control_character", detail).into());
        }
        read.map_err(|refused| self.refused(pointer, refused)).ok()
    }

    fn id(&mut self, value: &Json) {
        match value {
            Json::Null => {}
            Json::String(given) => match text::trimmed(given).parse::<CustomerId>() {
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
            match tag.as_str() {
                Some(raw) => tags.extend(self.line(&at, raw, TAG)),
                None => self.wrong_type(&at, "a string"),
            }
        }
        if tags.len() > MOST_TAGS {
            self.unreadable(pointer, "too_many", format!("holds more than {MOST_TAGS} tags"));
            return None;
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
            let detail = format!("holds more than {MOST_METADATA} members");
            return self.unreadable("/metadata", "too_many", detail);
        }
        let mut changes = BTreeMap::new();
        for (name, value) in members {
            let at = format!("/metadata/{}", escape(name));
            let (name, change) = match (text(name, NAME), value) {
                (Err(refused), _) => {
                    self.unreadable(&at, refused.code, format!("its name {}", refused.detail));
                    continue;
                }
                (Ok(name), Json::Null) => (name, Patch::Clear),
                (Ok(name), Json::String(raw)) => match text(raw, METADATA) {
                    Ok(canonical) => (name, Patch::Set(canonical)),
                    Err(refused) => {
                        self.refused(&at, refused);
                        continue;
                    }
                },
                _ => {
                    self.wrong_type(&at, "a string or null");
                    continue;
                }
            };
            if let Entry::Vacant(place) = changes.entry(name) {
                place.insert(change);
            } else {
                let detail = "another member has the same name, but for what nobody sees in it";
                self.unreadable(&at, "contradiction", detail);
            }
        }
        self.patch.metadata = Some(Patch::Set(changes));
    }

    fn links(&mut self, value: &Json) {
        let members = match value {
            Json::Null => return,
            Json::Object(members) => members,
            _ => return self.wrong_type("/links", "an object of vendors' ids by connection"),
        };
        for (connection, id) in members {
            let at = format!("/links/{}", escape(connection));
            match id.as_str().map(|raw| text(raw, LINK)) {
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
                let detail = "clear it by provider, not as a whole";
                return self.unreadable("/provider_fields", "invalid_value", detail);
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
