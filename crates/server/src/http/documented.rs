//! What is documented of the routes.

use std::collections::HashMap;

use actix_web::http::Method;
use actix_web::web::Bytes;
use parking_lot::Mutex;
use upsert_settings::BasePath;

/// The document, and which methods each path knows.
#[derive(Debug)]
pub(crate) struct Documented {
    /// As it is served.
    json: Bytes,
    /// By template.
    pub(crate) methods: HashMap<String, Vec<Method>>,
    /// The same for those who see the gateway under another path; whoever asks shares it.
    elsewhere: Mutex<HashMap<BasePath, Bytes>>,
}

/// How the document says where the gateway is: its paths start at the root of the same host.
const AT_THE_ROOT: &str = r#""servers":[{"url":"/"}]"#;
/// Paths for which it is kept. There is one for each proxy in front.
const MOST_KEPT: usize = 8;

impl Documented {
    /// With this document, whose server is `/`.
    pub(crate) fn new(json: Bytes, methods: HashMap<String, Vec<Method>>) -> Self {
        Self {
            json,
            methods,
            elsewhere: Mutex::default(),
        }
    }

    /// As somebody is served it who sees the gateway under this path.
    pub(crate) fn json_at(&self, base: &BasePath) -> Bytes {
        if base.is_empty() {
            return self.json.clone();
        }
        let mut elsewhere = self.elsewhere.lock();
        if let Some(json) = elsewhere.get(base) {
            return json.clone();
        }
        let text = String::from_utf8_lossy(&self.json);
        let servers = format!(r#""servers":[{{"url":"{}"}}]"#, base.as_str());
        let json = Bytes::from(text.replacen(AT_THE_ROOT, &servers, 1));
        if elsewhere.len() < MOST_KEPT {
            elsewhere.insert(base.clone(), json.clone());
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_where_it_was_asked_for_and_all_who_ask_there_share_it() {
        let json = Bytes::from_static(br#"{"paths":{},"servers":[{"url":"/"}]}"#);
        let documented = Documented::new(json.clone(), HashMap::new());
        let at = |base: &str| documented.json_at(&BasePath::parse(base).unwrap());
        assert_eq!(at("").as_ptr(), json.as_ptr());
        assert_eq!(at("/gw"), r#"{"paths":{},"servers":[{"url":"/gw"}]}"#);
        assert_eq!(at("/gw").as_ptr(), at("/gw").as_ptr());
        for number in 0..100 {
            at(&format!("/{number}"));
        }
        assert_eq!(documented.elsewhere.lock().len(), MOST_KEPT);
    }
}
