//! The known name that somebody most likely meant.

/// The nearest of `known` to `written`, if it is near enough to be a slip of the finger.
pub fn nearest<'k>(written: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `did you mean …?` where a near name is known, else the list of all.
pub(crate) fn suggestion(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.is_empty() => "nothing may stand here".to_owned(),
        None => format!("known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_name_that_was_meant() {
        let known = ["timeout", "concurrency", "retry"];
        assert_eq!(nearest("timeot", known), Some("timeout"));
        assert_eq!(nearest("Concurency", known), Some("concurrency"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(suggestion("zebra", &known), "known: timeout, concurrency, retry");
    }
}
