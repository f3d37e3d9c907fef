//! The contract suite of the stores: whatever keeps the gateway's records has to pass every case.
//!
//! [`crate::store_suite!`] makes one named test of each case, and one that counts them, so that none goes missing
//! unseen:
//!
//! ```ignore
//! mod suite {
//!     upsert_testkit::store_suite!(128 cases, || (std::sync::Arc::new(MemoryStore::new()), ()));
//! }
//! ```

mod attempts;
mod audit;
mod changesets;
mod concurrency;
mod connections;
mod customers;
mod deliveries;
mod erasures;
mod events;
mod forgetting;
mod history;
mod idempotency;
mod identity;
mod incidents;
mod lanes;
mod lists;
mod merchants;
mod sessions;
mod stored_merchants;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use upsert_store::{Applied, Changeset, DeliveryRecord, Expect, Store, UpsertRecord, Write};

use crate::records::seconds;

use events::{incoming, outgoing};

/// One thing that every store does alike.
pub struct Case {
    /// What, as a sentence.
    pub name: &'static str,
    run: fn(Arc<dyn Store>) -> Run,
}

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Runs the case of this name over a store that is empty.
///
/// # Panics
///
/// Where the store does not keep the contract, or there is no case of this name.
pub async fn run(name: &str, store: Arc<dyn Store>) {
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    (case.run)(store).await;
}

/// `$d` is a dollar sign: the inner macro needs its own.
macro_rules! suite {
    ($d:tt $($module:ident: $($case:ident),+;)+) => {
        /// Every case.
        pub static CASES: &[Case] = &[
            $($(Case { name: stringify!($case), run: |store| Box::pin($module::$case(store)) },)+)+
        ];

        /// One test for each case of the suite. The expression makes an empty store and whatever has to live as long as
        /// it; it is called once a test. The number is how many cases there have to be.
        #[macro_export]
        macro_rules! store_suite {
            ($d count:literal cases, $d fresh:expr) => {
                $($(
                    #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $case() {
                        let (store, _keep) = ($d fresh)();
                        $d crate::store_suite::run(stringify!($case), store).await;
                    }
                )+)+

                #[test]
                fn every_case_of_the_suite_has_its_test() {
                    let tested = [$($(stringify!($case),)+)+];
                    let cases: Vec<_> = $d crate::store_suite::CASES.iter().map(|case| case.name).collect();
                    assert_eq!(tested[..], cases[..]);
                    assert_eq!(tested.len(), $d count, "cases were added or lost");
                }
            };
        }
    };
}

