//! The routes, one endpoint a file. What stands here is what `/openapi.json` says; there is no other list.

pub(crate) mod attention;
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
        .service(upsert::upsert_customer)
        .service(batch::upsert_batch)
        .service(webhook::receive_event)
        .service(plan::plan_upsert)
        .service(customers::list_customers)
        .service(customer::get_customer)
        .service(history::get_customer_history)
        .service(upsert_state::get_upsert)
        .service(upserts::list_upserts)
        .service(deliveries::list_deliveries)
        .service(replay_all::replay_deliveries)
        .service(discard_all::discard_deliveries)
        .service(delivery::get_delivery)
        .service(replay::replay_delivery)
        .service(discard::discard_delivery)
        .service(providers::list_providers)
        .service(configuration::get_configuration)
        .service(attention::list_attention)
        .service(connections::list_connections)
        .service(failures::list_failures)
        .service(pause::pause_connection)
        .service(resume::resume_connection)
        .service(unlink::unlink_customer)
        .service(vendor_customers::list_vendor_customers)
        .service(vendor_customer::get_vendor_customer)
        .service(webhooks::list_webhooks)
        .service(endpoint_test::test_endpoint)
        .service(endpoint_enable::enable_endpoint)
        .service(events::list_events)
        .service(events_replay::replay_events)
        .service(events_discard::discard_events)
        .service(event::get_event)
        .service(event_replay::replay_event)
        .service(event_discard::discard_event)
        .service(logs::get_logs)
        .service(logs_change::change_logs)
        .service(livez::check_liveness)
        .service(readyz::check_readiness)
        .service(metrics::get_metrics)
        .service(openapi_json::get_openapi)
        .service(docs::get_docs)
        .service(docs_file::get_docs_file);
}
