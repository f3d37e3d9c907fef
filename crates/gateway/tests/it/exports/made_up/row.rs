//! A row on its way into the file: its cells, and what they say.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use crate::exports::oddities::{self, Cell};
use crate::exports::systems::{Role, System};

pub(super) struct Row {
    pub(super) cells: BTreeMap<Role, Cell>,
    pub(super) middle_name: Option<&'static str>,
    /// By which number of its own the e-mail address and the phone were made, if they are somebody's.
    pub(super) email: Option<usize>,
    pub(super) phone: Option<usize>,
    /// Whether the phone stands in the other column for phones.
    pub(super) is_phone_elsewhere: bool,
}

impl Row {
    pub(super) fn value(&self, role: Role) -> Option<&Json> {
        self.cells
            .get(&role)
            .map(|cell| &cell.value)
            .filter(|value| !value.is_null())
    }

    pub(super) fn put(&mut self, system: &System, role: Role, cell: Cell) {
        if system.has(role) {
            self.cells.insert(role, cell);
        }
    }

    pub(super) fn name(&mut self, system: &System, chance: &mut StdRng) {
        if system.has(Role::FullName) {
            let (text, [given, middle, family]) = oddities::full_name(chance);
            let part = |part: &str| if part.is_empty() { Json::Null } else { json!(part) };
            self.cells.insert(Role::FullName, Cell::new(text, Json::Null));
            // Two columns that the file does not have: what has to come of the one that it has.
            self.cells.insert(Role::Given, Cell::new("", part(given)));
            self.cells.insert(Role::Family, Cell::new("", part(family)));
            self.middle_name = Some(middle).filter(|middle| !middle.is_empty());
            return;
        }
        let is_organisation = system.has(Role::Organisation) && chance.random_ratio(1, 12);
        if is_organisation {
            self.cells.insert(Role::Given, Cell::nothing());
            self.cells.insert(Role::Family, Cell::nothing());
        } else {
            self.cells.insert(Role::Given, oddities::given(system, chance));
            self.cells.insert(Role::Family, oddities::family(system, chance));
        }
        if is_organisation || chance.random_ratio(1, 6) {
            self.put(system, Role::Organisation, oddities::organisation(chance));
        }
    }

    /// What it says of its customer.
    pub(super) fn patch(&self, system: &System) -> Json {
        let mut patch = json!({ "source": system.source });
        if let Some(middle) = self.middle_name {
            patch["middle_name"] = json!(middle);
        }
        for (role, cell) in &self.cells {
            if cell.value.is_null() {
                continue;
            }
            let mut at = &mut patch;
            for name in role.path() {
                at = &mut at[name];
            }
            *at = cell.value.clone();
        }
        if let Some(tags) = patch.get_mut("tags") {
            let all: BTreeSet<&str> = tags
                .as_array()
                .unwrap()
                .iter()
                .map(|tag| tag.as_str().unwrap())
                .collect();
            *tags = json!(all);
        }
        patch
    }
}

impl Role {
    fn path(self) -> Vec<&'static str> {
        match self {
            Self::Reference => vec!["reference"],
            Self::Email => vec!["email"],
            Self::Phone | Self::OtherPhone => vec!["phone"],
            Self::Given => vec!["given_name"],
            Self::Family => vec!["family_name"],
            Self::FullName => vec![],
            Self::Organisation => vec!["organisation_name"],
            Self::Note => vec!["notes"],
            Self::Line1 => vec!["addresses", "billing", "line1"],
            Self::Line2 => vec!["addresses", "billing", "line2"],
            Self::City => vec!["addresses", "billing", "city"],
            Self::State => vec!["addresses", "billing", "state"],
            Self::Postal => vec!["addresses", "billing", "postal_code"],
            Self::Country => vec!["addresses", "billing", "country"],
            Self::Tags => vec!["tags"],
            Self::Flag => vec!["notifications", "email"],
            Self::Own(name) => vec!["metadata", name],
        }
    }
}
