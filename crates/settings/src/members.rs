//! How members are listed: one list for reading, the check for unknown members and the test of the shipped files.

/// A member of a section.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    pub(crate) presence: Presence,
    pub(crate) below: Below,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Presence {
    Required,
    Optional,
    /// The default, written as TOML.
    Default(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Below {
    Value,
    Section(&'static [Member]),
    Sections(&'static [Member]),
}

impl Member {
    const fn new(name: &'static str, presence: Presence) -> Self {
        Self {
            name,
            presence,
            below: Below::Value,
        }
    }

    pub(crate) const fn required(name: &'static str) -> Self {
        Self::new(name, Presence::Required)
    }

    pub(crate) const fn optional(name: &'static str) -> Self {
        Self::new(name, Presence::Optional)
    }

    /// `default` is written as TOML.
    pub(crate) const fn or(name: &'static str, default: &'static str) -> Self {
        Self::new(name, Presence::Default(default))
    }

    pub(crate) const fn section(mut self, members: &'static [Member]) -> Self {
        self.below = Below::Section(members);
        self
    }

    pub(crate) const fn sections(mut self, members: &'static [Member]) -> Self {
        self.below = Below::Sections(members);
        self
    }
}
