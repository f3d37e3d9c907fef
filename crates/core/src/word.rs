//! Closed sets of words, as they stand in JSON, in the store, in files and in labels.

use std::str::FromStr;

use strum::VariantArray;

/// One of a closed set of words: an enum with strum's `EnumString`, `IntoStaticStr` and `VariantArray`.
pub trait Word: VariantArray + FromStr + Into<&'static str> + Copy {
    /// All of them.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// All of them, one by one.
    fn all() -> impl DoubleEndedIterator<Item = Self> + Clone {
        Self::VARIANTS.iter().copied()
    }

    /// As it is written.
    fn as_str(self) -> &'static str {
        self.into()
    }
}

impl<T: VariantArray + FromStr + Into<&'static str> + Copy> Word for T {}
