//! Two cores, two sides: load and vendor on one, the program under test on the other, so that neither takes time from
//! the other. Only where `taskset` is there and the machine has two cores.

use std::process::{Command, Stdio};

/// Which core is for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinning {
    /// Load and simulators on core 0, the program under test on core 1.
    TwoCores,
    /// Wherever the kernel puts them.
    None,
}

impl Pinning {
    /// Puts this process, and so all threads and simulators that it starts from now on, on core 0, if that can be done.
    pub fn begin() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let own = std::process::id().to_string();
        let pinned = cores >= 2 && quietly(Command::new("taskset").args(["-a", "-c", "-p", "0", &own]));
        if pinned { Self::TwoCores } else { Self::None }
    }

    /// A command for the program under test.
    pub fn command(self, program: &std::path::Path) -> tokio::process::Command {
        match self {
            Self::TwoCores => {
                let mut command = tokio::process::Command::new("taskset");
                command.args(["-c", "1"]).arg(program);
                command
            }
            Self::None => tokio::process::Command::new(program),
        }
    }
}

fn quietly(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
