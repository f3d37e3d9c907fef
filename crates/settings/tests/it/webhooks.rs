//! Who signed an event, and the endpoints that events go to.

use jiff::Timestamp;
use upsert_settings::{Scheme, Secrets, Settings, Verify, WebhookOut};
use upsert_webhook::{Forged, Hmac, HmacHash, Received, SignatureEncoding, Signed, SigningKey, Verifier, sign};

use crate::folder::Folder;

const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const HMAC: &str = "scheme = \"hmac\"\nheader = \"X-Signature\"\nalgorithm = \"sha256\"\nencoding = \"hex\"\n\
                    secret = { env = \"SECRET\" }\n";

/// A merchant with one source that is verified so.
fn source(verify: &str) -> Folder {
    Folder::with_merchant(&format!(
        "id = \"acme\"\n[[webhooks.in]]\nsource = \"shop\"\nevent_id = \"/id\"\nmap = {{ reference = \"/ref\" }}\n\
         [webhooks.in.verify]\n{verify}"
    ))
    .env("SECRET", WHSEC)
    .env("OLD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

fn endpoints(out: &str) -> Folder {
    Folder::with_merchant(&format!("id = \"acme\"\n{out}"))
        .env("SECRET", WHSEC)
        .env("OLD", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

fn verify(settings: &Settings) -> &Verify {
    &settings.merchant("acme").unwrap().webhooks_in[0].verify
}

fn out(settings: &Settings) -> &[WebhookOut] {
    &settings.merchant("acme").unwrap().webhooks_out
}

fn hmac(members: &str) -> Hmac {
    let settings = source(&format!("{HMAC}{members}"))
        .load()
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    match verify(&settings).verifier() {
        Verifier::Hmac(hmac) => hmac,
        standard @ Verifier::Standard { .. } => panic!("{standard:?}"),
    }
}

/// What a wrong `verify` is told, without the place.
fn told(verify: &str) -> Vec<String> {
    let said = |line: String| line.split_once("webhooks.in[0].").unwrap().1.to_owned();
    source(verify).problems().into_iter().map(said).collect()
}

fn judged(verifier: &Verifier, headers: &[(&str, &str)]) -> Result<(), Forged> {
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let received = Received {
        header: &header,
        method: "POST",
        body: b"{}",
    };
    verifier.verify(&received, Timestamp::from_second(1_700_000_000).unwrap())
}

#[test]
fn what_is_configured_is_what_judges() {
    let plain = hmac("");
    assert_eq!(plain.keys, [SigningKey::raw(WHSEC)]);
    assert_eq!((plain.header.as_str(), plain.prefix.as_str()), ("x-signature", ""));
    assert_eq!((plain.hash, plain.encoding), (HmacHash::Sha256, SignatureEncoding::Hex));
    assert_eq!((plain.timestamp, plain.signed), (None, vec![Signed::Body]));

    let timed = hmac("timestamp_header = \"X-Time\"\ntolerance = \"1m\"\n");
    let dot = Signed::Text(".".to_owned());
    assert_eq!(timed.signed, [Signed::Timestamp, dot.clone(), Signed::Body]);
    let place = timed.timestamp.unwrap();
    assert_eq!(
        (place.header.as_str(), place.prefix.as_str(), place.tolerance.as_secs()),
        ("x-time", "", 60)
    );

    let listed = hmac("prefix = \"v1=\"\ntimestamp_prefix = \"t=\"\n");
    assert_eq!(listed.signed, [Signed::Timestamp, dot, Signed::Body]);
    let place = listed.timestamp.clone().unwrap();
    assert_eq!(
        (place.header.as_str(), place.prefix.as_str(), place.tolerance.as_secs()),
        ("x-signature", "t=", 300)
    );
    let header = listed.signature(&SigningKey::raw(WHSEC), "1700000000", "POST", b"{}");
    assert!(header.starts_with("t=1700000000,v1="), "{header}");
    let verifier = Verifier::Hmac(listed);
    assert_eq!(judged(&verifier, &[("x-signature", &header)]), Ok(()));
    assert_eq!(
        judged(&verifier, &[("x-signature", &header.replace("t=17", "t=18"))]),
        Err(Forged::Mismatch)
    );
}

#[test]
fn a_template_says_what_is_signed_and_its_url_stays_as_it_is_written() {
    let called = hmac(
        "signed = \"v0:{method}{url}{body}{timestamp}!\"\nurl = \"https://Gateway.example.com?b=%7e\"\n\
         timestamp_header = \"x-time\"\n",
    );
    let text = |text: &str| Signed::Text(text.to_owned());
    let url = Signed::Url("https://Gateway.example.com?b=%7e".to_owned());
    assert_eq!(
        called.signed,
        [
            text("v0:"),
            Signed::Method,
            url,
            Signed::Body,
            Signed::Timestamp,
            text("!")
        ]
    );
}

#[test]
fn every_wrong_combination_of_an_hmac_says_what_is_wrong_with_it() {
    let known = "(known: {timestamp}, {body}, {method}, {url})";
    for (members, problem) in [
        (
            "signed = \"{method}\"",
            "signed: must contain {body}: a signature without it proves nothing".to_owned(),
        ),
        (
            "signed = \"\"",
            "signed: must contain {body}: a signature without it proves nothing".to_owned(),
        ),
        (
            "signed = \"{bdy}\"",
            "signed: `{bdy}` is not known here (did you mean `body`?)".to_owned(),
        ),
        ("signed = \"{body\"", format!("signed: a brace stands alone {known}")),
        ("signed = \"{body}}\"", format!("signed: a brace stands alone {known}")),
        (
            "signed = \"{timestamp}{body}\"",
            "signed: {timestamp} needs `timestamp_header` or `timestamp_prefix`".to_owned(),
        ),
        (
            "signed = \"{body}\"\ntimestamp_header = \"x-time\"",
            "signed: must contain {timestamp}: a time that is not signed proves nothing".to_owned(),
        ),
        (
            "signed = \"{url}{body}\"",
            "signed: {url} needs `url` (the public URL that the sender calls)".to_owned(),
        ),
        (
            "url = \"https://gateway.example.com\"",
            "url: means nothing where `signed` has no {url}".to_owned(),
        ),
        (
            "signed = \"{url}{body}\"\nurl = \"gateway.example.com\"",
            "url: must start with http:// or https://".to_owned(),
        ),
        (
            "timestamp_header = \"x-time\"\nprefix = \"v1=\"\ntimestamp_prefix = \"t=\"",
            "timestamp_prefix: `timestamp_header` and `timestamp_prefix` cannot both be given".to_owned(),
        ),
        (
            "timestamp_header = \"x-Signature\"",
            "timestamp_header: is the header of the signature (`timestamp_prefix` says where the time stands in it)"
                .to_owned(),
        ),
        (
            "timestamp_prefix = \"t=\"",
            "timestamp_prefix: needs `prefix`: what stands before a signature in the same header (such as \"v1=\")"
                .to_owned(),
        ),
        (
            "timestamp_prefix = \"\"\nprefix = \"v1=\"",
            "timestamp_prefix: must not be empty".to_owned(),
        ),
        (
            "timestamp_prefix = \"t=\"\nprefix = \"t=1\"",
            "timestamp_prefix: cannot be told from `prefix`".to_owned(),
        ),
        (
            "timestamp_prefix = \"t=\"\nprefix = \"a,v1=\"",
            "timestamp_prefix: neither this nor `prefix` may have a comma in it, or a blank at an end".to_owned(),
        ),
        (
            "tolerance = \"5m\"",
            "tolerance: means nothing without `timestamp_header` or `timestamp_prefix`".to_owned(),
        ),
    ] {
        assert_eq!(
            told(&format!("{HMAC}{members}\n")),
            [format!("verify.{problem}")],
            "{members}"
        );
    }
}

#[test]
fn standard_webhooks_fixes_what_is_signed() {
    for member in [
        "timestamp_prefix = \"t=\"",
        "signed = \"{body}\"",
        "url = \"https://gateway.example.com\"",
    ] {
        let problems = told(&format!(
            "scheme = \"standard-webhooks\"\nsecret = {{ env = \"SECRET\" }}\n{member}\n"
        ));
        let name = member.split(' ').next().unwrap();
        let problem = format!("verify.{name}: means nothing to `standard-webhooks`, which fixes it");
        assert!(problems.len() == 1 && problems[0].starts_with(&problem), "{problems:?}");
    }
}

#[test]
fn a_secret_that_standard_webhooks_cannot_use_is_refused_without_being_shown() {
    let standard = "scheme = \"standard-webhooks\"\nsecrets = [{ env = \"SECRET\" }, { env = \"BAD\" }]\n";
    let said = "not a secret of Standard Webhooks: what follows `whsec_` is not base64 \
                (it is base64, padded, after `whsec_`)";
    let bad = source(standard).env("BAD", "whsec_canary!");
    assert_eq!(
        bad.problems(),
        [format!(
            "config/merchants/acme.toml:8:32: webhooks.in[0].verify.secrets[1]: {said}"
        )]
    );
    assert!(bad.load_with(Secrets::Skip).is_ok());
    let raw = HMAC.replace("SECRET", "BAD");
    assert!(source(&raw).env("BAD", "whsec_canary!").load().is_ok());
    let sent = endpoints(
        "[[webhooks.out]]\nurl = \"https://a.example\"\nevents = [\"customer.erased\"]\nsecret = { env = \"BAD\" }\n",
    );
    assert_eq!(
        sent.env("BAD", "whsec_canary!").problems(),
        [format!(
            "config/merchants/acme.toml:5:10: webhooks.out[0].secret: {said}"
        )]
    );
}

#[test]
fn while_secrets_are_rotated_all_of_them_judge_and_all_of_them_sign() {
    let both = "secrets = [{ env = \"SECRET\" }, { env = \"OLD\" }]\n";
    let settings = source(&format!("scheme = \"standard-webhooks\"\n{both}"))
        .load()
        .unwrap();
    let sending = endpoints(&format!(
        "[[webhooks.out]]\nurl = \"https://a.example\"\nevents = [\"customer.erased\"]\n{both}"
    ))
    .load()
    .unwrap();
    let keys = out(&sending)[0].signing_keys();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], SigningKey::standard(WHSEC).unwrap());
    let at = Timestamp::from_second(1_700_000_000).unwrap();
    let verifier = verify(&settings).verifier();
    for keys in [&keys[..], &keys[..1], &keys[1..]] {
        let signature = sign(keys, "msg_1", at, b"{}");
        let headers = [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", "1700000000"),
            ("webhook-signature", signature.as_str()),
        ];
        assert_eq!(judged(&verifier, &headers), Ok(()));
    }
    let twice = endpoints(
        "[[webhooks.out]]\nurl = \"https://a.example\"\nevents = [\"customer.erased\"]\nsecret = { env = \"SECRET\" }\nsecrets = []\n",
    );
    assert!(twice.problems()[0].ends_with("webhooks.out[0].secrets: `secret` and `secrets` cannot both be given"));
}

#[test]
fn a_secret_that_was_not_resolved_is_no_key() {
    let folder = source("scheme = \"standard-webhooks\"\nsecret = { env = \"SECRET\" }\n");
    let settings = folder.load_with(Secrets::Skip).unwrap();
    assert!(matches!(verify(&settings).scheme, Scheme::StandardWebhooks { .. }));
    assert!(matches!(verify(&settings).verifier(), Verifier::Standard { keys, .. } if keys.is_empty()));
    let settings = source(HMAC).load_with(Secrets::Skip).unwrap();
    assert!(matches!(verify(&settings).verifier(), Verifier::Hmac(hmac) if hmac.keys.is_empty()));
}

fn named(endpoint: &[(&str, &str)]) -> Folder {
    let table = |(name, url): &(&str, &str)| {
        let name = if name.is_empty() {
            String::new()
        } else {
            format!("name = \"{name}\"\n")
        };
        format!(
            "[[webhooks.out]]\n{name}url = \"{url}\"\nevents = [\"customer.erased\"]\nsecret = {{ env = \"SECRET\" }}\n"
        )
    };
    endpoints(&endpoint.iter().map(table).collect::<String>())
}

#[test]
fn an_endpoint_is_named_after_its_url_unless_it_has_a_name() {
    let long = format!("https://{}.example/", ["a"; 60].join("."));
    let settings = named(&[
        ("warehouse", "https://hooks.example.com/in?tenant=1"),
        ("", "https://hooks.example.com/in?tenant=1"),
        ("", "https://hooks.example.com/in?tenant=2"),
        ("", "http://[::1]:8080/"),
        ("", &long),
    ])
    .load()
    .unwrap();
    let names: Vec<_> = out(&settings).iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(
        names[..4],
        [
            "warehouse",
            "hooks.example.com-843a1d",
            "hooks.example.com-c09572",
            "1-802283"
        ]
    );
    assert!(names[4].len() <= 63 && names[4].starts_with("a.a.a"), "{}", names[4]);
}

#[test]
fn two_endpoints_of_one_name_are_told_apart_by_a_name() {
    assert_eq!(
        named(&[("", "https://a.example/in"), ("", "https://a.example/in")]).problems(),
        [
            "config/merchants/acme.toml:7:7: webhooks.out[1].url: another endpoint is named `a.example-d26afa` after its URL, too (give one of them a `name`; the first is at config/merchants/acme.toml:3:7)"
        ]
    );
    assert_eq!(
        named(&[
            ("x", "https://a.example/in"),
            ("x", "https://b.example/in"),
            ("a.b", "https://c.example/in")
        ])
        .problems(),
        [
            "config/merchants/acme.toml:8:8: webhooks.out[1].name: the name `x` was given before (first at config/merchants/acme.toml:3:8)",
            "config/merchants/acme.toml:13:8: webhooks.out[2].name: not a name: 1 to 63 of a-z, 0-9, _ and -, the first a letter or a digit (for example `acme-eu`)"
        ]
    );
}
