//! Sealing and opening, and the data keys that it takes: shared by whoever writes and whoever reads.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use upsert_sealing::{DataKey, KeptKey, Keyring, NotOpened, NotSealed, random};
use upsert_store::Encryption;

use super::place::{self, HEAD, Place};
use super::secret::Mode;
use crate::kept::{self, Refused, Unfit};

/// Values that a data key may seal: with random nonces of 96 bits no more are safe.
const MOST: i64 = 1 << 32;

/// Values that a process takes the right to seal at once.
const AT_ONCE: u32 = 1 << 14;

/// How long a data key is used without looking whether there is a newer one.
const USED_UNSEEN: Duration = Duration::from_secs(60);

/// A data key as its table has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataKeyRow {
    /// Whose; empty: the gateway's own.
    pub(crate) merchant: String,
    /// From 1, for each merchant. The greatest one is used.
    pub(crate) number: i64,
    /// Random: what is sealed names it.
    pub(crate) id: i64,
    pub(crate) kept: KeptKey,
    /// Values that processes have taken the right to seal.
    pub(crate) taken: i64,
}

impl DataKeyRow {
    /// How many more a process may take the right to seal, at least as many as it needs; none: too few are left.
    pub(crate) fn room(&self, needed: u32) -> Option<u32> {
        let more = AT_ONCE.max(needed);
        (self.taken.saturating_add(more.into()) <= MOST).then_some(more)
    }

    fn place(merchant: &str, id: i64) -> [String; 3] {
        ["data key".to_owned(), merchant.to_owned(), format!("{id:016x}")]
    }
}

/// A data key that is open.
#[derive(Debug)]
struct OwnedKey {
    id: i64,
    key: DataKey,
}

/// By what a merchant's values are sealed now.
struct InUse {
    key: Arc<OwnedKey>,
    left: u32,
    seen_at: Instant,
}

/// Seals and opens what a store keeps. Its `Debug` shows no key.
pub(crate) struct Seals {
    keyring: RwLock<Arc<Keyring>>,
    mode: RwLock<Mode>,
    /// By their ids.
    keys: RwLock<HashMap<i64, Arc<OwnedKey>>>,
    /// By merchant.
    in_use: Mutex<HashMap<String, InUse>>,
}

impl fmt::Debug for Seals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seals")
            .field("mode", &*self.mode.read())
            .finish_non_exhaustive()
    }
}

impl Seals {
    pub(crate) fn new(keyring: Arc<Keyring>, mode: Mode) -> Self {
        Self {
            keyring: RwLock::new(keyring),
            mode: RwLock::new(mode),
            keys: RwLock::default(),
            in_use: Mutex::default(),
        }
    }

    /// How much of the store is sealed.
    pub(crate) fn mode(&self) -> Mode {
        *self.mode.read()
    }

    /// Whether what is written is sealed.
    pub(crate) fn is_on(&self) -> bool {
        self.mode() != Mode::Off
    }

    /// The same as callers see it.
    pub(crate) fn encryption(&self) -> Encryption {
        match self.mode() {
            Mode::Off => Encryption::Off,
            Mode::Partly => Encryption::Partly,
            Mode::Rows => Encryption::Rows,
            Mode::Wholly => Encryption::On,
        }
    }

