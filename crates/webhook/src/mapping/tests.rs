use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(text: &str) -> Pointer {
    Pointer::parse(text).unwrap()
}

fn target(path: &str) -> Target {
    Target::new(path.split('/').skip(1).map(str::to_owned).collect()).unwrap()
}

fn when(pointer: &str, allowed: &[&str]) -> Conditions {
    let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
    Conditions(vec![(at(pointer), allowed)])
}

fn from(pointers: &[&str]) -> Rule {
    Rule::of(Source::From(pointers.iter().map(|text| at(text)).collect()))
}

fn mapping(rules: Vec<(&str, Rule)>) -> Mapping {
    Mapping {
        each: None,
        event_id: EventId::Pointers(vec![at("/id")]),
        order_by: None,
        provider_customer_id: None,
        only: Conditions::default(),
        rules: rules.into_iter().map(|(path, rule)| (target(path), rule)).collect(),
        is_lenient: false,
    }
}

fn no_header(_: &str) -> Option<String> {
    None
}

fn read_all(mapping: &Mapping, event: Json) -> Vec<Read> {
    let parts = mapping.parts(event).unwrap();
    parts.iter().map(|part| mapping.read(part, &no_header)).collect()
}

fn mapped(mapping: &Mapping, event: Json) -> Mapped {
    match read_all(mapping, event).pop() {
        Some(Read::Mapped(mapped)) => mapped,
        other => panic!("{other:?}"),
    }
}

/// The body that one rule makes of an event.
fn body(rule: Rule, event: Json) -> Json {
    let mut event = event;
    event["id"] = json!("e1");
    mapped(&mapping(vec![("/notes", rule)]), event).body
}

fn problems(mapping: &Mapping, event: Json) -> Vec<MapProblem> {
    match read_all(mapping, event).pop() {
        Some(Read::Refused { problems, .. }) => problems,
        other => panic!("{other:?}"),
    }
}

fn codes(mapping: &Mapping, event: Json) -> Vec<(String, String, &'static str)> {
    let problems = problems(mapping, event);
    problems
        .into_iter()
        .map(|problem| (problem.pointer, problem.target, problem.code))
        .collect()
}

#[test]
fn a_plain_pointer_keeps_clears_or_sets() {
    let plain = || Rule::plain(at("/a"));
    assert_eq!(body(plain(), json!({})), json!({}));
    assert_eq!(body(plain(), json!({ "a": null })), json!({ "notes": null }));
    assert_eq!(body(plain(), json!({ "a": "" })), json!({}));
    assert_eq!(body(plain(), json!({ "a": 62701 })), json!({ "notes": "62701" }));
    assert_eq!(body(plain(), json!({ "a": true })), json!({ "notes": true }));
    assert_eq!(
        body(plain(), json!({ "a": { "b": [1] } })),
        json!({ "notes": { "b": [1] } })
    );
}

#[test]
fn numbers_stay_numbers_only_where_they_are_passed_through() {
    let plain = || Rule::plain(at("/n"));
    let all = mapping(vec![
        ("/notes", plain()),
        ("/metadata/spent", plain()),
        ("/provider_fields/ledger/spent", plain()),
        ("/metadata/known", Rule::plain(at("/b"))),
        ("/verified", Rule::plain(at("/b"))),
    ]);
    let made = mapped(&all, json!({ "id": 1, "n": 12.5, "b": true })).body;
    assert_eq!(
        made,
        json!({ "notes": "12.5", "metadata": { "spent": "12.5", "known": "true" }, "verified": true,
            "provider_fields": { "ledger": { "spent": 12.5 } } })
    );
}

#[test]
fn the_first_that_says_something_is_taken() {
    let rule = || from(&["/a", "/b", "/c"]);
    assert_eq!(
        body(rule(), json!({ "a": null, "b": " ", "c": "x" })),
        json!({ "notes": "x" })
    );
    assert_eq!(body(rule(), json!({ "a": " ", "b": null })), json!({ "notes": null }));
    assert_eq!(body(rule(), json!({ "a": " " })), json!({}));
}

#[test]
fn constants_and_defaults_stand_where_nothing_was_found() {
    assert_eq!(
        body(Rule::of(Source::Value(json!("shop"))), json!({})),
        json!({ "notes": "shop" })
    );
    // A constant is what somebody wrote, a blank one too.
    assert_eq!(
        body(Rule::of(Source::Value(json!(" "))), json!({})),
        json!({ "notes": " " })
    );
    for nothing in [json!({}), json!({ "a": null }), json!({ "a": "  " })] {
        let mut rule = from(&["/a"]);
        rule.default = Some(json!("none"));
        assert_eq!(body(rule, nothing.clone()), json!({ "notes": "none" }));
        let mut rule = from(&["/a", "/b"]);
        rule.required = true;
        let mut event = nothing;
        event["id"] = json!(1);
        let found = problems(&mapping(vec![("/email", rule)]), event);
        assert_eq!(
            (found[0].pointer.as_str(), found[0].target.as_str(), found[0].code),
            ("/a", "/email", "missing")
        );
        assert_eq!(found[0].detail, "nothing stands at any of `/a`, `/b`");
    }
}

