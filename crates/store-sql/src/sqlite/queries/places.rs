//! Places: a merchant's connection, source or endpoint. An index that begins with both is leapt through from one place to
//! the next, so that what waits or lies at one costs nothing for another.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Row, params};

use super::super::names;
use super::super::readers::Reader;
use super::super::rows::{DbResult, all, first, micros};

/// An index that begins with a merchant and a name, perhaps after a state. (To ask for both at once as `(merchant, name) >
/// (?, ?)` would walk through all of the merchant's.)
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// The merchant's next name that has any: of the merchant, the name before, the state if there is one.
    pub(super) next_name: &'static str,
    /// The next merchant that has any, with its first name: of the merchant before, the state if there is one.
    pub(super) next_merchant: &'static str,
}

/// An index over what is due, by merchant, name and time. Both statements take the place before, and answer the time of
/// what is due first at the place as well.
#[derive(Clone, Copy)]
pub(super) struct DuePlaces {
    /// The merchant's next name where anything is.
    pub(super) next_name: &'static str,
    /// The next merchant's first name where anything is.
    pub(super) next_merchant: &'static str,
}

/// Merchants and the name that are asked for, by number. Somebody without a number has nothing here.
pub(super) struct Wanted {
    pub(super) merchants: Option<Vec<i64>>,
    pub(super) name: Option<i64>,
}

impl Reader {
    /// None: the name has no number, so nothing is there.
    pub(super) fn wanted(
        &mut self,
        merchants: Option<&BTreeSet<String>>,
        name: Option<&String>,
    ) -> DbResult<Option<Wanted>> {
        let mut wanted = Wanted {
            merchants: None,
            name: None,
        };
        if let Some(names) = merchants {
            let mut merchants = Vec::with_capacity(names.len());
            for name in names {
                merchants.extend(self.names.find(&self.db, name)?);
            }
            wanted.merchants = Some(merchants);
        }
        if let Some(name) = name {
            match self.names.find(&self.db, name)? {
                Some(name) => wanted.name = Some(name),
                None => return Ok(None),
            }
        }
        Ok(Some(wanted))
    }

    /// Merchants that are wanted; whoever has a name, if they are not named.
    pub(super) fn merchants(&self, wanted: Wanted) -> DbResult<Vec<i64>> {
        match wanted.merchants {
            Some(merchants) => Ok(merchants),
            None => all(&self.db, "SELECT id FROM names", [], |row| Ok(row.get(0)?)),
        }
    }

    /// Each place that is wanted and has any, by merchant and name.
    pub(super) fn each_place(
        &self,
        places: Places,
        state: Option<&str>,
        wanted: &Wanted,
        mut found: impl FnMut(i64, i64),
    ) -> DbResult<()> {
        match (&wanted.merchants, wanted.name) {
            (Some(merchants), Some(name)) => merchants.iter().for_each(|merchant| found(*merchant, name)),
            (Some(merchants), None) => {
                for merchant in merchants {
                    let mut last = (*merchant, 0);
                    while let Some(place) = self.next_name(places, state, last)? {
                        found(place.0, place.1);
                        last = place;
                    }
                }
            }
            (None, name) => {
                let mut next = self.next_merchant(places, state, 0)?;
                while let Some(place) = next {
                    if name.is_none_or(|name| name == place.1) {
                        found(place.0, place.1);
                    }
                    next = match self.next_name(places, state, place)? {
                        Some(place) => Some(place),
                        None => self.next_merchant(places, state, place.0)?,
                    };
                }
            }
        }
        Ok(())
    }

    fn next_name(
        &self,
        places: Places,
        state: Option<&str>,
        (merchant, last): (i64, i64),
    ) -> DbResult<Option<(i64, i64)>> {
        let sql = places.next_name;
        match state {
            Some(state) => first(&self.db, sql, params![merchant, last, state], place),
            None => first(&self.db, sql, params![merchant, last], place),
        }
    }

    fn next_merchant(&self, places: Places, state: Option<&str>, last: i64) -> DbResult<Option<(i64, i64)>> {
        let sql = places.next_merchant;
        match state {
            Some(state) => first(&self.db, sql, params![last, state], place),
            None => first(&self.db, sql, params![last], place),
        }
    }

    /// Where anything is due at `now`, sorted: what waits behind the first of a place is not looked at.
    pub(super) fn due_places(&self, places: DuePlaces, now: Timestamp) -> DbResult<Vec<(String, String)>> {
        let mut due = Vec::new();
        let mut place = self.first_due(places.next_merchant, (0, 0))?;
        while let Some((merchant, name, first_due)) = place {
            if first_due <= micros(now) {
                due.push((names::name(&self.db, merchant)?, names::name(&self.db, name)?));
            }
            place = match self.first_due(places.next_name, (merchant, name))? {
                Some(place) => Some(place),
                None => self.first_due(places.next_merchant, (merchant, name))?,
            };
        }
        due.sort_unstable();
        Ok(due)
    }

    fn first_due(&self, sql: &'static str, (merchant, name): (i64, i64)) -> DbResult<Option<(i64, i64, i64)>> {
        first(&self.db, sql, params![merchant, name], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
    }
}

fn place(row: &Row<'_>) -> DbResult<(i64, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}
