use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::customer::Customer;

fn strict(body: &Json, region: Option<&str>) -> Result<CustomerPatch, Vec<Problem>> {
    canonicalise(body, &Terms::strict(region)).map(|canonical| canonical.patch)
}

fn codes(body: &Json) -> Vec<(String, String)> {
    strict(body, Some("US"))
        .unwrap_err()
        .into_iter()
        .map(|p| (p.pointer, p.code))
        .collect()
}

#[test]
fn every_problem_of_a_body_is_reported_at_once_with_its_pointer() {
    let body = json!({
        "email": "nobody", "phone": 5, "given_nmae": "Jo", "addresses": { "billing": { "country": "Atlantis", "zip": "1" } },
        "tags": ["a", 1], "metadata": { "a": { } }, "verified": "yes", "status": "asleep", "service": 3, "id": "x",
        "provider_fields": { "april": 1 }
    });
    let found = codes(&body);
    let expected = [
        ("/email", "invalid_email"),
        ("/phone", "invalid_type"),
        ("/given_nmae", "unknown_field"),
        ("/addresses/billing/country", "invalid_country"),
        ("/addresses/billing/zip", "unknown_field"),
        ("/tags/1", "invalid_type"),
        ("/metadata/a", "invalid_type"),
        ("/verified", "invalid_type"),
        ("/status", "invalid_value"),
        ("/service", "invalid_type"),
        ("/id", "invalid_id"),
        ("/provider_fields/april", "invalid_type"),
    ];
    for (pointer, code) in expected {
        assert!(
            found.contains(&(pointer.to_owned(), code.to_owned())),
            "{pointer} {code} not in {found:?}"
        );
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn a_misspelt_field_is_refused_with_the_nearest_name() {
    let problems = strict(&json!({ "email": "a@b.co", "given_nmae": "x" }), None).unwrap_err();
    assert_eq!(problems[0].detail, "is not known; did you mean /given_name?");
    let detail = |body: Json| strict(&body, None).unwrap_err()[0].detail.clone();
    assert_eq!(
        detail(json!({ "email": "a@b.co", "zzzzzzzzzzzz": "x" })),
        "is not known"
    );
    let long = detail(json!({ "email": "a@b.co", "addresses": { "billing": { "postal_number": "x" } } }));
    assert_eq!(long, "is not known; did you mean /addresses/billing/postal_code?");
}

#[test]
fn null_says_nothing_of_what_is_no_field() {
    let read = strict(
        &json!({ "email": "a@b.co", "id": null, "tags_removed": null, "links": null }),
        None,
    )
    .unwrap();
    assert!(read.id.is_none() && read.tags_removed.is_empty() && read.links.is_empty());
    let id = "cus_01JD0000000000000000000000";
    let read = strict(&json!({ "id": format!(" {id}") }), None).unwrap();
    assert_eq!(read.id.unwrap().to_string(), id);
    assert_eq!(
        (Handling::Strict.as_str(), Handling::Lenient.as_str()),
        ("strict", "lenient")
    );
    assert_eq!(json!(Handling::Lenient), "lenient");
}

#[test]
fn a_body_without_any_identifier_is_refused() {
    assert_eq!(
        codes(&json!({ "given_name": "Jo" })),
        [(String::new(), "identifier_missing".to_owned())]
    );
    assert_eq!(
        codes(&json!({ "email": null, "given_name": "Jo" }))[0].1,
        "identifier_missing"
    );
}

#[test]
fn null_clears_absent_keeps_and_a_value_sets() {
    let first = json!({ "reference": "r", "given_name": "A", "family_name": "B", "tags": ["x", "y"],
        "metadata": { "a": "1", "b": "2" }, "addresses": { "billing": { "line1": "1", "city": "C" } } });
    let record = Customer::default().merged(&strict(&first, None).unwrap());
    let second = json!({ "reference": "r", "given_name": null, "tags": ["z"], "tags_removed": ["x"],
        "metadata": { "a": null, "c": "3" }, "addresses": { "billing": { "city": null } } });
    let record = record.merged(&strict(&second, None).unwrap());
    assert_eq!(
        Json::Object(record.to_json(false)),
        json!({ "reference": "r", "kind": "person", "family_name": "B", "tags": ["y", "z"],
            "metadata": { "b": "2", "c": "3" }, "addresses": { "billing": { "line1": "1" } } })
    );
}

#[test]
fn null_in_the_place_of_a_group_clears_all_of_it_and_nothing_else() {
    let record = Customer::default().merged(
        &strict(
            &json!({ "reference": "r", "service": { "type": "garden", "frequency": "weekly" },
                "addresses": { "billing": { "city": "C" }, "property": { "line1": "1", "city": "D" } } }),
            None,
        )
        .unwrap(),
    );
    let after = |change: Json| {
        let record = record.merged(&strict(&change, None).unwrap());
        Json::Object(record.to_json(false))
    };
    let (service, property) = (
        json!({ "type": "garden", "frequency": "weekly" }),
        json!({ "line1": "1", "city": "D" }),
    );
    assert_eq!(
        after(json!({ "reference": "r", "service": null })),
        json!({ "reference": "r", "kind": "person", "addresses": { "billing": { "city": "C" }, "property": property } })
    );
    assert_eq!(
        after(json!({ "reference": "r", "addresses": { "billing": null } })),
        json!({ "reference": "r", "kind": "person", "service": service, "addresses": { "property": property } })
    );
    assert_eq!(
        after(json!({ "reference": "r", "addresses": null })),
        json!({ "reference": "r", "kind": "person", "service": service })
    );
}

#[test]
fn a_patch_sets_the_identifiers_that_it_gives() {
    let read = strict(&json!({ "reference": "r", "email": "A@b.co", "phone": null }), None).unwrap();
    let given = IdentifierKind::all().map(|kind| read.identifier(kind).map(|it| (it.kind, it.value)));
    let set = |kind, value: &str| Some((kind, value.to_owned()));
    for (kind, given) in IdentifierKind::all().zip(given) {
        let expected = match kind {
            IdentifierKind::Reference => set(kind, "r"),
            IdentifierKind::Email => set(kind, "a@b.co"),
            IdentifierKind::Phone => None,
        };
        assert_eq!(given, expected, "{kind:?}");
    }
}

#[test]
fn only_an_organisations_name_makes_a_new_customer_an_organisation() {
    let kind = |body: Json| {
        Customer::default()
            .merged(&strict(&body, None).unwrap())
            .kind()
            .as_str()
    };
    assert_eq!(
        kind(json!({ "reference": "r", "organisation_name": "X" })),
        "organisation"
    );
    assert_eq!(
        kind(json!({ "reference": "r", "organisation_name": "X", "given_name": "Y" })),
        "person"
    );
    assert_eq!(kind(json!({ "reference": "r" })), "person");
}

/// Terms that leave out what may be left out.
fn lenient(region: Option<&str>) -> Terms<'_> {
    Terms {
        handling: Handling::Lenient,
        ..Terms::strict(region)
    }
}

fn leniently(body: &Json) -> Result<Canonical, Vec<(String, String)>> {
    let read = canonicalise(body, &lenient(Some("US")));
    read.map_err(|problems| problems.into_iter().map(|p| (p.pointer, p.code)).collect())
}

fn ignored(body: &Json) -> Vec<(String, String)> {
    let read = leniently(body).unwrap_or_else(|problems| panic!("{body}: {problems:?}"));
    read.ignored
        .into_iter()
        .map(|ignored| (ignored.pointer, ignored.code))
        .collect()
}

#[test]
fn lenient_handling_leaves_out_what_cannot_be_read_and_says_so() {
    for (member, value, pointer, code) in [
        ("email", json!("garbage"), "/email", "invalid_email"),
        ("phone", json!("555-0123"), "/phone", "invalid_phone"),
        ("phone", json!(5), "/phone", "invalid_type"),
        ("verified", json!("yes"), "/verified", "invalid_type"),
        ("status", json!("asleep"), "/status", "invalid_value"),
        (
            "addresses",
            json!({ "billing": { "country": "Atlantis" } }),
            "/addresses/billing/country",
            "invalid_country",
        ),
        (
            "addresses",
            json!({ "billing": "Main St" }),
            "/addresses/billing",
            "invalid_type",
        ),
        ("addresses", json!(["Main St"]), "/addresses", "invalid_type"),
        ("service", json!(3), "/service", "invalid_type"),
        ("notes", json!("x".repeat(10_001)), "/notes", "too_long"),
        ("notes", json!("a\u{7}b"), "/notes", "control_character"),
        ("tags", json!("vip"), "/tags", "invalid_type"),
        ("tags", json!(["vip", 1]), "/tags/1", "invalid_type"),
        ("metadata", json!({ "plan": 1 }), "/metadata/plan", "invalid_type"),
        ("metadata", json!("gold"), "/metadata", "invalid_type"),
        ("tags_removed", json!([1]), "/tags_removed/0", "invalid_type"),
        (
            "provider_fields",
            json!({ "april": 1 }),
            "/provider_fields/april",
            "invalid_type",
        ),
        ("provider_fields", json!(null), "/provider_fields", "invalid_value"),
        ("given_name", json!("Ann\nMary"), "/given_name", "control_character"),
        ("phone", json!("+1 202 555 0123 ext. 5"), "/phone", "invalid_phone"),
    ] {
        let mut body = json!({ "reference": "r", "family_name": "Smith" });
        body[member] = value;
        assert_eq!(ignored(&body), [(pointer.to_owned(), code.to_owned())], "{body}");
        assert_eq!(codes(&body)[0], (pointer.to_owned(), code.to_owned()), "{body}");
        let read = leniently(&body).unwrap().patch;
        assert_eq!(read.text(Field::FamilyName), Some("Smith"), "{body}");
    }
}

#[test]
fn what_can_be_read_of_a_member_counts_where_the_rest_is_left_out() {
    let body = json!({ "reference": "r", "phone": "+1 202 555 0123 ext. 5", "given_name": "Ann\r\nMary", "tags": ["vip", 1, "a\nb"],
        "metadata": { "plan": 1, "tier": "gold" } });
    let read = leniently(&body).unwrap().patch;
    assert_eq!(read.text(Field::Phone), Some("+12025550123"));
    assert_eq!(read.text(Field::GivenName), Some("Ann Mary"));
    let tags = ["a b", "vip"].map(str::to_owned).into();
    assert_eq!(read.fields[&Field::Tags], Patch::Set(Value::Tags(tags)));
    assert_eq!(
        read.metadata,
        Some(Patch::Set(BTreeMap::from([(
            "tier".to_owned(),
            Patch::Set("gold".to_owned())
        )])))
    );
}

#[test]
fn a_blank_text_says_nothing_in_lenient_handling_and_is_empty_in_strict() {
    for blank in ["", " ", "\t", "\u{a0}", "\u{200b}", "\n"] {
        for member in ["email", "phone", "given_name", "notes", "status", "reference", "kind"] {
            let mut body = json!({ "email": "a@b.co", "phone": "(202) 555-0123" });
            body[member] = json!(blank);
            assert_eq!(
                codes(&body),
                [(format!("/{member}"), "empty".to_owned())],
                "{member} {blank:?}"
            );
            assert_eq!(ignored(&body), [], "{member} {blank:?}");
        }
        let nested = json!({ "reference": "r", "addresses": { "billing": { "country": blank, "line1": blank } }, "metadata": { "a": blank }, "tags": [blank] });
        assert_eq!(codes(&nested).len(), 4);
        assert_eq!(ignored(&nested), []);
    }
}

#[test]
fn what_says_who_it_is_is_never_left_out() {
    for (body, pointer) in [
        (json!({ "reference": 5, "email": "a@b.co" }), "/reference"),
        (json!({ "reference": "a\nb", "email": "a@b.co" }), "/reference"),
        (json!({ "reference": "r".repeat(256), "email": "a@b.co" }), "/reference"),
        (json!({ "id": "x", "email": "a@b.co" }), "/id"),
        (json!({ "id": 5, "email": "a@b.co" }), "/id"),
        (json!({ "kind": "robot", "email": "a@b.co" }), "/kind"),
        (json!({ "kind": null, "email": "a@b.co" }), "/kind"),
        (json!({ "links": "x", "email": "a@b.co" }), "/links"),
        (json!({ "links": { "rotor": 5 }, "email": "a@b.co" }), "/links/rotor"),
        (json!({ "links": { "rotor": " " }, "email": "a@b.co" }), "/links/rotor"),
        (json!({ "given_nmae": "Jo", "email": "a@b.co" }), "/given_nmae"),
        (
            json!({ "addresses": { "billing": { "zip": "1" } }, "email": "a@b.co" }),
            "/addresses/billing/zip",
        ),
        (
            json!({ "tags": ["a"], "tags_removed": ["a"], "email": "a@b.co" }),
            "/tags_removed",
        ),
    ] {
        let problems = leniently(&body).unwrap_err();
        assert_eq!(problems.len(), 1, "{body}: {problems:?}");
        assert_eq!(problems[0].0, pointer, "{body}");
    }
}

#[test]
fn an_identifier_that_cannot_be_read_is_another_value_and_not_an_absent_one() {
    let phone = "(202) 555-0123";
    for body in [
        json!({ "email": "garbage", "phone": phone }),
        json!({ "email": 5, "phone": phone }),
        json!({ "email": "a@b", "phone": phone, "id": null }),
        json!({ "email": "a@b", "phone": phone, "reference": "" }),
        json!({ "email": "garbage" }),
        json!({ "phone": "555-0123" }),
        json!({ "email": "", "phone": "555-0123" }),
        json!({ "email": null, "phone": "555-0123" }),
        json!({ "email": "garbage", "phone": "555-0123" }),
        json!({ "email": "garbage", "phone": "9999999999" }),
    ] {
        let problems = leniently(&body).unwrap_err();
        assert!(
            problems
                .iter()
                .all(|(pointer, _)| pointer == "/email" || pointer == "/phone"),
            "{body}: {problems:?}"
        );
    }
    for body in [
        json!({ "email": "garbage", "phone": phone, "reference": "r" }),
        json!({ "email": "garbage", "phone": phone, "id": "cus_01JD0000000000000000000000" }),
        json!({ "email": "a@b.co", "phone": "555-0123" }),
        json!({ "email": "a@b.co", "phone": 5 }),
    ] {
        assert_eq!(ignored(&body).len(), 1, "{body}");
    }
    let read = leniently(&json!({ "email": "garbage", "phone": phone, "reference": "r" }))
        .unwrap()
        .patch;
    assert_eq!(read.unreadable, BTreeSet::from([IdentifierKind::Email]));
    // What was left out before, as a source's mapping does, is noted in the same place.
    let mut noted = leniently(&json!({ "phone": phone, "reference": "r" })).unwrap().patch;
    for pointer in ["/email", "/phone", "/notes"] {
        noted.note_unreadable(pointer);
    }
    assert_eq!(
        noted.unreadable,
        BTreeSet::from([IdentifierKind::Email]),
        "the phone is there"
    );
    // What is not there, and what was read but for an extension, is not unreadable.
    for body in [
        json!({ "email": "a@b.co" }),
        json!({ "email": "a@b.co", "phone": format!("{phone} x5") }),
    ] {
        assert_eq!(leniently(&body).unwrap().patch.unreadable, BTreeSet::new(), "{body}");
    }
    let phone_first = Terms {
        match_on: &[IdentifierKind::Phone, IdentifierKind::Email],
        ..lenient(Some("US"))
    };
    assert!(canonicalise(&json!({ "email": "garbage", "phone": phone }), &phone_first).is_ok());
    assert!(canonicalise(&json!({ "email": "a@b.co", "phone": "555-0123" }), &phone_first).is_err());
}

#[test]
fn what_a_route_asks_for_is_never_left_out() {
    let needed = BTreeSet::from([Field::BillingCountry, Field::Tags, Field::Status]);
    let terms = Terms {
        needed: &needed,
        ..lenient(Some("US"))
    };
    for (body, pointer) in [
        (
            json!({ "reference": "r", "addresses": { "billing": { "country": "Atlantis" } } }),
            "/addresses/billing/country",
        ),
        (
            json!({ "reference": "r", "addresses": { "billing": 5 } }),
            "/addresses/billing",
        ),
        (json!({ "reference": "r", "addresses": 5 }), "/addresses"),
        (json!({ "reference": "r", "tags": [5] }), "/tags/0"),
        (json!({ "reference": "r", "status": "asleep" }), "/status"),
    ] {
        assert_eq!(canonicalise(&body, &terms).unwrap_err()[0].pointer, pointer);
        assert!(leniently(&body).is_ok(), "{body}");
    }
    assert!(
        canonicalise(
            &json!({ "reference": "r", "addresses": { "property": { "country": "Atlantis" } } }),
            &terms
        )
        .is_ok()
    );
}

#[test]
fn a_value_that_recognises_nobody_is_no_identifier() {
    for (body, pointer) in [
        (json!({ "phone": "9999999999" }), "/phone"),
        (json!({ "phone": "+1234567890", "given_name": "Jo" }), "/phone"),
        (json!({ "phone": "000-000-0000", "email": null }), "/phone"),
    ] {
        assert_eq!(
            codes(&body),
            [(pointer.to_owned(), "identifier_missing".to_owned())],
            "{body}"
        );
    }
    assert!(strict(&json!({ "phone": "9999999999", "email": "a@b.co" }), Some("US")).is_ok());
    assert!(strict(&json!({ "phone": "+1234567890", "reference": "r" }), Some("US")).is_ok());
}

#[test]
fn a_line_break_in_an_address_becomes_a_comma_and_in_names_and_ids_it_is_refused() {
    let body = json!({ "reference": "r", "addresses": { "billing": { "line1": "12 High St\nFlat 3", "line2": "Door B\r\nleft" } } });
    let read = strict(&body, None).unwrap();
    assert_eq!(read.text(Field::BillingLine1), Some("12 High St, Flat 3"));
    assert_eq!(read.text(Field::BillingLine2), Some("Door B, left"));
    for member in [
        "given_name",
        "middle_name",
        "family_name",
        "organisation_name",
        "reference",
        "tax_id",
        "source",
    ] {
        let mut body = json!({ "email": "a@b.co" });
        body[member] = json!("a\nb");
        assert_eq!(codes(&body), [(format!("/{member}"), "control_character".to_owned())]);
    }
}

#[test]
fn bounds_are_counted_in_what_is_kept() {
    let tags = |count: usize| (0..count).map(|n| format!("t{n}")).collect::<Vec<_>>();
    assert!(strict(&json!({ "reference": "r", "tags": tags(1_000) }), None).is_ok());
    assert_eq!(
        codes(&json!({ "reference": "r", "tags": tags(1_001) })),
        [("/tags".to_owned(), "too_many".to_owned())]
    );
    assert_eq!(
        ignored(&json!({ "reference": "r", "tags": tags(1_001) })),
        [("/tags".to_owned(), "too_many".to_owned())]
    );
    let metadata = |count: usize| {
        (0..count)
            .map(|n| (format!("m{n}"), json!("v")))
            .collect::<Map<String, Json>>()
    };
    assert!(strict(&json!({ "reference": "r", "metadata": metadata(100) }), None).is_ok());
    assert_eq!(
        codes(&json!({ "reference": "r", "metadata": metadata(101) })),
        [("/metadata".to_owned(), "too_many".to_owned())]
    );
    for (member, most) in [
        ("reference", 255),
        ("given_name", 255),
        ("tax_id", 64),
        ("notes", 10_000),
    ] {
        let mut body = json!({ "email": "a@b.co", member: "x".repeat(most) });
        assert!(strict(&body, None).is_ok(), "{member}");
        body[member] = json!("x".repeat(most + 1));
        assert_eq!(codes(&body), [(format!("/{member}"), "too_long".to_owned())]);
    }
    let same = json!({ "reference": "r", "metadata": { "plan": "a", " plan": "b" } });
    assert_eq!(codes(&same)[0].1, "contradiction");
    assert_eq!(ignored(&same)[0].1, "contradiction");
}

#[test]
fn a_blank_text_says_nothing_whatever_the_member_holds() {
    for member in [
        "id",
        "verified",
        "tags",
        "metadata",
        "addresses",
        "service",
        "links",
        "provider_fields",
        "tags_removed",
    ] {
        let mut body = json!({ "email": "a@b.co" });
        body[member] = json!(" ");
        assert!(strict(&body, None).is_err(), "{member}");
        let read = leniently(&body).unwrap_or_else(|problems| panic!("{member}: {problems:?}"));
        assert_eq!((read.ignored, read.patch.fields.len()), (Vec::new(), 1), "{member}");
    }
    let unknown = json!({ "email": "a@b.co", "given_nmae": "" });
    assert_eq!(leniently(&unknown).unwrap_err()[0].1, "unknown_field");
}

#[test]
fn links_name_vendors_records_by_connection() {
    let body = json!({ "reference": "r", "links": { "rotor": " 182bd5e5 ", "wallet": "7" } });
    let links = strict(&body, None).unwrap().links;
    assert_eq!(
        links,
        BTreeMap::from([
            ("rotor".to_owned(), "182bd5e5".to_owned()),
            ("wallet".to_owned(), "7".to_owned())
        ])
    );
    assert_eq!(
        strict(&json!({ "reference": "r", "links": null }), None)
            .unwrap()
            .links
            .len(),
        0
    );
    assert_eq!(codes(&json!({ "links": { "rotor": "x" } }))[0].1, "identifier_missing");
}

/// The member with this pointer, taken out.
fn without(body: &Json, pointer: &str) -> Json {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match body.pointer_mut(parent) {
        Some(Json::Object(members)) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Some(Json::Array(items)) => items[name.parse::<usize>().unwrap()] = json!("left out"),
        _ => panic!("{pointer} is not in {body}"),
    }
    body
}

fn spelled_body() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        "[a-z]{1,6}@[a-z]{1,4}[.]co",
        "[+]1202555[0-9]{4}",
        "[0-9]{4,10}",
        "[a-zA-Z ]{0,8}",
        Just("garbage".to_owned()),
        Just("a\u{7}b".to_owned()),
        Just("United States".to_owned()),
        Just("Atlantis".to_owned()),
        Just("active".to_owned()),
    ];
    let value = prop_oneof![8 => text.prop_map(Json::from), 1 => Just(Json::Null), 1 => any::<bool>().prop_map(Json::from), 1 => any::<i16>().prop_map(Json::from)];
    let names = prop::sample::select(vec![
        "email",
        "phone",
        "given_name",
        "family_name",
        "notes",
        "status",
        "verified",
        "tax_id",
        "source",
    ]);
    let address = prop::collection::btree_map(
        prop::sample::select(vec!["line1", "city", "country"]),
        value.clone(),
        0..3,
    );
    let metadata = prop::collection::btree_map("[a-z]{1,3}", value.clone(), 0..3);
    let tags = prop::collection::vec(value.clone(), 0..3);
    (
        prop::collection::btree_map(names, value, 0..6),
        address,
        metadata,
        tags,
        any::<bool>(),
    )
        .prop_map(|(members, address, metadata, tags, has_reference)| {
            let mut body = json!(members);
            body["addresses"] = json!({ "billing": address });
            body["metadata"] = json!(metadata);
            body["tags"] = json!(tags);
            if has_reference {
                body["reference"] = json!("r");
            }
            body
        })
}