#[test]
fn texts_are_joined_without_those_that_say_nothing() {
    let join = |with: &str| {
        Rule::of(Source::Join {
            pointers: vec![at("/a"), at("/b"), at("/c")],
            with: with.to_owned(),
        })
    };
    let event = json!({ "a": " Main St ", "b": "", "c": 7 });
    assert_eq!(body(join(" "), event.clone()), json!({ "notes": "Main St 7" }));
    assert_eq!(body(join(", "), event), json!({ "notes": "Main St, 7" }));
    assert_eq!(body(join(" "), json!({ "a": null, "b": "  " })), json!({}));
    let wrong = mapping(vec![("/notes", join(" "))]);
    assert_eq!(
        codes(&wrong, json!({ "id": 1, "b": {} })),
        [("/b".to_owned(), "/notes".to_owned(), "invalid_type")]
    );
}

#[test]
fn texts_are_transformed_in_the_order_given_also_in_lists() {
    let rule = |transform: &[Transform]| {
        let mut rule = from(&["/a"]);
        rule.transform = transform.to_vec();
        rule
    };
    let both = [Transform::Trim, Transform::Lower];
    assert_eq!(body(rule(&both), json!({ "a": " VIP " })), json!({ "notes": "vip" }));
    assert_eq!(
        body(rule(&both), json!({ "a": [" VIP ", "B"] })),
        json!({ "notes": ["vip", "b"] })
    );
    assert_eq!(
        body(rule(&[Transform::Upper]), json!({ "a": "us" })),
        json!({ "notes": "US" })
    );
    assert_eq!(
        body(rule(&[Transform::Text]), json!({ "a": false })),
        json!({ "notes": "false" })
    );
    let wrong = mapping(vec![("/notes", rule(&both))]);
    assert_eq!(codes(&wrong, json!({ "id": 1, "a": {} }))[0].2, "invalid_type");
}

#[test]
fn a_number_becomes_a_text_only_by_the_transform_that_says_so() {
    for (transform, made) in [
        (Transform::Text, json!(["7", "true", "x"])),
        (Transform::Trim, json!([7, true, "x"])),
        (Transform::Lower, json!([7, true, "x"])),
        (Transform::Upper, json!([7, true, "X"])),
    ] {
        let mut rule = Rule::plain(at("/a"));
        rule.transform = vec![transform];
        let passed_on = mapping(vec![("/provider_fields/ledger/a", rule)]);
        let read = mapped(&passed_on, json!({ "id": 1, "a": [7, true, "x"] })).body;
        assert_eq!(read["provider_fields"]["ledger"]["a"], made, "{transform:?}");
    }
}

#[test]
fn what_is_wrong_with_a_value_is_told_in_a_sentence() {
    let join = || {
        Rule::of(Source::Join {
            pointers: vec![at("/a")],
            with: " ".to_owned(),
        })
    };
    let mut required = from(&["/missing"]);
    required.required = true;
    for (path, rule, value, detail) in [
        (
            "/notes",
            join(),
            json!([]),
            "a list or an object stands where a text, a number or a truth value is asked for",
        ),
        (
            "/notes",
            join(),
            json!(1e300),
            "a number with more digits than can be read stands there: send it as text",
        ),
        (
            "/reference",
            Rule::plain(at("/a")),
            json!(1.5),
            "an id is a whole number, and this one has a fraction",
        ),
        ("/notes", required, json!(1), "nothing stands there"),
    ] {
        let found = problems(&mapping(vec![(path, rule)]), json!({ "id": 1, "a": value }));
        let told: Vec<&str> = found.iter().map(|problem| problem.detail.as_str()).collect();
        assert_eq!(told, [detail], "{value}");
    }
}

#[test]
fn values_are_looked_up_by_their_text() {
    let values = BTreeMap::from([("enabled".to_owned(), json!("active")), ("1".to_owned(), json!(true))]);
    let mut rule = from(&["/a"]);
    rule.values = Some(values);
    rule.transform = vec![Transform::Lower];
    assert_eq!(
        body(rule.clone(), json!({ "a": "ENABLED" })),
        json!({ "notes": "active" })
    );
    assert_eq!(body(rule.clone(), json!({ "a": 1 })), json!({ "notes": true }));
    let wrong = mapping(vec![("/status", rule.clone())]);
    let found = problems(&wrong, json!({ "id": 1, "a": "secret" }));
    assert_eq!(found[0].code, "unknown_value");
    assert!(!format!("{found:?}").contains("secret"));
    rule.default = Some(json!("inactive"));
    assert_eq!(body(rule, json!({ "a": "other" })), json!({ "notes": "inactive" }));
}

