//! Typed ids: a prefix and a sortable part (UUID version 7 in Crockford's base 32, 26 characters). The lowest 32 bits of
//! the UUID lead to what is kept under it: 22 bits to the merchant, and in a delivery's id 10 bits say which of its
//! upsert's deliveries it is.

use std::fmt;
use std::hash::Hasher as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use data_encoding::{Encoding, Specification};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;
use uuid::{ContextV7, Uuid};

use crate::clock::Clock;

/// Crockford's alphabet, most significant bits first: the text sorts as the number does.
static CROCKFORD: LazyLock<Option<Encoding>> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    specification.translate.from.push_str("abcdefghjkmnpqrstvwxyz");
    specification.translate.to.push_str("ABCDEFGHJKMNPQRSTVWXYZ");
    specification.check_trailing_bits = true;
    specification.encoding().ok()
});

/// Characters of an id after its prefix.
const LETTERS: usize = 26;

fn encode(id: Uuid) -> [u8; LETTERS] {
    let mut letters = [b'0'; LETTERS];
    if let Some(encoding) = CROCKFORD.as_ref() {
        encoding.encode_mut(id.as_bytes(), &mut letters);
    }
    letters
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = CROCKFORD.as_ref()?.decode(text.as_bytes()).ok()?;
    Uuid::from_slice(&bytes).ok()
}

/// The text is not an id of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id that starts with `{0}`")]
pub struct NotAnId(&'static str);

/// Bits of a UUID that say which of its upsert's deliveries a delivery is.
const PART_BITS: u32 = 10;

/// Bits of a UUID that lead to the merchant.
const MARK_BITS: u32 = 22;

const PART_MASK: u128 = (1 << PART_BITS) - 1;
const MARK_MASK: u128 = ((1 << MARK_BITS) - 1) << PART_BITS;

/// Leads from an id to its merchant, or to the very few that share it: a hash of the merchant's own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MerchantMark(u32);

impl MerchantMark {
    /// Of this merchant. It is in ids that are kept, so it never changes.
    pub fn of(merchant: &str) -> Self {
        let mut hash = SipHasher13::new();
        hash.write(merchant.as_bytes());
        let bits = hash.finish() & ((1 << MARK_BITS) - 1);
        Self(u32::try_from(bits).unwrap_or_default())
    }

    /// As a number, of at most 22 bits.
    pub const fn number(self) -> u32 {
        self.0
    }
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of its text form.
            pub const PREFIX: &'static str = $prefix;

            /// Wraps a UUID that came out of the store.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID, for the store.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// What its merchant has to have.
            pub fn mark(&self) -> MerchantMark {
                let bits = (self.0.as_u128() & MARK_MASK) >> PART_BITS;
                MerchantMark(u32::try_from(bits).unwrap_or_default())
            }

            /// The millisecond that it was made in.
            pub fn made_at(&self) -> jiff::Timestamp {
                let ms = i64::try_from(self.0.as_u128() >> 80).unwrap_or_default();
                jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX)
            }

            /// No id that is made at this moment or later is smaller: ids begin with the milliseconds since 1970, in 48
            /// bits.
            pub fn oldest_at(moment: jiff::Timestamp) -> Self {
                let ms = u128::try_from(moment.as_millisecond()).unwrap_or_default();
                Self(Uuid::from_u128(ms << 80))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&encode(self.0)).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix($prefix).and_then(decode).map(Self).ok_or(NotAnId($prefix))
            }
        }

        impl Serialize for $name {
            /// For people as text, for the store as its sixteen bytes.
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if !deserializer.is_human_readable() {
                    return Uuid::deserialize(deserializer).map(Self);
                }
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .pattern(Some(concat!("^", $prefix, "[0-9A-HJKMNP-TV-Z]{26}$")))
                    .into()
            }
        }

        #[cfg(feature = "schema")]
        impl utoipa::ToSchema for $name {}
    };
}

