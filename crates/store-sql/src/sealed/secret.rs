//! What a store keeps of itself in the one row of `secret`: the key of its digests, in the clear as long as no key is
//! configured, wrapped from then on; and how much of the store is sealed.

use upsert_sealing::{KeptKey, Keyring, NotOpened};

/// Bytes of the key of digests.
pub(crate) const INDEX_KEY: usize = 16;

/// What stands before a wrapped one.
const WRAPPED: [u8; 2] = [0xC1, 2];

/// How much of a store is sealed, from less to more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// Nothing, since no key was ever configured.
    Off,
    /// Whatever was written since a key was. What is older may be in the clear, and is read so.
    Partly,
    /// Every row: what is in the clear was put there by somebody else, and is refused. Where rows are kept there may be remains
    /// of what was in the clear.
    Rows,
    /// Everything.
    Wholly,
}

impl Mode {
    /// As it is kept. The bytes and words never change.
    const fn kept(self) -> (u8, &'static str) {
        match self {
            Self::Off => (0, "off"),
            Self::Partly => (1, "partly sealed"),
            Self::Rows => (3, "rows sealed"),
            Self::Wholly => (2, "sealed"),
        }
    }
}

/// What the row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    Clear([u8; INDEX_KEY]),
    Wrapped(Mode, KeptKey),
}

impl Secret {
    /// Of a row's bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        if let Ok(key) = bytes.try_into() {
            return Some(Self::Clear(key));
        }
        let (mode, rest) = bytes.strip_prefix(&WRAPPED)?.split_first()?;
        let mode = [Mode::Partly, Mode::Rows, Mode::Wholly]
            .into_iter()
            .find(|known| known.kept().0 == *mode)?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (id, wrapped) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        Some(Self::Wrapped(
            mode,
            KeptKey {
                wrapped_by: str::from_utf8(id).ok()?.to_owned(),
                wrapped: wrapped.to_vec(),
            },
        ))
    }

    /// The key of digests, and how much is sealed. That is part of what is authenticated.
    pub(crate) fn open(&self, keyring: &Keyring) -> Result<([u8; INDEX_KEY], Mode), NotOpened> {
        match self {
            Self::Clear(key) => Ok((*key, Mode::Off)),
            Self::Wrapped(mode, kept) => {
                let key = keyring.unwrap(&place(*mode), kept)?;
                let key = key.as_slice().try_into().map_err(|_| NotOpened::UnknownForm)?;
                Ok((key, *mode))
            }
        }
    }

    /// The same where something is sealed: a key in the clear was put there by somebody else then, to have what is sealed read
    /// as if nothing were.
    pub(crate) fn open_sealed(&self, keyring: &Keyring) -> Result<([u8; INDEX_KEY], Mode), NotOpened> {
        match self {
            Self::Clear(_) => Err(NotOpened::Changed),
            Self::Wrapped(..) => self.open(keyring),
        }
    }

    /// The configured key that it takes to open it.
    pub(crate) fn wrapped_by(&self) -> Option<&str> {
        match self {
            Self::Clear(_) => None,
            Self::Wrapped(_, kept) => Some(&kept.wrapped_by),
        }
    }

    /// Wraps it with the first configured key; none: there is none, or no randomness.
    pub(crate) fn wrap(key: &[u8; INDEX_KEY], mode: Mode, keyring: &Keyring) -> Option<Vec<u8>> {
        let kept = keyring.wrap(&place(mode), key)?.ok()?;
        let mut bytes = WRAPPED.to_vec();
        bytes.push(mode.kept().0);
        bytes.extend(u16::try_from(kept.wrapped_by.len()).ok()?.to_be_bytes());
        bytes.extend(kept.wrapped_by.as_bytes());
        bytes.extend(kept.wrapped);
        Some(bytes)
    }
}

const fn place(mode: Mode) -> [&'static str; 2] {
    ["index key", mode.kept().1]
}

#[cfg(test)]
mod tests {
    use upsert_sealing::SealingKey;

    use super::*;

    fn ring(id: &str) -> Keyring {
        let text = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned();
        Keyring::new(vec![SealingKey::read(id, &text.into()).unwrap()])
    }

    #[test]
    fn how_much_is_sealed_is_part_of_what_is_authenticated() {
        let keyring = ring("2026-11");
        for mode in [Mode::Partly, Mode::Rows, Mode::Wholly] {
            let bytes = Secret::wrap(&[7; 16], mode, &keyring).unwrap();
            let secret = Secret::read(&bytes).unwrap();
            assert_eq!(secret.wrapped_by(), Some("2026-11"));
            assert_eq!(secret.open(&keyring).unwrap(), ([7; 16], mode));
            let mut changed = bytes.clone();
            changed[2] = changed[2] % 3 + 1;
            assert!(Secret::read(&changed).unwrap().open(&keyring).is_err());
            assert!(secret.open(&ring("2027-01")).is_err());
        }
    }

    #[test]
    fn a_key_in_the_clear_is_sixteen_bytes_and_everything_else_is_nothing() {
        let clear = Secret::read(&[7; 16]).unwrap();
        assert_eq!(clear.open(&Keyring::default()).unwrap(), ([7; 16], Mode::Off));
        assert_eq!(clear.open_sealed(&ring("2026-11")), Err(NotOpened::Changed));
        for bytes in [
            &[][..],
            &[7; 15],
            &[0xC1, 2],
            &[0xC1, 2, 0, 0, 0],
            &[0xC1, 2, 1, 0, 9, 1],
        ] {
            assert_eq!(Secret::read(bytes), None);
        }
    }
}
