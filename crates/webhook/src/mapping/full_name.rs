//! A person's full name, taken apart.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// A part of a full name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantArray)]
pub enum NamePart {
    /// The first.
    #[strum(serialize = "given_name")]
    Given,
    /// What stands between the first and the last.
    #[strum(serialize = "middle_name")]
    Middle,
    /// The last, with the small words before it.
    #[strum(serialize = "family_name")]
    Family,
}

/// Before a name, with a dot or without one. They are no part of it.
const TITLES: &[&str] = &[
    "dr",
    "doctor",
    "mr",
    "mister",
    "mrs",
    "ms",
    "miss",
    "mx",
    "prof",
    "professor",
    "sir",
    "dame",
    "herr",
    "frau",
    "mme",
    "mlle",
    "dipl-ing",
    "ing",
    "mag",
];
/// Before a name, and only with a dot: without one they may be names.
const DOTTED_TITLES: &[&str] = &[
    "rev", "hon", "capt", "lt", "col", "sgt", "gen", "maj", "fr", "hr", "sr", "sra", "srta", "dra", "dott", "med", "h",
    "c", "hc", "st",
];
/// After a name, and part of the family name: father and son are two people.
const GENERATIONS: &[&str] = &["jr", "jnr", "junior", "sr", "snr", "senior", "2nd", "3rd", "4th", "5th"];
/// The same; in small letters they may be names.
const NUMERALS: &[&str] = &["II", "III", "IV", "VI", "VII", "VIII", "IX"];
/// After a name. They are no part of it.
const DEGREES: &[&str] = &[
    "phd", "md", "dds", "dmd", "dvm", "esq", "esquire", "cpa", "rn", "mba", "msc", "bsc", "jd", "llm", "llb", "pe",
    "obe", "mbe", "cbe", "qc", "kc",
];
/// Of whom they say it is no person.
const COMPANIES: &[&str] = &[
    "inc",
    "incorporated",
    "ltd",
    "limited",
    "llc",
    "llp",
    "lp",
    "plc",
    "corp",
    "corporation",
    "co",
    "company",
    "gmbh",
    "ag",
    "kg",
    "ug",
    "ohg",
    "sarl",
    "sas",
    "srl",
    "spa",
    "bv",
    "nv",
    "ab",
    "oy",
    "aps",
    "pty",
    "group",
    "trust",
    "foundation",
];
/// Between several people.
const ANDS: &[&str] = &["&", "+", "and", "und", "et", "y", "e", "or", "c/o"];

/// Words that belong to the family name after them, whatever their case.
const PARTICLES: &[&str] = &[
    "af", "bin", "bint", "da", "de", "del", "della", "den", "der", "di", "dos", "das", "du", "ibn", "la", "le", "ten",
    "ter", "van", "vom", "von", "zu", "zum", "zur",
];

/// The part, if the name has it. `Ann Mary Smith`, `Smith, Ann Mary`, `Ann van der Berg`, `Dr. Ann Smith` and
/// `John Smith, Jr.` are understood; one word alone is a given name. What cannot be taken apart for sure (two people, a
/// company, a nickname, names whose script does not tell which one comes first) is whole in the family name.
pub(super) fn part(full: &str, part: NamePart) -> Option<String> {
    let full = full.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = Name::read(&full).unwrap_or_else(|| Name {
        family: vec![&full],
        ..Name::default()
    });
    let words: Vec<&str> = match part {
        NamePart::Given => name.given.into_iter().take(1).collect(),
        NamePart::Middle => name.given.into_iter().skip(1).collect(),
        NamePart::Family => name.family.into_iter().chain(name.generation).collect(),
    };
    Some(words.join(" ")).filter(|text| !text.is_empty())
}

/// A name as words.
#[derive(Default)]
struct Name<'f> {
    given: Vec<&'f str>,
    family: Vec<&'f str>,
    generation: Vec<&'f str>,
}

impl<'f> Name<'f> {
    /// None if it cannot be taken apart.
    fn read(full: &'f str) -> Option<Self> {
        if is_for_nobody_to_split(full) {
            return None;
        }
        let mut generation = Vec::new();
        let pieces: Vec<Vec<&str>> = full.split(',').map(words).collect();
        let (said, after): (Vec<_>, Vec<_>) = pieces
            .iter()
            .enumerate()
            .partition(|(place, piece)| *place == 0 || !is_all_after(piece));
        generation.extend(
            after
                .into_iter()
                .flat_map(|(_, piece)| piece.iter().copied().filter(|word| is_generation(word))),
        );
        let said: Vec<&[&str]> = said.into_iter().map(|(_, piece)| piece.as_slice()).collect();
        match said.as_slice() {
            [alone] => Self::in_a_row(alone, generation),
            [[], given] => Self::in_a_row(given, generation),
            [family, given] => {
                let (family, _) = untitled(family);
                let (family, more) = without_what_is_after(family);
                let (given, _) = untitled(given);
                let (given, last) = without_what_is_after(given);
                generation.splice(0..0, more.into_iter().chain(last));
                Some(Self {
                    given: given.to_vec(),
                    family: family.to_vec(),
                    generation,
                })
            }
            _ => None,
        }
    }

