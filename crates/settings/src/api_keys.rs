//! `[[api_keys]]`: who may call, for which merchants, and what for.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::members::Member;
use crate::problems::{Location, Problem};
use crate::section::{Reading, Section, Spot, all_or_none};

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("name"),
    Member::required("key_sha256"),
    Member::required("merchants"),
    Member::required("scopes"),
    Member::optional("rate_limit").section(RATE_LIMIT),
    Member::optional("expires_at"),
];
const RATE_LIMIT: &[Member] = &[Member::required("per_second"), Member::optional("burst")];

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "&'static str")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Scope {
    /// Read customers, their history, upserts, and what vendors hold.
    #[strum(serialize = "customers:read")]
    CustomersRead,
    /// Upsert, plan, batch, erase.
    #[strum(serialize = "customers:write")]
    CustomersWrite,
    /// See deliveries, connections and the dashboard.
    #[strum(serialize = "ops:read")]
    OpsRead,
    /// Replay, discard, pause, resume, unlink.
    #[strum(serialize = "ops:write")]
    OpsWrite,
    /// Manage merchants.
    #[strum(serialize = "admin")]
    Admin,
}

/// The merchants that a key may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All of them, `["*"]`; never counts as exactly one.
    All,
    /// Those listed, in the order of the file; never empty.
    Merchants(Vec<String>),
}

impl Reach {
    /// Whatever the order that they were listed in; none: all.
    fn sorted(&self) -> Option<BTreeSet<&str>> {
        match self {
            Self::All => None,
            Self::Merchants(merchants) => Some(merchants.iter().map(String::as_str).collect()),
        }
    }

    /// Whether the key may speak for this merchant.
    pub fn covers(&self, merchant: &str) -> bool {
        match self {
            Self::All => true,
            Self::Merchants(merchants) => merchants.iter().any(|listed| listed == merchant),
        }
    }
}

impl Serialize for Reach {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => ["*"].serialize(serializer),
            Self::Merchants(merchants) => merchants.serialize(serializer),
        }
    }
}

/// How often a key may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRateLimit {
    /// Requests a second.
    pub per_second: NonZeroU32,
    /// Requests at once; `per_second` unless given.
    pub burst: NonZeroU32,
}

impl KeyRateLimit {
    fn read(section: &Section<'_>) -> Option<Self> {
        all_or_none!(Self {
            per_second: section.read("per_second", Spot::count),
            burst: section.maybe("burst", Spot::count).or(per_second),
        })
    }
}

/// An API key, known by its hash alone.
#[derive(Clone, Debug, Serialize)]
pub struct ApiKey {
    /// Its name in logs, history and idempotency scopes.
    pub name: String,
    /// SHA-256 of the key.
    #[serde(serialize_with = "hex")]
    pub key_sha256: [u8; 32],
    /// Whom it may speak for.
    pub merchants: Reach,
    /// What it may do, sorted.
    pub scopes: Vec<Scope>,
    /// Its limit; none: no limit.
    pub rate_limit: Option<KeyRateLimit>,
    /// From when on it opens nothing; none: never.
    pub expires_at: Option<Timestamp>,
    /// Where it stands.
    #[serde(skip)]
    pub location: Location,
}

fn hex<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER_PERMISSIVE.encode(hash))
}

impl ApiKey {
    /// `known` are the merchants that there are, if that could be found out.
    pub(crate) fn read(section: &Section<'_>, known: Option<&[&str]>) -> Option<Self> {
        all_or_none!(Self {
            name: section.read("name", Spot::name),
            key_sha256: section.read("key_sha256", hash),
            merchants: section.read("merchants", |spot| reach(spot, known)),
            scopes: section.read("scopes", |spot| {
                let mut scopes = spot.some(Spot::word::<Scope>)?;
                scopes.sort_unstable();
                scopes.dedup();
                Some(scopes)
            }),
            rate_limit: Some(section.maybe_section("rate_limit", KeyRateLimit::read)),
            expires_at: Some(section.maybe("expires_at", moment)),
            location: Some(section.at().clone()),
        })
    }
}

/// Keys of one name are one caller's, so that a key can be replaced while both are in use: they have to be able to do the
/// same. One that could do more would be found in no log.
pub(crate) fn report_unlike_namesakes(reading: &Reading<'_>, keys: &[ApiKey]) {
    for (position, key) in keys.iter().enumerate() {
        let namesake = |earlier: &&ApiKey| earlier.name == key.name;
        let Some(earlier) = keys.iter().take(position).find(namesake) else {
            continue;
        };
        if earlier.scopes != key.scopes || earlier.merchants.sorted() != key.merchants.sorted() {
            let said = format!(
                "the key `{}` has other merchants or scopes than the key of the same name at {}",
                key.name, earlier.location
            );
            let problem = Problem::new(&key.location, format!("api_keys[{position}]"), said);
            reading.report(problem.hint("keys of one name are one caller's; give another caller another name"));
        }
    }
}

fn moment(spot: &Spot<'_>) -> Option<Timestamp> {
    match spot.text()?.parse() {
        Ok(moment) => Some(moment),
        Err(_) => spot.refuse("no time with its offset, such as \"2027-06-30T00:00:00Z\""),
    }
}

fn hash(spot: &Spot<'_>) -> Option<[u8; 32]> {
    let decoded = HEXLOWER_PERMISSIVE.decode(spot.text()?.as_bytes()).ok();
    match decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
        Some(hash) => Some(hash),
        // What stands here may be the key itself: it is not repeated.
        None => spot.refuse_but(
            "not a SHA-256: 64 hexadecimal digits",
            "`upsert-gateway keys new` prints a key and its hash",
        ),
    }
}

fn reach(spot: &Spot<'_>, known: Option<&[&str]>) -> Option<Reach> {
    let names = spot.some(|item| {
        if item.text()? == "*" {
            Some("*".to_owned())
        } else {
            merchant(item, known)
        }
    })?;
    match names.iter().any(|name| name == "*") {
        true if names.len() == 1 => Some(Reach::All),
        true => spot.refuse("`*` means all merchants: it stands alone"),
        false => Some(Reach::Merchants(names)),
    }
}

fn merchant(spot: &Spot<'_>, known: Option<&[&str]>) -> Option<String> {
    let name = spot.name()?;
    match known {
        Some(known) => spot.existing(
            "merchant",
            &name,
            known,
            "no file in merchants/ describes one (one in the store needs `store.encryption_keys`)",
        ),
        None => Some(name),
    }
}
