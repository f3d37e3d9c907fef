//! Personal data, for those who may not see it.

/// Stands for a value that may not be shown.
pub(crate) const MASK: &str = "•••";

/// The text, or what stands for it.
pub(crate) fn shown(text: &str, sees_people: bool) -> String {
    if sees_people { text.to_owned() } else { MASK.to_owned() }
}