    /// `Ann Mary Smith`.
    fn in_a_row(words: &[&'f str], mut generation: Vec<&'f str>) -> Option<Self> {
        let (rest, has_title) = untitled(words);
        let (rest, after) = without_what_is_after(rest);
        let is_formal = has_title || rest.len() + generation.len() + after.len() > rest.len();
        generation.splice(0..0, after);
        // `John Smith V` is the fifth, and `Anna Maria V` somebody who says little of her family.
        if rest.len() > 2 && matches!(rest.last(), Some(&("I" | "V"))) {
            return None;
        }
        let (given, family) = match rest {
            [one] if is_formal => (Vec::new(), vec![*one]),
            _ => halves(rest),
        };
        Some(Self {
            given,
            family,
            generation,
        })
    }
}

fn words(piece: &str) -> Vec<&str> {
    piece.split_whitespace().collect()
}

/// A word without its dots, in small letters.
fn bare(word: &str) -> String {
    word.replace('.', "").to_lowercase()
}

fn is_title(word: &str) -> bool {
    let bare = bare(word);
    TITLES.contains(&bare.as_str()) || (word.ends_with('.') && DOTTED_TITLES.contains(&bare.as_str()))
}

fn is_generation(word: &str) -> bool {
    NUMERALS.contains(&word.trim_end_matches('.')) || GENERATIONS.contains(&bare(word).as_str())
}

/// Degrees stand in capitals, or with their dots: `Md` may be a name.
fn is_degree(word: &str) -> bool {
    let looks_like_one = word.contains('.') || word.chars().skip(1).any(char::is_uppercase) || word.len() > 3;
    looks_like_one && DEGREES.contains(&bare(word).as_str())
}

fn is_all_after(piece: &[&str]) -> bool {
    !piece.is_empty() && piece.iter().all(|word| is_generation(word) || is_degree(word))
}

/// The words without the titles before them, and whether there was one. A title that stands alone is taken for a name. A
/// letter with a dot is one only behind another (`Dr. h. c.`), else an initial.
fn untitled<'w, 'f>(words: &'w [&'f str]) -> (&'w [&'f str], bool) {
    let mut rest = words;
    while let [first, others @ ..] = rest
        && !others.is_empty()
        && is_title(first)
        && (bare(first).chars().count() > 1 || rest.len() < words.len())
    {
        rest = others;
    }
    (rest, rest.len() < words.len())
}

/// The words without what stands after a name, and of that what belongs to it.
fn without_what_is_after<'w, 'f>(words: &'w [&'f str]) -> (&'w [&'f str], Vec<&'f str>) {
    let (mut rest, mut generation) = (words, Vec::new());
    while let [others @ .., last] = rest
        && !others.is_empty()
        && (is_generation(last) || is_degree(last))
    {
        if is_generation(last) {
            generation.insert(0, *last);
        }
        rest = others;
    }
    (rest, generation)
}

/// Several people, a company, a nickname, an address, or a script in which the family name may come first.
fn is_for_nobody_to_split(full: &str) -> bool {
    let words: Vec<String> = full
        .split([' ', ','])
        .map(bare)
        .filter(|word| !word.is_empty())
        .collect();
    let is_between = |place: usize, word: &str| place > 0 && place + 1 < words.len() && ANDS.contains(&word);
    let is_company = |word: &str| COMPANIES.contains(&word);
    let has_odd = |c: char| "()[]{}\"“”„«»@/&+:;|#".contains(c) || c.is_numeric();
    let mut places = words.iter().enumerate();
    places.any(|(place, word)| is_between(place, word) || (place > 0 && is_company(word)))
        || full
            .split([' ', ','])
            .any(|word| word.contains(has_odd) && !is_generation(word))
        || full.chars().any(is_of_a_script_without_spaces)
}