suite! { $
    changesets:
        an_empty_changeset_is_done,
        no_unmet_expectation_of_any_kind_lets_a_write_through,
        every_expectation_can_be_met_and_then_every_write_is_seen,
        the_first_unmet_expectation_is_named,
        expectations_are_judged_before_any_write,
        writes_are_applied_in_order,
        a_store_in_order_passes_its_check;
    customers:
        a_customer_comes_back_as_it_was_put,
        a_customer_of_another_merchant_is_not_there,
        a_customer_is_expected_at_its_revision,
        deleting_a_customer_takes_its_row_and_lanes_and_nothing_else,
        customers_are_paged_by_age,
        customers_are_listed_by_identifiers,
        customers_are_listed_by_tag_status_kind_and_time;
    history:
        history_is_newest_first_and_paged,
        history_tells_the_accepted_version_below_a_page,
        history_tells_of_an_upsert_as_it_was_put_last,
        a_change_stays_with_its_upsert_however_often_that_is_put_again;
    forgetting:
        what_is_forgotten_of_an_upsert_is_gone_and_nothing_else_is,
        an_upsert_of_which_the_history_is_left_is_found_by_nobody,
        older_upserts_are_answered_by_merchant_and_age_with_their_deliveries,
        a_delivery_whose_attempts_are_forgotten_has_none_and_stays;
    erasures:
        an_erasure_comes_back_as_it_was_put_and_is_expected_at_its_revision,
        erasures_are_open_until_they_have_ended,
        a_tombstone_is_found_by_each_of_its_keys_and_by_nothing_else,
        a_customers_upserts_are_answered_oldest_first_forgotten_ones_too,
        an_answer_is_erased_by_its_key_whether_or_not_there_is_one,
        an_event_that_is_forgotten_is_gone_and_may_come_again,
        a_keyed_hash_is_of_its_text_and_a_store_can_be_scrubbed;
    incidents:
        an_incident_comes_back_as_it_was_put_and_is_expected_at_its_revision,
        incidents_are_listed_newest_first_by_merchant_connection_and_state,
        incidents_that_ended_long_ago_are_answered_and_forgotten;
    identity:
        each_identifier_answers_on_its_own_with_lanes_in_order,
        an_identifier_finds_by_merchant_kind_and_whole_value,
        the_sixteen_oldest_holders_are_answered,
        holders_are_expected_as_a_set,
        holders_beyond_the_sixteenth_are_not_compared,
        a_removed_identifier_finds_nobody;
    lanes:
        a_lane_comes_back_as_it_was_put,
        a_lane_is_expected_at_its_revision,
        a_key_is_free_unless_another_customer_has_reserved_it,
        holders_of_keys_are_answered_in_the_order_of_the_keys,
        a_vendor_record_is_free_unless_another_customer_is_linked_to_it,
        owners_follow_the_link;
    deliveries:
        an_upsert_comes_with_its_deliveries_in_order,
        deliveries_of_an_upsert_come_in_the_order_of_their_parts,
        an_id_of_an_upsert_finds_no_delivery_and_that_of_a_delivery_no_upsert,
        an_upsert_is_expected_at_its_revision,
        a_delivery_comes_back_as_it_was_put,
        a_delivery_is_expected_at_its_fence,
        only_what_may_be_tried_is_due_oldest_due_first,
        a_delivery_is_due_no_longer_once_it_is_sent_or_has_ended,
        what_is_due_is_asked_for_by_connection,
        what_waits_at_a_connection_is_read_page_by_page_whether_it_is_due_or_not,
        an_upsert_is_unsettled_while_it_is_pending_and_nothing_of_its_own_is_open,
        deliveries_in_flight_are_abandoned_when_their_lease_ends,
        what_has_not_ended_is_counted_by_connection_and_state,
        dead_letters_are_counted_by_connection;
    attempts:
        attempts_are_kept_by_number,
        an_attempt_keeps_what_went_out_and_has_a_failure_of_its_own,
        the_first_attempt_and_later_ones_come_in_order_with_their_requests;
    lists:
        deliveries_are_listed_newest_first_and_paged,
        every_filter_of_deliveries_has_to_hold,
        a_delivery_moves_between_lists_with_its_state,
        pages_have_no_gaps_while_new_deliveries_come_in,
        deliveries_are_counted_up_to_a_limit,
        every_filter_of_upserts_has_to_hold,
        what_was_made_within_a_minute_of_its_id_is_listed_by_time;
    idempotency:
        a_key_is_free_until_it_is_used_and_after_it_has_expired,
        a_key_has_one_answer,
        a_new_record_takes_the_place_of_an_expired_one,
        a_fingerprint_is_what_it_was_however_it_begins,
        the_longest_expired_are_forgotten_first;
    merchants:
        an_id_leads_to_its_merchant,
        ids_of_what_is_kept_were_made_until_a_moment_that_is_told,
        two_merchants_have_each_a_customer_under_one_id,
        two_merchants_have_each_an_upsert_with_its_work_under_one_id,
        two_merchants_have_each_an_event_under_one_id,
        two_merchants_have_each_a_use_of_one_idempotency_key;
    stored_merchants:
        a_merchant_comes_back_as_it_was_put_and_is_known_to_be_gone,
        a_merchant_is_expected_at_its_revision,
        merchants_that_are_there_are_paged_by_id,
        changes_of_merchants_are_numbered_in_the_order_of_their_commits,
        keys_that_seal_are_named_once_with_the_merchants_that_they_seal,
        todays_calls_of_one_merchant_are_asked_for_alone;
    connections:
        a_connection_has_one_state,
        calls_are_counted_by_day_and_connection;
    sessions:
        a_session_comes_back_as_it_began_and_is_gone_when_it_ends,
        a_session_that_has_ended_stays_so_whatever_is_written_of_it,
        the_last_look_at_a_session_is_the_latest_that_was_written,
        a_notice_is_there_until_it_is_told_and_a_newer_one_stays,
        a_key_has_so_many_sessions_and_those_that_were_looked_at_last_stay,
        of_many_that_sign_in_at_once_with_one_key_so_many_stay,
        sessions_that_nobody_looked_at_are_forgotten_the_longest_ago_first;
    events:
        an_upsert_owes_its_event_until_it_is_put_without,
        what_events_said_is_kept_by_customer_and_source_and_goes_with_the_customer,
        what_is_over_is_forgotten_by_age_and_what_is_to_be_sent_never,
        a_forgotten_event_is_in_no_list_and_its_sender_may_bring_it_again,
        what_nothing_dates_is_kept_unless_it_is_a_dead_letter;
    incoming:
        an_event_that_came_in_comes_back_as_it_was_put,
        an_id_with_a_nul_in_it_is_an_id_like_any_other,
        a_name_with_a_nul_in_it_finds_nothing,
        an_event_that_came_in_is_expected_by_its_senders_id,
        an_id_has_a_row_for_each_content_that_came_under_it,
        events_that_came_in_are_listed_newest_first_by_every_filter,
        an_event_that_came_in_moves_between_lists_with_its_state,
        an_event_that_came_in_within_a_minute_of_its_id_is_listed_by_time,
        dead_letters_are_counted_by_source;
    outgoing:
        an_event_that_goes_out_comes_back_as_it_was_put,
        an_event_that_goes_out_is_expected_at_its_revision,
        only_what_is_to_be_sent_is_due_oldest_due_first,
        endpoints_where_something_is_due_are_named_in_order,
        what_waits_for_an_endpoint_is_read_page_by_page,
        events_that_go_out_are_listed_newest_first_by_every_filter,
        an_event_that_goes_out_moves_between_lists_with_its_state,
        an_event_that_was_made_within_a_minute_of_its_id_is_listed_by_time,
        what_is_open_or_failed_is_counted_by_endpoint_and_state,
        an_endpoint_has_one_state;
    audit:
        entries_of_the_audit_trail_come_back_as_they_were_put,
        the_audit_trail_is_listed_newest_first_and_paged,
        every_filter_of_the_audit_trail_has_to_hold,
        the_audit_trails_head_is_expected_at_its_revision,
        what_is_forgotten_of_the_audit_trail_is_gone_and_nothing_else_is,
        of_many_entries_that_follow_one_head_one_is_written;
    concurrency:
        of_64_conflicting_changesets_one_is_done,
        of_64_claims_of_one_identifier_one_is_done,
        changesets_of_one_caller_keep_their_order,
        what_was_applied_is_read_at_once;
}

