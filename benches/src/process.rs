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

/// CPU time of a process, of its children, and of those of its children that have ended.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn family_cpu_time(parent: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{parent}/stat"))?;
    let mut total = ticks(&stat).zip(ended_ticks(&stat)).map(|(own, ended)| own + ended);
    for entry in fs::read_dir("/proc")? {
        // A process that ends meanwhile is counted with its parent the next time.
        let stat = fs::read_to_string(entry?.path().join("stat")).unwrap_or_default();
        if parent_of(&stat) == Some(parent) {
            total = total.zip(ticks(&stat)).map(|(total, child)| total + child);
        }
    }
    total.map(|ticks| TICK * ticks).context("/proc/…/stat cannot be read")
}

/// Memory that it has in RAM, in bytes.
///
/// # Errors
/// There is no such process, or no `/proc`.
pub fn resident_bytes(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    resident(&status).context("/proc/…/status has no VmRSS")
}

/// The fields behind the name, which may hold blanks and brackets: the first is the third of all.
fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace())
}

/// `utime` and `stime`, the 14th and 15th field.
fn ticks(stat: &str) -> Option<u32> {
    two_of(stat, 11)
}

/// `cutime` and `cstime`, the 16th and 17th field.
fn ended_ticks(stat: &str) -> Option<u32> {
    two_of(stat, 13)
}

fn two_of(stat: &str, skipped: usize) -> Option<u32> {
    let mut fields = fields(stat)?.skip(skipped);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// The 4th field.
fn parent_of(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
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
        let with_children = "42 (odd) name) S 1 2 3 4 -1 5 6 7 8 9 130 70 20 10 20 0 8 0 100";
        assert_eq!((ended_ticks(with_children), parent_of(stat)), (Some(30), Some(1)));
    }

    #[test]
    fn what_a_child_used_is_its_parents_also_when_it_has_ended() {
        let me = std::process::id();
        let before = family_cpu_time(me).unwrap();
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let mut child = std::process::Command::new("sh").args(["-c", busy]).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        assert!(family_cpu_time(me).unwrap() > before + TICK);
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
