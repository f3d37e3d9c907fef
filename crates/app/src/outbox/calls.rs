//! Calls that a changeset counts: what the store has of them, the connections know at once.

use jiff::civil::Date;

use upsert_store::{Changeset, Expect, Write};

use crate::directory::merchant::Directory;

/// What a changeset has to do with the calls of a day.
pub(crate) struct Calls {
    merchant: String,
    /// Connection, day, and whether it is one more or one fewer.
    counted: Vec<(String, Date, bool)>,
    /// Which expectations are about a day's limit.
    limits: Vec<(usize, Date)>,
}

impl Calls {
    pub(crate) fn of(changes: &Changeset) -> Self {
        let counted = changes.write.iter().filter_map(|write| match write {
            Write::CountCall { connection, day } => Some((connection.clone(), *day, true)),
            Write::GiveBackCall { connection, day } => Some((connection.clone(), *day, false)),
            _ => None,
        });
        let limits = changes
            .expect
            .iter()
            .enumerate()
            .filter_map(|(index, expect)| match expect {
                Expect::CallsBelow { day, .. } => Some((index, *day)),
                _ => None,
            });
        Self {
            counted: counted.collect(),
            limits: limits.collect(),
            merchant: changes.merchant.clone(),
        }
    }

    /// They are durable.
    pub(crate) fn count(self, directory: &Directory) {
        for (connection, day, is_more) in self.counted {
            if let Some(connection) = directory.connection(&self.merchant, &connection) {
                connection.status.count_call(day, is_more);
            }
        }
    }

    /// The day whose limit the expectation at this index is about.
    pub(crate) fn limited_by(&self, index: usize) -> Option<Date> {
        let limit = self.limits.iter().find(|(limited, _)| *limited == index);
        limit.map(|(_, day)| *day)
    }
}
