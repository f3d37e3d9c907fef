//! What stands in cells, and what has to become of it: as the README and docs/importing.md promise it, written down here by
//! hand, so that a mistake of the gateway's cannot agree with itself.

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};

use super::systems::{Role, System};

/// A cell that is understood.
pub(super) struct Cell {
    pub(super) text: String,
    /// Null: it says nothing.
    pub(super) value: Json,
    /// Whether a spreadsheet's guard stands around it.
    pub(super) is_guarded: bool,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, value: impl Into<Json>) -> Self {
        Self {
            text: text.into(),
            value: value.into(),
            is_guarded: false,
        }
    }

    fn guarded(text: impl Into<String>, value: impl Into<Json>) -> Self {
        Self {
            is_guarded: true,
            ..Self::new(text, value)
        }
    }

    pub(super) fn nothing() -> Self {
        Self::new("", Json::Null)
    }

    /// The same with one of both guards, or none.
    fn with_a_guard(text: &str, chance: &mut StdRng) -> Self {
        match chance.random_range(0..3) {
            0 => Self::guarded(format!("'{text}"), text),
            1 => Self::guarded(format!("=\"{text}\""), text),
            _ => Self::new(text, text),
        }
    }
}

pub(super) fn one_of<'t, T>(all: &'t [T], chance: &mut StdRng) -> &'t T {
    &all[chance.random_range(0..all.len())]
}

/// Texts and what they become; the second list is for encodings that have every character.
fn of(plain: &[(&str, &str)], unicode: &[(&str, &str)], system: &System, chance: &mut StdRng) -> Cell {
    let more = if system.is_unicode() { unicode.len() } else { 0 };
    let at = chance.random_range(0..plain.len() + more);
    let (text, value) = plain.get(at).unwrap_or_else(|| &unicode[at - plain.len()]);
    let is_guarded = text.starts_with("=\"") || (text.starts_with('\'') && text.len() > value.len());
    Cell {
        is_guarded,
        ..Cell::new(*text, if value.is_empty() { Json::Null } else { json!(value) })
    }
}

/// The system's own id of its customer.
pub(super) fn reference(n: usize, chance: &mut StdRng) -> Cell {
    Cell::with_a_guard(&format!("0{n:07}"), chance)
}

pub(super) fn email_of(n: usize, spelling: u32, system: &System) -> Cell {
    let address = format!("n{n}@example.com");
    let text = match spelling {
        0 => format!(" N{n}@Example.COM "),
        1 => format!("mailto:n{n}@example.com"),
        2 => format!("<n{n}@example.com>"),
        3 => format!("\u{a0}n{n}@example.com"),
        4 if system.is_unicode() => format!("\u{202a}n{n}@example.com\u{200b}"),
        _ => address.clone(),
    };
    Cell::new(text, address)
}

pub(super) fn email(n: usize, system: &System, chance: &mut StdRng) -> Cell {
    match chance.random_range(0..20) {
        0 => Cell::new(format!("n{n}@bücher.example"), format!("n{n}@xn--bcher-kva.example")),
        spelling => email_of(n, spelling, system),
    }
}

/// A number of the row's own, of the United States, in this spelling.
pub(super) fn phone_of(n: usize, spelling: u32, system: &System) -> Cell {
    let digits = format!("{}", 2_022_000_000_u64 + n as u64);
    let (area, office, line) = (&digits[..3], &digits[3..6], &digits[6..]);
    let number = format!("+1{digits}");
    let guard = |text: String| Cell::guarded(text, number.clone());
    let plain = |text: String| Cell::new(text, number.clone());
    match spelling {
        0 => guard(format!("'+1{digits}")),
        1 => guard(format!("=\"+1{digits}\"")),
        2 => guard(format!("'1 {area} {office} {line}")),
        3 => plain(format!("1{digits}.0")),
        4 => plain(format!("{digits}.0")),
        5 => plain(digits.clone()),
        6 => plain(format!("({area}) {office}-{line}")),
        7 => plain(format!("{area}.{office}.{line}")),
        8 => plain(format!("tel:+1-{area}-{office}-{line}")),
        9 => plain(format!("+1\u{a0}{area}\u{a0}{office}\u{a0}{line}")),
        10 => plain(format!("+1\t{area}\t{office}\t{line}")),
        11 if system.is_unicode() => plain(format!("\u{202a}+1 {area} {office} {line}\u{202c}")),
        12 if system.is_unicode() => plain(format!("+1\u{200b}{area}\u{2011}{office}\u{2013}{line}")),
        _ => plain(number.clone()),
    }
}

pub(super) const PHONE_SPELLINGS: u32 = 16;

/// A number of the row's own.
pub(super) fn phone(n: usize, system: &System, chance: &mut StdRng) -> Cell {
    match chance.random_range(0..PHONE_SPELLINGS + 3) {
        PHONE_SPELLINGS => Cell::new(format!("+61 4{n:08}"), format!("+614{n:08}")),
        // Mexico's mobiles lost their 1 in 2020.
        17 => Cell::new(format!("+52 1 55 {n:08}"), format!("+5255{n:08}")),
        spelling => phone_of(n, spelling, system),
    }
}

