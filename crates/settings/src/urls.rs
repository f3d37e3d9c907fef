//! Where calls may go: the rule against requests that are forged to reach the inside (SSRF).
//!
//! The `url` crate reads a host as the client will: decimal, octal, hexadecimal and short forms of an IPv4 address
//! become the address, and the address is what is judged. Names are judged as far as a name can be; what they resolve
//! to is judged with [`UrlRules::allows`] when it is resolved.

use std::net::IpAddr;

use url::{Host, Url};

use crate::addresses::is_public;
use crate::section::Spot;

/// What a URL may be beyond `https://` to a public address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlRules {
    /// `http://` too.
    pub allow_plain_http: bool,
    /// Any address or name.
    pub allow_private_network: bool,
    /// `127.0.0.1`, `[::1]` and `localhost`, in exactly these spellings, with `http://` too: for files, whose writer
    /// has the machine anyway.
    pub allow_literal_loopback: bool,
}

/// The spellings of loopback that files may use.
const LITERAL_LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// A name under which a cloud serves metadata. Others have no dot (`metadata`, `instance-data`), or end like a name inside
/// (`metadata.google.internal`).
const METADATA_NAME: &str = "metadata.goog";

/// Endings that no public name has.
const INSIDE_ENDINGS: [&str; 10] = [
    "localhost",
    "localdomain",
    "localdomain4",
    "localdomain6",
    "local",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "private",
];

impl UrlRules {
    /// For files that allow so much. A flag that cannot be read allows: the flag is the problem, not the URL.
    pub(crate) fn in_a_file(allow_plain_http: Option<bool>, allow_private_network: Option<bool>) -> Self {
        Self {
            allow_plain_http: allow_plain_http.unwrap_or(true),
            allow_private_network: allow_private_network.unwrap_or(true),
            allow_literal_loopback: true,
        }
    }

    /// For whatever is read here: a merchant that comes over the API has loopback only where the gateway allows it.
    pub(crate) fn here(spot: &Spot<'_>, allow_plain_http: Option<bool>, allow_private_network: Option<bool>) -> Self {
        Self {
            allow_literal_loopback: spot.reading.api.is_none_or(|rules| rules.may_use_loopback),
            ..Self::in_a_file(allow_plain_http, allow_private_network)
        }
    }

    /// Whether a call to `host` (as the URL spells it) may go to `address`, one of those that it resolved to.
    pub fn allows(self, host: &str, address: IpAddr) -> bool {
        let literal = self.allow_literal_loopback && LITERAL_LOOPBACK.contains(&host) && address.is_loopback();
        self.allow_private_network || literal || is_public(address)
    }
}

/// Reads a URL and holds it against the rules; the error says what is wrong with it, without user or password.
pub fn check_url(text: &str, rules: UrlRules) -> Result<Url, String> {
    let host = host_as_written(text, rules)?;
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NO_USER.to_owned());
    }
    if url.fragment().is_some() {
        return Err("a URL to call has no fragment (`#…`)".to_owned());
    }
    if url.port() == Some(0) {
        return Err("port 0 cannot be called".to_owned());
    }
    if rules.allow_literal_loopback && LITERAL_LOOPBACK.contains(&host) {
        return Ok(url);
    }
    if url.scheme() == "http" && !rules.allow_plain_http {
        return Err("must start with https:// (`allow_plain_http = true` lifts this)".to_owned());
    }
    if !rules.allow_private_network {
        judge(&url.host().ok_or("a URL to call has a host")?)?;
    }
    Ok(url)
}

const NO_USER: &str = "no user or password may stand in a URL: credentials have their own place";

/// The host as somebody wrote it; refuses what URL readers are known to disagree about.
fn host_as_written(text: &str, rules: UrlRules) -> Result<&str, String> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme));
    let wanted = if rules.allow_plain_http {
        "must start with http:// or https://"
    } else {
        "must start with https://"
    };
    let rest = text.strip_prefix(scheme.ok_or(wanted)?).unwrap_or_default();
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err("must not contain spaces, control characters or backslashes".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(NO_USER.to_owned());
    }
    let host = match authority.find(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    };
    if host.is_empty() {
        return Err("a URL to call has a host".to_owned());
    }
    if host.contains('%') {
        return Err("the host must not be percent-encoded".to_owned());
    }
    Ok(host)
}

fn judge(host: &Host<&str>) -> Result<(), String> {
    let address = match *host {
        Host::Domain(name) => return judge_name(name),
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    if is_public(address) {
        return Ok(());
    }
    Err(if address.is_loopback() {
        "a loopback address; in a file it may be written as 127.0.0.1, [::1] or localhost".to_owned()
    } else {
        format!("{address} is not a public address (`allow_private_network = true` lifts this)")
    })
}

fn judge_name(name: &str) -> Result<(), String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let inside = |ending: &str| {
        name.strip_suffix(ending)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if name == METADATA_NAME || INSIDE_ENDINGS.into_iter().any(inside) || !name.contains('.') {
        return Err(format!(
            "`{name}` is not a public name (`allow_private_network = true` lifts this)"
        ));
    }
    Ok(())
}

/// Reads `allow_private_network`, which is for files alone.
pub(crate) fn private_network(spot: &Spot<'_>) -> Option<bool> {
    let is_allowed = spot.flag()?;
    if is_allowed && spot.reading.api.is_some() {
        return spot.refuse("a private network is for merchants in files alone");
    }
    Some(is_allowed)
}

/// Reads a member that is a URL to call.
pub(crate) fn read_url(spot: &Spot<'_>, rules: UrlRules) -> Option<Url> {
    check_url(spot.text()?, rules).map_or_else(|problem| spot.refuse(problem), Some)
}
