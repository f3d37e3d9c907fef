//! What another process has used, out of `/proc`. Linux alone.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// The kernel counts CPU time for `/proc` in hundredths of a second (`USER_HZ`), whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of all threads so far, in user mode and in the kernel.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    ticks(&stat)
        .map(|ticks| TICK * ticks)
        .context("/proc/…/stat cannot be read")
}

/// Memory that it has in RAM, in bytes.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn resident_bytes(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    resident(&status).context("/proc/…/status has no VmRSS")
}

/// `utime` and `stime`, the 14th and 15th field. The name before them may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added_whatever_the_process_is_called() {
        let stat = "42 (odd) name) S 1 2 3 4 -1 5 6 7 8 9 130 70 0 0 20 0 8 0 100";
        assert_eq!(ticks(stat), Some(200));
    }

    #[test]
    fn resident_memory_is_read_in_kibibytes() {
        assert_eq!(
            resident("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"),
            Some(2_097_152)
        );
    }

    #[test]
    fn this_process_has_used_something() {
        let me = std::process::id();
        assert!(resident_bytes(me).unwrap() > 100_000);
        assert!(cpu_time(me).is_ok());
    }
}