/// Numbers that are kept and recognise nobody.
pub(super) fn placeholder(chance: &mut StdRng) -> Cell {
    let all = [
        ("9999999999", "+19999999999"),
        ("(999) 999-9999", "+19999999999"),
        ("+1 111 111 1111", "+11111111111"),
        ("+1234567890", "+1234567890"),
    ];
    let (text, value) = *one_of(&all, chance);
    Cell::new(text, value)
}

pub(super) fn given(system: &System, chance: &mut StdRng) -> Cell {
    let plain = [
        ("Zoë", "Zoë"),
        ("  Bram ", "Bram"),
        ("D'Arcy", "D'Arcy"),
        ("'t", "'t"),
        ("Anne Marie", "Anne Marie"),
        ("Ann, \"Annie\"", "Ann, \"Annie\""),
        ("'=HYPERLINK(\"x\")", "=HYPERLINK(\"x\")"),
        ("NULL", "NULL"),
        ("José|Maria;Ruiz", "José|Maria;Ruiz"),
    ];
    let unicode = [
        ("山田", "山田"),
        ("Ame\u{301}lie", "Amélie"),
        ("Ann\u{200f}", "Ann"),
        ("Żółć 😀", "Żółć 😀"),
    ];
    of(&plain, &unicode, system, chance)
}

pub(super) fn family(system: &System, chance: &mut StdRng) -> Cell {
    let plain = [
        ("Öhm", "Öhm"),
        ("O'Brien", "O'Brien"),
        ("'tHooft", "'tHooft"),
        ("van der Berg", "van der Berg"),
        ("Smith; Jones", "Smith; Jones"),
        ("Smith, Jr.", "Smith, Jr."),
        ("\"Lee\"", "\"Lee\""),
        ("'-", "-"),
        ("N/A", "N/A"),
        ("", ""),
    ];
    let unicode = [("太郎", "太郎"), ("Łukasiewicz", "Łukasiewicz")];
    of(&plain, &unicode, system, chance)
}

/// A whole name, and its three parts.
pub(super) fn full_name(chance: &mut StdRng) -> (&'static str, [&'static str; 3]) {
    *one_of(
        &[
            ("Ann Mary Smith", ["Ann", "Mary", "Smith"]),
            ("Smith, Ann", ["Ann", "", "Smith"]),
            ("Dr. Ann Smith", ["Ann", "", "Smith"]),
            ("John Smith Jr.", ["John", "", "Smith Jr."]),
            ("Jan van der Berg", ["Jan", "", "van der Berg"]),
            ("María de la Cruz", ["María", "", "de la Cruz"]),
            ("Zoë", ["Zoë", "", ""]),
            ("  Ann \t Mary  Jo   Smith ", ["Ann", "Mary Jo", "Smith"]),
            ("D'Arcy O'Brien", ["D'Arcy", "", "O'Brien"]),
        ],
        chance,
    )
}

pub(super) fn organisation(chance: &mut StdRng) -> Cell {
    let text = *one_of(&["Öhm & Söhne GmbH", "Marsh, \"Sons\"; Ltd", "3M | Co"], chance);
    Cell::new(text, text)
}

/// Everything else that a column may hold.
pub(super) fn other(role: Role, n: usize, system: &System, chance: &mut StdRng) -> Cell {
    let nothing = *one_of(system.nothing, chance);
    if chance.random_ratio(1, 5) {
        return Cell::new(nothing, Json::Null);
    }
    match role {
        Role::Note => of(&NOTES, &[("日本語\n二行", "日本語\n二行")], system, chance),
        Role::Line1 | Role::Line2 => of(&LINES, &[], system, chance),
        Role::City => of(&CITIES, &[("東京", "東京")], system, chance),
        Role::State => of(
            &[("MA", "MA"), (" DE ", "DE"), ("Île-de-France", "Île-de-France")],
            &[],
            system,
            chance,
        ),
        Role::Postal => of(&POSTAL, &[], system, chance),
        Role::Country => of(&COUNTRIES, &[], system, chance),
        Role::Tags => tags(system, chance),
        Role::Flag => {
            let (text, value) = *one_of(&[("yes", true), ("no", false), ("TRUE", true), (" 0 ", false)], chance);
            Cell::new(text, value)
        }
        Role::Own(_) => Cell::new(
            format!("own {n}, \"of\";\tit|\nself"),
            format!("own {n}, \"of\";\tit|\nself"),
        ),
        _ => Cell::nothing(),
    }
}

const NOTES: [(&str, &str); 8] = [
    ("two\nlines", "two\nlines"),
    ("three\r\n\r\nlines", "three\r\n\r\nlines"),
    ("says \"hi\", twice; or | so", "says \"hi\", twice; or | so"),
    ("5\" pipe\tx", "5\" pipe\tx"),
    ("an old\rline", "an old\rline"),
    ("'=1+1", "=1+1"),
    ("n/a", "n/a"),
    ("\n blanks around \n", "blanks around"),
];

