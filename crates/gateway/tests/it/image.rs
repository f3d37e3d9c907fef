//! The Dockerfile, as far as it can be judged without an engine.

use std::collections::BTreeSet;
use std::fs;

use crate::process::{gateway, run, stderr, workspace};

/// The instructions, continued lines joined, without comments.
fn instructions() -> Vec<String> {
    let text = fs::read_to_string(workspace("Dockerfile")).unwrap();
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let joined = code.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The instructions of a stage, its bases' first.
fn stage(name: &str) -> Vec<String> {
    let all = instructions();
    let end = format!(" AS {name}");
    let at = all
        .iter()
        .position(|line| line.starts_with("FROM ") && line.ends_with(&end))
        .unwrap();
    let base = all[at].split_whitespace().nth(1).unwrap();
    let is_stage = all[..at].iter().any(|line| line.ends_with(&format!(" AS {base}")));
    let mut lines = if is_stage { stage(base) } else { Vec::new() };
    lines.extend(
        all[at + 1..]
            .iter()
            .take_while(|line| !line.starts_with("FROM "))
            .cloned(),
    );
    lines
}

/// The words of the last instruction of a kind in its JSON form.
fn words(stage: &[String], instruction: &str) -> Vec<String> {
    let line = stage.iter().rfind(|line| line.starts_with(instruction)).unwrap();
    serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap()
}

#[test]
fn what_is_built_is_what_the_stages_run() {
    let binaries: BTreeSet<String> = ["gateway", "simulators"].map(|stage| format!("upsert-{stage}")).into();
    let build = stage("build").join("\n");
    assert!(build.contains("cargo build --release --locked"));
    for name in ["gateway", "simulators"] {
        let stage = stage(name);
        let entry = words(&stage, "ENTRYPOINT");
        assert!(
            binaries.contains(&entry[0]) && build.contains(&format!("-p {}", entry[0])),
            "{entry:?}"
        );
        assert!(
            stage
                .iter()
                .any(|line| line.starts_with(&format!("COPY --from=build /out/{} ", entry[0])))
        );
    }
}

#[test]
fn both_images_run_as_nobody_in_particular_and_have_a_health_check_without_a_shell() {
    for name in ["gateway", "simulators"] {
        let stage = stage(name);
        let user = stage.iter().rfind(|line| line.starts_with("USER ")).unwrap();
        assert!(!user.contains("root") && !user.starts_with("USER 0"), "{user}");
        let check = stage.iter().rfind(|line| line.starts_with("HEALTHCHECK ")).unwrap();
        assert!(check.contains("CMD ["), "{check}");
    }
}

#[test]
fn the_commands_that_the_images_run_are_ones_that_the_binary_knows() {
    let stage = stage("gateway");
    let health = words(&stage, "HEALTHCHECK");
    assert_eq!(health[0], "upsert-gateway");
    for command in [words(&stage, "CMD"), health[1..].to_vec()] {
        let mut arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        arguments.push("--help");
        let output = run(&mut gateway(&arguments), "");
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", stderr(&output));
    }
}

#[test]
fn the_build_gets_the_folders_that_the_workspace_has() {
    let ignored = fs::read_to_string(workspace(".dockerignore")).unwrap();
    let sent: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for needed in ["Cargo.toml", "Cargo.lock", "crates", "tests", "config", "docs"] {
        assert!(sent.contains(&needed), "{needed} is not sent to the build");
    }
}
