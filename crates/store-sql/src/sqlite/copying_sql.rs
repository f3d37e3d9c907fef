//! How the parts of a copy stand in the file: which table, by what its rows are read on, and how they are inserted.

use crate::copy::form::{Column, IDEMPOTENCY, KEYS, Kind, LINKS, Part};

/// A statement that reads a part.
pub(super) struct Read {
    pub(super) text: String,
    /// So many of its first columns say where reading goes on.
    pub(super) place: usize,
}

/// The table, which of its rows, and the columns by which they are read on, one after the other through an index.
fn order(part: &Part) -> (&'static str, &'static str, Vec<&'static str>) {
    if part.name == LINKS.name {
        let by_record = vec!["merchant", "connection", "record", "customer"];
        return (
            "customers INDEXED BY customers_of_record",
            "record IS NOT NULL",
            by_record,
        );
    }
    if part.name == KEYS.name {
        return (
            part.name,
            "true",
            vec!["merchant", "hash", "rest", "connection", "customer"],
        );
    }
    if part.name == IDEMPOTENCY.name {
        return (part.name, "true", vec!["id"]);
    }
    (part.name, "true", part.key().iter().map(|column| column.name).collect())
}

/// What a column is called in the file.
fn called(part: &Part, column: &Column) -> &'static str {
    match column.kind {
        Kind::Digest => "hash, rest",
        _ if part.name == LINKS.name && column.name == "digest" => "record",
        _ => column.name,
    }
}

/// Reads a part, from the beginning or after a place. A limit is to be added.
pub(super) fn read_of(part: &Part, after: bool) -> Read {
    let (table, which, order) = order(part);
    let columns: Vec<&str> = part.columns.iter().map(|column| called(part, column)).collect();
    let (by, columns) = (order.join(", "), columns.join(", "));
    let after = if after {
        format!(" AND ({by}) > ({})", vec!["?"; order.len()].join(", "))
    } else {
        String::new()
    };
    Read {
        text: format!("SELECT {by}, {columns} FROM {table} WHERE {which}{after} ORDER BY {by}"),
        place: order.len(),
    }
}

/// Puts another value into a column of a row of a part, where it has one and is found again by its place: the new value, the
/// old one, the place.
pub(super) fn replace_of(part: &Part, column: &str) -> String {
    let (table, _, by) = order(part);
    let places = vec!["?"; by.len()].join(", ");
    format!(
        "UPDATE {table} SET {column} = ? WHERE {column} = ? AND ({}) = ({places})",
        by.join(", ")
    )
}

/// Inserts a row of a part; none: it is there with those of another part.
pub(super) fn insert_of(part: &Part) -> Option<String> {
    if part.name == LINKS.name {
        return None;
    }
    let columns: Vec<&str> = part.columns.iter().map(|column| called(part, column)).collect();
    let columns = columns.join(", ");
    let values = vec!["?"; columns.split(", ").count()].join(", ");
    Some(format!("INSERT INTO {} ({columns}) VALUES ({values})", part.name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rusqlite::Connection;

    use super::super::open::MIGRATIONS;
    use super::super::queries::plan;
    use super::*;
    use crate::copy::form::{NOT_COPIED, PARTS};

    #[test]
    fn every_part_is_read_on_through_an_index_without_sorting() {
        for part in PARTS {
            for after in [false, true] {
                let plan = plan(&format!("{} LIMIT ?", read_of(part, after).text));
                assert!(!plan.contains("TEMP B-TREE"), "{}: {plan}", part.name);
                let seeks = plan.contains('>');
                assert_eq!(seeks, after, "{}: {plan}", part.name);
            }
        }
    }

    #[test]
    fn every_column_of_every_table_is_copied_or_named_as_one_that_is_not() {
        let db = Connection::open_in_memory().unwrap();
        for step in MIGRATIONS {
            db.execute_batch(step).unwrap();
        }
        let texts = |sql: &str| -> BTreeSet<String> {
            let mut statement = db.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let mut tables = texts("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
        tables.retain(|table| !NOT_COPIED.contains(&table.as_str()));
        let mut seen = BTreeSet::new();
        for part in PARTS.iter().filter(|part| part.name != LINKS.name) {
            let mut columns = texts(&format!("SELECT name FROM pragma_table_info('{}')", part.name));
            if part.name == IDEMPOTENCY.name {
                assert!(columns.remove("id"), "it numbers rows");
            }
            let copied = part.columns.iter().flat_map(|column| called(part, column).split(", "));
            assert_eq!(columns, copied.map(str::to_owned).collect(), "{}", part.name);
            seen.insert(part.name.to_owned());
        }
        assert_eq!(seen, tables);
    }
}
