//! A JSON document as a tree in which every key and value knows its JSON Pointer: it stands where a file has its name.

use std::rc::Rc;

use serde_json::Value;

use crate::problems::{Location, Problem};
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

/// The JSON Pointer of what a problem of such a document is about. Its place is that of the nearest member that is there; its
/// path leads on to one that is missing.
pub fn pointer(problem: &Problem) -> String {
    let mut pointer = String::new();
    let mut rest = problem.path.as_str();
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let (step, after) = if let Some(index) = rest.strip_prefix('[') {
            index.split_once(']').unwrap_or((index, ""))
        } else if rest.starts_with('"') {
            // A key that needs quotes: it is there, so its place says all.
            break;
        } else {
            rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()))
        };
        pointer.push('/');
        pointer.push_str(step);
        rest = after;
    }
    if pointer.starts_with(&problem.file) {
        pointer
    } else {
        problem.file.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_leads_to_the_member_that_it_is_about_whether_it_is_there_or_not() {
        for (place, path, wanted) in [
            ("", "", ""),
            ("/id", "id", "/id"),
            (
                "/connections/0",
                "connections[0].credentials.api_key",
                "/connections/0/credentials/api_key",
            ),
            (
                "/webhooks/in/1/map/a~1b",
                "webhooks.in[1].map.\"a/b\"",
                "/webhooks/in/1/map/a~1b",
            ),
            (
                "/webhooks/in/1/verify/secrets/0",
                "webhooks.in[1].verify.secrets[0]",
                "/webhooks/in/1/verify/secrets/0",
            ),
            ("/match_on/1", "", "/match_on/1"),
        ] {
            let problem = Problem::new(&Location::whole(place), path, "is wrong");
            assert_eq!(pointer(&problem), wanted);
        }
    }
}
