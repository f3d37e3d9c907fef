use upsert_settings::ImportMap;

use super::*;

fn columns(header: &[&str], map: &str) -> anyhow::Result<Columns> {
    let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    let map = ImportMap::read("map.toml", map).unwrap_or_else(|problems| panic!("{problems:#?}"));
    Columns::new(&header, Some(&map), false)
}

fn made(columns: &Columns, cells: &[&str]) -> Result<Made, Refused> {
    let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
    columns.made(&cells)
}

/// The code, and where and why first.
fn place(refused: &Refused) -> (&str, Option<&str>, Option<&str>) {
    let first = &refused.errors[0];
    (&refused.code, first.pointer.as_deref(), first.code.as_deref())
}

fn body(columns: &Columns, cells: &[&str]) -> Json {
    made(columns, cells).unwrap().body
}

#[test]
fn cells_go_to_their_fields_and_empty_ones_nowhere() {
    let header = [
        "Mail",
        "addresses.billing.line1",
        "/tags",
        "verified",
        "metadata.plan",
        "x",
    ];
    let map =
        "ignore = [\"x\"]\n[columns]\nMail = \"email\"\n[constants]\nsource = \"crm\"\n[defaults]\nverified = \"no\"\n";
    let columns = columns(&header, map).unwrap();
    assert_eq!(
        body(&columns, &["a@x.example", "1 Main St", "vip; new", "", "gold", "?"]),
        json!({ "email": "a@x.example", "addresses": { "billing": { "line1": "1 Main St" } }, "tags": ["vip", "new"],
            "verified": false, "metadata": { "plan": "gold" }, "source": "crm" })
    );
    assert_eq!(
        body(&columns, &["", "", "[\"a;b\"]", "yes"]),
        json!({ "tags": ["a;b"], "verified": true, "source": "crm" })
    );
    assert_eq!(columns.left_out, ["x"]);
}

#[test]
fn the_rules_of_a_webhook_source_read_a_row() {
    let header = [
        "First Name",
        "Full/Name",
        "Tags",
        "Phone 1",
        "Phone 2",
        "State",
        "Type",
        "Street",
        "Flat",
        "Note",
        "Rotor",
    ];
    let map = r#"
        empty = ["NULL", "N/A"]
        ignore = "*"
        [map]
        given_name = "First Name"
        family_name = { column = "Full/Name", part = "family_name" }
        tags = { column = "Tags", split = "," }
        phone = { from = ["Phone 1", "/Phone 2"] }
        status = { column = "State", values = { on = "active" }, default = "inactive" }
        organisation_name = { column = "Full/Name", when = { "Type" = ["company", "club"] } }
        email = { column = "First Name", transform = ["lower"], when = { Type = "mail" } }
        notes = { column = "Note", clear = true }
        source = { value = "shop" }
        [map.addresses.billing]
        line1 = { join = ["Street", "Flat"], with = ", " }
        [map.links]
        rotor = "Rotor"
    "#;
    let columns = columns(&header, map).unwrap();
    assert_eq!(
        body(
            &columns,
            &[
                "ANN",
                "Ann Smith",
                "a, b,c",
                "NULL",
                "'+12025550101",
                "on",
                "club",
                "1 High St",
                "",
                "N/A",
                "r-1"
            ]
        ),
        json!({ "given_name": "ANN", "family_name": "Smith", "tags": ["a", "b", "c"], "phone": "+12025550101",
            "status": "active", "organisation_name": "Ann Smith", "notes": null, "source": "shop",
            "addresses": { "billing": { "line1": "1 High St" } }, "links": { "rotor": "r-1" } })
    );
    assert_eq!(
        body(
            &columns,
            &["A@X.EXAMPLE", "", "", "1", "2", "off", "mail", "a", "b", "n"]
        ),
        json!({ "given_name": "A@X.EXAMPLE", "email": "a@x.example", "phone": "1", "status": "inactive", "notes": "n",
            "source": "shop", "addresses": { "billing": { "line1": "a, b" } } })
    );
}

