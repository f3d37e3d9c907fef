//! Where every member of a document stands, for whoever judges it later.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::problems::Location;
use crate::section::path_to;
use crate::tree::Node;

/// The locations of a document's members by path.
#[derive(Clone, derive_more::Debug)]
#[debug("Places({})", _0.len())]
pub(crate) struct Places(Arc<BTreeMap<String, Location>>);

impl Places {
    pub(crate) fn of(document: &Node) -> Self {
        let mut places = BTreeMap::new();
        collect(document, String::new(), &mut places);
        Self(Arc::new(places))
    }

    /// Where `path` stands; for an absent member where the nearest one around it does.
    pub(crate) fn find(&self, path: &str) -> Location {
        let mut path = path;
        loop {
            if let Some(location) = self.0.get(path) {
                return location.clone();
            }
            if path.is_empty() {
                return Location::whole("configuration");
            }
            path = path.rfind(['.', '[']).map_or("", |end| &path[..end]);
        }
    }
}

fn collect(node: &Node, path: String, places: &mut BTreeMap<String, Location>) {
    for entry in node.entries() {
        collect(&entry.node, path_to(&path, &entry.key), places);
    }
    for (index, item) in node.items().iter().enumerate() {
        collect(item, format!("{path}[{index}]"), places);
    }
    places.insert(path, node.at.clone());
}
