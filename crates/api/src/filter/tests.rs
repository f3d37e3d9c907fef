use proptest::prelude::*;
use upsert_core::{CustomerId, DeliveryId, ErrorKind, EventId, KeyKind, UpsertId};

use super::*;
use crate::states::DeliveryState::{Failed, Waiting};
use crate::tests::any::{delivery_filters, incoming_filters, moments, outgoing_filters};
use crate::{AuditFilter, CustomerFilter, DeliveryFilter, IncomingFilter, OutgoingFilter, UpsertFilter, VendorFilter};

/// A good value of each name.
fn good(name: &str) -> String {
    let moment = Timestamp::constant(1_795_176_000, 0);
    match name {
        "state" => "failed".to_owned(),
        "error_kind" => "rejected".to_owned(),
        "waiting_for" => "quota".to_owned(),
        "customer_id" => CustomerId::oldest_at(moment).to_string(),
        "upsert_id" => UpsertId::oldest_at(moment).to_string(),
        "since" | "until" | "updated_since" => moment.to_string(),
        "limit" => "7".to_owned(),
        "archived" => "true".to_owned(),
        "action" => "connection.pause".to_owned(),
        text => format!("{text} of one"),
    }
}

/// What is wrong with `bad` under each name; none: any text is good.
fn code_of_bad(name: &str) -> Option<&'static str> {
    match name {
        "state" | "error_kind" | "waiting_for" | "limit" | "archived" | "action" => Some("invalid_value"),
        "customer_id" | "upsert_id" => Some("invalid_id"),
        "since" | "until" | "updated_since" => Some("invalid_time"),
        _ => None,
    }
}

fn written<const N: usize>(members: [(&str, &str); N]) -> Texts {
    let own = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
    members.into_iter().map(own).collect()
}

/// Holds a filter against its names.
fn holds_its_names<F: Filter + Default + PartialEq>() {
    let nothing = F::default();
    let unknown = written([("stat", "failed"), ("State", "failed"), ("", "")]);
    assert!(F::of(&unknown).unwrap() == nothing, "what is no member is passed over");
    for name in F::NAMES {
        let one = written([(*name, &*good(name))]);
        assert!(F::of(&one).unwrap() != nothing, "{name} says something");
    }
    let all_bad = F::NAMES
        .iter()
        .map(|name| ((*name).to_owned(), "no such: thing".to_owned()));
    let told = F::of(&all_bad.collect()).err().unwrap_or_default();
    let told: Vec<_> = told.iter().map(|problem| (&*problem.pointer, &*problem.code)).collect();
    let expected = F::NAMES.iter().filter_map(|name| Some((*name, code_of_bad(name)?)));
    assert_eq!(
        told,
        expected.collect::<Vec<_>>(),
        "everything that is wrong is told at once"
    );
}

#[test]
fn every_name_of_a_filter_says_something_and_every_wrong_one_is_told() {
    holds_its_names::<PageQuery>();
    holds_its_names::<CustomerFilter>();
    holds_its_names::<DeliveryFilter>();
    holds_its_names::<UpsertFilter>();
    holds_its_names::<IncomingFilter>();
    holds_its_names::<OutgoingFilter>();
    holds_its_names::<VendorFilter>();
    holds_its_names::<AuditFilter>();
}

#[test]
fn states_stand_side_by_side_and_one_that_is_unknown_is_told_with_those_that_are_known() {
    let of = |text: &str| DeliveryFilter::of(&written([("state", text)]));
    assert_eq!(of("failed, waiting").unwrap().state, [Failed, Waiting].into());
    assert_eq!(of("waiting,failed,failed").unwrap().state, [Failed, Waiting].into());
    for wrong in ["fialed", "failed,,waiting", "", "Failed"] {
        let told = of(wrong).unwrap_err();
        assert_eq!(
            (told.len(), &*told[0].pointer, &*told[0].code),
            (1, "state", "invalid_value"),
            "{wrong}"
        );
        let all = "pending, in_flight, succeeded, retrying, waiting, superseded, failed, discarded";
        assert_eq!(told[0].detail, format!("is not known here; known are: {all}"));
    }
}

#[test]
fn where_one_word_may_stand_two_are_refused() {
    let of = |text: &str| DeliveryFilter::of(&written([("error_kind", text)]));
    assert_eq!(of("rejected").unwrap().error_kind, Some(ErrorKind::Rejected));
    assert_eq!(of("rejected,rejected").unwrap().error_kind, Some(ErrorKind::Rejected));
    let told = of("rejected,transient").unwrap_err();
    assert_eq!(
        (&*told[0].code, &*told[0].detail),
        ("invalid_value", "may name one alone")
    );
}

#[test]
fn an_id_of_another_kind_is_no_id() {
    let upsert = UpsertId::oldest_at(Timestamp::UNIX_EPOCH).to_string();
    let told = DeliveryFilter::of(&written([("customer_id", &upsert)])).unwrap_err();
    assert_eq!(
        (&*told[0].code, &*told[0].detail),
        ("invalid_id", "is not an id that starts with `cus_`")
    );
}