#[test]
fn one_text_becomes_a_list() {
    let mut rule = from(&["/a"]);
    rule.split = Some(",".to_owned());
    assert_eq!(
        body(rule.clone(), json!({ "a": "vip, ,email  ok," })),
        json!({ "notes": ["vip", "email  ok"] })
    );
    assert_eq!(body(rule.clone(), json!({ "a": ["x"] })), json!({ "notes": ["x"] }));
    assert_eq!(body(rule, json!({ "a": "" })), json!({}));
}

#[test]
fn a_part_of_a_name_that_is_not_there_is_kept() {
    let rule = |part| {
        let mut rule = from(&["/name"]);
        rule.part = Some(part);
        rule
    };
    let all = mapping(vec![
        ("/given_name", rule(NamePart::Given)),
        ("/middle_name", rule(NamePart::Middle)),
        ("/family_name", rule(NamePart::Family)),
    ]);
    let made = |name: Json| mapped(&all, json!({ "id": 1, "name": name })).body;
    assert_eq!(
        made(json!("Smith, Ann")),
        json!({ "given_name": "Ann", "family_name": "Smith" })
    );
    assert_eq!(made(json!("Ann")), json!({ "given_name": "Ann" }));
    assert_eq!(
        made(json!(null)),
        json!({ "given_name": null, "middle_name": null, "family_name": null })
    );
}

#[test]
fn a_rule_that_clears_does_so_only_where_its_pointers_are_in_the_event() {
    let mut rule = from(&["/a", "/b"]);
    rule.clear = true;
    assert_eq!(body(rule.clone(), json!({ "a": " " })), json!({ "notes": null }));
    assert_eq!(
        body(rule.clone(), json!({ "a": "", "b": "x" })),
        json!({ "notes": "x" })
    );
    assert_eq!(body(rule.clone(), json!({ "c": "x" })), json!({}));
    rule.part = Some(NamePart::Middle);
    assert_eq!(
        body(rule.clone(), json!({ "a": "Ann Smith" })),
        json!({ "notes": null })
    );
    rule.when = when("/c", &["x"]);
    assert_eq!(body(rule, json!({ "a": "" })), json!({}));
}

#[test]
fn a_rule_counts_only_when_its_condition_holds() {
    let mut rule = from(&["/value"]);
    rule.required = true;
    rule.when = when("/name", &["email", "1"]);
    assert_eq!(
        body(rule.clone(), json!({ "name": "email", "value": "a" })),
        json!({ "notes": "a" })
    );
    assert_eq!(
        body(rule.clone(), json!({ "name": 1, "value": "a" })),
        json!({ "notes": "a" })
    );
    assert_eq!(body(rule.clone(), json!({ "name": "phone" })), json!({}));
    assert_eq!(body(rule, json!({})), json!({}));
}

#[test]
fn only_leaves_events_out_before_anything_else_is_asked() {
    let mut only = mapping(vec![]);
    only.only = when("/test", &["false", "7"]);
    let first = |event| read_all(&only, event).remove(0);
    assert!(matches!(first(json!({ "id": 1, "test": false })), Read::Mapped(_)));
    assert!(matches!(first(json!({ "id": 1, "test": 7 })), Read::Mapped(_)));
    for out in [
        json!({}),
        json!({ "test": true }),
        json!({ "test": null }),
        json!([]),
        json!(3),
    ] {
        assert_eq!(first(out), Read::LeftOut);
    }
}

#[test]
fn the_id_is_a_text_or_a_number_and_never_empty_or_long() {
    let mut two = mapping(vec![]);
    two.event_id = EventId::Pointers(vec![at("/id"), at("/at")]);
    assert_eq!(mapped(&two, json!({ "id": 7, "at": "x" })).event_id, "7:x");
    let missing = |pointer: &str| (pointer.to_owned(), String::new(), "missing");
    assert_eq!(
        codes(&two, json!({ "id": " ", "at": null })),
        [missing("/id"), missing("/at")]
    );
    let one = mapping(vec![]);
    assert_eq!(codes(&one, json!({ "id": true }))[0].2, "invalid_type");
    assert_eq!(codes(&one, json!({ "id": 1e300 }))[0].2, "inexact_number");
    assert_eq!(mapped(&one, json!({ "id": "x".repeat(255) })).event_id.len(), 255);
    assert_eq!(codes(&one, json!({ "id": "x".repeat(256) }))[0].2, "too_long");
}

#[test]
fn the_id_may_stand_in_a_header() {
    let mut by_header = mapping(vec![]);
    by_header.event_id = EventId::Header("webhook-id".to_owned());
    let part = by_header.parts(json!({})).unwrap().remove(0);
    let header = |name: &str| (name == "webhook-id").then(|| " msg_1 ".to_owned());
    assert!(matches!(by_header.read(&part, &header), Read::Mapped(mapped) if mapped.event_id == "msg_1"));
    let Read::Refused { event_id, problems, .. } = by_header.read(&part, &no_header) else {
        panic!("there is no id");
    };
    assert_eq!(
        (event_id, problems[0].code, problems[0].pointer.as_str()),
        (None, "missing", "")
    );
    assert!(problems[0].detail.contains("`webhook-id`"));
}

