//! The real binary, as somebody at a terminal has it; and the files that ship it.

mod check;
mod compose;
mod demo;
mod image;
mod keys;
mod process;
mod serve;
mod upsert;
mod usage;
