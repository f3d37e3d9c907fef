//! A table as the writer sees it: its statements take any number of rows, and are made of its columns.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::value::Kind;

/// What becomes of a value where the row is there already and gets another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The new one counts.
    New,
    /// The new one counts, unless it is null.
    NewUnlessNull,
    /// The old one counts, unless it is null: it is for good.
    Old,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) keeps: Keeps,
}

pub(super) const fn column(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        keeps: Keeps::New,
    }
}

impl Column {
    pub(super) const fn keeps(self, keeps: Keeps) -> Self {
        Self { keeps, ..self }
    }
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Its primary key.
    pub(super) key: &'static [Column],
    /// All others.
    pub(super) values: &'static [Column],
    /// How many of the first values are read when the row is locked: what expectations are judged by.
    pub(super) judged: usize,
    sql: LazyLock<Sql, fn() -> Sql>,
}

/// The statements of a table. Each takes an array for each column.
#[derive(Debug)]
pub(super) struct Sql {
    /// Of keys: the rows that are there, locked in their order, with their keys and what is judged.
    pub(super) lock: String,
    /// Of all columns. A row that is there already is an error.
    pub(super) insert: String,
    /// Of all columns. The rows are locked.
    pub(super) update: String,
    /// Of keys.
    pub(super) delete: String,
}

impl Table {
    pub(super) const fn new(
        name: &'static str,
        key: &'static [Column],
        values: &'static [Column],
        judged: usize,
        sql: fn() -> Sql,
    ) -> Self {
        Self {
            name,
            key,
            values,
            judged,
            sql: LazyLock::new(sql),
        }
    }

    pub(super) fn sql(&self) -> &Sql {
        &self.sql
    }

    pub(super) fn judged(&self) -> &'static [Column] {
        &self.values[..self.judged]
    }

    /// Key and values.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'static Column> {
        self.key.iter().chain(self.values)
    }
}

impl Sql {
    /// Of a table.
    pub(super) fn of(table: &Table) -> Self {
        let Table { name, key, values, .. } = table;
        let keys = names("", key.iter());
        let columns = names("", table.columns());
        let key_given = given(key.iter());
        let all_given = given(table.columns());
        let same = key.iter().map(|column| format!("t.{0} = w.{0}", column.name));
        let same = same.collect::<Vec<_>>().join(" AND ");
        let locked = names("t.", key.iter().chain(table.judged()));
        let order = names("t.", key.iter());
        let cast = table
            .columns()
            .map(|column| format!("w.{}{}", column.name, column.kind.cast()));
        let cast = cast.collect::<Vec<_>>().join(", ");
        let sets = values.iter().map(set).collect::<Vec<_>>().join(", ");
        let ordered = names("w.", key.iter());
        Self {
            lock: format!(
                "SELECT {locked} FROM {key_given} AS w({keys}) JOIN {name} t ON {same} ORDER BY {order} FOR UPDATE OF t"
            ),
            insert: format!(
                "INSERT INTO {name} ({columns}) SELECT {cast} FROM {all_given} AS w({columns}) ORDER BY {ordered}"
            ),
            update: format!("UPDATE {name} AS t SET {sets} FROM {all_given} AS w({columns}) WHERE {same}"),
            delete: format!("DELETE FROM {name} AS t USING {key_given} AS w({keys}) WHERE {same}"),
        }
    }
}

fn names(before: &str, columns: impl Iterator<Item = &'static Column>) -> String {
    let names = columns.map(|column| format!("{before}{}", column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// `unnest` of an array for each column.
fn given(columns: impl Iterator<Item = &'static Column>) -> String {
    let mut text = String::from("unnest(");
    for (index, column) in columns.enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        // Writing to a string does not fail.
        let _ = write!(text, "{comma}${}::{}", index + 1, column.kind.array());
    }
    text.push(')');
    text
}

fn set(column: &Column) -> String {
    let name = column.name;
    let new = format!("w.{name}{}", column.kind.cast());
    match column.keeps {
        Keeps::New => format!("{name} = {new}"),
        Keeps::NewUnlessNull => format!("{name} = coalesce({new}, t.{name})"),
        Keeps::Old => format!("{name} = coalesce(t.{name}, {new})"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::{CALLS, KEYS};
    use super::*;

    #[test]
    fn statements_take_an_array_for_each_column() {
        assert_eq!(
            CALLS.sql().lock,
            "SELECT t.merchant, t.day, t.connection, t.count FROM unnest($1::text[], $2::text[], $3::text[]) \
             AS w(merchant, day, connection) JOIN calls t ON t.merchant = w.merchant AND t.day = w.day \
             AND t.connection = w.connection ORDER BY t.merchant, t.day, t.connection FOR UPDATE OF t"
        );
        assert_eq!(
            KEYS.sql().update,
            "UPDATE keys AS t SET customers = w.customers::uuid[] FROM unnest($1::text[], $2::bytea[], $3::text[], \
             $4::text[]) AS w(merchant, digest, connection, customers) WHERE t.merchant = w.merchant \
             AND t.digest = w.digest AND t.connection = w.connection"
        );
        assert_eq!(
            CALLS.sql().delete,
            "DELETE FROM calls AS t USING unnest($1::text[], $2::text[], $3::text[]) AS w(merchant, day, connection) \
             WHERE t.merchant = w.merchant AND t.day = w.day AND t.connection = w.connection"
        );
    }

    #[test]
    fn what_is_for_good_stays() {
        let kept = column("made", Kind::Big).keeps(Keeps::Old);
        assert_eq!(set(&kept), "made = coalesce(t.made, w.made)");
    }
}