#[test]
fn order_and_vendor_id_are_read_where_they_stand() {
    let mut ordered = mapping(vec![]);
    ordered.order_by = Some((at("/at"), OrderKind::default()));
    ordered.provider_customer_id = Some(at("/vid"));
    let made = mapped(&ordered, json!({ "id": 1, "at": 5, "vid": 77 }));
    assert_eq!(made.order, Order::read(&json!(5), &OrderKind::default()));
    assert_eq!(made.provider_customer_id.as_deref(), Some("77"));
    let made = mapped(&ordered, json!({ "id": 1, "at": null }));
    assert_eq!((made.order, made.provider_customer_id), (None, None));
    let event = json!({ "id": "known", "at": "soon", "vid": [] });
    let Read::Refused { event_id, .. } = read_all(&ordered, event.clone()).remove(0) else {
        panic!("neither can be read");
    };
    assert_eq!(event_id.as_deref(), Some("known"));
    let found: Vec<_> = codes(&ordered, event)
        .into_iter()
        .map(|(at, _, code)| (at, code))
        .collect();
    assert_eq!(
        found,
        [("/at".to_owned(), "invalid_order"), ("/vid".to_owned(), "invalid_type")]
    );
}

#[test]
fn every_customer_of_an_event_can_be_mapped_again_alone() {
    let mut list = mapping(vec![
        ("/reference", Rule::plain(at("/ref"))),
        ("/source", Rule::plain(at("$/shop"))),
    ]);
    list.each = Some(at("/data/list"));
    list.event_id = EventId::Pointers(vec![at("$/id")]);
    let event = json!({ "id": "e", "shop": "s", "data": { "list": [{ "ref": 1 }, { "ref": 2 }, 3] } });
    let parts = list.parts(event).unwrap();
    assert_eq!(
        parts[1].event,
        json!({ "id": "e", "shop": "s", "data": { "list": [{ "ref": 2 }] } })
    );
    let Read::Mapped(second) = list.read(&parts[1], &no_header) else {
        panic!("it is mapped");
    };
    assert_eq!(
        (second.event_id.as_str(), &second.body),
        ("e#1", &json!({ "reference": "2", "source": "s" }))
    );
    let third = list.read(&parts[2], &no_header);
    assert!(
        matches!(third, Read::Mapped(mapped) if mapped.body == json!({ "source": "s" }) && mapped.event_id == "e#2")
    );
    list.event_id = EventId::Pointers(vec![at("/ref"), at("$/id")]);
    assert!(matches!(list.read(&parts[1], &no_header), Read::Mapped(mapped) if mapped.event_id == "2:e"));
    let found = list.read(&parts[2], &no_header);
    assert!(matches!(found, Read::Refused { problems, .. } if problems[0].pointer == "/data/list/2/ref"));
}

#[test]
fn a_list_may_be_the_event_itself_no_list_at_all_empty_or_missing() {
    let mut list = mapping(vec![("/reference", Rule::plain(at("/ref")))]);
    list.each = Some(at(""));
    let parts = list.parts(json!([{ "ref": "a" }, { "ref": "b" }])).unwrap();
    assert_eq!(
        parts[1],
        Part {
            event: json!([{ "ref": "b" }]),
            index: Some(1)
        }
    );
    assert_eq!(
        mapped(&list, json!({ "id": 1, "ref": "c" })).body,
        json!({ "reference": "c" })
    );
    assert!(list.parts(json!([])).unwrap().is_empty());
    list.each = Some(at("/list"));
    for none in [json!({}), json!({ "list": null }), json!([])] {
        let problem = list.parts(none).unwrap_err();
        assert_eq!((problem.pointer.as_str(), problem.code), ("/list", "missing"));
    }
    let one = Part {
        event: json!({ "list": { "id": 1 } }),
        index: None,
    };
    assert_eq!(list.parts(one.event.clone()).unwrap(), [one]);
}

#[test]
fn an_event_cannot_be_made_to_fill_the_memory() {
    let mut list = mapping(vec![]);
    list.each = Some(at("/list"));
    let event = |items: usize, beside: usize| json!({ "list": vec![0; items], "beside": "x".repeat(beside) });
    assert_eq!(list.parts(event(1_001, 0)).unwrap_err().code, "too_many");
    assert_eq!(list.parts(event(900, 40_000)).unwrap_err().code, "too_many");
    assert_eq!(list.parts(event(1_000, 10_000)).unwrap().len(), 1_000);
    // What is repeated may come to 32 MiB: here 64 KiB, three members of 32 bytes and ten bytes of names among them.
    assert_eq!(list.parts(event(512, 65_430)).unwrap().len(), 512);
    assert_eq!(list.parts(event(512, 65_431)).unwrap_err().code, "too_many");
    assert_eq!(list.parts(event(10, 1_000_000)).unwrap().len(), 10);
}

