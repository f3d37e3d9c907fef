//! The routes, one endpoint a file. What stands here is what `/openapi.json` says; there is no other list.

pub(crate) mod batch;
pub(crate) mod configuration;
pub(crate) mod connections;
pub(crate) mod customer;
pub(crate) mod customers;
pub(crate) mod deliveries;
pub(crate) mod delivery;
pub(crate) mod discard;
pub(crate) mod discard_all;
pub(crate) mod docs;
pub(crate) mod docs_file;
pub(crate) mod endpoint_enable;
pub(crate) mod endpoint_test;
pub(crate) mod event;
pub(crate) mod event_discard;
pub(crate) mod event_replay;
pub(crate) mod events;
pub(crate) mod events_discard;
pub(crate) mod events_replay;
pub(crate) mod failures;
pub(crate) mod fallback;
pub(crate) mod history;
pub(crate) mod livez;
pub(crate) mod logs;
pub(crate) mod logs_change;
pub(crate) mod metrics;
pub(crate) mod openapi_json;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod providers;
pub(crate) mod readyz;
pub(crate) mod replay;
pub(crate) mod replay_all;
pub(crate) mod reply;
pub(crate) mod resume;
pub(crate) mod unlink;
pub(crate) mod upsert;
pub(crate) mod upsert_state;
pub(crate) mod upserts;
pub(crate) mod vendor_customer;
pub(crate) mod vendor_customers;
pub(crate) mod webhook;
pub(crate) mod webhooks;

use utoipa_actix_web::service_config::ServiceConfig;

/// Every route; the busiest first, since they are tried in order.
pub(crate) fn all(config: &mut ServiceConfig<'_>) {
    config
        .service(upsert::upsert)
        .service(batch::batch)
        .service(webhook::webhook)
        .service(plan::plan)
        .service(customers::customers)
        .service(customer::customer)
        .service(history::history)
        .service(upsert_state::upsert_state)
        .service(upserts::upserts)
        .service(deliveries::deliveries)
        .service(replay_all::replay_all)
        .service(discard_all::discard_all)
        .service(delivery::delivery)
        .service(replay::replay)
        .service(discard::discard)
        .service(providers::providers)
        .service(configuration::configuration)
        .service(connections::connections)
        .service(failures::failures)
        .service(pause::pause)
        .service(resume::resume)
        .service(unlink::unlink)
        .service(vendor_customers::vendor_customers)
        .service(vendor_customer::vendor_customer)
        .service(webhooks::webhooks)
        .service(endpoint_test::endpoint_test)
        .service(endpoint_enable::endpoint_enable)
        .service(events::events)
        .service(events_replay::events_replay)
        .service(events_discard::events_discard)
        .service(event::event)
        .service(event_replay::event_replay)
        .service(event_discard::event_discard)
        .service(logs::logs)
        .service(logs_change::logs_change)
        .service(livez::livez)
        .service(readyz::readyz)
        .service(metrics::metrics)
        .service(openapi_json::openapi_json)
        .service(docs::docs)
        .service(docs_file::docs_file);
}
