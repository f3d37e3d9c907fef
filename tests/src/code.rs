//! Sources of the project, as tests of its shape read them.

/// The lines of a file without its tests, which are a module at its end; a module of tests that is a file of its own may be
/// named anywhere.
pub fn lines_of_production(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let is_for_tests =
        |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{');
    let end = lines.windows(2).position(is_for_tests).unwrap_or(lines.len());
    lines[..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_on_behind_the_name_of_its_tests_and_ends_before_tests_of_its_own() {
        let elsewhere = "//! A file.\n\n#[cfg(test)]\nmod tests;\n\nfn one() {}\n";
        assert_eq!(lines_of_production(elsewhere).len(), 6);
        let within = "fn one() {}\n\n#[cfg(test)]\nmod tests {\n    fn two() {}\n}\n";
        assert_eq!(lines_of_production(within), ["fn one() {}", ""]);
        assert_eq!(
            lines_of_production("#[cfg(test)]\nfn one() {}"),
            ["#[cfg(test)]", "fn one() {}"]
        );
    }
}