#[test]
fn all_problems_are_told_at_once_and_none_tells_a_value() {
    let mut required = from(&["/mail"]);
    required.required = true;
    let mut all = mapping(vec![
        ("/email", required),
        ("/addresses/billing/postal_code", Rule::plain(at("/zip"))),
        ("/metadata/a~b", from(&["/fine"])),
    ]);
    all.order_by = Some((at("/at"), OrderKind::default()));
    let event = json!({ "zip": 1e300, "at": "canary", "fine": "canary" });
    let Some(Read::Refused { problems, .. }) = read_all(&all, event).pop() else {
        panic!("it is refused");
    };
    let found: Vec<_> = problems
        .iter()
        .map(|p| (p.pointer.as_str(), p.target.as_str(), p.code))
        .collect();
    assert_eq!(
        found,
        [
            ("/id", "", "missing"),
            ("/at", "", "invalid_order"),
            ("/mail", "/email", "missing"),
            ("/zip", "/addresses/billing/postal_code", "inexact_number"),
        ]
    );
    assert!(!format!("{problems:?}").contains("canary"));
}

#[test]
fn a_blank_text_counts_as_not_there_whatever_the_rule() {
    let split = || {
        let mut rule = from(&["/a"]);
        rule.split = Some(",".to_owned());
        rule
    };
    let join = || {
        Rule::of(Source::Join {
            pointers: vec![at("/a")],
            with: " ".to_owned(),
        })
    };
    let part = || {
        let mut rule = from(&["/a"]);
        rule.part = Some(NamePart::Given);
        rule
    };
    let lower = || {
        let mut rule = from(&["/a"]);
        rule.transform = vec![Transform::Trim, Transform::Lower];
        rule
    };
    for blank in ["", " ", "\t", "\n", "\u{a0}", "\u{200b}", "\u{feff} "] {
        for rule in [
            Rule::plain(at("/a")),
            from(&["/a", "/b"]),
            split(),
            join(),
            part(),
            lower(),
        ] {
            assert_eq!(body(rule.clone(), json!({ "a": blank })), json!({}), "{rule:?}");
            let mut clearing = rule;
            clearing.clear = true;
            assert_eq!(
                body(clearing.clone(), json!({ "a": blank })),
                json!({ "notes": null }),
                "{clearing:?}"
            );
        }
    }
    let event = json!({ "a": { "x": " ", "y": "1", "z": { "x": "", "n": null } } });
    assert_eq!(
        body(Rule::plain(at("/a")), event.clone()),
        json!({ "notes": { "y": "1", "z": { "n": null } } })
    );
    let mut clearing = Rule::plain(at("/a"));
    clearing.clear = true;
    assert_eq!(
        body(clearing, event),
        json!({ "notes": { "x": null, "y": "1", "z": { "x": null, "n": null } } })
    );
    assert_eq!(
        body(Rule::plain(at("/a")), json!({ "a": ["vip", "", " "] })),
        json!({ "notes": ["vip"] })
    );
    let nested = json!({ "a": [{ "x": " ", "y": "1" }, ["", "2"]] });
    assert_eq!(
        body(Rule::plain(at("/a")), nested),
        json!({ "notes": [{ "y": "1" }, ["2"]] })
    );
}

#[test]
fn blanks_are_told_by_where_they_stand_and_once() {
    let clearing = |pointer: &str| {
        let mut rule = from(&[pointer]);
        rule.clear = true;
        rule
    };
    let conditional = |pointer: &str| {
        let mut rule = from(&[pointer]);
        rule.when = when("/kind", &["home"]);
        rule
    };
    let mut all = mapping(vec![
        ("/given_name", from(&["/a", "/b"])),
        ("/notes", Rule::plain(at("/b"))),
        ("/source", Rule::of(Source::Value(json!("shop")))),
        // A blank that clears is no absent one.
        ("/status", clearing("/d")),
        // A rule that does not count finds nothing.
        ("/metadata/e", conditional("/e")),
    ]);
    all.each = Some(at("/list"));
    let blanks = |item: Json| mapped(&all, json!({ "list": [item] })).blanks;
    assert_eq!(
        blanks(json!({ "id": 1, "a": "\u{200b}", "b": " ", "d": "", "e": "", "kind": "work" })),
        ["/list/0/a", "/list/0/b"]
    );
    assert_eq!(
        blanks(json!({ "id": 1, "a": "x", "b": null, "e": "", "kind": "home" })),
        ["/list/0/e"]
    );
    let none: [&str; 0] = [];
    assert_eq!(blanks(json!({ "id": 1, "a": 7, "b": {}, "kind": "home" })), none);
}

