//! Signatures as others publish and make them, and rotation.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use standardwebhooks::Webhook;

use super::*;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const MINUTES: Duration = Duration::from_mins(5);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn key(text: &str) -> SigningKey {
    SigningKey::standard(text).unwrap()
}

fn standard(keys: &[&str]) -> Verifier {
    Verifier::Standard {
        keys: keys.iter().map(|text| key(text)).collect(),
        tolerance: MINUTES,
    }
}

fn judge(verifier: &Verifier, headers: &[(&str, &str)], body: &[u8], now: Timestamp) -> Result<(), Forged> {
    let headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
    let header = |name: &str| headers.get(name).map(|value| (*value).to_owned());
    let received = Received {
        header: &header,
        method: "POST",
        body,
    };
    verifier.verify(&received, now)
}

fn judge_standard(verifier: &Verifier, id: &str, second: &str, signature: &str, body: &[u8]) -> Result<(), Forged> {
    let headers = [
        ("webhook-id", id),
        ("webhook-timestamp", second),
        ("webhook-signature", signature),
    ];
    judge(verifier, &headers, body, at(1_649_367_553))
}

fn hmac(hash: HmacHash, encoding: SignatureEncoding, secret: &str) -> Hmac {
    Hmac {
        keys: vec![SigningKey::raw(secret)],
        header: "x-signature".to_owned(),
        hash,
        encoding,
        prefix: String::new(),
        timestamp: None,
        signed: vec![Signed::Body],
    }
}

const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

#[test]
fn the_vectors_that_standard_webhooks_publishes_are_made_and_believed() {
    assert_eq!(sign(&[key(SECRET)], ID, at(1_649_367_553), BODY), SIGNATURE);
    let body = br#"{"test": 2432232314}"#;
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    assert_eq!(sign(&[key(OLD)], id, at(1_614_265_330), body), signature);
    let verifier = standard(&[SECRET]);
    assert_eq!(judge_standard(&verifier, ID, "1649367553", SIGNATURE, BODY), Ok(()));
}

#[test]
fn other_versions_and_other_signatures_in_the_list_are_passed_over() {
    let verifier = standard(&[SECRET]);
    let others = "v1a,AAAA v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ= v2,* nonsense";
    let list = format!("{others} {SIGNATURE}");
    assert_eq!(judge_standard(&verifier, ID, "1649367553", &list, BODY), Ok(()));
    let mismatch = judge_standard(&verifier, ID, "1649367553", others, BODY);
    assert_eq!(mismatch, Err(Forged::Mismatch));
    let other_version = SIGNATURE.replace("v1,", "v2,");
    let mismatch = judge_standard(&verifier, ID, "1649367553", &other_version, BODY);
    assert_eq!(mismatch, Err(Forged::Mismatch));
}

#[test]
fn a_timestamp_is_decimal_digits_and_an_id_is_not_empty() {
    let verifier = standard(&[SECRET]);
    for second in [
        "",
        "+1649367553",
        "-1",
        " 1649367553",
        "1649367553.0",
        "0x1",
        "١٦٤٩٣٦٧٥٥٣",
        "99999999999999999999",
    ] {
        // Truly signed, so that nothing but the form can be what is wrong.
        let code = mac::code(
            HmacHash::Sha256,
            &key(SECRET),
            &[ID.as_bytes(), b".", second.as_bytes(), b".", BODY],
        );
        let signature = format!("v1,{}", data_encoding::BASE64.encode(&code));
        let unreadable = Err(Forged::Unreadable("webhook-timestamp".to_owned()));
        assert_eq!(
            judge_standard(&verifier, ID, second, &signature, BODY),
            unreadable,
            "{second}"
        );
    }
    let signature = sign(&[key(SECRET)], "", at(1_649_367_553), BODY);
    let unreadable = Err(Forged::Unreadable("webhook-id".to_owned()));
    assert_eq!(
        judge_standard(&verifier, "", "1649367553", &signature, BODY),
        unreadable
    );
}

#[test]
fn a_sender_may_call_the_headers_as_it_did_before_there_was_a_standard_but_not_mix_them() {
    let verifier = standard(&[SECRET]);
    let now = at(1_649_367_553);
    let signature = sign(&[key(SECRET)], ID, now, BODY);
    let svix = [
        ("svix-id", ID),
        ("svix-timestamp", "1649367553"),
        ("svix-signature", &signature),
    ];
    assert_eq!(judge(&verifier, &svix, BODY, now), Ok(()));
    assert_eq!(judge(&verifier, &svix, b"other", now), Err(Forged::Mismatch));
    let missing = |name: &str| Err(Forged::Missing(name.to_owned()));
    assert_eq!(judge(&verifier, &svix[..2], BODY, now), missing("svix-signature"));
    // Whoever adds another id under the other name has to sign it.
    for (more, found) in [
        (("webhook-id", "msg_other"), missing("webhook-timestamp")),
        (("webhook-signature", signature.as_str()), missing("webhook-id")),
    ] {
        let headers = [&svix[..], &[more]].concat();
        assert_eq!(judge(&verifier, &headers, BODY, now), found);
    }
}

