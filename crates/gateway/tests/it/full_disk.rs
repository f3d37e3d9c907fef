//! A disk that is full: the gateway says that it is not ready, and is again when there is room.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Started, gateway, run};
use crate::serve::ready;

/// Longer than it takes to look again.
const PATIENCE: Duration = Duration::from_secs(30);

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
    // A disk of its own, in a world of mounts of its own.
    let in_world = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-c", script])
            .arg(&disk);
        command
    };
    let mount = "mount -t tmpfs -o size=3m tmpfs \"$0\"";
    if !in_world(mount).status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: nobody may mount a disk here");
        return;
    }
    let serve = format!("{mount} && exec \"$@\"");
    let mut command = in_world(&serve);
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
