//! `[server] trusted_proxies`: who stands in front of the gateway, and is believed whom it speaks for.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Serialize, Serializer};

use crate::section::Spot;

/// Addresses and networks whose `X-Forwarded-*` headers count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether a proxy at this address is believed. An IPv4 address counts as one however it is written.
    pub fn covers(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    pub(crate) fn read(spot: &Spot<'_>) -> Option<Self> {
        spot.each(network).map(Self)
    }
}

impl Serialize for TrustedProxies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(text))
    }
}

/// As it would be written: an address alone is a network of one.
fn text(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// Bits of an IPv6 address before the IPv4 address that it may stand for.
const BEFORE_IPV4: u8 = 96;

/// A network of IPv4 addresses is one however it is written: addresses are compared as such.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(written) = network else { return network };
    let mapped = written.addr().to_ipv4_mapped();
    let length = written.prefix_len().checked_sub(BEFORE_IPV4);
    let read = mapped
        .zip(length)
        .and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    read.map_or(network, IpNet::V4)
}

fn network(spot: &Spot<'_>) -> Option<IpNet> {
    let text = spot.text()?.trim();
    let alone = text.parse().map(|address: IpAddr| IpNet::from(address));
    match alone.or_else(|_| text.parse::<IpNet>()).map(canonical) {
        Ok(network) if network.prefix_len() == 0 => spot.refuse_but(
            "everybody would be believed whoever they say they are",
            "name the proxies themselves, such as \"10.0.0.2\" or \"10.0.0.0/24\"",
        ),
        Ok(network) => Some(network.trunc()),
        Err(_) => spot.refuse_but(
            "neither an address nor a network",
            "such as \"10.0.0.2\", \"10.0.0.0/24\" or \"2001:db8::/32\"",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Environment, Secrets, Settings};

    #[test]
    fn an_address_is_covered_by_itself_and_by_its_network_in_either_spelling() {
        let proxies = TrustedProxies(vec!["10.1.0.0/16".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for (address, is_covered) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("2001:db8::7", true),
            ("2001:db9::7", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(proxies.covers(address.parse().unwrap()), is_covered, "{address}");
        }
        assert!(!TrustedProxies::default().covers("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_and_what_is_everybody_is_refused_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let load = |list: &str| {
            let text = format!("[server]\ntrusted_proxies = {list}\n");
            std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
            let none = Environment::from_iter(Vec::<(String, String)>::new());
            Settings::load(folder.path(), &none, Secrets::Resolve)
        };
        let right = load(concat!(
            r#"["10.0.0.2", "10.1.2.3/16", "::1","#,
            r#""::ffff:10.0.0.3", "::ffff:192.168.7.0/120", "::ffff:172.16.0.0/108"]"#
        ))
        .unwrap();
        let shown = serde_json::to_value(&right.server.trusted_proxies).unwrap();
        let as_read = [
            "10.0.0.2",
            "10.1.0.0/16",
            "::1",
            "10.0.0.3",
            "192.168.7.0/24",
            "172.16.0.0/12",
        ];
        assert_eq!(shown, serde_json::json!(as_read));
        assert!(right.server.trusted_proxies.covers("192.168.7.9".parse().unwrap()));
        for (wrong, says) in [
            ("proxy.example", "neither an address nor a network"),
            ("10.0.0.0/33", "neither an address nor a network"),
            ("0.0.0.0/0", "everybody would be believed"),
            ("::/0", "everybody would be believed"),
            ("::ffff:0.0.0.0/96", "everybody would be believed"),
        ] {
            let problems = load(&format!("[\"10.0.0.2\", \"{wrong}\"]")).unwrap_err();
            let (path, message) = (&problems[0].path, &problems[0].message);
            assert!(
                path == "server.trusted_proxies[1]" && message.starts_with(says),
                "{path}: {message}"
            );
        }
    }
}