id_type!(
    /// A customer of one merchant.
    CustomerId,
    "cus_"
);
id_type!(
    /// One accepted request to change one customer.
    UpsertId,
    "ups_"
);
id_type!(
    /// An upsert's work at one connection.
    DeliveryId,
    "dlv_"
);
id_type!(
    /// A webhook event, in or out.
    EventId,
    "evt_"
);
id_type!(
    /// An outage of one connection.
    IncidentId,
    "inc_"
);
id_type!(
    /// What is left of a customer that was erased. It is the customer's own id under another prefix: a customer is erased once,
    /// and each of the two leads to the other.
    ErasureId,
    "ers_"
);

impl ErasureId {
    /// That of this customer.
    pub const fn of(customer: CustomerId) -> Self {
        Self(customer.0)
    }

    /// Whose it is.
    pub const fn customer(&self) -> CustomerId {
        CustomerId(self.0)
    }
}

impl DeliveryId {
    /// An upsert has at most so many deliveries.
    pub const MOST: u16 = (1 << PART_BITS) - 1;

    /// The delivery of this upsert with this number, from 1 to [`Self::MOST`].
    pub fn of(upsert: UpsertId, part: u16) -> Self {
        debug_assert!((1..=Self::MOST).contains(&part), "an upsert has no delivery {part}");
        let upsert = upsert.0.as_u128() & !PART_MASK;
        Self(Uuid::from_u128(upsert | (u128::from(part) & PART_MASK)))
    }

    /// Of which upsert it is.
    pub const fn upsert(&self) -> UpsertId {
        UpsertId(Uuid::from_u128(self.0.as_u128() & !PART_MASK))
    }

    /// Which of its upsert's deliveries it is, from 1.
    pub fn part(&self) -> u16 {
        u16::try_from(self.0.as_u128() & PART_MASK).unwrap_or_default()
    }
}

/// Milliseconds: how far a clock may have been ahead for its ids to hold back those of the time after it. What is stamped later than that is
/// the word of a clock that ran wild: to go by it would make everything that is new as old as that.
const BELIEVED_AHEAD: u64 = 24 * 3_600_000;

/// Makes ids from the injected clock: within a process strictly increasing, also within a millisecond, unless the clock is set
/// back by more than a day.
#[derive(Debug, Clone)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    counting: Arc<Mutex<Counting>>,
    /// Milliseconds since 1970: no id is older.
    floor: Arc<AtomicU64>,
}

/// Tells apart what is made in one millisecond.
#[derive(Debug)]
struct Counting {
    context: ContextV7,
    /// Milliseconds since 1970, of the last one.
    last: u64,
}

impl Counting {
    fn begin() -> Self {
        Self {
            context: ContextV7::new(),
            last: 0,
        }
    }

    /// One of this microsecond since 1970, or right after the last one.
    fn next(&mut self, micros: u64) -> Uuid {
        let millis = micros / 1_000;
        if self.last > millis + BELIEVED_AHEAD {
            // It would go on from the last one for years.
            *self = Self::begin();
        }
        self.last = self.last.max(millis);
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let nanos = u32::try_from(micros * 1_000).unwrap_or_default();
        Uuid::new_v7(uuid::Timestamp::from_unix(&self.context, seconds, nanos))
    }
}

