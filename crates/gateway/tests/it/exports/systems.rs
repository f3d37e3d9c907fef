//! The six systems whose exports have a map in `config/imports/`: which column is what, and how the file is written.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Reference,
    Email,
    Phone,
    /// Where the phone may stand too: the first that says something counts.
    OtherPhone,
    Given,
    Family,
    /// First, middle and last name in one.
    FullName,
    Organisation,
    Note,
    Line1,
    Line2,
    City,
    State,
    Postal,
    Country,
    Tags,
    Flag,
    /// A text of the system's own, by this name under `metadata`.
    Own(&'static str),
}

/// How its text becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf8WithMark,
    Utf16Le,
    Utf16Be,
    /// No mark says so: `--encoding` does.
    Windows1252,
}

/// A system, and a way in which its exports reach us.
#[derive(Debug)]
pub(super) struct System {
    /// Of its map and its small file.
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) delimiter: char,
    /// Whether a line `sep=…` comes before the header.
    pub(super) says_delimiter: bool,
    pub(super) encoding: Encoding,
    pub(super) line_end: &'static str,
    /// Whether every cell stands in quotes.
    pub(super) quotes_all: bool,
    /// Whether the header ends in a delimiter: one more column, without a name.
    pub(super) has_nameless: bool,
    pub(super) columns: &'static [(Role, &'static str)],
    /// Columns that nobody asks for, and that hold what would do harm in any other.
    pub(super) unread: &'static [&'static str],
    /// What separates tags in a cell: `, ` or ` ::: `; quotes around each where it is empty.
    pub(super) tags: &'static str,
    /// What stands where nothing is known, beside nothing at all.
    pub(super) nothing: &'static [&'static str],
}

impl System {
    pub(super) fn has(&self, role: Role) -> bool {
        self.columns.iter().any(|(other, _)| *other == role)
    }

    /// Whether every row has an id of the system's own. Square's may be empty.
    pub(super) fn always_has_reference(&self) -> bool {
        self.has(Role::Reference) && self.name != "square"
    }

    /// Whether the encoding has every character.
    pub(super) fn is_unicode(&self) -> bool {
        self.encoding != Encoding::Windows1252
    }

    pub(super) fn named(name: &str) -> &'static Self {
        let found = SYSTEMS.iter().find(|system| system.name == name);
        found.unwrap_or_else(|| panic!("there is no map for {name}"))
    }
}

const PLAIN: System = System {
    name: "",
    source: "",
    delimiter: ',',
    says_delimiter: false,
    encoding: Encoding::Utf8,
    line_end: "\r\n",
    quotes_all: false,
    has_nameless: false,
    columns: &[],
    unread: &[],
    tags: "",
    nothing: &[""],
};

