//! Records as they are kept: encoded and, where a key is configured, sealed.
//!
//! **One place.** Whatever a driver keeps of a record goes through [`Seals::seal`] and [`Seals::open`]: encode, then seal;
//! open, then decode. A value is sealed with its merchant's data key and bound to where it stands ([`Place`]): the table, the
//! column, the merchant, the row's key and, where the whole row is written anew each time, its revision. So nothing that was
//! changed, that stands in another row, or that an earlier revision of its row had, is taken for what was written there.
//!
//! **Data keys** are random, one for each merchant, wrapped by a configured key, and kept in a table. A process takes the right
//! to seal some thousand values at a time, so that no key seals 2^32 of them; the values say by which key they are sealed.
//!
//! **Indexes** hold digests whose key is the store's own ([`secret`]), wrapped like the data keys.

pub(crate) mod place;
pub(crate) mod seals;
pub(crate) mod secret;
pub(crate) mod walk;

pub(crate) use place::Place;
pub(crate) use seals::{DataKeyRow, Seals};