#[test]
fn each_member_knows_where_in_the_event_it_came_from() {
    let all = mapping(vec![
        ("/metadata", Rule::plain(at("/extra"))),
        ("/metadata/vip", Rule::plain(at("/level"))),
        ("/given_name", from(&["/first", "/nick"])),
        ("/source", Rule::of(Source::Value(json!("shop")))),
    ]);
    let made = mapped(
        &all,
        json!({ "id": 1, "extra": { "plan": "gold" }, "level": "1", "nick": "Annie" }),
    );
    let origins: Vec<_> = made.origins.iter().map(|(to, from)| (&**to, &**from)).collect();
    assert_eq!(
        origins,
        [
            ("/given_name", "/nick"),
            ("/metadata/vip", "/level"),
            ("/metadata", "/extra")
        ]
    );
    for (member, origin) in [
        ("/given_name", Some("/nick")),
        ("/metadata", Some("/extra")),
        ("/metadata/plan", Some("/extra/plan")),
        ("/metadata/vip", Some("/level")),
        ("/metadata/vip/0", Some("/level/0")),
        ("/metadata/vips", Some("/extra/vips")),
        ("/metadatas", None),
        ("/source", None),
    ] {
        assert_eq!(made.origin(member).as_deref(), origin, "{member}");
    }
}

#[test]
fn a_property_is_named_by_its_condition_only_where_that_leaves_a_choice() {
    let rule = |pointer: &str| {
        let mut rule = from(&[pointer]);
        rule.when = when("/kind", &["home"]);
        ("/phone", rule)
    };
    let event = json!({ "id": 1, "kind": "home", "a": "1" });
    let alone = mapped(&mapping(vec![rule("/a")]), event.clone());
    assert!(alone.given.is_empty());
    let both = mapped(&mapping(vec![rule("/a"), rule("/b")]), event);
    assert_eq!(both.given, BTreeMap::from([("/phone".to_owned(), "/a".to_owned())]));
}

#[test]
fn conditions_hold_of_a_whole_event() {
    let conditions = when("/type", &["ping", "1"]);
    for (event, holds) in [
        (json!({ "type": "ping" }), true),
        (json!({ "type": 1 }), true),
        (json!({ "type": "order" }), false),
        (json!({ "type": null }), false),
        (json!([]), false),
    ] {
        assert_eq!(conditions.hold_of(&event), holds, "{event}");
    }
    assert!(Conditions::default().hold_of(&json!(null)));
}

#[test]
fn a_blank_of_one_of_several_properties_says_which_it_was() {
    let mut rule = from(&["/value"]);
    rule.clear = true;
    rule.when = when("/name", &["phone", "mobilephone"]);
    let several = mapping(vec![("/phone", rule)]);
    let read = |name: &str, value: Json| mapped(&several, json!({ "id": 1, "name": name, "value": value }));
    let set = read("phone", json!("1"));
    assert_eq!(
        set.given,
        BTreeMap::from([("/phone".to_owned(), "/value /name=phone".to_owned())])
    );
    assert!(set.emptied.is_empty());
    let emptied = read("mobilephone", json!(""));
    assert_eq!(emptied.body, json!({ "phone": null }));
    assert_eq!(
        emptied.emptied["/phone"],
        BTreeSet::from(["/value /name=mobilephone".to_owned()])
    );
    let cleared = read("mobilephone", json!(null));
    assert_eq!((cleared.body, cleared.emptied.len()), (json!({ "phone": null }), 0));
}

#[test]
fn of_several_pointers_of_a_rule_those_that_are_blank_are_named() {
    let mut rule = from(&["/a", "/b", "/c"]);
    rule.clear = true;
    let several = mapping(vec![("/phone", rule)]);
    for (event, blank) in [
        (json!({ "id": 1, "a": "", "b": " " }), vec!["/a", "/b"]),
        (json!({ "id": 1, "b": " " }), vec!["/b"]),
    ] {
        let emptied = mapped(&several, event.clone()).emptied;
        let named: Vec<&str> = emptied["/phone"].iter().map(String::as_str).collect();
        assert_eq!(named, blank, "{event}");
    }
}

#[test]
fn a_blank_of_one_rule_never_takes_what_another_rule_says_in_the_same_event() {
    let rule = |pointer: &str| {
        let mut rule = from(&[pointer]);
        rule.clear = true;
        ("/addresses/billing/city", rule)
    };
    for rules in [vec![rule("/a"), rule("/b")], vec![rule("/b"), rule("/a")]] {
        let both = mapping(rules);
        let made = mapped(&both, json!({ "id": 1, "a": "x", "b": "" }));
        assert_eq!(made.body, json!({ "addresses": { "billing": { "city": "x" } } }));
        assert_eq!(made.given["/addresses/billing/city"], "/a");
        assert!(made.emptied.is_empty());
        let blank = mapped(&both, json!({ "id": 1, "a": " ", "b": "" }));
        assert_eq!(blank.body, json!({ "addresses": { "billing": { "city": null } } }));
        assert_eq!(blank.emptied["/addresses/billing/city"].len(), 2);
    }
    let alone = mapping(vec![rule("/a")]);
    let blank = mapped(&alone, json!({ "id": 1, "a": " " }));
    assert!(blank.emptied.is_empty() && blank.body["addresses"]["billing"]["city"].is_null());
}

