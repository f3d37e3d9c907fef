//! A made-up export, of any number of rows: what is in the file, who has to come out of it, and which rows have to be refused.

mod refusals;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value as Json, json};

use super::file::File;
use super::oddities::{self, Cell, PHONE_SPELLINGS, one_of};
use super::systems::{Role, System};
use crate::process::workspace;
use row::Row;

/// A row that has to be refused: its line, the code, and pointer and code of each error.
pub(super) type Refused = (u64, String, Vec<(String, String)>);

pub(super) struct MadeUp {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: usize,
    pub(super) accepted: usize,
    /// Everybody who has to be there, as the API shows them, without what the gateway itself adds.
    pub(super) people: Vec<Json>,
    pub(super) refused: BTreeSet<Refused>,
    /// Guards in the cells that are used, of all rows that go out.
    pub(super) guards: u64,
}

/// Somebody who has come out so far.
struct Person {
    fields: Json,
    version: u64,
    /// By which number of its own the e-mail address was made, if there is one.
    email: Option<usize>,
    phone: Option<usize>,
    /// Whether another row stands for the same person, or has the same e-mail or phone.
    is_taken: bool,
}

/// Who is meant by a row that shares an identifier with an earlier one.
enum Means {
    /// The same person.
    Them(usize),
    /// Somebody else.
    Another,
    /// Two people fit.
    Nobody(&'static [&'static str]),
}

struct Making {
    system: &'static System,
    header: Vec<String>,
    file: File,
    chance: StdRng,
    people: Vec<Person>,
    made: MadeUp,
}

impl MadeUp {
    pub(super) fn of(system: &'static System, rows: usize, seed: u64) -> Self {
        let small = workspace(&format!("config/imports/{}.csv", system.name));
        let header = fs::read_to_string(small).unwrap();
        let header = header.lines().next().unwrap().split(',');
        let mut header: Vec<String> = header.map(|name| name.trim_matches('"').to_owned()).collect();
        if system.has_nameless {
            header.push(String::new());
        }
        let mut making = Making {
            system,
            file: File::new(system, &header, StdRng::seed_from_u64(seed + 1)),
            header,
            chance: StdRng::seed_from_u64(seed),
            people: Vec::new(),
            made: Self {
                bytes: Vec::new(),
                rows,
                accepted: 0,
                people: Vec::new(),
                refused: BTreeSet::new(),
                guards: 0,
            },
        };
        for n in 0..rows {
            making.row(n);
        }
        let Making {
            people, file, mut made, ..
        } = making;
        made.bytes = file.bytes();
        made.people = people.into_iter().map(Person::shown).collect();
        made
    }
}

impl Person {
    fn shown(self) -> Json {
        let mut shown = self.fields;
        shown["version"] = json!(self.version);
        shown
    }
}

impl Making {
    fn row(&mut self, n: usize) {
        if self.chance.random_ratio(1, 40) {
            self.file.blank_line();
        }
        match self.chance.random_range(0..100) {
            _ if matches!(n % 2_000, 40 | 140 | 240) => self.huge(n),
            0 => self.too_long(n),
            1 => self.empty(),
            2 | 3 => self.unreadable(n),
            4 => self.without_a_name(n),
            5 => self.without_who(n),
            6 => self.stray(n),
            8..=15 => self.again(n),
            _ => self.somebody(n),
        }
    }

    /// A customer of whom no row spoke before.
    fn somebody(&mut self, n: usize) {
        let row = self.plain(n);
        self.write(&row);
        self.comes_in(&row, &Means::Another, false);
    }

    fn plain(&mut self, n: usize) -> Row {
        let (system, chance) = (self.system, &mut self.chance);
        let mut cells = BTreeMap::new();
        for (role, _) in system.columns {
            cells.insert(*role, oddities::other(*role, n, system, chance));
        }
        let mut row = Row {
            cells,
            middle_name: None,
            email: None,
            phone: None,
            is_phone_elsewhere: system.has(Role::OtherPhone) && chance.random_ratio(1, 4),
        };
        let is_referred = system.always_has_reference() || (system.has(Role::Reference) && chance.random_ratio(2, 3));
        if is_referred {
            row.cells.insert(Role::Reference, oddities::reference(n, chance));
        }
        row.name(system, chance);
        let with_email = chance.random_ratio(9, 10) || (!is_referred && !system.has(Role::Phone));
        if with_email {
            row.email = Some(n);
            row.cells.insert(Role::Email, oddities::email(n, system, chance));
        }
        match chance.random_range(0..10) {
            0 if with_email || is_referred => row.put(system, Role::Phone, oddities::placeholder(chance)),
            1 | 2 if with_email || is_referred => {}
            _ if system.has(Role::Phone) => {
                row.phone = Some(n);
                row.put(system, Role::Phone, oddities::phone(n, system, chance));
            }
            _ => {}
        }
        row
    }

    /// A row that shares an identifier with an earlier one.
    fn again(&mut self, n: usize) {
        let mut row = self.plain(n);
        let Some((means, earlier)) = self.share(&mut row, n) else {
            return self.somebody(n);
        };
        for person in earlier {
            self.people[person].is_taken = true;
        }
        match means {
            Means::Nobody(pointers) => {
                let errors: Vec<(&str, &str)> =
                    pointers.iter().map(|pointer| (*pointer, "identity_conflict")).collect();
                self.refuse(&row, "identity_conflict", &errors);
            }
            means => {
                self.write(&row);
                self.comes_in(&row, &means, true);
            }
        }
    }

