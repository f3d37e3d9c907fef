//! A JSON document as a tree in which every key and value knows its JSON Pointer: it stands where a file has its name.

use std::rc::Rc;

use serde_json::Value;

use crate::problems::Location;
use crate::tree::{Entry, Node, Shape};

/// Of a document. A null is a member that is not given; in a list, where it would be one, its pointer is answered.
pub(crate) fn tree(value: &Value, pointer: &str) -> Result<Rc<Node>, String> {
    let at = Location::whole(pointer);
    let shape = match value {
        Value::Null => return Err(pointer.to_owned()),
        Value::Bool(flag) => Shape::Boolean(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Shape::Integer(whole),
            None => Shape::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Shape::Text(text.clone()),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let nodes = items.map(|(index, item)| tree(item, &format!("{pointer}/{index}")));
            Shape::List(nodes.collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            let entries = given.map(|(key, value)| {
                let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                Ok::<_, String>(Entry {
                    key: key.clone(),
                    node: tree(value, &pointer)?,
                    at: Location::whole(pointer),
                })
            });
            Shape::Table(entries.collect::<Result<_, _>>()?)
        }
    };
    Ok(Node::new(&at, shape))
}
