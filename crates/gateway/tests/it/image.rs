//! The Dockerfile, as far as it can be judged without an engine.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{gateway, run, stderr, stdout, workspace};

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
    assert!(build.contains("cargo build --profile dist --locked"));
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

/// What `.dockerignore` lets through. Its lines are of three forms, whose meaning is one for Docker and for whoever reads
/// them: everything, a name at the top that is let through after all, and a name that is left out wherever it stands.
struct Context {
    let_through: Vec<String>,
    left_out: Vec<String>,
}

impl Context {
    fn read() -> Self {
        let text = fs::read_to_string(workspace(".dockerignore")).unwrap();
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert_eq!(lines.next(), Some("*"));
        let (mut let_through, mut left_out) = (Vec::new(), Vec::new());
        for line in lines {
            let is_name = |name: &str| !name.contains(['/', '*', '?', '[', '!']);
            match (line.strip_prefix('!'), line.strip_prefix("**/")) {
                (Some(name), _) if is_name(name) && left_out.is_empty() => let_through.push(name.to_owned()),
                (_, Some(name)) if is_name(name.trim_start_matches('*')) => left_out.push(name.to_owned()),
                _ => panic!("this test does not know what `{line}` means"),
            }
        }
        Self { let_through, left_out }
    }

    fn has(&self, name: &str) -> bool {
        !self.left_out.iter().any(|left_out| match left_out.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => name == left_out,
        })
    }

    fn copy(&self, from: &Path, to: &Path) {
        if from.is_file() {
            fs::copy(from, to).unwrap();
            return;
        }
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name();
            if self.has(name.to_str().unwrap()) {
                self.copy(&entry.path(), &to.join(name));
            }
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn what_is_sent_to_the_build_is_a_workspace_that_its_lock_file_fits_with_every_file_that_the_code_holds() {
    let context = Context::read();
    let folder = tempfile::tempdir().unwrap();
    for name in &context.let_through {
        context.copy(&workspace(name), &folder.path().join(name));
    }
    let mut cargo = Command::new(env!("CARGO"));
    // What was fetched to build this test is what there is without a network.
    let rustc = run(Command::new("rustc").arg("-vV"), "");
    let host = stdout(&rustc)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .unwrap();
    cargo.args([
        "metadata",
        "--locked",
        "--offline",
        "--format-version",
        "1",
        "--filter-platform",
        &host,
    ]);
    cargo.env_remove("CARGO_TARGET_DIR").current_dir(folder.path());
    let output = run(&mut cargo, "");
    assert!(output.status.success(), "{}", stderr(&output));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(metadata["workspace_members"].as_array().unwrap().len() > 15);

    let mut sources = Vec::new();
    files(&folder.path().join("crates"), &mut sources);
    let mut held = 0;
    for source in sources
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    {
        let text = fs::read_to_string(source).unwrap();
        for macro_name in ["include_str!(\"", "include_bytes!(\""] {
            for (_, rest) in text
                .match_indices(macro_name)
                .map(|(at, found)| text.split_at(at + found.len()))
            {
                let named = &rest[..rest.find('"').unwrap()];
                assert!(
                    source.parent().unwrap().join(named).exists(),
                    "{}: {named}",
                    source.display()
                );
                held += 1;
            }
        }
    }
    assert!(held > 5, "{held} files are held by code");
}
