//! The disk. F: how often a second it says that it has something; durable figures mean nothing without it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Appends 4 KiB and waits for the disk, over and over for `time`, in `folder`. Times a second.
///
/// # Errors
/// The disk's.
pub fn syncs_per_second(folder: &Path, time: Duration) -> io::Result<f64> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let file: &mut File = file.as_file_mut();
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < time {
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

/// Bytes that are free where `folder` is; none if `df` does not tell.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let told = Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(folder)
        .output()
        .ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    told.lines().last()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_tells_what_is_free() {
        assert!(free_bytes(Path::new("/")).is_some());
        assert_eq!(free_bytes(Path::new("/no/such/folder")), None);
    }
}
