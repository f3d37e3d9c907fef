//! What every layer and the whole stack have to keep: one list of cases, run through each.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::time::timeout;

use upsert_core::{
    Customer, CustomerId, CustomerReader, ListQuery, ProviderError, Selection, UpsertProvider, UpsertRequest,
};
use upsert_policy::{
    AttemptTimeout, Breaker, BreakerPolicy, Concurrency, ConnectionPolicy, InMemoryDayCount, Layer, Observe, Outside,
    RateLimit, RateLimitPolicy, RetryBudget, standard_stack, wrap,
};

use crate::scripted::{
    Answer, CANARY, Scripted, broken, call, context, fault, jitter, names, noon, prepared, quota_spent, receipt,
    record, rejected, secs, throttled, unauthorised, unavailable_for, violation,
};

struct Subject {
    vendor: Arc<Scripted>,
    provider: Arc<dyn UpsertProvider>,
    reader: Arc<dyn CustomerReader>,
}

fn limits() -> RateLimitPolicy {
    RateLimitPolicy {
        per_second: NonZeroU32::new(1_000),
        per_day: NonZeroU32::new(10_000),
        ..RateLimitPolicy::default()
    }
}

fn under(layer: impl Layer, script: Vec<Answer>) -> Subject {
    let (layer, vendor) = (Arc::new(layer), Scripted::new(script));
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(&vendor);
    let reader: Arc<dyn CustomerReader> = Arc::<Scripted>::clone(&vendor);
    Subject {
        provider: wrap(&layer, provider),
        reader: wrap(&layer, reader),
        vendor,
    }
}

fn observe(script: Vec<Answer>) -> Subject {
    under(Observe::new(names(), noon(), Arc::new(RetryBudget::default())), script)
}

fn breaker(script: Vec<Answer>) -> Subject {
    under(Breaker::new(BreakerPolicy::default(), names(), noon()), script)
}

fn rate_limit(script: Vec<Answer>) -> Subject {
    let day_count = Arc::new(InMemoryDayCount::default());
    under(
        RateLimit::new(Some(limits()), noon(), day_count, jitter(0.5), None),
        script,
    )
}

fn concurrency(script: Vec<Answer>) -> Subject {
    under(Concurrency::new(NonZeroU32::MIN), script)
}

fn attempt_timeout(script: Vec<Answer>) -> Subject {
    under(AttemptTimeout::new(secs(10)), script)
}

fn whole_stack(script: Vec<Answer>) -> Subject {
    let vendor = Scripted::new(script);
    let policy = ConnectionPolicy {
        concurrency: NonZeroU32::MIN,
        rate_limit: Some(limits()),
        ..ConnectionPolicy::default()
    };
    let outside = Outside {
        clock: noon(),
        day_count: Arc::new(InMemoryDayCount::default()),
        jitter: jitter(0.5),
        shared_rate: None,
    };
    let provider: Arc<dyn UpsertProvider> = Arc::<Scripted>::clone(&vendor);
    let reader: Arc<dyn CustomerReader> = Arc::<Scripted>::clone(&vendor);
    let stack = standard_stack(provider, Some(reader), &policy, "acme", "crm", outside);
    Subject {
        provider: stack.provider,
        reader: stack.reader.unwrap(),
        vendor,
    }
}

async fn what_is_pure_passes_through_without_a_call(subject: impl Fn(Vec<Answer>) -> Subject) {
    let subject = subject(Vec::new());
    let (customer, cleared) = (Customer::default(), BTreeSet::new());
    let mut request = UpsertRequest {
        customer: &customer,
        customer_id: CustomerId::from_uuid(uuid::Uuid::nil()),
        link: None,
        selection: Selection::All,
        cleared: &cleared,
        tags_lost: false,
        provider_fields: None,
    };
    assert_eq!(subject.provider.prepare(&request), Ok(prepared()));
    request.tags_lost = true;
    assert_eq!(subject.provider.prepare(&request), Err(vec![violation()]));
    assert_eq!(subject.provider.canonical_id("CRM-1"), "crm-1");
    assert_eq!(subject.provider.info().kind, "scripted");
    assert_eq!(subject.provider.info().capabilities, subject.vendor.info().capabilities);
    assert!(subject.reader.check(&ListQuery::default()).is_ok());
    let unknown = ListQuery {
        archived: Some(true),
        ..ListQuery::default()
    };
    assert!(subject.reader.check(&unknown).is_err());
    assert_eq!(subject.vendor.sent(), 0);
}

