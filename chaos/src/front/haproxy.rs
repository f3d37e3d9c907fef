//! HAProxy, with the configuration that is shipped but for the addresses.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::program;

const SHIPPED: &str = include_str!("../../../deploy/compose/replicas/haproxy.cfg");

/// The backend that has all gateways and most requests.
const BACKEND: &str = "gateway";

pub(super) fn command(
    folder: &Path,
    address: SocketAddr,
    look: SocketAddr,
    gateways: &[SocketAddr],
) -> anyhow::Result<Command> {
    let file = folder.join("haproxy.cfg");
    fs::write(&file, configuration(address, look, gateways))?;
    let log = File::create(folder.join("haproxy.log"))?;
    let mut haproxy = program("haproxy");
    haproxy.arg("-db").arg("-f").arg(&file);
    haproxy.stdout(log.try_clone()?).stderr(log);
    Ok(haproxy)
}

/// Each backend lists the replicas one a line; the first of these lines becomes one for each gateway.
fn configuration(address: SocketAddr, look: SocketAddr, gateways: &[SocketAddr]) -> String {
    let mut lines = Vec::new();
    for line in SHIPPED.lines() {
        let words = line.trim_start();
        if words.starts_with("server gateway-1 ") {
            let servers = gateways.iter().enumerate();
            lines.extend(servers.map(|(number, gateway)| format!("    server gateway-{number} {gateway}")));
        } else if !words.starts_with("server ") {
            lines.push(line.replace("bind :8080", &format!("bind {address}")));
        }
    }
    let look = format!("\nfrontend look\n    bind {look}\n    stats enable\n    stats uri /\n");
    lines.join("\n") + &look
}

/// Whether HAProxy's own page of figures says that every gateway gets requests.
pub(super) fn all_are_up(page: &str) -> bool {
    let servers = page.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let mut servers = servers
        .filter(|words| {
            words.first() == Some(&BACKEND) && words.get(1).is_some_and(|name| name.starts_with("gateway-"))
        })
        .peekable();
    servers.peek().is_some() && servers.all(|words| words.get(17).is_some_and(|state| *state == "UP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_has_every_gateway_and_none_of_the_shipped_names() {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let text = configuration(address(1), address(2), &[address(11), address(12), address(13)]);
        for port in [11, 12, 13] {
            let backends = text.matches(&format!(" 127.0.0.1:{port}\n")).count();
            assert_eq!(backends, SHIPPED.matches("\nbackend ").count(), "{text}");
        }
        assert!(text.contains("bind 127.0.0.1:1\n") && !text.contains(":8080"), "{text}");
    }

    #[test]
    fn a_gateway_is_up_once_its_checks_say_so() {
        let line = |name: &str, state: &str| format!("gateway,{name},{}{state},1", "0,".repeat(15));
        assert!(all_are_up(
            &[line("gateway-0", "UP"), line("gateway-1", "UP")].join("\n")
        ));
        assert!(!all_are_up(
            &[line("gateway-0", "UP"), line("gateway-1", "DOWN")].join("\n")
        ));
        assert!(!all_are_up(&line("BACKEND", "UP")), "that is all of them together");
    }
}
