//! Events that come in: mapped by the rules that are shipped for shops and CRMs, and believed by their signatures.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use upsert_core::{Handling, Terms, canonicalise};
use upsert_settings::{Environment, Secrets, Settings, WebhookIn};
use upsert_webhook::{Read, Received, SigningKey, Verifier};

/// The sources of `config/webhooks`.
static SOURCES: LazyLock<Vec<WebhookIn>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = [
        include_str!("../../config/webhooks/hubspot.toml"),
        include_str!("../../config/webhooks/shopify.toml"),
        include_str!("../../config/webhooks/square.toml"),
        include_str!("../../config/webhooks/stripe.toml"),
        include_str!("../../config/webhooks/woocommerce.toml"),
    ];
    let merchant = format!("id = \"acme\"\ndefault_region = \"US\"\n{}", shipped.join("\n"));
    fs::create_dir(folder.path().join("merchants")).expect("a folder");
    fs::write(folder.path().join("gateway.toml"), "").expect("a file");
    fs::write(folder.path().join("merchants/acme.toml"), merchant).expect("a file");
    let settings = Settings::load(folder.path(), &Environment::default(), Secrets::Skip);
    let settings = settings.expect("the shipped sources are right");
    settings.merchant("acme").expect("acme is there").webhooks_in.clone()
});

/// An event at every source.
pub(crate) fn mapping(data: &[u8]) {
    let Ok(event) = upsert_app::read_json(data) else { return };
    for source in SOURCES.iter() {
        let Ok(parts) = source.mapping.parts(event.clone()) else {
            continue;
        };
        for part in parts.iter().take(64) {
            match source.mapping.read(part, &|_| Some("evt-1".to_owned())) {
                Read::LeftOut => {}
                Read::Mapped(mapped) => {
                    assert!((1..=255).contains(&mapped.event_id.len()), "an id that cannot be kept");
                    assert!(mapped.body.is_object());
                    // What comes of it is judged like any other body.
                    let terms = Terms {
                        handling: Handling::Lenient,
                        ..Terms::strict(Some("US"))
                    };
                    let _ = canonicalise(&mapped.body, &terms);
                    let _ = mapped.taken();
                }
                Read::Refused { problems, .. } => assert!(!problems.is_empty(), "refused without a reason"),
            }
        }
    }
}

/// Headers a line each up to an empty line, a body behind them: nobody who has no secret is believed.
pub(crate) fn signature(data: &[u8]) {
    let (head, body) = match data.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim().to_owned())
    };
    let received = Received {
        header: &header,
        method: "POST",
        body,
    };
    let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
    let standard = Verifier::Standard {
        keys: vec![SigningKey::raw("a secret that nobody guesses")],
        tolerance: Duration::from_secs(300),
    };
    assert!(
        standard.verify(&received, now).is_err(),
        "a signature without the secret"
    );
    // Those of the shipped sources, whose secrets are not there: they believe nobody.
    for source in SOURCES.iter() {
        assert!(source.verify.verifier().verify(&received, now).is_err());
    }
}
