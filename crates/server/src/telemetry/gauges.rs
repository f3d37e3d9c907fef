//! Gauges: what is counted when the metrics are asked for, of what is there then. Each page has a recorder of its own, so
//! nothing stands for ever of a connection or an endpoint that is gone, and gateways in one process do not mix.

mod connections;
mod events;
mod process;

use std::sync::Weak;

use metrics_exporter_prometheus::PrometheusBuilder;

use upsert_app::Gateway;

use crate::state::State;

/// All of them as they are then, in the text format of Prometheus. What the store cannot tell is left out. Nothing is told by a
/// server that is gone meanwhile.
pub(crate) async fn page(gateway: Gateway, state: Weak<State>) -> String {
    let backlog = gateway.queries.event_backlog().await;
    let views = gateway.queries.connection_views(|_| true).await;
    let Some(state) = state.upgrade() else {
        return String::new();
    };
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        process::show(&state);
        match backlog {
            Ok(backlog) => events::show(backlog),
            Err(error) => tracing::warn!(%error, "events that wait could not be counted"),
        }
        match views {
            Ok(views) => views.iter().for_each(connections::show),
            Err(error) => tracing::warn!(%error, "deliveries that wait could not be counted"),
        }
        describe();
    });
    recorder.handle().render()
}

fn describe() {
    process::describe();
    events::describe();
    connections::describe();
}
