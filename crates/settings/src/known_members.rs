//! Every member that there is, by its whole path.

use crate::members::{Below, Member, Presence};
use crate::{merchant, settings};

/// Which of the two kinds of file a member stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Document {
    /// `gateway.toml`
    Gateway,
    /// `merchants/*.toml`
    Merchant,
}

/// A member by its whole path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownMember {
    /// The kind of file it stands in.
    pub document: Document,
    /// Such as `connections[].retry.attempts`.
    pub path: String,
    /// Its default, written as TOML.
    pub default: Option<&'static str>,
    /// Whether other members stand in it.
    pub is_section: bool,
}

/// Every member that the configuration knows.
pub fn known_members() -> Vec<KnownMember> {
    let mut known = Vec::new();
    collect(Document::Gateway, "", settings::MEMBERS, &mut known);
    collect(Document::Merchant, "", merchant::MEMBERS, &mut known);
    known
}

fn collect(document: Document, prefix: &str, members: &[Member], known: &mut Vec<KnownMember>) {
    for member in members {
        let path = format!("{prefix}{}", member.name);
        let default = match member.presence {
            Presence::Default(default) => Some(default),
            Presence::Required | Presence::Optional => None,
        };
        let (below, prefix): (&[Member], _) = match member.below {
            Below::Value => (&[], String::new()),
            Below::Section(below) => (below, format!("{path}.")),
            Below::Sections(below) => (below, format!("{path}[].")),
        };
        known.push(KnownMember {
            document,
            path,
            default,
            is_section: !below.is_empty(),
        });
        collect(document, &prefix, below, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problems::Location;
    use crate::tree::parse_value;

    #[test]
    fn every_default_is_valid_toml() {
        let at = Location::whole("default");
        let defaults: Vec<_> = known_members()
            .into_iter()
            .filter_map(|member| member.default)
            .collect();
        assert!(defaults.len() > 25, "{defaults:?}");
        for default in defaults {
            assert!(parse_value(&at, default).is_some(), "{default}");
        }
    }

    #[test]
    fn no_member_is_listed_twice() {
        let mut paths: Vec<_> = known_members()
            .into_iter()
            .map(|member| (member.document, member.path))
            .collect();
        let all = paths.len();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }
}
