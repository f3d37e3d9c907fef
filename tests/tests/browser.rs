//! What the browser harness can see, shown on pages that do what no page of ours may; and the first page of the gateway.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::FutureExt as _;
use upsert_tests::browser::PATIENCE;
use upsert_tests::{Browser, Scheme, World};

const PAGE: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Page</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>body { margin: 0; background: white } @media (prefers-color-scheme: dark) { body { background: black } }</style>
</head><body>
<form><label>Name <input name="who"></label>
<label for="state">State</label>
<select id="state"><option value="dead">Dead letters</option><option value="open">Waiting</option></select>
<button type="button" id="greet">Greet</button><button type="button">Never</button><button type="button">Never</button>
</form><p id="greeting">Nobody yet</p><p hidden>Not to be seen</p>
<script src="/page.js"></script></body></html>"#;

const SCRIPT: &str = r"
const greeting = document.getElementById('greeting');
document.getElementById('greet').addEventListener('click', () => setTimeout(() => {
  greeting.textContent = 'Hello ' + document.querySelector('[name=who]').value + ', '
    + document.getElementById('state').value;
}, 300));
addEventListener('keydown', (event) => { if (event.key === 'Escape') greeting.textContent = 'Escaped'; });
";

/// A server on a port of its own that serves [`PAGE`] with a strict policy, and other pages with a script each.
fn serve(scripts: &[(&'static str, String)]) -> String {
    let scripts = scripts.to_vec();
    let app = move || {
        let page = |script: &str| {
            let body = PAGE.replace("/page.js", script);
            move || {
                let body = body.clone();
                async { html(body) }
            }
        };
        let mut app = App::new()
            .route("/", web::get().to(page("/page.js")))
            .route("/page.js", web::get().to(async || javascript(SCRIPT.to_owned())));
        for (name, script) in &scripts {
            let (address, script) = (format!("/{name}.js"), script.clone());
            app = app.route(&format!("/{name}"), web::get().to(page(&address))).route(
                &address,
                web::get().to(move || {
                    let script = script.clone();
                    async { javascript(script) }
                }),
            );
        }
        app
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server.bind("127.0.0.1:0").unwrap();
    let addr = server.addrs()[0];
    #[expect(clippy::disallowed_methods, reason = "a test's own task")]
    tokio::spawn(server.run());
    format!("http://{addr}")
}

fn html(body: String) -> HttpResponse {
    // Requests may go anywhere, so that those that go elsewhere are seen; scripts and pictures may not.
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src *";
    let mut response = HttpResponse::Ok();
    response.insert_header(("content-security-policy", policy));
    response.content_type("text/html").body(body)
}

fn javascript(script: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/javascript").body(script)
}

/// What the future's panic says.
async fn said_by(failing: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(failing).catch_unwind().await.unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

/// Width and height of a PNG.
fn size_of(path: &Path) -> (u32, u32) {
    let png = std::fs::read(path).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "it is no PNG");
    let number = |from: usize| u32::from_be_bytes(png[from..from + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn a_person_fills_a_form_clicks_presses_keys_and_reads_what_comes_of_it() {
    let browser = Browser::start(&serve(&[])).await;
    browser.open("/").await;
    assert_eq!(browser.text("#greeting").await, "Nobody yet");
    browser.fill("Name", "Ida").await;
    browser.fill("Name", "Ada").await;
    browser.fill("State", "Waiting").await;
    browser.click_text("Greet").await;
    browser.wait_for_text("Hello Ada, open", PATIENCE).await;
    browser.wait_gone("Nobody yet").await;
    browser.fill("who", "").await;
    browser.click("#greet").await;
    browser.wait_for_text("Hello , open", PATIENCE).await;

    assert_eq!(browser.focused().await, r#"button "Greet""#);
    browser.press("Shift+Tab").await;
    assert_eq!(browser.focused().await, r#"select "State""#);
    browser.press("Tab").await;
    assert_eq!(browser.focused().await, r#"button "Greet""#);
    browser.press("Escape").await;
    browser.wait_for_text("Escaped", PATIENCE).await;

    assert_eq!(browser.count("option").await, 2);
    browser.wait_for_count("button", 3, PATIENCE).await;
    assert!(browser.html().await.contains("Not to be seen"));
    assert_eq!(browser.path().await, "/");
    browser.assert_clean().await;
}

#[tokio::test]
async fn a_step_that_cannot_be_done_fails_with_what_was_on_the_page() {
    let short = Duration::from_millis(500);
    let browser = Browser::start(&serve(&[])).await.patient_for(short);
    browser.open("/").await;
    let said = said_by(browser.wait_for_text("Not to be seen", short)).await;
    assert!(said.contains(r#"see "Not to be seen": it is not there"#), "{said}");
    assert!(said.contains("Nobody yet"), "{said}");
    let said = said_by(browser.click_text("Never")).await;
    assert!(said.contains("there are 2"), "{said}");
    let said = said_by(browser.fill("State", "Paused")).await;
    assert!(said.contains(r#"it has no option "Paused""#), "{said}");
}

#[tokio::test]
async fn errors_on_the_console_refusals_and_requests_to_other_origins_are_seen() {
    let other = serve(&[]);
    let scripts = [
        (
            "error",
            "console.error('it broke'); console.info('all well')".to_owned(),
        ),
        ("warning", "console.warn('it may break')".to_owned()),
        ("thrown", "throw new Error('it threw')".to_owned()),
        ("missing", "fetch('/nowhere')".to_owned()),
        ("elsewhere", format!("fetch('{other}/page.js', {{ mode: 'no-cors' }})")),
        (
            "refused",
            format!("document.body.append(Object.assign(new Image(), {{ src: '{other}/x.png' }}))"),
        ),
    ];
    let browser = Browser::start(&serve(&scripts)).await;
    let told = [
        ("error", "it broke"),
        ("warning", "it may break"),
        ("thrown", "it threw"),
        ("missing", "404"),
        ("refused", "Content Security Policy"),
    ];
    for (page, words) in told {
        browser.open("/").await;
        browser.forget().await;
        browser.assert_clean().await;
        browser.open(&format!("/{page}")).await;
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while browser.console().await.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let console = browser.console().await;
        assert!(
            console.len() == 1 && console[0].text.contains(words),
            "{page}: {console:?}"
        );
        let said = said_by(browser.assert_clean()).await;
        assert!(said.contains(words), "{page}: {said}");
    }

    browser.open("/").await;
    browser.forget().await;
    browser.open("/elsewhere").await;
    let address = format!("{other}/page.js");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !browser.requests().await.contains(&address) && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(browser.requests().await.contains(&address));
    assert!(
        browser
            .requests()
            .await
            .contains(&format!("{}/elsewhere", browser.origin()))
    );
    assert_eq!(browser.console().await, [], "the page may ask it");
    let said = said_by(browser.assert_clean()).await;
    assert!(said.contains(&format!("another origin: {address}")), "{said}");
}

#[tokio::test]
async fn a_picture_has_the_size_and_the_colours_asked_for_and_is_as_high_as_the_page() {
    let high = "document.body.style.height = '2500px'".to_owned();
    let browser = Browser::start(&serve(&[("high", high)])).await;
    let folder = tempfile::tempdir().unwrap();
    let [light, dark, phone] = ["light.png", "dark.png", "phone.png"].map(|name| folder.path().join(name));
    browser.open("/").await;
    browser.screenshot(&light, 1280, 800, Scheme::Light).await;
    browser.screenshot(&dark, 1280, 800, Scheme::Dark).await;
    assert_eq!((size_of(&light), size_of(&dark)), ((1280, 800), (1280, 800)));
    assert_ne!(std::fs::read(&light).unwrap(), std::fs::read(&dark).unwrap());

    browser.open("/high").await;
    browser.screenshot(&phone, 390, 844, Scheme::Light).await;
    assert_eq!(size_of(&phone), (390, 2500));
    browser.assert_clean().await;
}

#[tokio::test]
async fn nothing_of_a_browser_is_left_when_its_test_panics() {
    let mut folder = None;
    let said = said_by(async {
        let browser = Browser::start(&serve(&[])).await;
        browser.open("/").await;
        folder = Some(browser.folder().to_owned());
        assert!(!processes_of(browser.folder()).is_empty(), "the browser runs");
        browser.wait_for_text("Not to be seen", Duration::ZERO).await;
    })
    .await;
    assert!(said.contains("Not to be seen"), "{said}");
    let folder = folder.unwrap();
    assert!(!folder.exists(), "its files are gone");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !processes_of(&folder).is_empty() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(processes_of(&folder), Vec::<String>::new());
}

/// The command lines of all processes that name this folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

#[tokio::test]
async fn the_document_for_people_opens_without_a_complaint_and_without_another_origin() {
    let world = World::start().await;
    let browser = Browser::start(&world.url()).await;
    browser.open("/docs").await;
    browser.wait_for_text("/v1/customers/plan", PATIENCE).await;
    assert!(browser.requests().await.len() > 3, "the page loads its parts");
    browser.assert_clean().await;
}