/// Han, Kana, Hangul, Thai, Lao, Khmer, Burmese.
fn is_of_a_script_without_spaces(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The given names and the family name.
fn halves<'f>(words: &[&'f str]) -> (Vec<&'f str>, Vec<&'f str>) {
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
    use proptest::prelude::*;

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
            (", Ann Smith", ["Ann", "", "Smith"]),
            ("", ["", "", ""]),
            (" , ", ["", "", ""]),
            // Generations.
            ("John Smith Jr.", ["John", "", "Smith Jr."]),
            ("John Smith, Jr.", ["John", "", "Smith Jr."]),
            ("Smith, Jr., John", ["John", "", "Smith Jr."]),
            ("Smith, John, Jr.", ["John", "", "Smith Jr."]),
            ("Smith Jr., John", ["John", "", "Smith Jr."]),
            ("Smith, John Paul Jr", ["John", "Paul", "Smith Jr"]),
            ("John Paul Smith III", ["John", "Paul", "Smith III"]),
            ("Sammy Davis JR", ["Sammy", "", "Davis JR"]),
            ("John Smith 3rd", ["John", "", "Smith 3rd"]),
            ("Smith Jr.", ["", "", "Smith Jr."]),
            ("Smith, Sr.", ["", "", "Smith Sr."]),
            ("Jan van der Berg Sr.", ["Jan", "", "van der Berg Sr."]),
            ("Vi Smith", ["Vi", "", "Smith"]),
            ("John Smith V", ["", "", "John Smith V"]),
            ("Malcolm X", ["Malcolm", "", "X"]),
            ("Ann V", ["Ann", "", "V"]),
            // Titles and degrees.
            ("Dr. Ann Smith", ["Ann", "", "Smith"]),
            ("DR ANN SMITH", ["ANN", "", "SMITH"]),
            ("Smith, Dr. Ann", ["Ann", "", "Smith"]),
            ("Dr. Smith, Ann", ["Ann", "", "Smith"]),
            ("Prof. Dr. Ann Mary Smith", ["Ann", "Mary", "Smith"]),
            ("Dr. med. Anna Müller", ["Anna", "", "Müller"]),
            ("Dr. h. c. Anna Müller", ["Anna", "", "Müller"]),
            ("Mrs Smith", ["", "", "Smith"]),
            ("Ann Smith, PhD", ["Ann", "", "Smith"]),
            ("Dr. John Smith Jr., M.D.", ["John", "", "Smith Jr."]),
            ("Sr. Juan García", ["Juan", "", "García"]),
            ("Rev. Ann Smith", ["Ann", "", "Smith"]),
            ("Gen Smith", ["Gen", "", "Smith"]),
            ("H. G. Wells", ["H.", "G.", "Wells"]),
            ("C. Smith", ["C.", "", "Smith"]),
            ("Md Rahman", ["Md", "", "Rahman"]),
            ("Ngozi Mba", ["Ngozi", "", "Mba"]),
            ("Ann Smith Esquire", ["Ann", "", "Smith"]),
            // Words between people and of companies mean that only where they stand as such.
            ("E. Smith", ["E.", "", "Smith"]),
            ("Maria Y", ["Maria", "", "Y"]),
            ("Trust Ncube", ["Trust", "", "Ncube"]),
            ("Dr.", ["Dr.", "", ""]),
            // What nobody can split for sure.
            ("Ann & Bob Smith", ["", "", "Ann & Bob Smith"]),
            ("Ann and Bob Smith", ["", "", "Ann and Bob Smith"]),
            ("Acme, Inc.", ["", "", "Acme, Inc."]),
            ("Smith Plumbing LLC", ["", "", "Smith Plumbing LLC"]),
            ("John \"Jack\" Smith", ["", "", "John \"Jack\" Smith"]),
            ("Ann Smith (Tenant)", ["", "", "Ann Smith (Tenant)"]),
            ("ann@example.com", ["", "", "ann@example.com"]),
            ("Smith, Ann, Unit Four, Rear", ["", "", "Smith, Ann, Unit Four, Rear"]),
            ("Smith / Jones", ["", "", "Smith / Jones"]),
            ("山田 太郎", ["", "", "山田 太郎"]),
            ("김민준", ["", "", "김민준"]),
            ("Unit 4 Tenant", ["", "", "Unit 4 Tenant"]),
        ];
        for (full, parts) in cases {
            assert_eq!(split(full), parts, "{full:?}");
        }
    }

    proptest! {
        #[test]
        fn no_part_has_a_word_that_the_name_has_not(full in "([A-Za-z.,]{1,6} ?){0,6}") {
            let all: Vec<&str> = full.split([' ', ',']).collect();
            for part in split(&full) {
                for word in part.split([' ', ',']) {
                    prop_assert!(all.contains(&word) || word.is_empty(), "{full:?} {part:?}");
                }
            }
        }
    }
}
