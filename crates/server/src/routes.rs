//! The routes, a resource a file. What stands here is what `/openapi.json` says; there is no other list.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod connections;
pub(crate) mod customers;
pub(crate) mod deliveries;
pub(crate) mod docs;
pub(crate) mod encryption;
pub(crate) mod erasures;
pub(crate) mod events;
pub(crate) mod fallback;
pub(crate) mod incidents;
pub(crate) mod logs;
pub(crate) mod merchants;
pub(crate) mod operations;
pub(crate) mod problems;
pub(crate) mod process;
pub(crate) mod reply;
pub(crate) mod upsert;
pub(crate) mod upserts;
pub(crate) mod webhook;
pub(crate) mod webhooks;

use actix_web::dev::HttpServiceFactory;
use actix_web::web;
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::service_config::ServiceConfig as Documenting;

/// Takes routes: to serve them, or to document them, which takes memory that nobody needs who asks for no document.
pub(crate) trait Routes {
    /// One more.
    fn service<R: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, route: R) -> &mut Self;
}

impl Routes for web::ServiceConfig {
    fn service<R: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, route: R) -> &mut Self {
        Self::service(self, route)
    }
}

impl Routes for Documenting<'_> {
    fn service<R: HttpServiceFactory + OpenApiFactory + 'static>(&mut self, route: R) -> &mut Self {
        Self::service(self, route)
    }
}

/// Every route; the busiest first, since they are tried in order.
pub(crate) fn all(config: &mut impl Routes) {
    config
        .service(upsert::upsert_customer)
        .service(batch::upsert_batch)
        .service(webhook::receive_event)
        .service(upsert::plan_upsert)
        .service(customers::list_customers)
        .service(customers::get_customer)
        .service(customers::get_customer_history)
        .service(upserts::get_upsert)
        .service(upserts::list_upserts)
        .service(deliveries::list_deliveries)
        .service(deliveries::replay_deliveries)
        .service(deliveries::discard_deliveries)
        .service(deliveries::get_delivery)
        .service(deliveries::replay_delivery)
        .service(deliveries::discard_delivery)
        .service(operations::list_providers)
        .service(operations::get_configuration)
        .service(operations::list_attention)
        .service(incidents::list_incidents)
        .service(incidents::get_incident)
        .service(audit::list_audit)
        .service(audit::verify_audit)
        .service(connections::list_connections)
        .service(connections::list_failures)
        .service(connections::pause_connection)
        .service(connections::resume_connection)
        .service(connections::try_connection)
        .service(customers::unlink_customer)
        .service(erasures::erase_customer)
        .service(erasures::get_erasure)
        .service(connections::list_vendor_customers)
        .service(connections::get_vendor_customer)
        .service(webhooks::list_webhooks)
        .service(webhooks::test_endpoint)
        .service(webhooks::enable_endpoint)
        .service(events::list_events)
        .service(events::replay_events)
        .service(events::discard_events)
        .service(events::get_event)
        .service(events::replay_event)
        .service(events::discard_event);
    of_the_process(config);
}

/// What is every merchant's, or nobody's.
fn of_the_process(config: &mut impl Routes) {
    config
        .service(merchants::list_merchants)
        .service(merchants::get_merchant)
        .service(merchants::put_merchant)
        .service(merchants::delete_merchant)
        .service(encryption::rotate_keys)
        .service(encryption::renew_data_keys)
        .service(logs::get_logs)
        .service(logs::change_logs)
        .service(process::check_liveness)
        .service(process::check_readiness)
        .service(process::get_metrics)
        .service(process::get_openapi)
        .service(docs::get_docs)
        .service(docs::get_docs_file)
        .service(problems::get_problem);
}