proptest! {
    #[test]
    fn lenient_is_strict_without_the_members_that_strict_names(body in spelled_body()) {
        let Ok(read) = canonicalise(&body, &lenient(Some("US"))) else { return Ok(()) };
        let mut left = body.clone();
        for problem in canonicalise(&body, &Terms::strict(Some("US"))).err().unwrap_or_default() {
            left = without(&left, &problem.pointer);
        }
        let mut strictly = canonicalise(&left, &Terms::strict(Some("US"))).map_err(|problems| TestCaseError::fail(format!("{left}: {problems:?}")))?.patch;
        // Items of lists are put in place of those that were left out, so that the others keep their numbers.
        if let Some(Patch::Set(Value::Tags(tags))) = strictly.fields.get_mut(&Field::Tags) {
            tags.remove("left out");
        }
        // Strict says no more that something was there.
        strictly.unreadable.clone_from(&read.patch.unreadable);
        prop_assert_eq!(read.patch, strictly);
    }

    #[test]
    fn canonicalising_twice_changes_nothing(body in spelled_body(), is_lenient: bool) {
        let terms = if is_lenient { lenient(Some("US")) } else { Terms::strict(Some("US")) };
        let Ok(once) = canonicalise(&body, &terms) else { return Ok(()) };
        let mut shown = Map::new();
        for (field, change) in &once.patch.fields {
            let Patch::Set(value) = change else { continue };
            let names: Vec<&str> = field.pointer().split('/').skip(1).collect();
            match names.as_slice() {
                [name] => drop(shown.insert((*name).to_owned(), value.to_json())),
                [group, kind, name] => {
                    let group = shown.entry((*group).to_owned()).or_insert_with(|| json!({}));
                    group[*kind][*name] = value.to_json();
                }
                _ => {}
            }
        }
        shown.insert("reference".to_owned(), json!("r"));
        let again = canonicalise(&Json::Object(shown), &Terms::strict(None)).map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
        for (field, change) in &once.patch.fields {
            if *change != Patch::Clear {
                prop_assert_eq!(again.patch.fields.get(field), Some(change));
            }
        }
    }
}