#[test]
fn by_either_name_the_id_is_the_one_that_is_signed() {
    let verifier = standard(&[SECRET]);
    let hmac = Verifier::Hmac(hmac(HmacHash::Sha256, SignatureEncoding::Hex, "secret"));
    for (headers, is_signed) in [
        (&[("svix-id", "one")][..], "one"),
        (&[("webhook-id", "one"), ("svix-id", "two")], "one"),
    ] {
        let headers: BTreeMap<&str, &str> = headers.iter().copied().collect();
        let header = |name: &str| headers.get(name).map(|value| (*value).to_owned());
        let received = Received {
            header: &header,
            method: "POST",
            body: BODY,
        };
        for name in ["webhook-id", "svix-id"] {
            assert!(verifier.signs_id(name) && !hmac.signs_id(name));
            assert_eq!(verifier.header(&received, name).as_deref(), Some(is_signed));
            assert_eq!(hmac.header(&received, name), header(name));
        }
    }
}

#[test]
fn the_signature_is_judged_first_and_then_the_time_either_way() {
    let verifier = standard(&[SECRET]);
    for (second, believed) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let second = 1_649_367_553 + second;
        let signature = sign(&[key(SECRET)], ID, at(second), BODY);
        let judged = judge_standard(&verifier, ID, &second.to_string(), &signature, BODY);
        assert_eq!(judged, if believed { Ok(()) } else { Err(Forged::Stale) }, "{second}");
        let forged = judge_standard(&verifier, ID, &second.to_string(), &signature, b"{}");
        assert_eq!(forged, Err(Forged::Mismatch), "{second}");
    }
}

#[test]
fn a_secret_is_base64_after_its_prefix_or_the_bytes_that_it_is() {
    assert_eq!(key("whsec_AAEC"), SigningKey(vec![0, 1, 2]));
    assert_eq!(key("AAEC"), SigningKey(vec![0, 1, 2]));
    assert_eq!(key("my-secret!"), SigningKey(b"my-secret!".to_vec()));
    for wrong in ["", "whsec_", "whsec_my-secret!", "whsec_AAE", "whsec_AAEC\n"] {
        assert!(SigningKey::standard(wrong).is_err(), "{wrong}");
    }
    assert_eq!(format!("{:?}", key("whsec_AAEC")), "SigningKey(…)");
}

#[test]
fn while_a_secret_is_rotated_either_side_may_be_ahead() {
    let (old, new) = ([key(OLD)], [key(SECRET)]);
    let both = [key(SECRET), key(OLD)];
    let signature = |keys: &[SigningKey]| sign(keys, ID, at(1_649_367_553), BODY);
    let judged = |secrets: &[&str], keys: &[SigningKey]| {
        judge_standard(&standard(secrets), ID, "1649367553", &signature(keys), BODY)
    };
    for keys in [&old[..], &new[..], &both[..]] {
        assert_eq!(judged(&[SECRET, OLD], keys), Ok(()));
    }
    assert_eq!(judged(&[OLD], &both), Ok(()));
    assert_eq!(judged(&[SECRET], &both), Ok(()));
    assert_eq!(judged(&[SECRET], &old), Err(Forged::Mismatch));
    assert_eq!(judged(&[], &both), Err(Forged::Mismatch));
    assert_eq!(signature(&[]), "");
}

#[test]
fn the_vectors_of_the_hashes_and_of_well_known_senders_are_believed() {
    let body = b"what do ya want for nothing?";
    let sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
    let sha512 = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                  9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
    for (hash, signature) in [(HmacHash::Sha1, sha1), (HmacHash::Sha512, sha512)] {
        let verifier = Verifier::Hmac(hmac(hash, SignatureEncoding::Hex, "Jefe"));
        for signature in [signature.to_owned(), signature.to_uppercase()] {
            assert_eq!(judge(&verifier, &[("x-signature", &signature)], body, at(0)), Ok(()));
        }
    }
    // The example in GitHub's documentation.
    let mut github = hmac(HmacHash::Sha256, SignatureEncoding::Hex, "It's a Secret to Everybody");
    github.prefix = "sha256=".to_owned();
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(
        github.signature(&github.keys[0], "", "POST", b"Hello, World!"),
        signature
    );
    let verifier = Verifier::Hmac(github);
    assert_eq!(
        judge(&verifier, &[("x-signature", signature)], b"Hello, World!", at(0)),
        Ok(())
    );
    let bare = &signature["sha256=".len()..];
    let unreadable = Err(Forged::Unreadable("x-signature".to_owned()));
    assert_eq!(
        judge(&verifier, &[("x-signature", bare)], b"Hello, World!", at(0)),
        unreadable
    );
}

