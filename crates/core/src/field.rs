//! The fields of the canonical customer, each with its pointer and its rule, and the values they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::text::{LineBreaks, TextRule};

/// A person or an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A natural person.
    Person,
    /// A company, a club, an authority.
    Organisation,
}

/// What a field may hold and how it is canonicalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Text, canonicalised by [`crate::text::text`].
    Text(TextRule),
    /// An e-mail address.
    Email,
    /// A phone number, kept as E.164.
    Phone,
    /// A country, kept as ISO 3166-1 alpha-2.
    Country,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A set of short texts.
    Tags,
    /// Short texts by name.
    Map,
}

const fn text(max_chars: usize, line_breaks: LineBreaks) -> Rule {
    Rule::Text(TextRule::new(max_chars, line_breaks))
}

/// An id, a code: one line.
const fn line(max_chars: usize) -> Rule {
    text(max_chars, LineBreaks::Refused)
}

/// What somebody or something is called: one line.
const fn name(max_chars: usize) -> Rule {
    text(max_chars, LineBreaks::Blank)
}

/// A line of an address, which may have been written in several.
const fn address_line(max_chars: usize) -> Rule {
    text(max_chars, LineBreaks::Joined)
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $pointer:literal, $rule:expr;)*) => {
        /// A leaf of the canonical customer. `provider_fields` is not one: it belongs to a vendor.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $($(#[$doc])* $name,)*
        }

        impl Field {
            /// Every field, in the order in which records show them.
            pub const ALL: &'static [Field] = &[$(Field::$name,)*];

            /// Its JSON Pointer.
            pub const fn pointer(self) -> &'static str {
                match self {
                    $(Field::$name => $pointer,)*
                }
            }

            /// The field with this JSON Pointer.
            pub fn at(pointer: &str) -> Option<Self> {
                match pointer {
                    $($pointer => Some(Field::$name),)*
                    _ => None,
                }
            }

            /// What it may hold.
            pub const fn rule(self) -> Rule {
                match self {
                    $(Field::$name => $rule,)*
                }
            }

            /// The field with this pointer.
            pub fn from_pointer(pointer: &str) -> Option<Field> {
                match pointer {
                    $($pointer => Some(Field::$name),)*
                    _ => None,
                }
            }
        }
    };
}

fields! {
    /// The merchant's own id of the customer.
    Reference = "/reference", line(255);
    /// Person or organisation.
    Kind = "/kind", Rule::Word(&["person", "organisation"]);
    /// First name.
    GivenName = "/given_name", name(255);
    /// Middle name.
    MiddleName = "/middle_name", name(255);
    /// Last name.
    FamilyName = "/family_name", name(255);
    /// Name of an organisation.
    OrganisationName = "/organisation_name", name(255);
    /// Tax number, such as an ABN.
    TaxId = "/tax_id", line(64);
    /// E-mail address, in lower case, domain in punycode.
    Email = "/email", Rule::Email;
    /// Phone number, E.164.
    Phone = "/phone", Rule::Phone;
    /// Active or inactive.
    Status = "/status", Rule::Word(&["active", "inactive"]);
    /// Whether the merchant has verified who the person is.
    Verified = "/verified", Rule::Flag;
    /// Billing address.
    BillingLine1 = "/addresses/billing/line1", address_line(255);
    /// Billing address.
    BillingLine2 = "/addresses/billing/line2", address_line(255);
    /// Billing address.
    BillingCity = "/addresses/billing/city", name(255);
    /// Billing address; left as given.
    BillingState = "/addresses/billing/state", name(255);
    /// Billing address.
    BillingPostalCode = "/addresses/billing/postal_code", line(32);
    /// Billing address; ISO 3166-1 alpha-2.
    BillingCountry = "/addresses/billing/country", Rule::Country;
    /// Where the service is done.
    PropertyLine1 = "/addresses/property/line1", address_line(255);
    /// Where the service is done.
    PropertyLine2 = "/addresses/property/line2", address_line(255);
    /// Where the service is done.
    PropertyCity = "/addresses/property/city", name(255);
    /// Where the service is done; left as given.
    PropertyState = "/addresses/property/state", name(255);
    /// Where the service is done.
    PropertyPostalCode = "/addresses/property/postal_code", line(32);
    /// Where the service is done; ISO 3166-1 alpha-2.
    PropertyCountry = "/addresses/property/country", Rule::Country;
    /// Whether the billing address is the property's.
    BillingSameAsProperty = "/billing_same_as_property", Rule::Flag;
    /// What is done for the customer.
    ServiceType = "/service/type", name(255);
    /// How often.
    ServiceFrequency = "/service/frequency", name(255);
    /// Whether the vendor may send e-mails to the customer.
    NotifyEmail = "/notifications/email", Rule::Flag;
    /// Whether the vendor may send messages to the customer's phone.
    NotifyPhone = "/notifications/phone", Rule::Flag;
    /// Free text.
    Notes = "/notes", text(10_000, LineBreaks::Kept);
    /// Where the customer came from.
    Source = "/source", name(255);
    /// A set of labels.
    Tags = "/tags", Rule::Tags;
    /// The merchant's own values by name.
    Metadata = "/metadata", Rule::Map;
}

/// What a field holds, already canonical.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq)]
#[serde(untagged)]
pub enum Value {
    /// A text, an address, a number, a word.
    Text(String),
    /// True or false.
    Flag(bool),
    /// A set of labels.
    Tags(BTreeSet<String>),
    /// Texts by name.
    Map(BTreeMap<String, String>),
}

/// Shows the shape only: a customer's values are personal data.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Flag(_) => "Flag(…)",
            Self::Tags(_) => "Tags(…)",
            Self::Map(_) => "Map(…)",
        })
    }
}

impl Value {
    /// As JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::String(text.clone()),
            Self::Flag(flag) => Json::Bool(*flag),
            Self::Tags(tags) => Json::Array(tags.iter().cloned().map(Json::String).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), Json::String(v.clone()))).collect()),
        }
    }

    /// From the JSON that [`Value::to_json`] made; no rule is checked but the shape.
    pub(crate) fn from_json(json: &Json, rule: Rule) -> Option<Self> {
        Some(match rule {
            Rule::Flag => Self::Flag(json.as_bool()?),
            Rule::Tags => {
                let tags = json.as_array()?.iter();
                Self::Tags(tags.map(|tag| Some(tag.as_str()?.to_owned())).collect::<Option<_>>()?)
            }
            Rule::Map => {
                let members = json.as_object()?.iter();
                let text = |(name, value): (&String, &Json)| Some((name.clone(), value.as_str()?.to_owned()));
                Self::Map(members.map(text).collect::<Option<_>>()?)
            }
            _ => Self::Text(json.as_str()?.to_owned()),
        })
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
