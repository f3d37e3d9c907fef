//! Somebody who has signed in to the dashboard with a browser that knows no scripts: pages are texts, and what is done is
//! a form that is posted.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

use crate::World;

/// Signed in with one key.
#[derive(Debug)]
pub struct SignedIn {
    client: Client,
    url: String,
    cookie: String,
}

impl SignedIn {
    /// Signs in.
    pub async fn with(world: &World, key: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().expect("a client");
        let mut own = Self {
            client,
            url: world.url(),
            cookie: String::new(),
        };
        let (status, headers, html) = own.send(Method::POST, "/ops/session", &[("key", key)]).await;
        assert_eq!(status, 303, "{html}");
        let cookie = headers[SET_COOKIE].to_str().expect("a cookie is text");
        own.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        own
    }

    /// A page's status and text.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let (status, _, html) = self.send(Method::GET, path, &[]).await;
        (status, html)
    }

    /// A page that is there.
    pub async fn page(&self, path: &str) -> String {
        let (status, html) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {html}");
        html
    }

    /// Posts a form, and gives the page that it leads to.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> String {
        let (status, headers, html) = self.send(Method::POST, path, form).await;
        assert_eq!(status, 303, "{path}: {html}");
        let back = headers[LOCATION].to_str().expect("an address is text").to_owned();
        self.page(&back).await
    }

    /// Looks at a page until this stands there, for at most `patience`.
    pub async fn until(&self, path: &str, patience: Duration, wanted: &str) -> String {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let html = self.page(path).await;
            if html.contains(wanted) {
                return html;
            }
            let is_late = tokio::time::Instant::now() >= deadline;
            assert!(!is_late, "{path} never says `{wanted}`: {html}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        form: &[(&str, &str)],
    ) -> (u16, reqwest::header::HeaderMap, String) {
        let encoded = Url::parse_with_params("http://form", form).expect("a form can be encoded");
        let request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header(COOKIE, &self.cookie)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(encoded.query().unwrap_or_default().to_owned());
        let answer = request.send().await.expect("the gateway answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.text().await.expect("a page is text"))
    }
}
