//! The chaos run: a real gateway process between clients that write everything down and simulated vendors behind fault
//! proxies; it is killed, aborted at named points, and beset with duplicates. Afterwards a checker holds what clients
//! were told against what the vendors' journals and the store's file hold.
//!
//! It judges from outside: it knows the HTTP contract, the vendors' simulators and the tables of the store, and imports
//! nothing of the gateway but the list of its crash points. `docs/reliability.md` says how to run it and how to read a
//! failure. To add a scenario, see [`runs`]: a [`world::World`], a [`load::Load`] or [`load::open_loop`], a
//! [`vendors::Weather`], then [`runs::Run::finish`].

pub mod checker;
pub mod evidence;
pub mod front;
pub mod hostile;
pub mod hot;
pub mod load;
pub mod process;
pub mod proxy;
pub mod receiver;
pub mod revocations;
pub mod runs;
pub mod seeds;
pub mod vendors;
pub mod wire;
pub mod world;