const LINES: [(&str, &str); 7] = [
    ("1 High St, Flat 2", "1 High St, Flat 2"),
    ("Markt 1; \"De Kat\"", "Markt 1; \"De Kat\""),
    ("12 High St\nFlat 3", "12 High St, Flat 3"),
    ("12 High St,\r\nFlat 3\r\n", "12 High St, Flat 3"),
    ("'5 Main St", "5 Main St"),
    ("  7 Öster Rd", "7 Öster Rd"),
    ("'s Gravesandestraat 9", "'s Gravesandestraat 9"),
];

const CITIES: [(&str, &str); 5] = [
    ("'s-Hertogenbosch", "'s-Hertogenbosch"),
    ("Dover", "Dover"),
    ("København", "København"),
    ("Zürich|Nord", "Zürich|Nord"),
    ("Saint Paul, Upper", "Saint Paul, Upper"),
];

const POSTAL: [(&str, &str); 5] = [
    ("'02134", "02134"),
    ("=\"02134\"", "02134"),
    ("5211 JV", "5211 JV"),
    ("02134-0001", "02134-0001"),
    (" 1010 ", "1010"),
];

const COUNTRIES: [(&str, &str); 11] = [
    ("US", "US"),
    ("us", "US"),
    ("United States", "US"),
    ("United States (US)", "US"),
    ("UK", "GB"),
    ("Netherlands", "NL"),
    ("South Korea", "KR"),
    ("Russia", "RU"),
    ("deu", "DE"),
    ("XK", "XK"),
    ("Côte d'Ivoire", "CI"),
];

fn tags(system: &System, chance: &mut StdRng) -> Cell {
    let sets: [&[&str]; 4] = [
        &["VIP", "two; words"],
        &["VIP", "vip", "VIP", "says \"hi\""],
        &["* myContacts", "Fair | spring"],
        &["new"],
    ];
    let set = *one_of(&sets, chance);
    let text = match system.tags {
        "" => {
            let quoted: Vec<String> = set.iter().map(|tag| json!(tag).to_string()).collect();
            quoted.join(",")
        }
        // A separator too many is no tag.
        between => format!("{}{between}{between}", set.join(between)),
    };
    Cell::new(text, json!(set))
}

/// A cell that nobody can read: where it stands, what is in it, and what has to be said of it.
pub(super) fn unreadable(system: &System, n: usize, chance: &mut StdRng) -> (Role, String, &'static str, &'static str) {
    let here: Vec<_> = UNREADABLE.iter().filter(|(role, ..)| system.has(*role)).collect();
    let (role, text, pointer, code) = **one_of(&here, chance);
    let text = text.replace("{n}", &n.to_string()).replace("{long}", &"x".repeat(256));
    (role, text, pointer, code)
}

const UNREADABLE: [(Role, &str, &str, &str); 25] = [
    // Thirteen digits, in a spreadsheet's exponents: every customer of the shop would be one.
    (Role::Reference, "7.21045E+12", "/reference", "inexact_number"),
    (Role::Reference, "7,21045E+12", "/reference", "inexact_number"),
    (Role::Email, "nobody at all", "/email", "invalid_email"),
    (Role::Email, "jo@localhost", "/email", "invalid_email"),
    (Role::Email, "Jo <jo@example.com>", "/email", "invalid_email"),
    (
        Role::Email,
        "n{n}@example.com, m{n}@example.com",
        "/email",
        "invalid_email",
    ),
    (
        Role::Email,
        "n{n}@example.com ::: m{n}@example.com",
        "/email",
        "invalid_email",
    ),
    (Role::Phone, "1.20256E+10", "/phone", "invalid_phone"),
    (Role::Phone, "2025550123.5", "/phone", "invalid_phone"),
    (Role::Phone, "555-0123", "/phone", "invalid_phone"),
    (Role::Phone, "n/a", "/phone", "invalid_phone"),
    (Role::Phone, "202-555-0123 privat", "/phone", "invalid_phone"),
    (Role::Phone, "+1 202 555 0123 ext. 5", "/phone", "invalid_phone"),
    (
        Role::Phone,
        "+1 202 555 0123 / +1 202 555 0124",
        "/phone",
        "invalid_phone",
    ),
    (
        Role::Phone,
        "+1 202 555 0123 ::: +1 202 555 0124",
        "/phone",
        "invalid_phone",
    ),
    (Role::Given, "Ann\nMary", "/given_name", "control_character"),
    (Role::Given, "An\u{7}n", "/given_name", "control_character"),
    (Role::Given, "{long}", "/given_name", "too_long"),
    (Role::Family, "Le\te", "/family_name", "control_character"),
    (
        Role::Postal,
        "021\n34",
        "/addresses/billing/postal_code",
        "control_character",
    ),
    (Role::Postal, "{long}", "/addresses/billing/postal_code", "too_long"),
    (
        Role::Country,
        "Atlantis",
        "/addresses/billing/country",
        "invalid_country",
    ),
    (Role::Country, "Korea", "/addresses/billing/country", "invalid_country"),
    (
        Role::City,
        "Do\u{1b}ver",
        "/addresses/billing/city",
        "control_character",
    ),
    (Role::Flag, "maybe", "/notifications/email", "invalid_type"),
];