#[test]
fn a_number_that_is_an_id_is_its_integer_or_refused() {
    let plain = |path| (path, Rule::plain(at("/n")));
    let mut ids = mapping(vec![
        plain("/reference"),
        plain("/phone"),
        plain("/tax_id"),
        plain("/addresses/billing/postal_code"),
        plain("/links/rotor"),
    ]);
    ids.event_id = EventId::Pointers(vec![at("/n")]);
    ids.provider_customer_id = Some(at("/n"));
    for (written, id) in [
        ("1022.0", "1022"),
        ("7.06e12", "7060000000000"),
        ("1022", "1022"),
        ("1e2", "100"),
    ] {
        let event: Json = serde_json::from_str(&format!("{{\"n\":{written}}}")).unwrap();
        let made = mapped(&ids, event);
        assert_eq!(
            (made.event_id.as_str(), made.provider_customer_id.as_deref()),
            (id, Some(id))
        );
        assert_eq!(
            made.body,
            json!({ "reference": id, "phone": id, "tax_id": id, "links": { "rotor": id },
                "addresses": { "billing": { "postal_code": id } } })
        );
    }
    for (written, code) in [
        ("1022.5", "not_whole"),
        ("1e22", "inexact_number"),
        ("0.1", "not_whole"),
        ("9007199254740993.0", "inexact_number"),
    ] {
        let event: Json = serde_json::from_str(&format!("{{\"n\":{written}}}")).unwrap();
        let found = codes(&ids, event);
        assert_eq!(found.len(), 7, "{written}");
        assert!(found.iter().all(|(_, _, found)| *found == code), "{written} {found:?}");
    }
}

#[test]
fn a_lenient_source_leaves_out_what_it_cannot_read_and_never_who_it_is() {
    let mut values = from(&["/state"]);
    values.values = Some(BTreeMap::from([("open".to_owned(), json!("active"))]));
    let mut lower = from(&["/mail"]);
    lower.transform = vec![Transform::Lower];
    let mut required = from(&["/must"]);
    required.required = true;
    let mut all = mapping(vec![
        ("/reference", Rule::plain(at("/ref"))),
        ("/status", values),
        ("/email", lower),
        ("/addresses/billing/postal_code", Rule::plain(at("/zip"))),
    ]);
    all.is_lenient = true;
    let event = json!({ "id": 1, "ref": 7, "state": "odd", "mail": {}, "zip": 1.5 });
    let made = mapped(&all, event.clone());
    assert_eq!(made.body, json!({ "reference": "7" }));
    let left: Vec<_> = made
        .ignored
        .iter()
        .map(|problem| (problem.target.as_str(), problem.code))
        .collect();
    assert_eq!(
        left,
        [
            ("/status", "unknown_value"),
            ("/email", "invalid_type"),
            ("/addresses/billing/postal_code", "not_whole")
        ]
    );
    // Without a reference nothing weaker may decide in the place of an e-mail that cannot be read.
    let mut nameless = event.clone();
    nameless["ref"] = json!(null);
    assert_eq!(
        codes(&all, nameless),
        [("/mail".to_owned(), "/email".to_owned(), "invalid_type")]
    );
    let mut broken = event.clone();
    broken["ref"] = json!(1.5);
    let found = codes(&all, broken);
    assert!(
        found.contains(&("/ref".to_owned(), "/reference".to_owned(), "not_whole")),
        "{found:?}"
    );
    // What kind of customer it is, is no weaker sign of who: with a reference too it refuses.
    let mut kind = from(&["/state"]);
    kind.values = Some(BTreeMap::from([("firm".to_owned(), json!("organisation"))]));
    all.rules.push((target("/kind"), kind));
    assert_eq!(
        codes(&all, event.clone()),
        [("/state".to_owned(), "/kind".to_owned(), "unknown_value")]
    );
    all.rules.pop();
    all.rules.push((target("/notes"), required));
    assert_eq!(codes(&all, event.clone())[0].2, "missing");
    all.is_lenient = false;
    assert_eq!(problems(&all, event).len(), 4);
}

