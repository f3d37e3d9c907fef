//! The real binary, as somebody at a terminal has it; and the files that ship it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod audit;
mod behind_proxies;
mod chart;
mod check;
mod compose;
mod compose_replicas;
mod customers;
mod deliveries;
mod demo;
mod exports;
mod frozen_page;
mod full_disk;
mod hostile;
mod image;
mod import;
mod init;
mod keys;
mod litestream;
mod merchants;
mod operating;
mod operator;
mod own_gateway;
mod process;
mod proxy;
mod replicas;
mod revocations;
mod scripted;
mod second_gateway;
mod serve;
mod shipped;
mod status;
mod store_copy;
mod systemd;
mod upsert;
mod usage;
mod webhook;
mod who_is_who;