#[test]
fn an_id_in_exponents_has_lost_its_digits_unless_a_guard_says_that_it_is_a_text() {
    let columns = columns(&["reference", "links.shop/1", "notes"], "").unwrap();
    for (cells, pointer) in [
        (["7.21045E+12", "", ""], "/reference"),
        (["7,21045E+12", "", ""], "/reference"),
        ([" 7.21045E+12 ", "", ""], "/reference"),
        (["1", "1E+5", ""], "/links/shop~11"),
        (["1", "1E+5", "'2E+5"], "/links/shop~11"),
    ] {
        let refused = made(&columns, &cells).unwrap_err();
        assert_eq!(
            place(&refused),
            ("validation_failed", Some(pointer), Some("inexact_number")),
            "{cells:?}"
        );
    }
    assert_eq!(
        body(&columns, &["'7.21045E+12", "=\"1E+5\"", "2E+5"]),
        json!({ "reference": "7.21045E+12", "links": { "shop/1": "1E+5" }, "notes": "2E+5" })
    );
    assert_eq!(
        body(&columns, &["12345e67", "", ""]),
        json!({ "reference": "12345e67" })
    );
}

#[test]
fn guards_are_counted_and_a_name_keeps_its_apostrophe() {
    let columns = columns(&["reference", "phone", "given_name", "addresses.billing.city"], "").unwrap();
    let made = made(&columns, &["'0123", "=\"0401\"", "'=x", "'s-Hertogenbosch"]).unwrap();
    assert_eq!(
        (made.changed.guards, made.body),
        (
            3,
            json!({ "reference": "0123", "phone": "0401", "given_name": "=x",
            "addresses": { "billing": { "city": "'s-Hertogenbosch" } } })
        )
    );
}

#[test]
fn a_row_of_another_length_never_puts_a_cell_into_a_wrong_column() {
    let columns = columns(&["reference", "email", "phone"], "").unwrap();
    assert_eq!(body(&columns, &["R"]), json!({ "reference": "R" }));
    let refused = made(&columns, &["R", "a", "b", ""]).unwrap_err();
    assert_eq!(refused.code, "too_many_cells");
    let detail = refused.errors[0].detail.as_deref();
    assert_eq!(detail, Some("4 cells, and the header names 3 columns"));
    for empty in [&["", " ", ""][..], &[""], &["", ""]] {
        assert_eq!(made(&columns, empty).unwrap_err().code, "empty_row");
    }
}

#[test]
fn columns_without_a_name_may_be_there_as_long_as_they_are_empty() {
    let columns = columns(&["email", "", ""], "").unwrap();
    assert_eq!(body(&columns, &["a", "", " "]), json!({ "email": "a" }));
    assert_eq!(
        made(&columns, &["a", "", "x"]).unwrap_err().code,
        "column_without_a_name"
    );
}

#[test]
fn a_shifted_row_is_told_though_the_map_ignores_what_it_does_not_name() {
    let columns = columns(&["email", "x", ""], "ignore = \"*\"\nemail = \"email\"\n").unwrap();
    assert_eq!(body(&columns, &["a", "x", ""]), json!({ "email": "a" }));
    assert_eq!(
        made(&columns, &["a", "x", "y"]).unwrap_err().code,
        "column_without_a_name"
    );
    assert_eq!(columns.left_out, ["x"]);
}

#[test]
fn a_flag_that_is_none_and_json_that_is_none_are_told() {
    let columns = columns(&["verified", "metadata", "tags"], "").unwrap();
    for (text, flag) in [
        ("Yes", json!(true)),
        ("0", json!(false)),
        ("maybe", json!("maybe")),
        (" TRUE ", json!(true)),
    ] {
        assert_eq!(body(&columns, &[text])["verified"], flag);
    }
    let refused = made(&columns, &["", "{", ""]).unwrap_err();
    assert_eq!(
        place(&refused),
        ("malformed_json", Some("/metadata"), Some("malformed_json"))
    );
    for (text, tags) in [
        ("\"VIP\",\"a; b\"", json!(["VIP", "a; b"])),
        ("\"half", json!(["\"half"])),
        ("a;;b ", json!(["a", "b"])),
    ] {
        assert_eq!(body(&columns, &["", "", text])["tags"], tags);
    }
}