impl IdSource {
    /// Ids whose time part is told by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            counting: Arc::new(Mutex::new(Counting::begin())),
            floor: Arc::default(),
        }
    }

    /// Every id from now on sorts after those that were made until this moment, also where the clock has been set back
    /// since: what is kept is put in order by its ids. A moment that is more than a day ahead is not gone by.
    pub fn sort_after(&self, moment: jiff::Timestamp) {
        let after = u64::try_from(moment.as_millisecond()).unwrap_or_default() + 1;
        let latest = self.now() / 1_000 + BELIEVED_AHEAD;
        if after <= latest {
            // One that was set while the clock was ahead gives way.
            let raised = |floor| Some(if floor <= latest { after.max(floor) } else { after });
            let _always = self.floor.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raised);
        }
    }

    fn next(&self) -> Uuid {
        let now = self.now();
        let floor = self.floor.load(Ordering::Relaxed);
        let is_believed = floor <= now / 1_000 + BELIEVED_AHEAD;
        let micros = if is_believed { now.max(floor * 1_000) } else { now };
        self.counting.lock().next(micros)
    }

    /// In microseconds since 1970.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_microsecond()).unwrap_or_default()
    }

    fn next_of(&self, merchant: &str) -> u128 {
        marked(self.next(), merchant)
    }

    /// A new customer's id, of this merchant.
    pub fn customer(&self, merchant: &str) -> CustomerId {
        CustomerId(Uuid::from_u128(self.next_of(merchant)))
    }

    /// A new upsert's id, of this merchant. Those of its deliveries begin as it does.
    pub fn upsert(&self, merchant: &str) -> UpsertId {
        UpsertId(Uuid::from_u128(self.next_of(merchant) & !PART_MASK))
    }

    /// The same, and later than whatever was made until this moment, however far ahead that is: a customer's history is in
    /// the order of ids, whatever became of the clock since. It holds back no other id.
    pub fn upsert_after(&self, merchant: &str, moment: jiff::Timestamp) -> UpsertId {
        let after = u64::try_from(moment.as_microsecond()).unwrap_or_default();
        if after < self.now() + (BELIEVED_AHEAD - 1) * 1_000 {
            self.sort_after(moment);
            return self.upsert(merchant);
        }
        let next = Counting::begin().next((after / 1_000 + 1) * 1_000);
        UpsertId(Uuid::from_u128(marked(next, merchant) & !PART_MASK))
    }

    /// A new event's id, of this merchant.
    pub fn event(&self, merchant: &str) -> EventId {
        EventId(Uuid::from_u128(self.next_of(merchant)))
    }

    /// The next one of this merchant's.
    pub fn incident(&self, merchant: &str) -> IncidentId {
        IncidentId(Uuid::from_u128(self.next_of(merchant)))
    }
}

