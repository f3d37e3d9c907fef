//! Settings that are one word out of a few.

use crate::nearest::suggestion;
use crate::section::Spot;

/// An enum each of whose variants is one word in the files.
pub(crate) trait Word: Copy + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;
}

/// Reads one of the words.
pub(crate) fn word<W: Word>(spot: &Spot<'_>) -> Option<W> {
    let written = spot.text()?;
    let known: Vec<&str> = W::ALL.iter().map(|word| word.word()).collect();
    match W::ALL.iter().find(|word| word.word() == written) {
        Some(found) => Some(*found),
        None => spot.refuse_but(format!("`{written}` is not known here"), suggestion(written, &known)),
    }
}

/// Declares an enum, its words, and how it is written.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it stands in the files.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl $crate::words::Word for $name {
            const ALL: &'static [Self] = Self::ALL;
            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}