    /// From now on so much is sealed.
    pub(crate) fn set_mode(&self, mode: Mode) {
        *self.mode.write() = mode;
    }

    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        self.keyring.read().clone()
    }

    /// Other keys are configured.
    pub(crate) fn configure(&self, keyring: Arc<Keyring>) {
        *self.keyring.write() = keyring;
    }

    /// Encodes a record and, where a key is configured, seals it for this place. The merchant's data key has to be at hand
    /// ([`Seals::has_room`]).
    pub(crate) fn seal<T: Serialize>(
        &self,
        merchant: &str,
        place: impl FnOnce() -> Place,
        record: &T,
        column: &'static str,
    ) -> Result<Vec<u8>, Unfit> {
        if !self.is_on() {
            return kept::to_bytes(record, column);
        }
        self.seal_with(merchant, place, column, |bytes| kept::encode(record, bytes, column))
    }

    /// The same of bytes, which stand as they are where no key is configured.
    pub(crate) fn seal_bytes(
        &self,
        merchant: &str,
        place: impl FnOnce() -> Place,
        value: &[u8],
        column: &'static str,
    ) -> Result<Vec<u8>, Unfit> {
        if !self.is_on() {
            return Ok(value.to_vec());
        }
        let add = |bytes: &mut Vec<u8>| {
            bytes.extend(value);
            Ok(())
        };
        self.seal_with(merchant, place, column, add)
    }

    fn seal_with(
        &self,
        merchant: &str,
        place: impl FnOnce() -> Place,
        column: &'static str,
        add: impl FnOnce(&mut Vec<u8>) -> Result<(), Unfit>,
    ) -> Result<Vec<u8>, Unfit> {
        let key = self.key_of(merchant).ok_or(Unfit::Sealed(column, Refused::NoDataKey))?;
        let mut bytes = Vec::with_capacity(HEAD + kept::USUAL_BODY);
        place::begin(&mut bytes, key.id);
        add(&mut bytes)?;
        let sealed = key.key.seal(place().bytes(), &mut bytes, HEAD);
        sealed.map_err(|NotSealed| Unfit::Value(column))?;
        Ok(bytes)
    }

    /// Opens what was sealed for this place and decodes it. Its data key has to be at hand ([`Seals::missing`]).
    pub(crate) fn open<T: DeserializeOwned, E: From<Unfit>>(
        &self,
        bytes: &[u8],
        column: &'static str,
        place: impl FnOnce() -> Result<Place, E>,
    ) -> Result<T, E> {
        Ok(match self.opened(bytes, column, place)? {
            Some(bytes) => kept::from_bytes(&bytes, column)?,
            None => kept::from_bytes(bytes, column)?,
        })
    }

    /// What was sealed; none: it is in the clear, as it may be.
    pub(crate) fn opened<E: From<Unfit>>(
        &self,
        bytes: &[u8],
        column: &'static str,
        place: impl FnOnce() -> Result<Place, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        if !place::is_sealed(bytes) {
            return match self.mode() {
                Mode::Off | Mode::Partly => Ok(None),
                Mode::Rows | Mode::Wholly => Err(Unfit::Sealed(column, Refused::InTheClear).into()),
            };
        }
        let refused = |why| Unfit::Sealed(column, why);
        let (id, sealed) = place::parts(bytes).ok_or(refused(Refused::NotOpened(NotOpened::UnknownForm)))?;
        let key = self.keys.read().get(&id).cloned();
        let key = key.ok_or(refused(Refused::NoDataKey))?;
        let opened = key.key.open(place()?.bytes(), sealed);
        Ok(Some(opened.map_err(|why| refused(Refused::NotOpened(why)))?))
    }

    /// The id of the data key that it takes to open this, where it is not at hand.
    pub(crate) fn missing(&self, bytes: &[u8]) -> Option<i64> {
        let (id, _) = place::parts(bytes)?;
        (!self.keys.read().contains_key(&id)).then_some(id)
    }

    /// Whether so many values of this merchant can be sealed by the key that is in use.
    pub(crate) fn has_room(&self, merchant: &str, needed: u32, now: Instant) -> bool {
        let in_use = self.in_use.lock();
        in_use
            .get(merchant)
            .is_some_and(|used| used.left >= needed && now.duration_since(used.seen_at) < USED_UNSEEN)
    }

    /// This is still the merchant's newest key. Whether it is the one in use, with room for so many values more.
    pub(crate) fn is_still_used(&self, row: &DataKeyRow, needed: u32, now: Instant) -> bool {
        let mut in_use = self.in_use.lock();
        let used = in_use.get_mut(&row.merchant);
        let Some(used) = used.filter(|used| used.key.id == row.id && used.left >= needed) else {
            return false;
        };
        used.seen_at = now;
        true
    }

    /// From now on so many of this merchant's values are sealed with this key.
    pub(crate) fn use_key(&self, row: &DataKeyRow, room: u32, now: Instant) -> Result<(), NotOpened> {
        let key = self.learn(row)?;
        let used = InUse {
            key,
            left: room,
            seen_at: now,
        };
        self.in_use.lock().insert(row.merchant.clone(), used);
        Ok(())
    }

    /// A key is at hand from now on.
    pub(crate) fn take(&self, row: &DataKeyRow) -> Result<(), NotOpened> {
        self.learn(row).map(drop)
    }

    fn learn(&self, row: &DataKeyRow) -> Result<Arc<OwnedKey>, NotOpened> {
        if let Some(known) = self.keys.read().get(&row.id) {
            return Ok(known.clone());
        }
        let place = DataKeyRow::place(&row.merchant, row.id);
        let bytes = self
            .keyring()
            .unwrap(&place.each_ref().map(String::as_str), &row.kept)?;
        let owned = Arc::new(OwnedKey {
            id: row.id,
            key: DataKey::new(&bytes).map_err(|NotSealed| NotOpened::UnknownForm)?,
        });
        self.keys.write().insert(row.id, owned.clone());
        Ok(owned)
    }

    /// A new data key of this merchant, wrapped by the first configured key, of which so many values are taken.
    pub(crate) fn make(&self, merchant: &str, number: i64, needed: u32) -> Result<(DataKeyRow, u32), NotSealed> {
        let mut id = [0; 8];
        random(&mut id)?;
        let id = i64::from_be_bytes(id);
        let place = DataKeyRow::place(merchant, id);
        let kept = self.keyring().wrap_new(&place.each_ref().map(String::as_str));
        let room = AT_ONCE.max(needed);
        let row = DataKeyRow {
            merchant: merchant.to_owned(),
            number,
            id,
            kept: kept.ok_or(NotSealed)??,
            taken: room.into(),
        };
        Ok((row, room))
    }

    /// The same data key, wrapped by the first configured key.
    pub(crate) fn wrapped_anew(&self, row: &DataKeyRow) -> Result<KeptKey, Unfit> {
        let refused = |why| Unfit::Sealed("wrapped", Refused::NotOpened(why));
        let place = DataKeyRow::place(&row.merchant, row.id);
        let place = place.each_ref().map(String::as_str);
        let keyring = self.keyring();
        let key = keyring.unwrap(&place, &row.kept).map_err(refused)?;
        let anew = keyring.wrap(&place, &key).ok_or(Unfit::Value("wrapped"))?;
        anew.map_err(|NotSealed| Unfit::Value("wrapped"))
    }

    /// What was taken was taken back with its transaction.
    pub(crate) fn forget(&self) {
        self.in_use.lock().clear();
    }

    fn key_of(&self, merchant: &str) -> Option<Arc<OwnedKey>> {
        let mut in_use = self.in_use.lock();
        let used = in_use.get_mut(merchant)?;
        used.left = used.left.checked_sub(1)?;
        Some(used.key.clone())
    }
}

#[cfg(test)]
mod tests {
    use upsert_sealing::SealingKey;

    use super::*;

    const MERCHANTS: usize = 20_000;

    /// Bytes of memory that this process has.
    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: usize = line.unwrap().split_whitespace().next().unwrap().parse().unwrap();
        kib * 1_024
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_open_key_of_a_merchant_takes_about_a_kilobyte_of_memory() {
        let text = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned();
        let keyring = Keyring::new(vec![SealingKey::read("one", &text.into()).unwrap()]);
        let (seals, now) = (Seals::new(Arc::new(keyring), Mode::Wholly), Instant::now());
        let open = |number: usize| {
            let (row, room) = seals.make(&format!("merchant-{number}"), 1, 1).unwrap();
            seals.use_key(&row, room, now).unwrap();
        };
        open(0);
        let before = resident();
        (1..=MERCHANTS).for_each(open);
        let each = (resident() - before) / MERCHANTS;
        println!("{each} bytes");
        assert!((200..1_500).contains(&each), "{each} bytes");
    }
}
