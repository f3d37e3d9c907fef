//! What a sealed value is bound to, and the bytes that stand before it.

use upsert_sealing::DataKey;
use upsert_store::SessionId;

use crate::copy::form::{Kind, Part, Row, SESSIONS, Value};

/// The first byte of what is sealed: the one byte that MessagePack never has.
const SEALED: u8 = 0xC1;

/// The only form so far: the data key's id, the nonce, what is sealed, the tag.
const FORM: u8 = 1;

const KEY_ID: usize = 2;

/// Bytes before what is sealed, the nonce among them.
pub(crate) const HEAD: usize = KEY_ID + 8 + DataKey::NONCE_BYTES;

/// Whether it is sealed. Bytes that are no record, such as a fingerprint, may begin with any byte, but are shorter.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&SEALED) && bytes.len() >= HEAD + DataKey::TAG_BYTES
}

/// Puts the bytes before what is to be sealed with this key.
pub(crate) fn begin(bytes: &mut Vec<u8>, key: i64) {
    bytes.extend([SEALED, FORM]);
    bytes.extend(key.to_be_bytes());
    bytes.extend([0; DataKey::NONCE_BYTES]);
}

/// The id of the key that it is sealed with, and what the key opens. None: of another form.
pub(crate) fn parts(bytes: &[u8]) -> Option<(i64, &[u8])> {
    if !is_sealed(bytes) {
        return None;
    }
    let (id, rest) = bytes.strip_prefix(&[SEALED, FORM])?.split_first_chunk::<8>()?;
    Some((i64::from_be_bytes(*id), rest))
}

/// Where a value stands, in a form in which no two places are alike: each part after its length. The same in every driver, so
/// that a store can be copied without any key.
pub(crate) struct Place(Vec<u8>);

impl Place {
    /// In a column of a merchant's row.
    pub(crate) fn of(part: &Part, column: &str, merchant: &str) -> Self {
        let mut place = Self(Vec::with_capacity(160));
        for text in ["upsert-gateway", "store", part.name, column, merchant] {
            place.add(text.as_bytes());
        }
        place
    }

    /// The whole of it: the row's key but for the merchant, and its revision where the column is written anew with it.
    pub(crate) fn whole(part: &Part, column: &str, merchant: &str, key: &[&[u8]], revision: Option<i64>) -> Self {
        let mut place = Self::of(part, column, merchant);
        for bytes in key {
            place.add(bytes);
        }
        if let Some(revision) = revision {
            place.add_number(revision);
        }
        place
    }

    /// In a column of this row; none: its values are of other kinds.
    fn of_row(part: &Part, column: &str, row: &Row) -> Option<Self> {
        let Some(Value::Text(merchant)) = row.first() else {
            return None;
        };
        let mut place = Self::of(part, column, merchant);
        for value in row.iter().take(part.key).skip(1) {
            match value {
                Value::Text(text) => place.add(text.as_bytes()),
                Value::Id(id) => place.add(id.as_bytes()),
                Value::Number(number) => place.add_number(*number),
                Value::Bytes(bytes) => place.add(bytes),
                Value::Null | Value::Flag(_) => return None,
            }
        }
        if has_revision(part, column) {
            let Some(Value::Number(revision)) = row.get(part.position("revision")?) else {
                return None;
            };
            place.add_number(*revision);
        }
        Some(place)
    }

    /// What the next page of a session is to tell.
    pub(crate) fn of_notice(session: &SessionId) -> Self {
        Self::whole(&SESSIONS, "notice", "", &[&session.0], None)
    }

    /// A column of the row's key.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
    }

    /// A number of the row's key, or its revision.
    pub(crate) fn add_number(&mut self, number: i64) {
        self.add(&number.to_be_bytes());
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The revision that a column is bound to: a body is written with every revision of its row, what stands beside it is not.
pub(crate) fn has_revision(part: &Part, column: &str) -> bool {
    column == "body" && part.position("revision").is_some()
}

/// A value of a row that is to be sealed.
pub(crate) struct Older<'row> {
    pub(crate) column: &'static str,
    pub(crate) merchant: &'row str,
    pub(crate) place: Place,
    pub(crate) bytes: &'row [u8],
}

/// The values of a row that are in the clear and could be sealed. What was forgotten stands as nothing at all.
pub(crate) fn older<'row>(part: &'static Part, row: &'row Row) -> Vec<Older<'row>> {
    let columns = part.columns.iter().zip(row);
    let older = columns.filter_map(|(column, value)| match value {
        Value::Bytes(bytes) if column.kind == Kind::Record && !bytes.is_empty() && !is_sealed(bytes) => Some(Older {
            column: column.name,
            merchant: match row.first() {
                Some(Value::Text(merchant)) => merchant,
                _ => return None,
            },
            place: Place::of_row(part, column.name, row)?,
            bytes,
        }),
        _ => None,
    });
    older.collect()
}
