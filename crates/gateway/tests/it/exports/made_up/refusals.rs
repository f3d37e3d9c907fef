//! Rows that cannot come in, and how rows are written.

use super::{Cell, Json, Making, Role, Row, oddities};

/// What goes wrong with the cells of a row as a whole.
const SHIFTED: &str = "shifted";

impl Making {
    /// More cells than the header names.
    pub(super) fn too_long(&mut self, n: usize) {
        let row = self.plain(n);
        let line = self.file.line();
        self.write_cells(&row, &[SHIFTED]);
        self.refused_at(line, "too_many_cells", &[("", "too_many_cells")]);
    }

    /// Delimiters, and nothing or blanks between them.
    pub(super) fn empty(&mut self) {
        let line = self.file.line();
        self.file.row(&vec![" ".to_owned(); self.header.len()]);
        self.refused_at(line, "empty_row", &[("", "empty_row")]);
    }

    /// One cell that cannot be read costs its row, for somebody is there who can mend it.
    pub(super) fn unreadable(&mut self, n: usize) {
        let mut row = self.plain(n);
        let (role, text, pointer, code) = oddities::unreadable(self.system, n, &mut self.chance);
        row.cells.insert(role, Cell::new(text, Json::Null));
        let line = self.file.line();
        match role {
            // That is known before the row goes out.
            Role::Reference => self.write_cells(&row, &[]),
            _ => self.write(&row),
        }
        self.refused_at(line, "validation_failed", &[(pointer, code)]);
    }

    /// The vendor asks for a first name, or an organisation's.
    pub(super) fn without_a_name(&mut self, n: usize) {
        let mut row = self.plain(n);
        for role in [Role::Given, Role::Organisation, Role::FullName] {
            row.cells.insert(role, Cell::nothing());
        }
        row.middle_name = None;
        let family = Cell::new("Mrs Smith", Json::Null);
        row.cells.insert(
            if self.system.has(Role::FullName) {
                Role::FullName
            } else {
                Role::Family
            },
            family,
        );
        self.refuse(&row, "validation_failed", &[("/given_name", "required")]);
    }

    /// Nothing says who it is: nothing at all, or a number that recognises nobody.
    pub(super) fn without_who(&mut self, n: usize) {
        if self.system.always_has_reference() {
            return self.somebody(n);
        }
        let mut row = self.plain(n);
        row.cells.insert(Role::Reference, Cell::nothing());
        row.cells.insert(Role::Email, Cell::nothing());
        let (phone, pointer) = match n % 2 {
            0 => (Cell::nothing(), ""),
            _ => (oddities::placeholder(&mut self.chance), "/phone"),
        };
        row.cells.insert(Role::Phone, phone);
        self.refuse(&row, "validation_failed", &[(pointer, "identifier_missing")]);
    }

    /// Something below a name that is none.
    pub(super) fn stray(&mut self, n: usize) {
        if !self.system.has_nameless {
            return self.somebody(n);
        }
        let row = self.plain(n);
        let line = self.file.line();
        let mut cells = self.cells(&row);
        let last = cells.len() - 1;
        SHIFTED.clone_into(&mut cells[last]);
        self.file.row(&cells);
        self.refused_at(line, "column_without_a_name", &[("", "column_without_a_name")]);
    }

    /// More than a request may have, or more than is read at all.
    pub(super) fn huge(&mut self, n: usize) {
        if !self.system.has(Role::Note) {
            return self.somebody(n);
        }
        let mut row = self.plain(n);
        let length = [11_000, 70_000, 1_100_000][n / 100 % 20 % 3];
        row.cells.insert(Role::Note, Cell::new("n".repeat(length), Json::Null));
        match length {
            11_000 => self.refuse(&row, "validation_failed", &[("/notes", "too_long")]),
            70_000 => self.refuse(&row, "body_too_large", &[]),
            _ => {
                let line = self.file.line();
                self.write_cells(&row, &[]);
                self.refused_at(line, "body_too_large", &[]);
            }
        }
    }

    /// A row that goes out and comes back.
    pub(super) fn refuse(&mut self, row: &Row, code: &str, errors: &[(&str, &str)]) {
        let line = self.file.line();
        self.write(row);
        self.refused_at(line, code, errors);
    }

    fn refused_at(&mut self, line: u64, code: &str, errors: &[(&str, &str)]) {
        let errors = errors
            .iter()
            .map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned()));
        self.made.refused.insert((line, code.to_owned(), errors.collect()));
    }

    /// A row that goes out; its guards are counted.
    pub(super) fn write(&mut self, row: &Row) {
        let guards = row
            .cells
            .iter()
            .filter(|(role, cell)| self.system.has(**role) && cell.is_guarded)
            .count();
        self.made.guards += guards as u64;
        self.write_cells(row, &[]);
    }

    fn write_cells(&mut self, row: &Row, more: &[&str]) {
        let mut cells = self.cells(row);
        let may_be_short = more.is_empty() && rand::Rng::random_ratio(&mut self.chance, 1, 5);
        while may_be_short && cells.len() > 1 && cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        cells.extend(more.iter().map(|cell| (*cell).to_owned()));
        self.file.row(&cells);
    }

    /// The row's cells where the header has them; in columns that nobody reads, rubbish.
    fn cells(&self, row: &Row) -> Vec<String> {
        let text = |role: Role| row.cells.get(&role).map_or("", |cell| cell.text.as_str());
        let of = |name: &String| {
            let role = self.system.columns.iter().find(|(_, column)| column == name);
            let text = match role.map(|(role, _)| *role) {
                Some(Role::Phone) if row.is_phone_elsewhere => "",
                Some(Role::OtherPhone) if row.is_phone_elsewhere => text(Role::Phone),
                // The first says something: nobody looks at this one.
                Some(Role::OtherPhone) if row.value(Role::Phone).is_some() => "unknown",
                Some(role) => text(role),
                None if self.system.unread.contains(&name.as_str()) => "not, \"of\";\tours|\nat all",
                None => "",
            };
            text.to_owned()
        };
        self.header.iter().map(of).collect()
    }
}
