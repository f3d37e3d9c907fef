//! A merchant's file as it is sent: TOML or JSON, its references followed if that was asked for.

use std::fs;

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Map, Value as Json, json};
use upsert_settings::Environment;

/// What is sent, and to where.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) id: String,
    pub(super) members: Json,
}

/// Reads it.
///
/// # Errors
/// It is neither TOML nor JSON, names no merchant, or refers to a secret that cannot be read. Nothing of what stands in the
/// file is told.
pub(super) fn read(name: &str, bytes: &[u8], read_secrets: bool) -> anyhow::Result<Document> {
    let text = std::str::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
    let mut members: Json = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| anyhow!("{name} is not JSON: line {}", error.line()))?
    } else {
        let toml: Result<Json, _> = toml::from_str(text);
        // The whole error shows the line, which may hold a secret.
        toml.map_err(|error| anyhow!("{name} is not TOML: {}", error.message()))?
    };
    let id = members.get("id").and_then(Json::as_str).map(str::to_owned);
    let id = id.with_context(|| format!("{name} has no `id`"))?;
    if read_secrets {
        let environment = Environment::of_process();
        for secret in secrets(&mut members) {
            follow(secret, &environment)?;
        }
    }
    Ok(Document { id, members })
}

/// Every place where a secret may stand.
fn secrets(members: &mut Json) -> Vec<&mut Json> {
    let mut found = Vec::new();
    let Some(members) = members.as_object_mut() else {
        return found;
    };
    for (name, member) in members {
        match name.as_str() {
            "connections" => {
                let connections = list(member).filter_map(|one| one.get_mut("credentials")?.as_object_mut());
                found.extend(connections.flat_map(Map::values_mut));
            }
            "webhooks" => {
                for (direction, sources) in member.as_object_mut().into_iter().flatten() {
                    let is_in = direction == "in";
                    let holders = list(sources).filter_map(|one| if is_in { one.get_mut("verify") } else { Some(one) });
                    for holder in holders.filter_map(Json::as_object_mut) {
                        for (name, member) in holder {
                            match name.as_str() {
                                "secret" => found.push(member),
                                "secrets" => found.extend(list(member)),
                                _ => {}
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn list(value: &mut Json) -> impl Iterator<Item = &mut Json> {
    value.as_array_mut().into_iter().flatten()
}

/// Puts what a reference names in its place.
fn follow(secret: &mut Json, environment: &Environment) -> anyhow::Result<()> {
    let text = |member: &str| secret.get(member).and_then(Json::as_str);
    let value = match (text("env"), text("file")) {
        (Some(name), None) => {
            let value = environment.get(name);
            value
                .with_context(|| format!("the environment variable `{name}` is not set"))?
                .to_owned()
        }
        (None, Some(path)) => fs::read_to_string(path).with_context(|| format!("the file `{path}` cannot be read"))?,
        (Some(_), Some(_)) => bail!("a reference to a secret has `env` or `file`, not both"),
        (None, None) => return Ok(()),
    };
    *secret = json!({ "value": value.trim_end_matches(['\r', '\n']) });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        id = "acme"
        [[connections]]
        name = "crm"
        provider = "rotor"
        credentials = { api_key = { file = "KEY" }, other = { value = "v" } }
        settings = { secret = { file = "KEY" } }
        [[webhooks.in]]
        source = "shop"
        verify = { scheme = "hmac", secret = { file = "KEY" } }
        [[webhooks.out]]
        url = "https://example.com"
        secrets = [{ file = "KEY" }]
    "#;

    #[test]
    fn references_are_followed_where_secrets_stand_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "s3cret\n").unwrap();
        let text = FILE.replace("KEY", path.to_str().unwrap());
        let read = read("acme.toml", text.as_bytes(), true).unwrap();
        let at = |pointer: &str| read.members.pointer(pointer).cloned();
        let value = Some(json!({ "value": "s3cret" }));
        assert_eq!(at("/connections/0/credentials/api_key"), value);
        assert_eq!(at("/webhooks/in/0/verify/secret"), value);
        assert_eq!(at("/webhooks/out/0/secrets/0"), value);
        assert_eq!(at("/connections/0/credentials/other/value"), Some(json!("v")));
        assert_eq!(at("/connections/0/settings/secret"), Some(json!({ "file": path })));
    }

    #[test]
    fn what_cannot_be_read_is_told_without_what_stands_in_it() {
        for (text, wanted) in [
            ("{ \"id\": \"acme\", \"canary\" }", "is not JSON"),
            ("id = \"acme\"\nkey = canary-canary", "is not TOML"),
            ("name = \"canary\"", "has no `id`"),
            ("{}", "has no `id`"),
        ] {
            let error = format!("{:#}", read("f", text.as_bytes(), false).unwrap_err());
            assert!(error.contains(wanted) && !error.contains("canary"), "{error}");
        }
        let text = FILE.replace("KEY", "/nowhere/at/all");
        let error = format!("{:#}", read("f", text.as_bytes(), true).unwrap_err());
        assert!(error.contains("the file `/nowhere/at/all` cannot be read"), "{error}");
        let read = read("f", text.as_bytes(), false).unwrap();
        let kept = read.members.pointer("/connections/0/credentials/api_key/file");
        assert_eq!((read.id.as_str(), kept), ("acme", Some(&json!("/nowhere/at/all"))));
    }
}