#[test]
fn a_page_has_fifty_items_unless_one_to_two_hundred_are_asked_for() {
    let of = |text: &str| PageQuery::of(&written([("limit", text)]));
    assert_eq!(PageQuery::of(&Texts::new()).unwrap(), PageQuery::default());
    assert_eq!(PageQuery::default().limit, 50);
    for (text, limit) in [("1", 1), ("200", LARGEST_PAGE)] {
        assert_eq!(of(text).unwrap().limit, limit);
    }
    for wrong in ["0", "201", "-1", "1.5", "", " 1", "many", "99999999999999999999"] {
        let told = of(wrong).unwrap_err();
        assert_eq!(
            (&*told[0].pointer, &*told[0].code),
            ("limit", "invalid_value"),
            "{wrong}"
        );
        assert_eq!(told[0].detail, "has to be a whole number from 1 to 200");
    }
}

#[test]
fn a_flag_is_true_or_false() {
    let of = |text: &str| VendorFilter::of(&written([("archived", text)])).map(|filter| filter.archived);
    assert_eq!((of("true"), of("false")), (Ok(Some(true)), Ok(Some(false))));
    for wrong in ["yes", "1", "TRUE", ""] {
        assert_eq!(of(wrong).unwrap_err()[0].code, "invalid_value", "{wrong}");
    }
}

#[test]
fn whose_they_are_is_never_read_from_what_is_written() {
    let foreign = written([
        ("merchants", "globex"),
        ("merchant", "globex"),
        ("merchant_id", "globex"),
    ]);
    assert_eq!(DeliveryFilter::of(&foreign).unwrap().merchants, None);
    assert_eq!(IncomingFilter::of(&foreign).unwrap().merchants, None);
    assert_eq!(OutgoingFilter::of(&foreign).unwrap().merchants, None);
    assert_eq!(UpsertFilter::of(&foreign).unwrap().merchant, "");
}

#[test]
fn a_filter_of_merchants_alone_asks_for_nothing() {
    let mut filter = DeliveryFilter {
        merchants: Some(["acme".to_owned()].into()),
        ..DeliveryFilter::default()
    };
    assert!(!filter.is_narrowed() && filter.texts().is_empty());
    filter.connection = Some(String::new());
    assert!(filter.is_narrowed());
}

#[test]
fn a_page_that_is_all_there_is_leads_nowhere() {
    let page = Page::whole(vec![KeyKind::Id]);
    assert_eq!((page.data.len(), page.next_cursor), (1, None));
}

/// When somebody may have made something.
fn our_days() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_000_i64).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

proptest! {
    #[test]
    fn a_filter_of_deliveries_is_read_again_as_it_was_written(filter in delivery_filters()) {
        prop_assert_eq!(DeliveryFilter::of(&filter.texts()).unwrap(), filter);
    }

    #[test]
    fn filters_of_events_are_read_again_as_they_were_written(into in incoming_filters(), out in outgoing_filters()) {
        prop_assert_eq!(IncomingFilter::of(&into.texts()).unwrap(), into);
        prop_assert_eq!(OutgoingFilter::of(&out.texts()).unwrap(), out);
    }

    #[test]
    fn a_filter_writes_its_own_names_alone(filter in delivery_filters(), into in incoming_filters(), out in outgoing_filters()) {
        prop_assert!(filter.texts().keys().all(|name| DeliveryFilter::NAMES.contains(&&**name)));
        prop_assert!(into.texts().keys().all(|name| IncomingFilter::NAMES.contains(&&**name)));
        prop_assert!(out.texts().keys().all(|name| OutgoingFilter::NAMES.contains(&&**name)));
    }

    #[test]
    fn no_id_of_what_matches_lies_outside_of_the_bounds(since in our_days(), until in our_days(), made in our_days()) {
        let filter = DeliveryFilter { since: Some(since), until: Some(until), ..DeliveryFilter::default() };
        let upserts = UpsertFilter { since: Some(since), until: Some(until), ..UpsertFilter::default() };
        let into = IncomingFilter { since: Some(since), until: Some(until), ..IncomingFilter::default() };
        let out = OutgoingFilter { since: Some(since), until: Some(until), ..OutgoingFilter::default() };
        // Ids may be made a little before or after what they belong to.
        for near in [-59_000, 0, 59_000] {
            let Ok(at) = Timestamp::from_millisecond(made.as_millisecond() + near) else { continue };
            let (delivery, upsert, event) = (DeliveryId::oldest_at(at), UpsertId::oldest_at(at), EventId::oldest_at(at));
            if made >= since {
                prop_assert!(filter.oldest() <= Some(delivery) && upserts.oldest() <= Some(upsert));
                prop_assert!(into.oldest() <= Some(event) && out.oldest() <= Some(event));
            }
            if made < until {
                prop_assert!(filter.newest() >= Some(delivery) && upserts.newest() >= Some(upsert));
                prop_assert!(into.newest() >= Some(event) && out.newest() >= Some(event));
            }
        }
    }

    #[test]
    fn bounds_hold_at_the_ends_of_time(since in moments()) {
        let filter = DeliveryFilter { since: Some(since), until: Some(since), ..DeliveryFilter::default() };
        prop_assert!(filter.oldest() <= filter.newest());
    }
}

#[test]
fn a_filter_without_times_has_no_bounds() {
    let filter = DeliveryFilter::default();
    assert_eq!((filter.oldest(), filter.newest()), (None, None));
}
