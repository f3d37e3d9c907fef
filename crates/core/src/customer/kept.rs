//! A customer as it is kept: each value by its field's pointer, so that nothing has to be nested and taken apart again. For
//! `#[serde(with = "…")]`.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserializer, Serializer};

use super::{Customer, Parts, UNREAD};
use crate::field::Field;

const PROVIDER_FIELDS: &str = "provider_fields";

/// Writes it.
pub fn serialize<S: Serializer>(customer: &impl Borrow<Customer>, serializer: S) -> Result<S::Ok, S::Error> {
    let customer = &*customer.borrow().0;
    let others = usize::from(!customer.provider_fields.is_empty()) + usize::from(!customer.unread.is_empty());
    let mut members = serializer.serialize_map(Some(customer.fields.len() + others))?;
    for (field, value) in &customer.fields {
        members.serialize_entry(field.pointer(), value)?;
    }
    if !customer.provider_fields.is_empty() {
        members.serialize_entry(PROVIDER_FIELDS, &customer.provider_fields)?;
    }
    if !customer.unread.is_empty() {
        members.serialize_entry(UNREAD, &customer.unread)?;
    }
    members.end()
}

/// Reads what [`serialize`] wrote.
///
/// # Errors
/// It is something else.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Customer, D::Error> {
    deserializer.deserialize_map(Members)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Customer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a customer as it is kept")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Customer, A::Error> {
        let mut customer = Parts::default();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            match (&*name, Field::at(&name)) {
                (_, Some(field)) => customer.set(field, members.next_value()?),
                (PROVIDER_FIELDS, _) => customer.provider_fields = members.next_value()?,
                (UNREAD, _) => customer.unread = members.next_value()?,
                // A field that there is no more.
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Customer(Arc::new(customer)))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Record {
        #[serde(with = "super")]
        customer: Customer,
    }

    #[test]
    fn what_was_kept_is_read_again_and_stands_by_pointers() {
        let shown = json!({ "reference": "r", "verified": true, "tags": ["a"], "metadata": { "m": "1" },
            "addresses": { "billing": { "city": "C" } }, "provider_fields": { "crm": { "a": { "b": 1 } } } });
        let mut customer = Customer::from_json(&shown).unwrap();
        Arc::make_mut(&mut customer.0)
            .unread
            .insert(crate::IdentifierKind::Phone);
        let kept = serde_json::to_value(Record {
            customer: customer.clone(),
        })
        .unwrap();
        assert_eq!(kept["customer"]["/addresses/billing/city"], "C");
        assert!(serde_json::from_value::<Record>(kept.clone()).unwrap().customer == customer);
        let mut of_before = kept;
        of_before["customer"]["/gone"] = json!({ "by": "now" });
        assert!(serde_json::from_value::<Record>(of_before).unwrap().customer == customer);
    }
}