/// As Slack's documentation has it: `v0:{timestamp}:{body}`.
#[test]
fn a_time_of_its_own_header_is_signed_where_the_template_has_it() {
    let mut slack = hmac(
        HmacHash::Sha256,
        SignatureEncoding::Hex,
        "8f742231b10e8888abcd99yyyzzz85a5",
    );
    slack.prefix = "v0=".to_owned();
    slack.timestamp = Some(SignedTime {
        header: "x-time".to_owned(),
        prefix: String::new(),
        tolerance: MINUTES,
    });
    let text = |text: &str| Signed::Text(text.to_owned());
    slack.signed = vec![text("v0:"), Signed::Timestamp, text(":"), Signed::Body];
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
        &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    let headers = [("x-signature", signature), ("x-time", "1531420618")];
    let verifier = Verifier::Hmac(slack.clone());
    assert_eq!(judge(&verifier, &headers, body, at(1_531_420_700)), Ok(()));
    assert_eq!(judge(&verifier, &headers, body, at(1_531_421_000)), Err(Forged::Stale));
    // A time that is not covered, or no body: whoever configured that would believe anybody.
    for signed in [vec![Signed::Body], vec![Signed::Timestamp]] {
        let careless = Hmac {
            signed,
            ..slack.clone()
        };
        let signature = careless.signature(&careless.keys[0], "1531420618", "POST", body);
        let headers = [("x-signature", signature.as_str()), ("x-time", "1531420618")];
        let judged = judge(&Verifier::Hmac(careless), &headers, body, at(1_531_420_618));
        assert_eq!(judged, Err(Forged::Mismatch));
    }
}

fn listed() -> Hmac {
    let mut listed = hmac(HmacHash::Sha256, SignatureEncoding::Hex, "whsec_test");
    listed.prefix = "v1=".to_owned();
    listed.timestamp = Some(SignedTime {
        header: "x-signature".to_owned(),
        prefix: "t=".to_owned(),
        tolerance: MINUTES,
    });
    listed.signed = vec![Signed::Timestamp, Signed::Text(".".to_owned()), Signed::Body];
    listed
}

#[test]
fn a_list_may_have_several_signatures_and_exactly_one_time() {
    let listed = listed();
    let header = listed.signature(&listed.keys[0], "1700000000", "POST", b"{}");
    let (time, signature) = header.split_once(',').unwrap();
    let verifier = Verifier::Hmac(listed);
    let judged = |header: &str| judge(&verifier, &[("x-signature", header)], b"{}", at(1_700_000_000));
    let other = format!("v1={}", "00".repeat(32));
    for believed in [
        header.clone(),
        format!("{time},{other},{signature},v0=00"),
        format!("{signature} , {time}"),
    ] {
        assert_eq!(judged(&believed), Ok(()), "{believed}");
    }
    assert_eq!(judged(&format!("{time},{other}")), Err(Forged::Mismatch));
    for unreadable in [
        String::new(),
        time.to_owned(),
        signature.to_owned(),
        format!("{time},{time},{signature}"),
        format!("t=,{signature}"),
        format!("{time},{}", &signature["v1=".len()..]),
    ] {
        assert_eq!(
            judged(&unreadable),
            Err(Forged::Unreadable("x-signature".to_owned())),
            "{unreadable}"
        );
    }
}

#[test]
fn a_time_with_a_mark_in_a_header_of_its_own_makes_no_list_of_the_signatures() {
    let mut apart = listed();
    apart.timestamp = apart.timestamp.map(|time| SignedTime {
        header: "x-time".to_owned(),
        ..time
    });
    let signature = apart.signature(&apart.keys[0], "1700000000", "POST", b"{}");
    assert!(signature.starts_with("v1=") && !signature.contains(','), "{signature}");
    let verifier = Verifier::Hmac(apart);
    let judged = |header: &str| {
        let headers = [("x-signature", header), ("x-time", "t=1700000000")];
        judge(&verifier, &headers, b"{}", at(1_700_000_000))
    };
    assert_eq!(judged(&signature), Ok(()));
    assert_eq!(
        judged(&format!("{signature},v1=00")),
        Err(Forged::Unreadable("x-signature".to_owned()))
    );
}

