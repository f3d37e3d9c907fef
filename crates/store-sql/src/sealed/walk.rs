//! A walk through all rows that may have to be sealed: part by part, some rows at a time.

use serde::{Deserialize, Serialize};

use crate::copy::end::Place as After;
use crate::copy::form::{Kind, PARTS, Part};
use crate::kept::{self, Unfit};

/// Where a walk is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Walk {
    part: String,
    pub(crate) after: Option<After>,
}

/// Parts that have anything to be sealed, in their order.
fn parts() -> impl Iterator<Item = &'static Part> {
    let has_records = |part: &&Part| part.columns.iter().any(|column| column.kind == Kind::Record);
    PARTS.into_iter().filter(has_records)
}

impl Walk {
    /// From where it was left; none: from the beginning.
    pub(crate) fn from(bytes: Option<&[u8]>) -> Result<(Self, &'static Part), Unfit> {
        let walk = match bytes {
            Some(bytes) => kept::from_bytes(bytes, "walk")?,
            None => Self {
                part: parts().next().map(|part| part.name.to_owned()).unwrap_or_default(),
                after: None,
            },
        };
        let part = parts()
            .find(|part| part.name == walk.part)
            .ok_or(Unfit::Value("walk"))?;
        Ok((walk, part))
    }

    /// Where it goes on after rows of this part; none: it has ended. `last`: the last of them, if there are more.
    pub(crate) fn next(part: &'static Part, last: Option<After>) -> Result<Option<Vec<u8>>, Unfit> {
        let next = match last {
            Some(after) => Some(Self {
                part: part.name.to_owned(),
                after: Some(after),
            }),
            None => {
                let mut later = parts().skip_while(|known| known.name != part.name).skip(1);
                later.next().map(|part| Self {
                    part: part.name.to_owned(),
                    after: None,
                })
            }
        };
        next.map(|walk| kept::to_bytes(&walk, "walk")).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::form::Value;

    #[test]
    fn a_walk_goes_through_every_part_that_has_records_and_ends() {
        let (mut seen, mut at) = (Vec::new(), None);
        loop {
            let (walk, part) = Walk::from(at.as_deref()).unwrap();
            assert_eq!(walk.after, None);
            seen.push(part.name);
            let within = Walk::next(part, Some(vec![Value::Number(7)])).unwrap();
            let (within, same) = Walk::from(within.as_deref()).unwrap();
            assert!(same.name == part.name && within.after == Some(vec![Value::Number(7)]));
            at = Walk::next(part, None).unwrap();
            if at.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 12);
        assert!(Walk::from(Some(&[1, 2])).is_err());
    }
}
