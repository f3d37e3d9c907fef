//! Starting and stopping a simulator, and what a test in the same process may do with it.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, rt, web};
use serde_json::{Map, Value};

use crate::exchange;
use crate::faults::Faults;
use crate::hooks::Hooks;
use crate::journal::Journal;
use crate::options::SimulatorOptions;
use crate::record::Record;
use crate::rewrites::Rewrites;
use crate::sim::Sim;
use crate::vendor::Vendor;

/// Starts simulators.
pub struct Simulator;

impl Simulator {
    /// Starts one on threads of its own, so that it runs beside any runtime. It listens when this returns.
    ///
    /// # Errors
    /// The address cannot be bound, no thread can be started, or a hook or rewrite of the options is none.
    pub fn start(vendor: Vendor, options: SimulatorOptions) -> io::Result<Running> {
        let (listen, workers) = (options.listen, options.workers);
        let sim = web::Data::new(Sim::new(vendor, options)?);
        let (report, started) = mpsc::channel();
        let shared = sim.clone();
        let name = format!("{vendor:?}-simulator");
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            rt::System::new().block_on(async move {
                match serve_on(listen, workers, shared) {
                    Ok((address, server)) => {
                        // Nobody waits any more if the receiver is gone.
                        let _ = report.send(Ok((address, server.handle())));
                        let _ = server.await;
                    }
                    Err(error) => {
                        let _ = report.send(Err(error));
                    }
                }
            });
        })?;
        let (address, handle) = started.recv().map_err(io::Error::other)??;
        Ok(Running {
            vendor,
            address,
            sim,
            handle,
            thread: Some(thread),
        })
    }
}

fn serve_on(listen: SocketAddr, workers: usize, sim: web::Data<Sim>) -> io::Result<(SocketAddr, Server)> {
    let app = move || {
        App::new()
            .app_data(sim.clone())
            .default_service(web::to(exchange::serve))
    };
    let server = HttpServer::new(app)
        .workers(workers.max(1))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(1)
        .disable_signals()
        .bind(listen)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    Ok((address, server.run()))
}

/// A simulator that listens. It stops when this is dropped.
pub struct Running {
    vendor: Vendor,
    address: SocketAddr,
    sim: web::Data<Sim>,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Whose simulator.
    pub fn vendor(&self) -> Vendor {
        self.vendor
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The vendor's base URL, with its prefix and no slash at the end: what goes into a connection's `base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address, self.sim.rules.prefix())
    }

    /// Where [`crate::control`] answers.
    pub fn control_url(&self) -> String {
        format!("http://{}{}", self.address, crate::control::PREFIX)
    }

    /// The faults in its way.
    pub fn faults(&self) -> &Faults {
        &self.sim.faults
    }

    /// What it received.
    pub fn journal(&self) -> &Journal {
        &self.sim.journal
    }

    /// What it has stored, oldest first.
    pub fn records(&self) -> Vec<Record> {
        self.sim.rules.records().select(|_| true)
    }

    /// Stores a record directly, in the shape that a POST takes, without its checks, keys and race; a record that the
    /// vendor would match is changed. `account` is the company of a Rotor key, or the merchant elsewhere. Gives the
    /// vendor's own id. Hooks are told of it as of an edit.
    pub fn seed(&self, account: &str, body: Map<String, Value>) -> String {
        self.sim.seed(account, body)
    }

    /// Changes a record as somebody in the vendor's own screen would: a JSON merge patch (RFC 7396) in the vendor's own
    /// words on [`Record::fields`], without checks. Gives the record as it is then; none when there is none with this id.
    pub fn edit(&self, id: &str, patch: &Map<String, Value>) -> Option<Record> {
        self.sim.edit(id, patch)
    }

    /// Who is told of changes.
    pub fn hooks(&self) -> &Hooks {
        &self.sim.hooks
    }

    /// Sets which fields are stored otherwise than sent, in place of what was set before.
    ///
    /// # Errors
    /// The vendor has no text field of such a name.
    pub fn rewrite(&self, rewrites: Rewrites) -> io::Result<()> {
        self.sim.rewrite(rewrites)
    }

    /// Archives a record, which hides it from Rotor's list; false when there is none with this id.
    pub fn archive(&self, id: &str) -> bool {
        self.sim.rules.records().archive(id)
    }

    /// Removes a record, as somebody at the vendor might; false when there is none with this id.
    pub fn forget(&self, id: &str) -> bool {
        self.sim.rules.records().forget(id)
    }

    /// Forgets records, faults, journals and the day's count; hooks and rewrites are those of the start again, and what
    /// is on its way to a hook is given up.
    pub fn reset(&self) {
        self.sim.reset();
    }

    /// Begins a new day of Rotor's rate limit, whatever the clock says.
    pub fn new_rate_window(&self) {
        self.sim.rules.new_rate_window();
    }

    /// Stops at once: open connections are closed, whatever they wait for. The port is free when this returns.
    pub async fn stop(mut self) {
        self.handle.stop(false).await;
        if let Some(thread) = self.thread.take() {
            // A panic of the simulator's thread was printed by that thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The command is sent by the call itself; what is dropped is only the waiting for it.
        drop(self.handle.stop(false));
    }
}
