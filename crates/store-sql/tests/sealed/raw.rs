//! What stands in a store, byte by byte, beside the driver.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

use super::Place;

/// One value: where it stands, and its bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    pub(crate) table: String,
    pub(crate) column: String,
    /// The row's key, as texts.
    pub(crate) key: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Cell {
    pub(crate) fn is_sealed(&self) -> bool {
        self.bytes.first() == Some(&0xC1)
    }
}

pub(crate) enum Raw {
    Sqlite(Box<Connection>),
    Postgres(Client),
}

impl Raw {
    pub(crate) async fn of(place: &Place) -> Self {
        match place {
            Place::Sqlite(folder) => {
                let connection = Connection::open(Place::file(folder)).unwrap();
                // Whatever a test writes here need not survive a crash.
                connection.pragma_update(None, "synchronous", "OFF").unwrap();
                Self::Sqlite(Box::new(connection))
            }
            Place::Postgres(database) => {
                let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.unwrap();
                let _driver = tokio::runtime::Handle::current().spawn(connection);
                client.batch_execute("SET synchronous_commit = off").await.unwrap();
                Self::Postgres(client)
            }
        }
    }

    async fn texts(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::Sqlite(db) => {
                let mut statement = db.prepare(sql).unwrap();
                let columns = statement.column_count();
                let rows = statement.query_map([], |row| (0..columns).map(|index| row.get(index)).collect());
                rows.unwrap().map(Result::unwrap).collect()
            }
            Self::Postgres(client) => {
                let rows = client.query(sql, &[]).await.unwrap();
                let texts = |row: &tokio_postgres::Row| (0..row.len()).map(|index| row.get(index)).collect();
                rows.iter().map(texts).collect()
            }
        }
    }

    pub(crate) async fn tables(&self) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(_) => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
            }
            Self::Postgres(_) => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1"
            }
        };
        self.texts(sql).await.into_iter().flatten().collect()
    }

    async fn key(&self, table: &str) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') WHERE pk > 0 ORDER BY pk"),
            Self::Postgres(_) => format!(
                "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
                 AND a.attnum = ANY(i.indkey) WHERE i.indrelid = '{table}'::regclass AND i.indisprimary ORDER BY a.attnum"
            ),
        };
        self.texts(&sql).await.into_iter().flatten().collect()
    }

    async fn columns(&self, table: &str) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid"),
            Self::Postgres(_) => format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() \
                 AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        };
        self.texts(&sql).await.into_iter().flatten().collect()
    }

    /// A column of the key as a text.
    fn as_text(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => {
                format!("CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE CAST({column} AS TEXT) END")
            }
            Self::Postgres(_) => format!("{column}::text"),
        }
    }

    /// A column's bytes, whatever it holds; a text's are its own.
    fn as_bytes(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("CAST({column} AS BLOB)"),
            Self::Postgres(_) => format!(
                "CASE pg_typeof({column})::text WHEN 'bytea' THEN decode(substr({column}::text, 3), 'hex') \
                 ELSE convert_to({column}::text, 'UTF8') END"
            ),
        }
    }

    /// Every value of every column of every table that is not null.
    pub(crate) async fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for table in self.tables().await {
            let key = self.key(&table).await;
            let keys: Vec<String> = key.iter().map(|column| self.as_text(column)).collect();
            for column in self.columns(&table).await {
                let bytes = self.as_bytes(&column);
                let sql = format!(
                    "SELECT {bytes}, {} FROM {table} WHERE {column} IS NOT NULL ORDER BY {}",
                    keys.join(", "),
                    key.join(", ")
                );
                for (bytes, key) in self.bytes_and_texts(&sql).await {
                    cells.push(Cell {
                        table: table.clone(),
                        column: column.clone(),
                        key,
                        bytes,
                    });
                }
            }
        }
        cells
    }

    async fn bytes_and_texts(&self, sql: &str) -> Vec<(Vec<u8>, Vec<String>)> {
        match self {
            Self::Sqlite(db) => {
                let mut statement = db.prepare(sql).unwrap();
                let columns = statement.column_count();
                let rows = statement.query_map([], |row| {
                    let texts = (1..columns).map(|index| row.get(index)).collect::<Result<_, _>>()?;
                    Ok((row.get(0)?, texts))
                });
                rows.unwrap().map(Result::unwrap).collect()
            }
            Self::Postgres(client) => {
                let rows = client.query(sql, &[]).await.unwrap();
                let read = |row: &tokio_postgres::Row| {
                    let texts = (1..row.len()).map(|index| row.get(index)).collect();
                    (row.get(0), texts)
                };
                rows.iter().map(read).collect()
            }
        }
    }

    /// Puts other bytes there.
    pub(crate) async fn set(&self, cell: &Cell, bytes: &[u8]) {
        let key = self.key(&cell.table).await;
        let place = |index: usize| match self {
            Self::Sqlite(_) => format!("?{index}"),
            Self::Postgres(_) => format!("${index}"),
        };
        let same = key
            .iter()
            .zip(2..)
            .map(|(column, index)| format!("{} = {}", self.as_text(column), place(index)));
        let same: Vec<String> = same.collect();
        let (table, column) = (&cell.table, &cell.column);
        let sql = format!(
            "UPDATE {table} SET {column} = {} WHERE {}",
            place(1),
            same.join(" AND ")
        );
        let changed = match self {
            Self::Sqlite(db) => {
                let values = std::iter::once(Value::Blob(bytes.to_vec()));
                let values = values.chain(cell.key.iter().cloned().map(Value::Text));
                db.prepare_cached(&sql)
                    .unwrap()
                    .execute(params_from_iter(values))
                    .unwrap()
            }
            Self::Postgres(client) => {
                let mut params: Vec<&(dyn ToSql + Sync)> = vec![&bytes];
                params.extend(cell.key.iter().map(|text| text as &(dyn ToSql + Sync)));
                usize::try_from(client.execute(&sql, &params).await.unwrap()).unwrap()
            }
        };
        assert_eq!(changed, 1, "{table}.{column}");
    }
}
