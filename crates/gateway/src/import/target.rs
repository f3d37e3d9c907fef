//! The gateway that a command speaks to.

use clap::Args;
use reqwest::{Client, Method, RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};

/// Where, as whom, for whom.
#[derive(Args, Clone)]
pub(crate) struct Target {
    /// Where the gateway is, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", env = "UPSERT_GATEWAY_URL", value_parser = http_url)]
    pub(crate) url: Url,
    /// The API key; the variable keeps it out of the list of processes
    #[arg(long, value_name = "KEY", env = "UPSERT_GATEWAY_KEY", hide_env_values = true)]
    key: SecretString,
    /// For whom; needed unless the key speaks for exactly one merchant
    #[arg(long, value_name = "ID")]
    pub(crate) merchant: Option<String>,
}

/// Anything else is wrong usage, and is told before anybody is called.
fn http_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("is not a URL: {error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("has to start with http:// or https://".to_owned()),
    }
}

impl Target {
    /// The same, for nobody in particular.
    pub(crate) fn for_nobody(&self) -> Self {
        Self {
            merchant: None,
            ..self.clone()
        }
    }

    /// A request with the key.
    pub(crate) fn request(&self, client: &Client, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        // A gateway may stand behind a path of a proxy: the base keeps it only with a slash at its end.
        let base = format!("{}/", self.url.as_str().trim_end_matches('/'));
        let url = Url::parse(&base).and_then(|base| base.join(path))?;
        let request = client.request(method, url).bearer_auth(self.key.expose_secret());
        Ok(match &self.merchant {
            Some(merchant) => request.header("merchant-id", merchant),
            None => request,
        })
    }
}