#[test]
fn what_was_taken_is_the_same_whatever_else_the_event_says() {
    let mut all = mapping(vec![("/email", Rule::plain(at("/mail")))]);
    all.order_by = Some((at("/at"), OrderKind::default()));
    let taken = |event: Json| mapped(&all, event).taken();
    let first = taken(json!({ "id": 1, "mail": "a@b.co", "at": 1_795_176_000, "attempt": 0 }));
    assert_eq!(
        first,
        taken(json!({ "id": 1, "mail": "a@b.co", "at": "2026-11-20T12:00:00Z", "attempt": 3 }))
    );
    assert_ne!(
        first,
        taken(json!({ "id": 1, "mail": "c@d.co", "at": 1_795_176_000, "attempt": 0 }))
    );
    assert_ne!(
        first,
        taken(json!({ "id": 1, "mail": "a@b.co", "at": 1_795_176_001, "attempt": 0 }))
    );
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(|n| json!(n)),
        "[ -~,]{0,12}".prop_map(Json::from),
        Just(json!("a")),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn any_pointer() -> impl Strategy<Value = Pointer> {
    "[$]?(/[abc01]){0,3}".prop_map(|text| at(&text))
}

fn any_conditions() -> impl Strategy<Value = Conditions> {
    let one = (any_pointer(), prop::collection::btree_set("a|true|1", 1..3));
    prop::collection::vec(one, 0..2).prop_map(Conditions)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let pointers = || prop::collection::vec(any_pointer(), 1..4);
    let source = prop_oneof![
        any_pointer().prop_map(Source::Plain),
        pointers().prop_map(Source::From),
        json_value().prop_map(Source::Value),
        (pointers(), "[ ,]{0,2}").prop_map(|(pointers, with)| Source::Join { pointers, with }),
    ];
    let part = prop::option::of(prop::sample::select(vec![
        NamePart::Given,
        NamePart::Middle,
        NamePart::Family,
    ]));
    let transform = prop::sample::select(vec![
        Transform::Trim,
        Transform::Lower,
        Transform::Upper,
        Transform::Text,
    ]);
    let values = prop::option::weighted(0.3, prop::collection::btree_map("a|true|1", json_value(), 0..3));
    let rest = (
        prop::option::weighted(0.3, ",| ".prop_map(String::from)),
        prop::option::weighted(0.3, json_value()),
        any::<bool>(),
        any::<bool>(),
        any_conditions(),
    );
    let transform = prop::collection::vec(transform, 0..3);
    (source, part, transform, values, rest).prop_map(|(source, part, transform, values, rest)| Rule {
        source,
        part,
        transform,
        values,
        split: rest.0,
        default: rest.1,
        required: rest.2,
        clear: rest.3,
        when: rest.4,
    })
}

fn any_mapping() -> impl Strategy<Value = Mapping> {
    let each = prop::option::of("(/[ab]){0,2}".prop_map(|text| at(&text)));
    let event_id = prop_oneof![
        prop::collection::vec(any_pointer(), 0..3).prop_map(EventId::Pointers),
        Just(EventId::Header("h".to_owned())),
    ];
    let targets = prop::collection::vec(
        "(/[xyz]|/metadata|/provider_fields){1,3}".prop_map(|path| target(&path)),
        0..5,
    );
    let rules = (targets, prop::collection::vec(any_rule(), 5));
    let optional = || prop::option::of(any_pointer());
    let order_by = prop::option::of((
        any_pointer(),
        prop::sample::select(vec![OrderKind::default(), OrderKind::Number]),
    ));
    (
        each,
        event_id,
        order_by,
        optional(),
        any_conditions(),
        rules,
        any::<bool>(),
    )
        .prop_map(
            |(each, event_id, order_by, provider_customer_id, only, (targets, rules), is_lenient)| Mapping {
                each,
                event_id,
                order_by,
                provider_customer_id,
                only,
                rules: targets.into_iter().zip(rules).collect(),
                is_lenient,
            },
        )
}

proptest! {
    #[test]
    fn whatever_comes_is_mapped_or_refused_and_always_the_same(mapping in any_mapping(), event in json_value()) {
        let header = |name: &str| Some(name.to_owned());
        if let Ok(parts) = mapping.parts(event) {
            for part in &parts {
                let read = mapping.read(part, &header);
                prop_assert_eq!(&read, &mapping.read(part, &header));
                // What was stored of it gives the same again.
                let stored: Json = serde_json::from_str(&part.event.to_string()).unwrap();
                let again = Part { event: stored, index: part.index };
                prop_assert_eq!(format!("{read:?}"), format!("{:?}", mapping.read(&again, &header)));
                if let Read::Refused { problems, .. } = read {
                    prop_assert!(!problems.is_empty());
                }
            }
        }
    }

    #[test]
    fn an_absent_pointer_never_yields_a_member(rule in any_rule(), event in json_value()) {
        let mut rule = rule;
        rule.default = None;
        rule.source = match rule.source {
            Source::Value(_) | Source::Plain(_) => Source::Plain(at("/never")),
            Source::From(pointers) => Source::From(pointers.iter().map(|_| at("/never")).collect()),
            Source::Join { pointers, with } => Source::Join { pointers: pointers.iter().map(|_| at("/never")).collect(), with },
        };
        let mut mapping = mapping(vec![("/email", rule)]);
        mapping.event_id = EventId::Header("h".to_owned());
        let part = Part { event, index: None };
        if let Read::Mapped(mapped) = mapping.read(&part, &|_| Some("1".to_owned())) {
            prop_assert_eq!(mapped.body, json!({}));
        }
    }
}
