//! A person's full name, taken apart.

/// A part of a full name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamePart {
    /// The first.
    Given,
    /// What stands between the first and the last.
    Middle,
    /// The last, with the small words before it.
    Family,
}

/// Words that belong to the family name after them, whatever their case.
const PARTICLES: &[&str] = &[
    "af", "bin", "bint", "da", "de", "del", "della", "den", "der", "di", "dos", "das", "du", "ibn", "la", "le", "ten",
    "ter", "van", "vom", "von", "zu", "zum", "zur",
];

/// The part, if the name has it. `Ann Mary Smith`, `Smith, Ann Mary` and `Ann van der Berg` are understood; one word alone
/// is a given name.
pub(super) fn part(full: &str, part: NamePart) -> Option<String> {
    let (given, family) = halves(full);
    let (first, middle) = match given.split_first() {
        Some((first, middle)) => (Some(*first), middle),
        None => (None, &[][..]),
    };
    let words: &[&str] = match part {
        NamePart::Given => return first.map(str::to_owned),
        NamePart::Middle => middle,
        NamePart::Family => &family,
    };
    (!words.is_empty()).then(|| words.join(" "))
}

/// The given names and the family name, as words.
fn halves(full: &str) -> (Vec<&str>, Vec<&str>) {
    if let Some((family, given)) = full.split_once(',')
        && !family.trim().is_empty()
    {
        return (given.split_whitespace().collect(), family.split_whitespace().collect());
    }
    let words: Vec<&str> = full
        .split_whitespace()
        .map(|word| word.trim_matches(','))
        .filter(|word| !word.is_empty())
        .collect();
    let last = words.len().saturating_sub(1);
    let is_particle = |word: &str| PARTICLES.contains(&word.to_lowercase().as_str());
    // A first word in small letters is one too: there is no given name then. In capitals it may be one (`Van Morrison`).
    let opens = |index: usize, word: &str| is_particle(word) && (index > 0 || word.starts_with(char::is_lowercase));
    let family = (0..last)
        .find(|index| opens(*index, words[*index]))
        .unwrap_or(last.max(1));
    let family = family.min(words.len());
    (words[..family].to_vec(), words[family..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(full: &str) -> [String; 3] {
        [NamePart::Given, NamePart::Middle, NamePart::Family].map(|which| part(full, which).unwrap_or_default())
    }

    #[test]
    fn a_full_name_is_taken_apart() {
        let cases = [
            ("Ann Mary Smith", ["Ann", "Mary", "Smith"]),
            ("Ann Smith", ["Ann", "", "Smith"]),
            ("Smith, Ann", ["Ann", "", "Smith"]),
            ("Smith, Ann Mary", ["Ann", "Mary", "Smith"]),
            ("van der Berg, Ann", ["Ann", "", "van der Berg"]),
            ("Smith,", ["", "", "Smith"]),
            ("Ann", ["Ann", "", ""]),
            ("  Ann \t Mary  Jo   Smith ", ["Ann", "Mary Jo", "Smith"]),
            ("Jan van der Berg", ["Jan", "", "van der Berg"]),
            ("Jan Piet van der Berg", ["Jan", "Piet", "van der Berg"]),
            ("María de la Cruz", ["María", "", "de la Cruz"]),
            ("Vincent Van Gogh", ["Vincent", "", "Van Gogh"]),
            ("Otto von X", ["Otto", "", "von X"]),
            ("Van Morrison", ["Van", "", "Morrison"]),
            ("de la Cruz", ["", "", "de la Cruz"]),
            ("Ann de", ["Ann", "", "de"]),
            ("Łukasz Żółć", ["Łukasz", "", "Żółć"]),
            (", Ann", ["Ann", "", ""]),
            ("", ["", "", ""]),
            (" , ", ["", "", ""]),
        ];
        for (full, parts) in cases {
            assert_eq!(split(full), parts, "{full:?}");
        }
    }
}
