//! A disk that is full: the gateway says that it is not ready, and is again when there is room.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Started, gateway, run};
use crate::serve::ready;

/// Longer than it takes to look again.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where this is set the test may pass without a disk of its own.
const WITHOUT: &str = "UPSERT_TEST_WITHOUT_MOUNTS";

const MOUNT: &str = "mount -t tmpfs -o size=3m tmpfs \"$0\"";

/// Worlds in which a disk of one's own can be mounted: anybody's, where namespaces of users are allowed; root's.
const WORLDS: [&[&str]; 2] = [&["--map-root-user", "--mount"], &["--mount"]];

/// A script in a world of mounts of its own.
fn in_world(world: &[&str], script: &str, disk: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(world).args(["sh", "-c", script]).arg(disk);
    command
}

/// The first one in which a disk can be mounted.
fn world(disk: &Path) -> Option<&'static [&'static str]> {
    let works = |world: &[&str]| {
        let mounted = in_world(world, MOUNT, disk).status();
        mounted.is_ok_and(|status| status.success())
    };
    WORLDS.into_iter().find(|world| works(world))
}

fn is_ready(address: &str) -> bool {
    let url = format!("http://{address}/readyz");
    run(&mut gateway(&["health", "--url", &url]), "").status.success()
}

fn becomes(address: &str, wanted: bool) -> bool {
    let began = Instant::now();
    while is_ready(address) != wanted {
        if began.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

#[test]
fn a_gateway_whose_disk_is_full_is_not_ready_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let text = format!(
        "[server]\nbind = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:{}\"\n",
        disk.join("gateway.db").display()
    );
    fs::write(folder.path().join("gateway.toml"), text).unwrap();
    let Some(world) = world(&disk) else {
        let says =
            format!("nobody may mount a disk here, neither as root nor in a user namespace: {WITHOUT}=1 does without");
        assert!(std::env::var_os(WITHOUT).is_some(), "{says}");
        return;
    };
    let mut command = in_world(world, &format!("{MOUNT} && exec \"$@\""), &disk);
    command.arg(env!("CARGO_BIN_EXE_upsert-gateway"));
    command.args(["serve", "--log", "json", "--config"]).arg(folder.path());
    let mut started = Started::new(&mut command);
    let (_, address) = ready(&mut started);
    assert!(becomes(&address, true), "it has room");

    let from_outside = format!("/proc/{}/root{}", started.id(), disk.join("fill").display());
    // To the last byte: the write that no longer fits is the proof.
    let _ = fs::write(&from_outside, vec![0_u8; 4 * 1024 * 1024]).unwrap_err();
    assert!(becomes(&address, false), "it has no room");
    fs::remove_file(&from_outside).unwrap();
    assert!(becomes(&address, true), "it has room again");
    started.signal("TERM");
    assert_eq!(started.ended(), Some(0));
}