fn arbitrary_body() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "\\PC{0,20}".prop_map(Json::from),
    ];
    let names = prop::sample::select(vec![
        "id",
        "reference",
        "email",
        "phone",
        "given_name",
        "addresses",
        "billing",
        "country",
        "tags",
        "metadata",
        "service",
        "type",
        "notes",
        "kind",
        "status",
        "provider_fields",
        "tags_removed",
        "odd~/name",
    ]);
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((names.clone(), inner), 0..5)
                .prop_map(|members| Json::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_whatever_makes_it_panic(body in arbitrary_body()) {
        let _ = strict(&body, Some("US"));
    }

    #[test]
    fn a_record_survives_its_json_and_merging_it_into_itself_changes_nothing(
        reference in "[a-z]{1,8}", notes in "[a-zA-Z \n]{1,20}", tags in prop::collection::btree_set("[a-z]{1,5}", 0..4),
        metadata in prop::collection::btree_map("[a-z/~]{1,5}", "[a-z]{1,5}", 0..4),
    ) {
        let body = json!({ "reference": reference, "notes": format!("n{notes}"), "tags": tags, "metadata": metadata });
        let record = Customer::default().merged(&strict(&body, None).unwrap());
        let read = Customer::from_json(&Json::Object(record.to_json(true))).unwrap();
        prop_assert!(record == read);
        let mut again = record.to_json(false);
        again.remove("provider_fields");
        let merged = record.merged(&strict(&Json::Object(again), None).unwrap());
        prop_assert!(record.changes_to(&merged).is_empty());
    }

    #[test]
    fn the_last_value_sent_wins_and_fields_not_sent_stay(
        edits in prop::collection::vec((0usize..4, prop::option::of("[a-z]{1,6}")), 1..20)
    ) {
        let names = ["given_name", "family_name", "notes", "source"];
        let mut model: BTreeMap<&str, String> = BTreeMap::new();
        let mut record = Customer::default();
        for (index, value) in edits {
            let name = names[index];
            let body = json!({ "reference": "r", name: value });
            record = record.merged(&strict(&body, None).unwrap());
            match value {
                Some(value) => { model.insert(name, value); }
                None => { model.remove(name); }
            }
        }
        let json = record.to_json(true);
        for name in names {
            prop_assert_eq!(json[name].as_str(), model.get(name).map(String::as_str));
        }
    }
}
