//! What a person does with a page, and sees on it.

use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::{Element, ElementRef};
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use serde_json::json;

use super::Browser;

/// The standard's name for the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// Opens a path of the origin, such as `/ops`, and waits until it has loaded.
    pub async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.origin());
        if let Err(error) = self.client.goto(&url).await {
            self.fail(&format!("{url} does not open: {error}")).await;
        }
    }

    /// The path of the page, with its query.
    pub async fn path(&self) -> String {
        let path = self.ask("return location.pathname + location.search", vec![]).await;
        path.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the first element that this CSS selector finds and that can be clicked.
    pub async fn click(&self, css: &str) {
        let question = "return [...document.querySelectorAll(arguments[0])].filter(isVisible).slice(0, 1)";
        self.click_one(&format!("click {css}"), question, css).await;
    }

    /// Clicks the one link, button or the like that says exactly this.
    pub async fn click_text(&self, words: &str) {
        let question = "return pressable(arguments[0])";
        self.click_one(&format!("click \"{words}\""), question, words).await;
    }

    async fn click_one(&self, what: &str, question: &str, argument: &str) {
        self.until(what, self.patience, async || {
            let element = self.one(question, argument).await?;
            element.click().await.map_err(|error| reason(&error))
        })
        .await;
    }

    /// Fills the one field that has this label, or this name, id or placeholder. A choice is picked by its value or its
    /// words; a box is ticked by `true`.
    pub async fn fill(&self, field: &str, value: &str) {
        self.until(&format!("fill \"{field}\""), self.patience, async || {
            let element = self.one("return fields(arguments[0])", field).await?;
            let arguments = vec![json!(element), json!(value)];
            let set = self.asked("return set(arguments[0], arguments[1])", arguments).await;
            match set.map_err(|error| reason(&error))?.as_str() {
                Some("done") => Ok(()),
                Some("type") => {
                    let deletes = String::from(char::from(Key::Delete));
                    let typed = if value.is_empty() { &deletes } else { value };
                    element.send_keys(typed).await.map_err(|error| reason(&error))
                }
                refused => Err(refused.unwrap_or("no answer").to_owned()),
            }
        })
        .await;
    }

    /// Presses a key on whatever has the focus: `Enter`, `Tab`, `Shift+Tab`, `Escape`, `Space`, `ArrowDown`, `/`, ….
    pub async fn press(&self, keys: &str) {
        let mut values = Vec::new();
        for name in keys.split('+') {
            match key(name) {
                Some(value) => values.push(value),
                None => self.fail(&format!("there is no key {name}")).await,
            }
        }
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in &values {
            actions = actions.then(KeyAction::Down { value: *value });
        }
        for value in values.iter().rev() {
            actions = actions.then(KeyAction::Up { value: *value });
        }
        if let Err(error) = self.client.perform_actions(actions).await {
            self.fail(&format!("{keys} cannot be pressed: {error}")).await;
        }
    }

    /// The visible words of the first element that this CSS selector finds.
    pub async fn text(&self, css: &str) -> String {
        let question = "return [...document.querySelectorAll(arguments[0])].slice(0, 1)";
        self.until(&format!("read {css}"), self.patience, async || {
            let element = self.one(question, css).await?;
            element.text().await.map_err(|error| reason(&error))
        })
        .await
    }

    /// Waits until the page shows these words.
    pub async fn wait_for_text(&self, words: &str, limit: Duration) {
        self.until(&format!("see \"{words}\""), limit, async || {
            let is_there = self.shows(words).await?;
            is_there.then_some(()).ok_or_else(|| "it is not there".to_owned())
        })
        .await;
    }

    /// Waits until the page does not show these words any more.
    pub async fn wait_gone(&self, words: &str) {
        self.until(&format!("see \"{words}\" go"), self.patience, async || {
            let is_there = self.shows(words).await?;
            (!is_there).then_some(()).ok_or_else(|| "it is still there".to_owned())
        })
        .await;
    }

    /// Waits until this CSS selector finds so many elements.
    pub async fn wait_for_count(&self, css: &str, count: usize, limit: Duration) {
        self.until(&format!("see {count} of {css}"), limit, async || {
            match self.count(css).await {
                found if found == count => Ok(()),
                found => Err(format!("there are {found}")),
            }
        })
        .await;
    }

    /// How many elements this CSS selector finds now, visible or not.
    pub async fn count(&self, css: &str) -> usize {
        let question = "return document.querySelectorAll(arguments[0]).length";
        let count = self.ask(question, vec![json!(css)]).await;
        usize::try_from(count.as_u64().unwrap_or_default()).expect("a page is not that large")
    }

    /// The page as it is now.
    pub async fn html(&self) -> String {
        let html = self.ask("return document.documentElement.outerHTML", vec![]).await;
        html.as_str().unwrap_or_default().to_owned()
    }

    /// What has the focus, such as `button "Replay"`; `nothing` if nothing has.
    pub async fn focused(&self) -> String {
        let focused = self.ask("return described(document.activeElement)", vec![]).await;
        focused.as_str().unwrap_or_default().to_owned()
    }

    async fn shows(&self, words: &str) -> Result<bool, String> {
        let all = self.words().await.map_err(|error| reason(&error))?;
        Ok(all.contains(words))
    }

    /// The only element that the question finds.
    async fn one(&self, question: &str, argument: &str) -> Result<Element, String> {
        let found = self.asked(question, vec![json!(argument)]).await;
        let found = found.map_err(|error| reason(&error))?;
        match found.as_array().map(Vec::as_slice) {
            Some([only]) => {
                let id = only[ELEMENT].as_str().unwrap_or_default().to_owned();
                Ok(Element::from_element_id(self.client.clone(), ElementRef::from(id)))
            }
            Some([]) | None => Err("there is none that is visible".to_owned()),
            Some(all) => Err(format!("there are {}: name one by a CSS selector", all.len())),
        }
    }
}

/// The first line: chromedriver appends its stack to its words.
fn reason(error: &CmdError) -> String {
    let words = error.to_string();
    words.lines().next().unwrap_or_default().to_owned()
}

fn key(name: &str) -> Option<char> {
    let key = match name {
        "Alt" => Key::Alt,
        "ArrowDown" => Key::Down,
        "ArrowLeft" => Key::Left,
        "ArrowRight" => Key::Right,
        "ArrowUp" => Key::Up,
        "Backspace" => Key::Backspace,
        "Control" => Key::Control,
        "Delete" => Key::Delete,
        "End" => Key::End,
        "Enter" => Key::Enter,
        "Escape" => Key::Escape,
        "Home" => Key::Home,
        "PageDown" => Key::PageDown,
        "PageUp" => Key::PageUp,
        "Shift" => Key::Shift,
        "Tab" => Key::Tab,
        "Space" => return Some(' '),
        other => {
            let mut letters = other.chars();
            return letters.next().filter(|_| letters.next().is_none());
        }
    };
    Some(char::from(key))
}
