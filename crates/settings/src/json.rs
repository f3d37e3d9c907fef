//! Values of TOML as JSON.

use serde_json::Value;

use crate::section::Spot;
use crate::tree::{Node, Shape};

/// Free settings as JSON. Dates become texts; numbers that JSON has no form for are refused.
pub(crate) fn json(spot: &Spot<'_>) -> Option<Value> {
    fn value(node: &Node) -> Option<Value> {
        Some(match &node.shape {
            Shape::Text(text) | Shape::Moment(text) => Value::from(text.as_str()),
            Shape::Integer(number) => Value::from(*number),
            Shape::Float(number) => Value::Number(serde_json::Number::from_f64(*number)?),
            Shape::Boolean(flag) => Value::from(*flag),
            Shape::List(items) => Value::Array(items.iter().map(|item| value(item)).collect::<Option<_>>()?),
            Shape::Table(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| Some((entry.key.clone(), value(&entry.node)?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
    value(&spot.node).or_else(|| spot.refuse("holds a number that is infinite or not a number"))
}
