//! `[server] cors_origins`: whose pages may call the API from a browser.

use serde::Serialize;
use url::{Origin, Url};

use crate::section::Spot;

/// Origins such as `https://app.example`, or all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CorsOrigins(Vec<String>);

const ALL: &str = "*";

impl CorsOrigins {
    /// Whether no page of another origin may call.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a page of this origin, as a browser names it, may call.
    pub fn covers(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == ALL || known == origin)
    }

    pub(crate) fn read(spot: &Spot<'_>) -> Option<Self> {
        let origins = spot.each(origin)?;
        if origins.len() > 1 && origins.iter().any(|origin| origin == ALL) {
            return spot.refuse_but("`*` stands beside others", "name the origins, or \"*\" alone");
        }
        Some(Self(origins))
    }
}

/// As browsers write it: no path, no port that goes without saying, small letters.
fn origin(spot: &Spot<'_>) -> Option<String> {
    let text = spot.text()?.trim();
    if text == ALL {
        return Some(ALL.to_owned());
    }
    let url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    match url.map(|url| url.origin()) {
        Some(origin @ Origin::Tuple(..)) => Some(origin.ascii_serialization()),
        _ => spot.refuse_but(
            "not an origin",
            "scheme, host and port, such as \"https://app.example\" or \"http://localhost:5173\"; \"*\": all",
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Environment, Secrets, Settings};

    #[test]
    fn an_origin_is_read_as_browsers_write_it_and_what_is_none_is_refused_where_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let load = |list: &str| {
            let text = format!("[server]\ncors_origins = {list}\n");
            std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
            let none = Environment::from_iter(Vec::<(String, String)>::new());
            Settings::load(folder.path(), &none, Secrets::Resolve)
        };
        let origins = load(r#"["https://App.example:443/", "http://localhost:5173"]"#).unwrap();
        let origins = origins.server.cors_origins;
        for (origin, is_covered) in [
            ("https://app.example", true),
            ("http://localhost:5173", true),
            ("http://app.example", false),
            ("https://app.example.evil.example", false),
            ("null", false),
        ] {
            assert_eq!(origins.covers(origin), is_covered, "{origin}");
        }
        let all = load(r#"["*"]"#).unwrap().server.cors_origins;
        assert!(all.covers("https://anybody.example") && !all.is_empty());
        assert!(load("[]").unwrap().server.cors_origins.is_empty());
        for wrong in [
            "app.example",
            "null",
            "https://app.example/path",
            "ftp://app.example",
            "https://u:p@app.example",
        ] {
            let problems = load(&format!("[\"{wrong}\"]")).unwrap_err();
            let (path, message) = (&problems[0].path, &problems[0].message);
            assert!(
                path == "server.cors_origins[0]" && message == "not an origin",
                "{path}: {message}"
            );
        }
        assert!(load(r#"["*", "https://app.example"]"#).is_err());
    }
}
