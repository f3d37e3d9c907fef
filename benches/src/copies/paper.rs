//! One row of the original as paper to write copies on: what is everybody's stands there, what is one's own is filled in.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Statement};
use upsert_core::{CustomerId, DeliveryId, UpsertId};
use uuid::Uuid;

use super::original::Row;
use super::{ORIGINAL, merchant};

/// Whom a copy is of.
pub(super) struct Person<'a> {
    pub(super) number: u64,
    pub(super) merchant: i64,
    pub(super) name: &'a str,
    pub(super) customer: CustomerId,
    pub(super) upsert: UpsertId,
    pub(super) record: [u8; 16],
}

/// What is one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// The eight digits of its number.
    Number,
    /// The merchant's id.
    Merchant,
    Customer(Form),
    /// The upsert with part 0, its deliveries with theirs.
    Upsert(u16, Form),
}

/// How an id stands in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Bytes,
    /// Without its prefix.
    Text,
}

/// One column.
enum Cell {
    Merchant,
    Customer,
    Id(u16),
    Record,
    /// A record's bytes, and where in them something is one's own.
    Body(Vec<u8>, Vec<(usize, Own)>),
}

/// One row's statement. What is everybody's is bound for good.
pub(super) struct Paper<'db> {
    statement: Statement<'db>,
    cells: Vec<(usize, Cell)>,
}

impl<'db> Paper<'db> {
    pub(super) fn of(db: &'db Connection, row: &Row) -> anyhow::Result<Self> {
        let names: Vec<&str> = row.columns.iter().map(|(name, _)| name.as_str()).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("?{place}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            row.table,
            names.join(", "),
            places.join(", ")
        );
        let mut statement = db.prepare(&sql)?;
        let mut cells = Vec::new();
        for (place, (name, value)) in (1..).zip(&row.columns) {
            let cell = match (name.as_str(), value) {
                ("merchant", _) => Cell::Merchant,
                ("customer", SqlValue::Blob(_)) => Cell::Customer,
                ("record", SqlValue::Blob(_)) => Cell::Record,
                ("id", SqlValue::Blob(id)) => Cell::Id(DeliveryId::from_uuid(Uuid::from_slice(id)?).part()),
                (_, SqlValue::Blob(bytes)) => Cell::Body(bytes.clone(), own_in(bytes, row)),
                (_, value) => {
                    statement.raw_bind_parameter(place, value)?;
                    continue;
                }
            };
            cells.push((place, cell));
        }
        Ok(Self { statement, cells })
    }

    pub(super) fn write(&mut self, person: &Person<'_>) -> anyhow::Result<()> {
        for (place, cell) in &mut self.cells {
            let (place, statement) = (*place, &mut self.statement);
            match cell {
                Cell::Merchant => statement.raw_bind_parameter(place, person.merchant)?,
                Cell::Customer => statement.raw_bind_parameter(place, &person.customer.as_uuid().as_bytes()[..])?,
                Cell::Record => statement.raw_bind_parameter(place, &person.record[..])?,
                Cell::Id(part) => statement.raw_bind_parameter(place, &id(person.upsert, *part).as_bytes()[..])?,
                Cell::Body(bytes, own) => {
                    for (from, own) in own {
                        let spelled = spelled(*own, person);
                        bytes[*from..*from + spelled.len()].copy_from_slice(&spelled);
                    }
                    statement.raw_bind_parameter(place, &bytes[..])?;
                }
            }
        }
        self.statement.raw_execute()?;
        Ok(())
    }
}

fn id(upsert: UpsertId, part: u16) -> Uuid {
    match part {
        0 => *upsert.as_uuid(),
        part => *DeliveryId::of(upsert, part).as_uuid(),
    }
}

fn spelled(own: Own, person: &Person<'_>) -> Vec<u8> {
    let spelled = |id: Uuid, form| match form {
        Form::Bytes => id.as_bytes().to_vec(),
        Form::Text => CustomerId::from_uuid(id)
            .to_string()
            .split_off(CustomerId::PREFIX.len())
            .into(),
    };
    match own {
        Own::Number => format!("{:08}", person.number).into(),
        Own::Merchant => person.name.into(),
        Own::Customer(form) => spelled(*person.customer.as_uuid(), form),
        Own::Upsert(part, form) => spelled(id(person.upsert, part), form),
    }
}

/// Every place of what is the original's own.
fn own_in(bytes: &[u8], row: &Row) -> Vec<(usize, Own)> {
    let name = merchant(0);
    let original = Person {
        number: ORIGINAL,
        merchant: 0,
        name: &name,
        customer: row.of.customer,
        upsert: row.of.upsert,
        record: [0; 16],
    };
    // The gateway has three connections at most.
    let of_form = |form| {
        (0..4)
            .map(move |part| Own::Upsert(part, form))
            .chain([Own::Customer(form)])
    };
    let all = [Own::Number, Own::Merchant].into_iter();
    let all = all.chain([Form::Bytes, Form::Text].into_iter().flat_map(of_form));
    all.flat_map(|own| {
        let spelled = spelled(own, &original);
        let is_there = move |at: &usize| bytes[*at..].starts_with(&spelled);
        (0..bytes.len())
            .filter(is_there)
            .map(move |at| (at, own))
            .collect::<Vec<_>>()
    })
    .collect()
}
