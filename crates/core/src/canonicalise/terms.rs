//! How a body is read, and what comes of it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::field::Field;
use crate::matching::IdentifierKind;
use crate::never_match::NeverMatch;
use crate::patch::CustomerPatch;
use crate::problem::Ignored;

/// What becomes of a member that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Handling {
    /// The whole body is refused.
    #[default]
    Strict,
    /// An optional member is left out, and said to be.
    Lenient,
}

/// How a body is read.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// ISO 3166-1 alpha-2: what phone numbers without a country code are read by.
    pub region: Option<&'a str>,
    /// What becomes of a member that cannot be read.
    pub handling: Handling,
    /// Fields that are never left out: what a merchant's routes ask for.
    pub needed: &'a BTreeSet<Field>,
    /// By what customers without a reference are recognised, strongest first.
    pub match_on: &'a [IdentifierKind],
    /// Values that recognise nobody.
    pub never_match: &'a NeverMatch,
}

impl<'a> Terms<'a> {
    /// Everything has to be readable; the rest as it is for a merchant who says nothing of it.
    pub fn strict(region: Option<&'a str>) -> Self {
        static NONE: BTreeSet<Field> = BTreeSet::new();
        static PLACEHOLDERS: LazyLock<NeverMatch> = LazyLock::new(NeverMatch::default);
        Self {
            region,
            handling: Handling::Strict,
            needed: &NONE,
            match_on: &[IdentifierKind::Email, IdentifierKind::Phone],
            never_match: &PLACEHOLDERS,
        }
    }
}

/// A body that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Canonical {
    /// The change that it asks for.
    pub patch: CustomerPatch,
    /// What was left out, in the order of the body's members.
    pub ignored: Vec<Ignored>,
}
