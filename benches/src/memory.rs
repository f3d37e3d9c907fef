//! The most memory that a process has while it is watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::process::resident_bytes;

const SAMPLED_EVERY: Duration = Duration::from_millis(50);

/// Watches the memory of a process until it is asked for the most there was.
#[derive(Debug)]
pub struct Memory {
    ends: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Memory {
    /// Begins.
    pub fn watch(process: u32) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            while !told.load(Ordering::Relaxed) {
                most = most.max(resident_bytes(process).unwrap_or_default());
                std::thread::sleep(SAMPLED_EVERY);
            }
            most
        });
        Self { ends, thread }
    }

    /// The most, in bytes.
    pub fn most(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
