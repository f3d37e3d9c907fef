//! What runs beside the requests, on tracked tasks.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use upsert_app::Gateway;

use crate::config::builder::BreakerBell;
use crate::http::metrics as measure;
use crate::net::connections::Connections;
use crate::telemetry::log_filter;

/// The exporter's histograms are to be emptied from time to time.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Tasks that end when the server stops.
#[derive(Debug, Clone, Default)]
pub(crate) struct Background {
    pub(crate) tasks: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

impl Background {
    /// Answers requests.
    pub(crate) fn serve(&self, server: Server) {
        self.tasks.spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
    }

    /// Whenever a breaker closes, all that waits for its connection is due at once; whenever one closes or opens, or
    /// the vendor says something of waiting, other processes are told.
    pub(crate) fn listen(&self, gateway: &Gateway, bells: Vec<BreakerBell>) {
        for mut bell in bells {
            let (gateway, stopping) = (gateway.clone(), self.stopping.clone());
            self.tasks.spawn(async move {
                // What is retired says nothing more of the one that has its name now.
                while !bell.in_force.is_over() {
                    tokio::select! {
                        () = stopping.cancelled() => return,
                        // The connection is gone with its breaker.
                        changed = bell.closed.changed() => {
                            if changed.is_err() {
                                return;
                            }
                            if bell.in_force.is_over() {
                                return;
                            }
                            gateway.deliveries.release(&bell.merchant, &bell.connection);
                            gateway.deliveries.tell_of_closing(&bell.merchant, &bell.connection).await;
                        }
                        Ok(()) = bell.opened.changed() => {
                            let until = *bell.opened.borrow_and_update();
                            if let Some(until) = until.filter(|_| !bell.in_force.is_over()) {
                                gateway.deliveries.tell_of_opening(&bell.merchant, &bell.connection, until).await;
                            }
                        }
                        Ok(()) = bell.blocked.changed() => {
                            let blocks = *bell.blocked.borrow_and_update();
                            if bell.in_force.is_over() {
                                return;
                            }
                            gateway.deliveries.tell_of_blocks(&bell.merchant, &bell.connection, blocks).await;
                        }
                    }
                }
            });
        }
    }

    /// The same, of connections that are built while it runs.
    pub(crate) fn listen_to_all(&self, gateway: &Gateway, mut bells: UnboundedReceiver<BreakerBell>) {
        let (background, gateway) = (self.clone(), gateway.clone());
        self.tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = background.stopping.cancelled() => return,
                    bell = bells.recv() => match bell {
                        Some(bell) => background.listen(&gateway, vec![bell]),
                        None => return,
                    },
                }
            }
        });
    }

    /// Cuts connections that take too long.
    pub(crate) fn watch_connections(&self, connections: &Arc<Connections>) {
        let (connections, stopping) = (connections.clone(), self.stopping.clone());
        self.tasks.spawn(async move { connections.watch(stopping).await });
    }

    /// Gives the log its configured filter back when another one's time is over.
    pub(crate) fn keep_log_filter(&self) {
        if let Some(filter) = log_filter::of_process() {
            self.tasks.spawn(filter.keep(self.stopping.clone()));
        }
    }

    /// Keeps the metrics small.
    pub(crate) fn keep_metrics(&self) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let mut ticks = interval(UPKEEP_EVERY);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = ticks.tick() => measure::recorder().run_upkeep(),
                }
            }
        });
    }
}