pub(super) static SYSTEMS: [System; 6] = [
    // As the admin writes it, opened in a spreadsheet and saved as Unicode text.
    System {
        name: "shopify",
        source: "shopify",
        encoding: Encoding::Utf16Be,
        tags: ", ",
        unread: &["Total Spent", "Total Orders"],
        columns: &[
            (Role::Reference, "Customer ID"),
            (Role::Email, "Email"),
            (Role::Phone, "Phone"),
            (Role::OtherPhone, "Default Address Phone"),
            (Role::Given, "First Name"),
            (Role::Family, "Last Name"),
            (Role::Organisation, "Default Address Company"),
            (Role::Note, "Note"),
            (Role::Tags, "Tags"),
            (Role::Flag, "Accepts Email Marketing"),
            (Role::Line1, "Default Address Address1"),
            (Role::Line2, "Default Address Address2"),
            (Role::City, "Default Address City"),
            (Role::State, "Default Address Province Code"),
            (Role::Postal, "Default Address Zip"),
            (Role::Country, "Default Address Country Code"),
            (Role::Own("tax_exempt"), "Tax Exempt"),
        ],
        ..PLAIN
    },
    // Lines of an old Mac, columns of a mainframe.
    System {
        name: "stripe",
        source: "stripe",
        delimiter: '|',
        line_end: "\r",
        unread: &["Card Name", "Plan"],
        columns: &[
            (Role::Reference, "id"),
            (Role::Email, "Email"),
            (Role::FullName, "Name"),
            (Role::Note, "Description"),
            (Role::Line1, "Card Address Line1"),
            (Role::Line2, "Card Address Line2"),
            (Role::City, "Card Address City"),
            (Role::State, "Card Address State"),
            (Role::Postal, "Card Address Zip"),
            (Role::Country, "Card Address Country"),
            (Role::Own("delinquent"), "Delinquent"),
        ],
        ..PLAIN
    },
    System {
        name: "hubspot",
        source: "hubspot",
        delimiter: '\t',
        encoding: Encoding::Utf16Le,
        has_nameless: true,
        nothing: &["", "(No value)"],
        unread: &["Contact owner", "Job Title"],
        columns: &[
            (Role::Reference, "Record ID"),
            (Role::Email, "Email"),
            (Role::Phone, "Mobile Phone Number"),
            (Role::OtherPhone, "Phone Number"),
            (Role::Given, "First Name"),
            (Role::Family, "Last Name"),
            (Role::Organisation, "Company Name"),
            (Role::Line1, "Street Address"),
            (Role::City, "City"),
            (Role::State, "State/Region"),
            (Role::Postal, "Postal Code"),
            (Role::Country, "Country/Region"),
            (Role::Own("lead_status"), "Lead Status"),
            (Role::Own("lifecycle_stage"), "Lifecycle Stage"),
        ],
        ..PLAIN
    },
    System {
        name: "mailchimp",
        source: "mailchimp",
        encoding: Encoding::Utf8WithMark,
        line_end: "\n",
        quotes_all: true,
        unread: &["Birthday", "MEMBER_RATING", "CC"],
        columns: &[
            (Role::Email, "Email Address"),
            (Role::Phone, "Phone Number"),
            (Role::Given, "First Name"),
            (Role::Family, "Last Name"),
            (Role::Note, "NOTES"),
            (Role::Tags, "TAGS"),
            (Role::Own("mailchimp_address"), "Address"),
            (Role::Own("mailchimp_id"), "LEID"),
        ],
        ..PLAIN
    },
    // A spreadsheet of a country that writes 1,5.
    System {
        name: "square",
        source: "square",
        delimiter: ';',
        says_delimiter: true,
        encoding: Encoding::Windows1252,
        unread: &["Nickname", "Birthday"],
        columns: &[
            (Role::Reference, "Reference ID"),
            (Role::Email, "Email Address"),
            (Role::Phone, "Phone Number"),
            (Role::Given, "First Name"),
            (Role::Family, "Last Name"),
            (Role::Organisation, "Company Name"),
            (Role::Note, "Memo"),
            (Role::Line1, "Street Address 1"),
            (Role::Line2, "Street Address 2"),
            (Role::City, "City"),
            (Role::State, "State"),
            (Role::Postal, "Postal Code"),
            (Role::Own("square_customer_id"), "Square Customer ID"),
            (Role::Own("square_email_status"), "Email Subscription Status"),
        ],
        ..PLAIN
    },
    System {
        name: "google-contacts",
        source: "google",
        line_end: "\n",
        tags: " ::: ",
        unread: &["Nickname", "Organization Title"],
        columns: &[
            (Role::Email, "E-mail 1 - Value"),
            (Role::Phone, "Phone 1 - Value"),
            (Role::Given, "First Name"),
            (Role::Family, "Last Name"),
            (Role::Organisation, "Organization Name"),
            (Role::Note, "Notes"),
            (Role::Tags, "Labels"),
            (Role::Line1, "Address 1 - Street"),
            (Role::Line2, "Address 1 - Extended Address"),
            (Role::City, "Address 1 - City"),
            (Role::State, "Address 1 - Region"),
            (Role::Postal, "Address 1 - Postal Code"),
            (Role::Country, "Address 1 - Country"),
        ],
        ..PLAIN
    },
];