async fn answers_pass_unchanged_and_each_call_is_sent_once(subject: impl Fn(Vec<Answer>) -> Subject) {
    let subject = subject(Vec::new());
    assert_eq!(call(&subject.provider).await.unwrap(), receipt());
    let page = subject.reader.list(&context(), &ListQuery::default()).await.unwrap();
    assert_eq!(page.next.as_deref(), Some("page-2"));
    let read = subject.reader.read(&context(), "7").await.unwrap();
    assert!(read == Some(record("7")));
    assert_eq!(subject.vendor.sent(), 3);
}

async fn errors_pass_unchanged_and_nothing_is_tried_again(subject: impl Fn(Vec<Answer>) -> Subject) {
    let errors: [fn() -> ProviderError; 7] = [
        fault,
        || unavailable_for(secs(3)),
        rejected,
        broken,
        unauthorised,
        || throttled(Some(secs(9))),
        || quota_spent(None),
    ];
    for error in errors {
        let subject = subject(vec![Answer::Error(full(error())), Answer::Error(full(error()))]);
        let got = call(&subject.provider).await.unwrap_err();
        assert_eq!(everything(&got), everything(&full(error())));
        assert_eq!(subject.vendor.sent(), 1);
    }
}

/// Every member set.
fn full(mut error: ProviderError) -> ProviderError {
    error.code = Some("V-17".to_owned());
    error.vendor_status = Some(599);
    error.vendor_request_id = Some("call-9".to_owned());
    error = error.with_context("the context");
    error.source = Some("beneath".into());
    error.errors = vec![upsert_core::FieldError {
        pointer: Some("/email".to_owned()),
        vendor_field: "mail".to_owned(),
        detail: CANARY.to_owned(),
    }];
    error
}

fn everything(error: &ProviderError) -> String {
    let beneath = error.source.as_ref().map(ToString::to_string);
    let texts = (
        &error.code,
        &error.detail,
        &error.vendor_request_id,
        &error.errors,
        beneath,
    );
    format!("{error:?} {texts:?} {}", error.errors[0].detail)
}

async fn a_call_that_is_never_polled_sends_nothing(subject: impl Fn(Vec<Answer>) -> Subject) {
    let subject = subject(Vec::new());
    drop(call(&subject.provider));
    assert_eq!(subject.vendor.sent(), 0);
}

async fn dropped_calls_leave_nothing_behind(subject: impl Fn(Vec<Answer>) -> Subject) {
    let subject = subject((0..50).map(|_| Answer::Never).collect());
    for _ in 0..50 {
        let dropped = timeout(secs(1), call(&subject.provider)).await;
        assert!(dropped.is_err(), "the script answers nothing");
    }
    assert_eq!(call(&subject.provider).await.unwrap(), receipt());
    assert_eq!(subject.vendor.sent(), 51);
}

async fn debug_shows_no_datum(subject: impl Fn(Vec<Answer>) -> Subject) {
    let subject = subject(vec![Answer::Error(full(rejected())), Answer::Error(full(fault()))]);
    for _ in 0..3 {
        let _ = call(&subject.provider).await;
    }
    let shown = format!("{:?} {:?}", subject.provider, subject.reader);
    assert!(!shown.contains(CANARY), "{shown}");
}

macro_rules! contract {
    ($($layer:ident),*) => { $(
        mod $layer {
            use super::$layer as subject;
            contract!(@cases
                what_is_pure_passes_through_without_a_call,
                answers_pass_unchanged_and_each_call_is_sent_once,
                errors_pass_unchanged_and_nothing_is_tried_again,
                a_call_that_is_never_polled_sends_nothing,
                dropped_calls_leave_nothing_behind,
                debug_shows_no_datum
            );
        }
    )* };
    (@cases $($case:ident),*) => { $(
        #[tokio::test(start_paused = true)]
        async fn $case() {
            super::$case(subject).await;
        }
    )* };
}

contract!(observe, breaker, rate_limit, concurrency, attempt_timeout, whole_stack);