/// Applies writes of acme's that expect nothing.
async fn put(store: &dyn Store, write: Vec<Write>) {
    put_for(store, "acme", write).await;
}

/// The same, of this merchant's.
async fn put_for(store: &dyn Store, merchant: &str, write: Vec<Write>) {
    let changes = Changeset {
        write,
        ..Changeset::of(merchant)
    };
    assert_eq!(store.apply(changes).await.unwrap(), Applied::Done);
}

/// The same, of several merchants': each one's in order.
async fn put_for_each(store: &dyn Store, writes: impl IntoIterator<Item = (&str, Write)>) {
    let mut by_merchant: BTreeMap<&str, Vec<Write>> = BTreeMap::new();
    for (merchant, write) in writes {
        by_merchant.entry(merchant).or_default().push(write);
    }
    for (merchant, write) in by_merchant {
        put_for(store, merchant, write).await;
    }
}

/// Deliveries with no attempt, each for its merchant.
async fn put_deliveries(store: &dyn Store, deliveries: &[DeliveryRecord]) {
    let write = |row: &DeliveryRecord| Write::PutDelivery(row.clone(), None);
    put_for_each(store, deliveries.iter().map(|row| (row.merchant.as_str(), write(row)))).await;
}

/// Upserts that change nothing, each for its merchant.
async fn put_upserts(store: &dyn Store, upserts: &[UpsertRecord]) {
    let write = |row: &UpsertRecord| Write::PutUpsert(row.clone(), None);
    put_for_each(store, upserts.iter().map(|row| (row.merchant.as_str(), write(row)))).await;
}

/// Whether the expectation holds now, among what is acme's.
async fn holds(store: &dyn Store, expect: Expect) -> bool {
    holds_for(store, "acme", expect).await
}

/// The same, among what is this merchant's.
async fn holds_for(store: &dyn Store, merchant: &str, expect: Expect) -> bool {
    let changes = Changeset {
        expect: vec![expect],
        ..Changeset::of(merchant)
    };
    match store.apply(changes).await.unwrap() {
        Applied::Done => true,
        Applied::Unmet(index) => {
            assert_eq!(index, 0);
            false
        }
    }
}

/// Numbers of which a list by time may leave some out by their ids alone, each with a moment that is almost a minute before
/// or after what its id says.
fn almost_a_minute_from_their_ids() -> impl Iterator<Item = (u32, Timestamp)> {
    [59, -59]
        .into_iter()
        .cycle()
        .zip((100..=600).step_by(100))
        .map(|(apart, number)| (number, seconds(i64::from(number) + apart)))
}

/// Of a list by time: from this moment on, up to it, and it alone.
fn spans(moment: Timestamp) -> [(Option<Timestamp>, Option<Timestamp>); 3] {
    let just_after = moment.checked_add(SignedDuration::from_nanos(1)).unwrap();
    [
        (Some(moment), None),
        (None, Some(just_after)),
        (Some(moment), Some(just_after)),
    ]
}