#[test]
fn what_a_rule_cannot_read_is_refused_with_its_column_or_left_out_where_that_is_asked_for() {
    let map = "[map]\nreference = { column = \"No\", values = { a = \"A\" } }\nstatus = { column = \"On/Off\", values = { on = \"active\" } }\n\
               notes = { column = \"N\", required = true }\n";
    let header: Vec<String> = ["No", "On/Off", "N"].map(str::to_owned).to_vec();
    let map = ImportMap::read("map.toml", map).unwrap();
    let cells = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    let strict = Columns::new(&header, Some(&map), false).unwrap();
    let refused = strict.made(&cells(["a", "secret", "n"])).unwrap_err();
    let (code, _, wrong) = place(&refused);
    assert_eq!(
        (code, refused.errors[0].column.as_deref(), wrong),
        ("validation_failed", Some("On/Off"), Some("unknown_value"))
    );
    assert!(!json!(refused).to_string().contains("secret"));
    let lenient = Columns::new(&header, Some(&map), true).unwrap();
    let made = lenient.made(&cells(["a", "?", "n"])).unwrap();
    assert_eq!(
        (made.body, made.changed.ignored),
        (
            json!({ "reference": "A", "notes": "n" }),
            vec!["unknown_value".to_owned()]
        )
    );
    for never in [["b", "on", "n"], ["a", "on", ""]] {
        assert_eq!(
            lenient.made(&cells(never)).unwrap_err().code,
            "validation_failed",
            "{never:?}"
        );
    }
}

#[test]
fn an_email_or_a_phone_that_a_rule_cannot_read_refuses_the_row_since_the_gateway_would_not_know_of_it() {
    let header: Vec<String> = ["No", "Mail", "Tel"].map(str::to_owned).to_vec();
    for member in ["email", "phone"] {
        let map = format!(
            "[map]\nreference = {{ column = \"No\" }}\n{member} = {{ column = \"Mail\", values = {{ one = \"a@x.example\" }} }}\n\
             notes = {{ column = \"Tel\" }}\n"
        );
        let map = ImportMap::read("map.toml", &map).unwrap();
        let lenient = Columns::new(&header, Some(&map), true).unwrap();
        assert!(lenient.made(&["r", "one", "n"].map(str::to_owned)).is_ok());
        let refused = lenient.made(&["r", "two", "n"].map(str::to_owned)).unwrap_err();
        assert_eq!(
            place(&refused),
            (
                "validation_failed",
                Some(format!("/{member}").as_str()),
                Some("unknown_value")
            )
        );
    }
}

fn wrong(header: &[&str], map: &str) -> String {
    columns(header, map).unwrap_err().to_string()
}

#[test]
fn a_name_that_is_no_column_or_no_field_is_told_with_its_line_and_what_was_meant() {
    let told = wrong(
        &["First Name", "Mail"],
        "[map]\ngiven_name = \"Frist Name\"\nemail = { column = \"mail\" }\n",
    );
    assert_eq!(
        told,
        "map.toml:2:14: map.given_name: the file has no column `Frist Name` (did you mean `First Name`?)\n\
         map.toml:3:20: map.email.column: the file has no column `mail` (did you mean `Mail`?)"
    );
    let told = wrong(&["A"], "[columns]\nA = \"emial\"\n[constants]\nsorce = \"x\"\n");
    assert!(
        told.contains("map.toml:2") && told.contains("did you mean `email`?"),
        "{told}"
    );
    assert!(
        told.contains("map.toml:4") && told.contains("did you mean `source`?"),
        "{told}"
    );
    let told = wrong(&["A"], "optional = [\"B\"]\nemail = \"A\"\n");
    assert!(told.contains("no rule uses the column `B`"), "{told}");
    let told = wrong(&["X"], "optional = [\"B\"]\nemail = \"B\"\n");
    assert!(told.contains("none of the columns that the map names"), "{told}");
    let told = wrong(&["email", "Mail", "Mail"], "email = \"Mail\"\n");
    assert!(told.contains("named `Mail`") || told.contains("two columns"), "{told}");
    assert!(wrong(&["email", "/email"], "").contains("two columns are `email`"));
    assert!(wrong(&["email", "fisrt_name", "version"], "").contains("`fisrt_name`"));
}

#[test]
fn a_column_that_some_files_lack_may_be_missing() {
    let map = "optional = [\"Phone 2\"]\nphone = [\"x\"]\n";
    assert!(ImportMap::read("map.toml", map).is_err(), "a list is no rule");
    let map = "optional = [\"Phone 2\"]\nphone = { column = [\"Phone 1\", \"Phone 2\"] }\n";
    let one = columns(&["Phone 1"], map).unwrap();
    assert_eq!(body(&one, &["1"]), json!({ "phone": "1" }));
    let two = columns(&["Phone\n 1", "Phone 2"], map).unwrap();
    assert_eq!(body(&two, &["", "2"]), json!({ "phone": "2" }));
}