fn marked(id: Uuid, merchant: &str) -> u128 {
    let mark = MerchantMark::of(merchant);
    // What is unique about an id is above: its millisecond and a counter that starts anywhere.
    id.as_u128() & !MARK_MASK | (u128::from(mark.0) << PART_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn ids_are_of_the_present_again_once_a_clock_that_ran_years_ahead_is_right_but_for_those_that_have_to_come_later() {
        #[derive(Debug)]
        struct Set(Mutex<jiff::Timestamp>);
        impl Clock for Set {
            fn now(&self) -> jiff::Timestamp {
                *self.0.lock()
            }
        }
        let moment = |time: &str| -> jiff::Timestamp { time.parse().unwrap() };
        let clock = Arc::new(Set(Mutex::new(moment("2031-11-21T09:00:00Z"))));
        let ids = IdSource::new(clock.clone());
        let ahead = ids.upsert("acme");
        *clock.0.lock() = moment("2026-11-21T09:00:00Z");
        ids.sort_after(ahead.made_at());
        let made: Vec<_> = (0..100).map(|_| ids.upsert("acme")).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.iter().all(|id| id.made_at() == clock.now()), "{made:?}");
        let mut last = ahead;
        for _ in 0..100 {
            let next = ids.upsert_after("acme", last.made_at());
            assert!(last < next && next.mark() == MerchantMark::of("acme"));
            last = next;
        }
        assert_eq!(ids.event("acme").made_at(), clock.now());
        assert!(ids.upsert_after("acme", clock.now()).made_at() > clock.now());
    }

    #[test]
    fn ids_made_one_after_another_sort_in_that_order_and_survive_their_text_form() {
        let ids = IdSource::new(Arc::new(SystemClock));
        let made: Vec<CustomerId> = (0..1_000).map(|_| ids.customer("acme")).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(made.windows(2).all(|pair| pair[0].to_string() < pair[1].to_string()));
        for id in &made {
            assert_eq!(id.to_string().parse::<CustomerId>(), Ok(*id));
            assert_eq!(id.to_string().len(), 30);
        }
    }

    #[derive(Debug)]
    struct Still(jiff::Timestamp);

    impl Clock for Still {
        fn now(&self) -> jiff::Timestamp {
            self.0
        }
    }

    #[test]
    fn an_id_sorts_after_those_that_were_made_before_the_clock_was_set_back() {
        let at = |time: &str| IdSource::new(Arc::new(Still(time.parse().unwrap())));
        let before = at("2026-11-21T10:00:00.123Z").upsert("acme");
        let ids = at("2026-11-21T09:00:00Z");
        assert!(ids.upsert("acme") < before);
        ids.sort_after(before.made_at());
        let made: Vec<_> = (0..1_000).map(|_| ids.upsert("acme")).collect();
        assert!(before < made[0] && made.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn ids_hold_the_moment_that_they_were_made_at() {
        let moment: jiff::Timestamp = "2026-11-21T10:00:00.123456Z".parse().unwrap();
        let ids = IdSource::new(Arc::new(Still(moment)));
        for id in [
            *ids.customer("acme").as_uuid(),
            *ids.upsert("acme").as_uuid(),
            *DeliveryId::of(ids.upsert("acme"), 1).as_uuid(),
            *ids.event("acme").as_uuid(),
        ] {
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!(i64::try_from(seconds).unwrap(), moment.as_second());
            assert_eq!(nanos / 1_000_000, 123);
            assert_eq!(
                EventId::from_uuid(id).made_at().as_millisecond(),
                moment.as_millisecond()
            );
        }
        let event = ids.event("acme");
        let later = jiff::Timestamp::from_millisecond(moment.as_millisecond() + 1).unwrap();
        assert!(EventId::oldest_at(moment) < event && event < EventId::oldest_at(later));
        assert_ne!(ids.event("acme"), event);
    }

    #[test]
    fn an_id_that_is_made_after_a_later_one_is_of_the_next_millisecond() {
        let at = |time: &str| IdSource::new(Arc::new(Still(time.parse().unwrap())));
        let later = at("2026-11-21T10:00:00.123Z").customer("acme");
        let ids = at("2026-11-21T09:00:00Z");
        ids.sort_after(later.made_at());
        let made = ids.customer("acme");
        let (seconds, nanos) = made.as_uuid().get_timestamp().unwrap().to_unix();
        let next: jiff::Timestamp = "2026-11-21T10:00:00.124Z".parse().unwrap();
        assert_eq!(
            (i64::try_from(seconds).unwrap(), nanos / 1_000_000),
            (next.as_second(), 124)
        );
    }

    #[test]
    fn an_id_of_another_type_is_refused() {
        let ids = IdSource::new(Arc::new(SystemClock));
        assert!(ids.upsert("acme").to_string().parse::<CustomerId>().is_err());
        assert!("cus_".parse::<CustomerId>().is_err());
        assert!("cus_0".parse::<CustomerId>().is_err());
    }

    #[test]
    fn an_id_leads_to_its_merchant_and_a_deliverys_id_to_its_upsert() {
        let (ids, mark) = (IdSource::new(Arc::new(SystemClock)), MerchantMark::of("acme"));
        assert_ne!(mark, MerchantMark::of("globex"));
        let upsert = ids.upsert("acme");
        assert_eq!(
            [ids.customer("acme").mark(), upsert.mark(), ids.event("acme").mark()],
            [mark; 3]
        );
        let deliveries: Vec<_> = (1..=DeliveryId::MOST)
            .map(|part| DeliveryId::of(upsert, part))
            .collect();
        assert!(
            deliveries.windows(2).all(|pair| pair[0] < pair[1]),
            "in the order of their numbers"
        );
        for (part, delivery) in (1..).zip(&deliveries) {
            assert_eq!(
                (delivery.upsert(), delivery.part(), delivery.mark()),
                (upsert, part, mark)
            );
        }
        let next = DeliveryId::of(ids.upsert("acme"), 1);
        assert!(deliveries.iter().all(|delivery| *delivery < next));
    }

    #[test]
    fn marks_never_change() {
        assert_eq!(MerchantMark::of("acme").number(), 716_692);
    }
}
