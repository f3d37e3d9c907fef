//! How the parts of a copy stand in the database, and the statements that read and put them.

use super::value::Kind as SqlKind;
use crate::copy::form::{KEYS, Kind, LINKS, Part};

/// What is noted, where what was noted before is as it was, and when it ended.
pub(super) const NOTE: &str =
    "UPDATE copying SET body = $2, ended_at = $3 WHERE id = 0 AND body = $1 AND ended_at IS NULL";

pub(super) const PLACES: &str = "INSERT INTO places (merchant, kind, name, mark) \
    SELECT w.merchant, w.kind, w.name, w.mark FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
    AS w(merchant, kind, name, mark) ORDER BY w.merchant, w.kind, w.name ON CONFLICT DO NOTHING";

/// A link is a key whose digest is that of the record that the lanes of whom it finds are linked to: what kind of value a
/// digest is of is in the digest, so a key finds linked customers or none.
const KEY_ROWS: &str = "SELECT k.merchant, k.digest, k.connection, k.customers FROM keys k LEFT JOIN customers c \
    ON c.merchant = k.merchant AND c.customer = k.customers[1] AND c.connection = k.connection AND c.record = k.digest";

const PUT_KEYS: &str = "INSERT INTO keys AS k (merchant, digest, connection, customers) \
    SELECT w.merchant, w.digest, w.connection, array_agg(w.customer ORDER BY w.customer) \
    FROM unnest($1::text[], $2::bytea[], $3::text[], $4::uuid[]) AS w(merchant, digest, connection, customer) \
    GROUP BY w.merchant, w.digest, w.connection \
    ON CONFLICT (merchant, digest, connection) DO UPDATE SET customers = (SELECT array_agg(h.customer ORDER BY h.customer) \
    FROM (SELECT DISTINCT unnest(k.customers || excluded.customers) AS customer) h)";

/// Whether the part's rows are those of `keys`.
pub(super) fn is_of_keys(part: &Part) -> bool {
    part.name == KEYS.name || part.name == LINKS.name
}

pub(super) const fn kind_of(kind: Kind) -> SqlKind {
    match kind {
        Kind::Name | Kind::Text => SqlKind::Text,
        Kind::Id => SqlKind::Uuid,
        Kind::Number => SqlKind::Big,
        Kind::Flag | Kind::Mark => SqlKind::Flag,
        Kind::Bytes | Kind::Record | Kind::Digest => SqlKind::Bytes,
    }
}

/// Reads so many rows of a part, from the beginning or after a place: its parameters come first, then how many.
pub(super) fn read_of(part: &Part, after: bool) -> String {
    let columns = |of: &str, columns: &[crate::copy::form::Column]| {
        let names = columns.iter().map(|column| format!("{of}{}", column.name));
        names.collect::<Vec<_>>().join(", ")
    };
    let (select, key) = if is_of_keys(part) {
        let found = if part.name == LINKS.name {
            "IS NOT NULL"
        } else {
            "IS NULL"
        };
        let key = columns("k.", &part.columns[..3]);
        (format!("{KEY_ROWS} WHERE c.customer {found}"), key)
    } else {
        let select = format!("SELECT {} FROM {} WHERE true", columns("", part.columns), part.name);
        (select, columns("", part.key()))
    };
    let count = key.split(", ").count();
    let (after, most) = if after {
        let places: Vec<String> = (1..=count).map(|index| format!("${index}")).collect();
        (format!(" AND ({key}) > ({})", places.join(", ")), count + 1)
    } else {
        (String::new(), 1)
    };
    format!("{select}{after} ORDER BY {key} LIMIT ${most}")
}

/// Puts another value into a column of a row, where it still has the old one: the new one, the old one, the row's key.
pub(super) fn replace_of(part: &Part, column: &str) -> String {
    let key = part.key().iter().zip(3..);
    let key: Vec<String> = key
        .map(|(column, index)| format!("{} = ${index}", column.name))
        .collect();
    format!(
        "UPDATE {} SET {column} = $1 WHERE {column} = $2 AND {}",
        part.name,
        key.join(" AND ")
    )
}

/// Inserts rows of a part: an array for each column.
pub(super) fn insert_of(part: &Part) -> String {
    if is_of_keys(part) {
        return PUT_KEYS.to_owned();
    }
    let names: Vec<&str> = part.columns.iter().map(|column| column.name).collect();
    let names = names.join(", ");
    let arrays = part.columns.iter().zip(1..);
    let arrays: Vec<String> = arrays
        .map(|(column, index)| format!("${index}::{}", kind_of(column.kind).array()))
        .collect();
    format!(
        "INSERT INTO {} ({names}) SELECT {names} FROM unnest({}) AS w({names})",
        part.name,
        arrays.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::runtime::Handle;
    use upsert_testkit::postgres::Database;

    use super::super::connect::Connector;
    use super::super::schema;
    use super::*;
    use crate::copy::form::{NOT_COPIED, PARTS};

    #[tokio::test]
    async fn every_column_of_every_table_is_copied_or_named_as_one_that_is_not() {
        let database = Database::new();
        let connector = Connector::new(database.url(), Handle::current()).unwrap();
        let (client, _driver) = connector.connect().await.unwrap();
        schema::migrate(&client).await.unwrap();
        let sql = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns \
                   WHERE table_schema = current_schema()";
        let mut kept: BTreeSet<[String; 3]> = BTreeSet::new();
        for row in client.query(sql, &[]).await.unwrap() {
            kept.insert([row.get(0), row.get(1), row.get(2)]);
        }
        kept.retain(|[table, ..]| !NOT_COPIED.contains(&table.as_str()));
        let mut copied = BTreeSet::new();
        for part in PARTS.iter().filter(|part| part.name != LINKS.name) {
            for column in part.columns {
                let is_whom = part.name == KEYS.name && column.name == "customer";
                let (name, kind) = match kind_of(column.kind) {
                    _ if is_whom => ("customers", "ARRAY"),
                    SqlKind::Text => (column.name, "text"),
                    SqlKind::Uuid => (column.name, "uuid"),
                    SqlKind::Big => (column.name, "bigint"),
                    SqlKind::Flag => (column.name, "boolean"),
                    SqlKind::Bytes => (column.name, "bytea"),
                    SqlKind::Uuids => (column.name, "?"),
                };
                copied.insert([part.name, name, kind].map(str::to_owned));
            }
        }
        assert_eq!(copied, kept);
    }
}