#[test]
fn a_fingerprint_is_keyed_by_each_secret_the_newest_ones_first() {
    let (new, old) = (
        "3edd1aa283fa9ae046c6a77741e9fdec178a3df4862646a39e534aa233698138",
        "a6ebc474780f3c57b216f7663db87d303201eb22ac0c76fca8f97dd02b018a07",
    );
    let keys = vec![SigningKey::raw("new"), SigningKey::raw("old")];
    let mut custom = hmac(HmacHash::Sha512, SignatureEncoding::Base64, "");
    custom.keys.clone_from(&keys);
    let standard = Verifier::Standard {
        keys,
        tolerance: MINUTES,
    };
    for verifier in [standard, Verifier::Hmac(custom)] {
        assert_eq!(verifier.fingerprints("ann"), [new, old]);
        assert_ne!(verifier.fingerprints("Ann")[0], new);
    }
}

#[test]
fn a_time_is_seconds_milliseconds_or_rfc_3339() {
    let listed = listed();
    let verifier = Verifier::Hmac(listed.clone());
    let judged = |time: &str| {
        let header = listed.signature(&listed.keys[0], time, "POST", b"{}");
        judge(&verifier, &[("x-signature", &header)], b"{}", at(1_700_000_000))
    };
    for time in [
        "1700000000",
        "1700000000123",
        "2023-11-14T22:13:20Z",
        "2023-11-15T09:13:20.5+11:00",
    ] {
        assert_eq!(judged(time), Ok(()), "{time}");
    }
    for time in ["170000000", "1700000400000", "2023-11-14T22:13:20+11:00", "0"] {
        assert_eq!(judged(time), Err(Forged::Stale), "{time}");
    }
    for time in [
        "yesterday",
        "17000000000000",
        "+1700000000",
        "1700000000.5",
        "999999999999",
        "2023-11-14",
    ] {
        assert_eq!(
            judged(time),
            Err(Forged::Unreadable("x-signature".to_owned())),
            "{time}"
        );
    }
}

fn reference_headers(id: &str, second: i64, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_str(id).unwrap());
    headers.insert("webhook-timestamp", HeaderValue::from(second));
    headers.insert("webhook-signature", HeaderValue::from_str(signature).unwrap());
    headers
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the reference implementation judges by the time that it is"
)]
fn the_reference_implementation_believes_our_signatures() {
    let now = Timestamp::now();
    let reference = Webhook::new(SECRET).unwrap();
    for keys in [
        vec![key(SECRET)],
        vec![key(OLD), key(SECRET)],
        vec![key(SECRET), key(OLD)],
    ] {
        let headers = reference_headers(ID, now.as_second(), &sign(&keys, ID, now, BODY));
        reference.verify(BODY, &headers).unwrap();
        reference.verify(b"{}", &headers).unwrap_err();
    }
    let headers = reference_headers(ID, now.as_second(), &sign(&[key(OLD)], ID, now, BODY));
    reference.verify(BODY, &headers).unwrap_err();
}

proptest! {
    #[test]
    fn what_the_reference_implementation_signs_is_believed_and_ours_is_the_same(
        secret in prop::collection::vec(any::<u8>(), 1..80),
        id in "[!-~]{1,60}",
        second in 0_i64..4_000_000_000,
        body in any::<String>(),
    ) {
        let text = format!("whsec_{}", data_encoding::BASE64.encode(&secret));
        let theirs = Webhook::new(&text).unwrap().sign(&id, second, body.as_bytes()).unwrap();
        prop_assert_eq!(&sign(&[key(&text)], &id, at(second), body.as_bytes()), &theirs);
        let second_text = second.to_string();
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", &second_text),
            ("webhook-signature", &theirs),
        ];
        let verifier = standard(&[OLD, &text]);
        prop_assert_eq!(judge(&verifier, &headers, body.as_bytes(), at(second)), Ok(()));
    }

    #[test]
    fn nothing_that_arrives_makes_it_panic_or_believe(
        id in any::<String>(),
        time in "([0-9]{0,25}|[0-9TZ:.+-]{0,30}|\\PC*)",
        signature in "((v1,|t=|v1=|sha256=)?[a-zA-Z0-9+/=, ]{0,200}|\\PC*)",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let headers = [
            ("webhook-id", id.as_str()),
            ("webhook-timestamp", &time),
            ("webhook-signature", &signature),
            ("x-signature", &signature),
        ];
        for verifier in [
            standard(&[SECRET]),
            Verifier::Hmac(listed()),
            Verifier::Hmac(hmac(HmacHash::Sha1, SignatureEncoding::Base64, "s")),
        ] {
            prop_assert!(judge(&verifier, &headers, &body, at(1_700_000_000)).is_err());
        }
    }
}