    /// Makes a row one that shares something; whom it means then, and with whom it shares it. None where nobody fits.
    fn share(&mut self, row: &mut Row, n: usize) -> Option<(Means, Vec<usize>)> {
        let (system, has_reference) = (self.system, row.value(Role::Reference).is_some());
        let spelling = self.chance.random_range(0..PHONE_SPELLINGS);
        match self.chance.random_range(0..4) {
            // The same id of the system's own: a line that was exported twice.
            0 if has_reference => {
                let at = self.pick(|person| person.fields["reference"].is_string())?;
                let reference = self.people[at].fields["reference"].as_str().unwrap().to_owned();
                row.cells
                    .insert(Role::Reference, Cell::new(reference.clone(), reference));
                Some((Means::Them(at), vec![at]))
            }
            // The same e-mail address, spelled otherwise.
            0 | 1 => {
                let at = self.pick(|person| person.email.is_some())?;
                let address = self.people[at].fields["email"].as_str().unwrap().to_owned();
                row.email = self.people[at].email;
                row.cells
                    .insert(Role::Email, Cell::new(address.to_uppercase(), address));
                let is_theirs = !has_reference || self.people[at].fields["reference"].is_null();
                Some((if is_theirs { Means::Them(at) } else { Means::Another }, vec![at]))
            }
            // The same phone and another e-mail address: a couple.
            2 if system.has(Role::Phone) => {
                let at = self.pick(|person| person.phone.is_some() && person.email.is_some())?;
                row.email = Some(n);
                row.cells
                    .insert(Role::Email, oddities::email(n, system, &mut self.chance));
                self.put_phone_of(row, at, spelling);
                Some((Means::Another, vec![at]))
            }
            // Nothing but a phone that one person or a couple has.
            3 if system.has(Role::Phone) && !system.always_has_reference() => {
                row.cells.remove(&Role::Reference);
                row.cells.remove(&Role::Email);
                row.email = None;
                if let Some(couple) = self.couple() {
                    self.put_phone_of(row, couple[0], spelling);
                    return Some((Means::Nobody(&["/phone", "/phone"]), couple));
                }
                let at = self.pick(|person| person.phone.is_some())?;
                self.put_phone_of(row, at, spelling);
                Some((Means::Them(at), vec![at]))
            }
            _ => None,
        }
    }

    fn put_phone_of(&mut self, row: &mut Row, at: usize, spelling: u32) {
        let number = self.people[at].fields["phone"].as_str().unwrap().to_owned();
        row.phone = self.people[at].phone;
        let own = oddities::phone_of(row.phone.unwrap(), spelling, self.system);
        let cell = if own.value == number {
            own
        } else {
            Cell::new(number.clone(), number)
        };
        row.cells.insert(Role::Phone, cell);
    }

    /// Somebody whom no second row has spoken of.
    fn pick(&mut self, fits: impl Fn(&Person) -> bool) -> Option<usize> {
        let free: Vec<usize> = (0..self.people.len())
            .filter(|at| !self.people[*at].is_taken && fits(&self.people[*at]))
            .collect();
        (!free.is_empty()).then(|| *one_of(&free, &mut self.chance))
    }

    /// Two people with one phone, of whom nothing was asked since, every other time.
    fn couple(&mut self) -> Option<Vec<usize>> {
        if self.chance.random_ratio(1, 2) {
            return None;
        }
        let mut by_phone: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, person) in self.people.iter().enumerate() {
            if let (Some(_), Some(phone)) = (person.phone, person.fields["phone"].as_str()) {
                by_phone.entry(phone).or_default().push(at);
            }
        }
        by_phone.into_values().find(|all| all.len() == 2)
    }

    fn comes_in(&mut self, row: &Row, means: &Means, is_taken: bool) {
        self.made.accepted += 1;
        let patch = row.patch(self.system);
        let at = match means {
            Means::Them(at) => *at,
            _ => {
                let is_named = ["given_name", "middle_name", "family_name"]
                    .iter()
                    .any(|name| patch[name].is_string());
                let kind = if is_named { "person" } else { "organisation" };
                self.people.push(Person {
                    fields: json!({ "kind": kind }),
                    version: 0,
                    email: None,
                    phone: None,
                    is_taken,
                });
                self.people.len() - 1
            }
        };
        let person = &mut self.people[at];
        let before = person.fields.clone();
        merge(&mut person.fields, &patch);
        person.version += u64::from(before != person.fields);
        person.email = row.email.or(person.email);
        if !patch["phone"].is_null() {
            person.phone = row.phone;
        }
    }
}

/// What is set is set, tags are added.
fn merge(into: &mut Json, patch: &Json) {
    match (into, patch) {
        (Json::Object(into), Json::Object(patch)) => {
            for (name, value) in patch {
                merge(into.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (Json::Array(into), Json::Array(patch)) => {
            let all: BTreeSet<String> = into
                .iter()
                .chain(patch)
                .map(|tag| tag.as_str().unwrap().to_owned())
                .collect();
            *into = all.into_iter().map(Json::from).collect();
        }
        (into, patch) => *into = patch.clone(),
    }
}
