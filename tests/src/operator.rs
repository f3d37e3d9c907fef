//! An operator at the dashboard, as a browser without scripts would have it: a cookie, pages, forms.

use std::time::Duration;

use reqwest::header::{self, HeaderMap};

use crate::World;

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct Operator {
    base: String,
    cookie: String,
    client: reqwest::Client,
}

/// A page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// Where it sends the browser.
    pub location: Option<String>,
    /// All headers.
    pub headers: HeaderMap,
    /// The HTML.
    pub html: String,
}

impl Page {
    /// The text of the page without its tags, white space folded.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.html.len());
        let mut is_tag = false;
        for character in self.html.chars() {
            match character {
                '<' => {
                    is_tag = true;
                    text.push(' ');
                }
                '>' if is_tag => is_tag = false,
                _ if is_tag => {}
                other => text.push(other),
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Panics unless the text is on the page.
    ///
    /// # Panics
    /// It is not.
    pub fn shows(&self, text: &str) -> &Self {
        assert!(
            self.text().contains(text),
            "`{text}` is not on the page ({}):\n{}",
            self.status,
            self.text()
        );
        self
    }

    /// Panics if the text is anywhere in the HTML.
    ///
    /// # Panics
    /// It is.
    pub fn hides(&self, text: &str) -> &Self {
        assert!(!self.html.contains(text), "`{text}` is in the page:\n{}", self.html);
        self
    }
}

impl Operator {
    /// Signs in with this key.
    ///
    /// # Errors
    /// The page that says why not.
    pub async fn sign_in(world: &World, key: &str) -> Result<Self, Page> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client can be made");
        let base = world.url();
        let answer = client
            .post(format!("{base}/ops/session"))
            .form(&[("key", key)])
            .send()
            .await
            .expect("the gateway answers");
        let cookie = answer
            .headers()
            .get(header::SET_COOKIE)
            .and_then(|cookie| cookie.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        match cookie {
            Some(cookie) if answer.status() == 303 => Ok(Self { base, cookie, client }),
            _ => Err(page(answer).await),
        }
    }

    /// Opens a page.
    pub async fn open(&self, path: &str) -> Page {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send(request).await
    }

    /// The HTML of a page that is there.
    ///
    /// # Panics
    /// It is not.
    pub async fn page(&self, path: &str) -> String {
        let page = self.open(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.html);
        page.html
    }

    /// Looks at a page until this stands in its HTML, for at most `patience`.
    ///
    /// # Panics
    /// It never does.
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

    /// Posts a form of the dashboard's.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let request = self.client.post(format!("{}{path}", self.base)).form(form);
        self.send(request.header("sec-fetch-site", "same-origin")).await
    }

    /// Posts a form and goes where it leads.
    ///
    /// # Panics
    /// It leads nowhere.
    pub async fn post_and_follow(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let posted = self.post(path, form).await;
        let leads_to = posted.location.clone();
        self.open(&leads_to.unwrap_or_else(|| crate::give_up(&format!("{path} leads nowhere: {posted:?}"))))
            .await
    }

    /// Listens to a live part until an event shows this text; the event.
    pub async fn event(&self, path: &str, text: &str) -> String {
        self.listen(path).await.until(text).await
    }

    /// Listens to a live part.
    pub async fn listen(&self, path: &str) -> Listening {
        let request = self.client.get(format!("{}{path}", self.base));
        let request = request.header(header::COOKIE, &self.cookie);
        let answer = request.send().await.expect("the gateway answers");
        Listening {
            status: answer.status().as_u16(),
            answer,
            heard: String::new(),
        }
    }

    /// Sends a request with its cookie.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let answer = request.header(header::COOKIE, &self.cookie).send().await;
        page(answer.expect("the gateway answers")).await
    }
}

/// A live part that is listened to.
#[derive(Debug)]
pub struct Listening {
    /// HTTP status.
    pub status: u16,
    answer: reqwest::Response,
    heard: String,
}

impl Listening {
    /// The next event that tells something; none: the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.heard.find("\n\n") {
                let event: String = self.heard.drain(..end + 2).collect();
                if event.starts_with(':') {
                    continue;
                }
                return Some(event);
            }
            let more = self.answer.chunk().await.expect("the stream goes on or ends well")?;
            self.heard.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// The first event that shows this text.
    pub async fn until(&mut self, text: &str) -> String {
        while let Some(event) = self.next().await {
            if event.contains(text) {
                return event;
            }
        }
        crate::give_up(&format!("the stream ended before `{text}`"))
    }

    /// What is sent until the stream ends.
    pub async fn to_the_end(&mut self) -> String {
        let mut rest = String::new();
        while let Some(event) = self.next().await {
            rest.push_str(&event);
        }
        rest
    }
}

async fn page(answer: reqwest::Response) -> Page {
    let location = answer
        .headers()
        .get(header::LOCATION)
        .and_then(|location| location.to_str().ok());
    Page {
        status: answer.status().as_u16(),
        location: location.map(str::to_owned),
        headers: answer.headers().clone(),
        html: answer.text().await.expect("the page is text"),
    }
}
