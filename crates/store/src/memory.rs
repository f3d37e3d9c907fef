//! In-memory store: under construction.
/// Keeps everything for the life of the process.
#[derive(Debug, Default)]
pub struct MemoryStore;
