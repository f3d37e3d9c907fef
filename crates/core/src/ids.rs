//! Typed ids: a prefix and a sortable part (UUID version 7 in Crockford's base 32, 26 characters).

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use data_encoding::{Encoding, Specification};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
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

fn encode(id: Uuid) -> String {
    let text = CROCKFORD.as_ref().map(|encoding| encoding.encode(id.as_bytes()));
    text.unwrap_or_default()
}

fn decode(text: &str) -> Option<Uuid> {
    let bytes = CROCKFORD.as_ref()?.decode(text.as_bytes()).ok()?;
    Uuid::from_slice(&bytes).ok()
}

/// The text is not an id of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id that starts with `{0}`")]
pub struct NotAnId(&'static str);

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
                f.write_str(&encode(self.0))
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
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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

/// Makes ids from the injected clock: within a process strictly increasing, also within a millisecond.
#[derive(Debug, Clone)]
pub struct IdSource {
    clock: Arc<dyn Clock>,
    context: Arc<Mutex<ContextV7>>,
    /// Milliseconds since 1970: no id is older.
    floor: Arc<AtomicU64>,
}

impl IdSource {
    /// Ids whose time part is told by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            context: Arc::new(Mutex::new(ContextV7::new())),
            floor: Arc::default(),
        }
    }

    /// Every id from now on sorts after this one, also where the clock has been set back since it was made: what is kept
    /// is put in order by its ids.
    pub fn sort_after(&self, id: &Uuid) {
        if let Some(time) = id.get_timestamp() {
            let (seconds, nanos) = time.to_unix();
            let millis = seconds * 1_000 + u64::from(nanos) / 1_000_000;
            self.floor.fetch_max(millis + 1, Ordering::Relaxed);
        }
    }

    fn next(&self) -> Uuid {
        let now = u64::try_from(self.clock.now().as_microsecond()).unwrap_or_default();
        let micros = now.max(self.floor.load(Ordering::Relaxed) * 1_000);
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let nanos = u32::try_from(micros * 1_000).unwrap_or_default();
        let context = self.context.lock();
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos))
    }

    /// A new customer's id.
    pub fn customer(&self) -> CustomerId {
        CustomerId(self.next())
    }

    /// A new upsert's id.
    pub fn upsert(&self) -> UpsertId {
        UpsertId(self.next())
    }

    /// A new delivery's id.
    pub fn delivery(&self) -> DeliveryId {
        DeliveryId(self.next())
    }

    /// A new event's id.
    pub fn event(&self) -> EventId {
        EventId(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn ids_made_one_after_another_sort_in_that_order_and_survive_their_text_form() {
        let ids = IdSource::new(Arc::new(SystemClock));
        let made: Vec<CustomerId> = (0..1_000).map(|_| ids.customer()).collect();
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
        let before = at("2026-11-21T10:00:00.123Z").delivery();
        let ids = at("2026-11-21T09:00:00Z");
        assert!(ids.delivery() < before);
        ids.sort_after(before.as_uuid());
        let made: Vec<_> = (0..1_000).map(|_| ids.delivery()).collect();
        assert!(before < made[0] && made.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn ids_hold_the_moment_that_they_were_made_at() {
        let moment: jiff::Timestamp = "2026-11-21T10:00:00.123456Z".parse().unwrap();
        let ids = IdSource::new(Arc::new(Still(moment)));
        for id in [
            *ids.customer().as_uuid(),
            *ids.upsert().as_uuid(),
            *ids.delivery().as_uuid(),
            *ids.event().as_uuid(),
        ] {
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!(i64::try_from(seconds).unwrap(), moment.as_second());
            assert_eq!(nanos / 1_000_000, 123);
        }
        let event = ids.event();
        let later = jiff::Timestamp::from_millisecond(moment.as_millisecond() + 1).unwrap();
        assert!(EventId::oldest_at(moment) < event && event < EventId::oldest_at(later));
        assert_ne!(ids.event(), event);
    }

    #[test]
    fn an_id_that_is_made_after_a_later_one_is_of_the_next_millisecond() {
        let at = |time: &str| IdSource::new(Arc::new(Still(time.parse().unwrap())));
        let later = at("2026-11-21T10:00:00.123Z").customer();
        let ids = at("2026-11-21T09:00:00Z");
        ids.sort_after(later.as_uuid());
        let made = ids.customer();
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
        assert!(ids.upsert().to_string().parse::<CustomerId>().is_err());
        assert!("cus_".parse::<CustomerId>().is_err());
        assert!("cus_0".parse::<CustomerId>().is_err());
    }
}
