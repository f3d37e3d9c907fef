//! A merchant that comes over the API: JSON in the place of a file, read by what reads files.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::api_rules::ApiRules;
use crate::environment::{Environment, Secrets};
use crate::json_tree::tree;
use crate::merchant::{self, Merchant};
use crate::problems::{Location, Problem};
use crate::section::{Reading, Spot};

/// A merchant, and where its secrets stand by themselves.
#[derive(Debug)]
pub struct ApiMerchant {
    /// What was read. Its locations are JSON Pointers in the place of files.
    pub merchant: Merchant,
    /// JSON Pointers of secrets that were given as `{ "value": "…" }`, in the order in which they were read.
    pub given: Vec<Arc<str>>,
}

impl ApiMerchant {
    /// Reads and checks the members of a merchant's file as JSON. A secret is `{ "value": "…" }`, or a reference that the
    /// rules allow: relative paths start from `folder`. It may read files, and blocks.
    ///
    /// # Errors
    /// Every problem there is; its `file` is the JSON Pointer of the member.
    pub fn read(
        document: &Value,
        rules: &ApiRules,
        environment: &Environment,
        folder: &Path,
    ) -> Result<Self, Vec<Problem>> {
        let in_a_list = |pointer: String| vec![Problem::new(&Location::whole(pointer), "", "null says nothing here")];
        let node = tree(document, "").map_err(in_a_list)?;
        let mut reading = Reading::new(environment, Secrets::Resolve, folder);
        reading.api = Some(rules);
        let section = Spot::root(&reading, &node).section(merchant::MEMBERS);
        let merchant = section.and_then(|section| Merchant::read(&section, &node));
        let given = reading.given.take();
        let mut problems = reading.problems.take();
        match merchant {
            Some(merchant) if problems.is_empty() => Ok(Self { merchant, given }),
            _ => {
                problems.sort();
                Err(problems)
            }
        }
    }
}
