//! `[[api_keys]]`: who may call, for which merchants, and what for.

use std::num::NonZeroU32;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Serialize, Serializer};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::members::Member;
use crate::nearest::suggestion;
use crate::problems::Location;
use crate::section::{Section, Spot};

pub(crate) const MEMBERS: &[Member] = &[
    Member::required("name"),
    Member::required("key_sha256"),
    Member::required("merchants"),
    Member::required("scopes"),
    Member::optional("rate_limit").section(RATE_LIMIT),
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
        let name = section.read("name", Spot::name);
        let key_sha256 = section.read("key_sha256", hash);
        let merchants = section.read("merchants", |spot| reach(spot, known));
        let scopes = section.read("scopes", |spot| spot.some(Spot::word::<Scope>));
        let rate_limit = section.maybe_section("rate_limit", |limit| {
            let per_second = limit.read("per_second", Spot::count);
            let burst = limit.maybe("burst", Spot::count).or(per_second);
            Some(KeyRateLimit {
                per_second: per_second?,
                burst: burst?,
            })
        });
        let mut scopes = scopes?;
        scopes.sort_unstable();
        scopes.dedup();
        let location = section.at().clone();
        Some(Self {
            name: name?,
            key_sha256: key_sha256?,
            merchants: merchants?,
            scopes,
            rate_limit,
            location,
        })
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
        Some(known) if !known.contains(&name.as_str()) => {
            let hint = if known.is_empty() {
                "no file in merchants/ describes one".to_owned()
            } else {
                suggestion(&name, known)
            };
            spot.refuse_but(format!("there is no merchant `{name}`"), hint)
        }
        _ => Some(name),
    }
}
