//! The Helm chart, rendered by Helm (`scripts/chart`), and held against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use upsert_settings::{Environment, Secrets, Settings, StoreUrl};

use crate::compose::{texts, yaml};
use crate::process::{Started, gateway, run, stderr, stdout, workspace};
use crate::serve::ready;

const CHART: &str = "deploy/helm/upsert-gateway";
const NOTHING: &str = "";
/// Files of values that the chart has for tests.
const SQLITE: &str = "sqlite";
const EVERYTHING: &str = "everything";

/// What Helm says of the chart with these values, or with those of a file.
fn helm(action: &str, values: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = match values {
        SQLITE | EVERYTHING => workspace(&format!("{CHART}/ci/{values}-values.yaml")),
        text => {
            let file = folder.path().join("values.yaml");
            fs::write(&file, text).unwrap();
            file
        }
    };
    run(Command::new(workspace("scripts/chart")).arg(action).arg(file), "")
}

/// The manifests that Helm makes of these values.
fn manifests(values: &str) -> Vec<Value> {
    let output = helm("template", values);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let documents = text.split("---\n").filter(|text| !text.trim().is_empty());
    documents.map(|text| serde_saphyr::from_str(text).unwrap()).collect()
}

fn of_kind<'a>(manifests: &'a [Value], kind: &str) -> Vec<&'a Value> {
    manifests.iter().filter(|one| one["kind"] == kind).collect()
}

fn only<'a>(manifests: &'a [Value], kind: &str) -> &'a Value {
    let [one] = of_kind(manifests, kind)[..] else {
        panic!("not one {kind}: {manifests:#?}")
    };
    one
}

fn pod(manifests: &[Value]) -> &Value {
    &only(manifests, "Deployment")["spec"]["template"]["spec"]
}

fn container(manifests: &[Value]) -> &Value {
    &pod(manifests)["containers"][0]
}

/// The container's environment; what a Secret has to hold is the word given for its name and key.
fn environment(manifests: &[Value], secret: impl Fn(&str, &str) -> String) -> BTreeMap<String, String> {
    let variables = container(manifests)["env"].as_array().unwrap();
    let value = |variable: &Value| match variable["value"].as_str() {
        Some(value) => value.to_owned(),
        None => {
            let reference = &variable["valueFrom"]["secretKeyRef"];
            secret(reference["name"].as_str().unwrap(), reference["key"].as_str().unwrap())
        }
    };
    let name = |variable: &Value| variable["name"].as_str().unwrap().to_owned();
    let all: BTreeMap<_, _> = variables.iter().map(|one| (name(one), value(one))).collect();
    assert_eq!(
        all.len(),
        variables.len(),
        "a variable stands there twice: {variables:#?}"
    );
    all
}

/// A Secret's value, as the gateway and the vendors' providers would take it.
fn secret(name: &str, key: &str) -> String {
    let value = if key == "url" {
        "postgres://gateway:canary@db.example.com/gateway"
    } else {
        "sandbox_sk_canary"
    };
    assert!(!name.is_empty());
    value.to_owned()
}

/// The container's files, below a folder: its configuration as Kubernetes lays it out, by links that change all at once, and the
/// Secrets that are mounted.
fn files(manifests: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("etc/..2026_11_30");
    let texts = &only(manifests, "ConfigMap")["data"];
    let volumes = pod(manifests)["volumes"].as_array().unwrap();
    let configuration = volumes.iter().find(|one| one["name"] == "config").unwrap();
    assert_eq!(
        configuration["configMap"]["name"],
        only(manifests, "ConfigMap")["metadata"]["name"]
    );
    for item in configuration["configMap"]["items"].as_array().unwrap() {
        let text = texts[item["key"].as_str().unwrap()].as_str().unwrap();
        let file = data.join(item["path"].as_str().unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // The Secrets are below this folder, and not at the root of the machine.
        let text = text.replace("\"/run/secrets/", &format!("\"{}/", folder.path().display()));
        fs::write(file, text).unwrap();
    }
    symlink("..2026_11_30", folder.path().join("etc/..data")).unwrap();
    for entry in fs::read_dir(&data).unwrap() {
        let name = entry.unwrap().file_name();
        symlink(Path::new("..data").join(&name), folder.path().join("etc").join(&name)).unwrap();
    }
    for mount in container(manifests)["volumeMounts"].as_array().unwrap() {
        let Some(name) = mount["mountPath"].as_str().unwrap().strip_prefix("/run/secrets/") else {
            continue;
        };
        let volume = volumes.iter().find(|one| one["name"] == mount["name"]).unwrap();
        assert_eq!(volume["secret"]["secretName"], name);
        fs::create_dir(folder.path().join(name)).unwrap();
        for key in ["rotor", "april", "wallet"] {
            fs::write(folder.path().join(name).join(key), secret(name, key)).unwrap();
        }
    }
    folder
}

/// The settings of the container.
fn settings(manifests: &[Value]) -> Settings {
    let files = files(manifests);
    let environment = environment(manifests, secret).into_iter().collect::<Environment>();
    Settings::load(&files.path().join("etc"), &environment, Secrets::Resolve)
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn helm_finds_no_fault_with_the_chart() {
    for values in [NOTHING, SQLITE, EVERYTHING] {
        let output = helm("lint", values);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    }
}

#[test]
fn what_the_container_is_given_is_a_configuration_that_check_takes() {
    for (values, counts) in [
        (NOTHING, "0 merchants, 0 connections"),
        (EVERYTHING, "2 merchants, 3 connections"),
    ] {
        let manifests = manifests(values);
        let files = files(&manifests);
        let folder = files.path().join("etc");
        let mut check = gateway(&["check", "--config", folder.to_str().unwrap()]);
        let output = run(check.envs(environment(&manifests, secret)), "");
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        assert!(stdout(&output).contains(counts), "{}", stdout(&output));
    }
    assert!(matches!(
        settings(&manifests(EVERYTHING)).store.url,
        StoreUrl::Postgres(_)
    ));
    let settings = settings(&manifests(SQLITE));
    assert_eq!(settings.store.url.to_string(), "sqlite:/data/gateway.db");
}

#[test]
fn the_manuals_example_is_one_that_the_chart_and_the_gateway_take() {
    let page = fs::read_to_string(workspace("docs/operations.md")).unwrap();
    let (_, example) = page.split_once("```yaml\n# values.yaml").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let example = example.replace('…', &"0".repeat(64));
    let merchants = settings(&manifests(&format!("#{example}"))).merchants;
    assert_eq!(merchants["acme"].connections.len(), 1);
}

#[test]
fn it_listens_where_it_is_called_and_is_probed_where_it_answers() {
    let manifests = manifests(NOTHING);
    let (container, settings) = (container(&manifests), settings(&manifests));
    let port = |name: &str| {
        let ports = container["ports"].as_array().unwrap();
        ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"].to_string()
    };
    assert_eq!(settings.server.bind, format!("0.0.0.0:{}", port("http")));
    assert_eq!(
        settings.server.metrics_bind,
        Some(format!("0.0.0.0:{}", port("metrics")))
    );

    let files = files(&manifests);
    let arguments = texts(&container["args"]);
    assert_eq!(arguments, ["serve", "--config", "/etc/upsert-gateway"]);
    let folder = files.path().join("etc");
    let mut serve = gateway(&["serve", "--config", folder.to_str().unwrap()]);
    serve.envs(environment(&manifests, secret));
    serve.env("UPSERT_GATEWAY__SERVER__BIND", "127.0.0.1:0");
    serve.env("UPSERT_GATEWAY__SERVER__METRICS_BIND", "127.0.0.1:0");
    let store = files.path().join("gateway.db");
    serve.env("UPSERT_GATEWAY__STORE__URL", format!("sqlite:{}", store.display()));
    let mut serving = Started::new(&mut serve);
    let (_, address) = ready(&mut serving);
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["port"], "http");
        let url = format!("http://{address}{}", probe["path"].as_str().unwrap());
        let output = run(&mut gateway(&["health", "--url", &url]), "");
        assert_eq!(output.status.code(), Some(0), "{url}: {}", stderr(&output));
    }
    // What tells whether requests may come is not what tells whether the process is to be killed.
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez");
}

#[test]
fn kubernetes_waits_longer_than_a_stop_may_take() {
    for values in [NOTHING, SQLITE, "shutdownGraceSeconds: 90\ndrainDelaySeconds: 20\n"] {
        let manifests = manifests(values);
        let granted = pod(&manifests)["terminationGracePeriodSeconds"].as_u64().unwrap();
        let server = settings(&manifests).server;
        let needed = server.drain_delay + server.shutdown_grace + Duration::from_secs(5);
        assert!(
            server.drain_delay >= Duration::from_secs(5),
            "whoever sends requests has to hear of it"
        );
        assert!(Duration::from_secs(granted) > needed, "{granted} s for {needed:?}");
    }
}

#[test]
fn replicas_are_locked_down_and_no_secret_is_made() {
    let docker = fs::read_to_string(workspace("Dockerfile")).unwrap();
    for values in [NOTHING, SQLITE, EVERYTHING] {
        let manifests = manifests(values);
        let (pod, container) = (pod(&manifests), container(&manifests));
        let user = &pod["securityContext"];
        assert_eq!(user["runAsNonRoot"], true);
        assert!(docker.contains(&format!("USER {}:{}", user["runAsUser"], user["runAsGroup"])));
        assert_eq!(user["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(
            (&pod["automountServiceAccountToken"], &pod["enableServiceLinks"]),
            (&false.into(), &false.into())
        );
        let context = &container["securityContext"];
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(texts(&context["capabilities"]["drop"]), ["ALL"]);
        for mount in container["volumeMounts"].as_array().unwrap() {
            let is_for_writing = ["/tmp", "/data"].contains(&mount["mountPath"].as_str().unwrap());
            assert_eq!(mount["readOnly"] == true, !is_for_writing, "{mount}");
        }
        assert!(of_kind(&manifests, "Secret").is_empty());
    }
}

#[test]
fn an_upgrade_takes_no_replica_away_before_there_is_another_and_a_file_is_never_two_processes() {
    let several = manifests(NOTHING);
    let deployment = &only(&several, "Deployment")["spec"];
    assert_eq!(
        (
            deployment["replicas"].as_u64(),
            &deployment["strategy"]["rollingUpdate"]["maxUnavailable"]
        ),
        (Some(2), &0.into())
    );
    assert_eq!(only(&several, "PodDisruptionBudget")["spec"]["maxUnavailable"], 1);

    let one = manifests(SQLITE);
    let deployment = &only(&one, "Deployment")["spec"];
    assert_eq!(
        (deployment["replicas"].as_u64(), &deployment["strategy"]["type"]),
        (Some(1), &"Recreate".into())
    );
    // One that nobody may take away would stop the maintenance of nodes.
    assert!(of_kind(&one, "PodDisruptionBudget").is_empty());
    let claim = only(&one, "PersistentVolumeClaim");
    assert_eq!(claim["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    let volumes = pod(&one)["volumes"].as_array().unwrap();
    let data = volumes.iter().find(|volume| volume["name"] == "data").unwrap();
    assert_eq!(data["persistentVolumeClaim"]["claimName"], claim["metadata"]["name"]);

    let scaled = manifests(EVERYTHING);
    assert!(
        only(&scaled, "Deployment")["spec"]["replicas"].is_null(),
        "the autoscaler's to say"
    );
    assert_eq!(
        only(&scaled, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"],
        only(&scaled, "Deployment")["metadata"]["name"]
    );
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    for (values, told) in [
        ("store: { kind: sqlite }", "replicas: 1"),
        (
            "{ replicas: 1, store: { kind: sqlite }, autoscaling: { enabled: true } }",
            "autoscaling.enabled: false",
        ),
        ("store: { postgresql: { secret: '' } }", "store.postgresql.secret"),
        ("ports: { metrics: 8080 }", "ports.metrics"),
        ("replica: 3", "replica"),
        ("store: { kind: mysql }", "store"),
        ("config: { merchants: { 'a/b': '' } }", "'a/b'"),
    ] {
        let output = helm("template", values);
        assert_eq!(output.status.code(), Some(1), "{values}: {}", stdout(&output));
        assert!(stderr(&output).contains(told), "{values}: {}", stderr(&output));
    }
}

#[test]
fn whatever_selects_replicas_finds_them_and_prometheus_finds_their_metrics() {
    let manifests = manifests(EVERYTHING);
    let labels = only(&manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
        .as_object()
        .unwrap()
        .clone();
    let is_selected = |selector: &Value| {
        let selector = selector.as_object().unwrap();
        assert!(selector.len() >= 2, "{selector:?}");
        assert!(
            selector.iter().all(|(name, value)| labels.get(name) == Some(value)),
            "{selector:?}"
        );
    };
    for kind in ["Deployment", "PodDisruptionBudget"] {
        is_selected(&only(&manifests, kind)["spec"]["selector"]["matchLabels"]);
    }
    is_selected(&only(&manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]);
    let services = of_kind(&manifests, "Service");
    assert_eq!(services.len(), 2);
    for service in &services {
        is_selected(&service["spec"]["selector"]);
    }

    let monitor = &only(&manifests, "ServiceMonitor")["spec"];
    let wanted = monitor["selector"]["matchLabels"].as_object().unwrap();
    let found = services.iter().filter(|service| {
        wanted
            .iter()
            .all(|(name, value)| service["metadata"]["labels"].get(name) == Some(value))
    });
    let found: Vec<_> = found.collect();
    let [metrics] = found[..] else { panic!("{found:#?}") };
    assert_eq!(metrics["spec"]["ports"][0]["name"], monitor["endpoints"][0]["port"]);
    let example = yaml("deploy/prometheus/prometheus.yml");
    let job = &example["scrape_configs"][0];
    assert_eq!(
        monitor["endpoints"][0]["relabelings"][0]["replacement"],
        job["job_name"]
    );
    assert_eq!(monitor["endpoints"][0]["path"], job["metrics_path"]);
}

#[test]
fn the_chart_installs_the_version_of_this_workspace() {
    let chart = yaml(&format!("{CHART}/Chart.yaml"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    let manifests = manifests(NOTHING);
    assert_eq!(
        container(&manifests)["image"],
        format!("upsert-gateway:{}", env!("CARGO_PKG_VERSION"))
    );
}

/// The paths of all values, and of all tables of them.
fn paths(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    into.insert(path.to_owned());
    for (name, inner) in value.as_object().into_iter().flatten() {
        paths(inner, &format!("{path}.{name}"), into);
    }
}

#[test]
fn every_value_is_used_and_every_value_that_is_used_is_there() {
    let mut there = BTreeSet::new();
    paths(&yaml(&format!("{CHART}/values.yaml")), ".Values", &mut there);
    let mut used = BTreeSet::new();
    for entry in fs::read_dir(workspace(&format!("{CHART}/templates"))).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let is_of_path = |c: char| c.is_ascii_alphanumeric() || c == '.';
        let found = text.match_indices(".Values.").map(|(at, _)| &text[at..]);
        used.extend(found.map(|rest| rest[..rest.find(|c| !is_of_path(c)).unwrap()].to_owned()));
    }
    assert!(used.len() > 30, "{used:?}");
    let unknown: Vec<_> = used.difference(&there).collect();
    assert!(unknown.is_empty(), "no such values: {unknown:?}");
    // A table that is used as a whole, such as `resources`, uses what is in it.
    let is_used = |path: &String| {
        used.iter()
            .any(|used| path == used || path.starts_with(&format!("{used}.")) || used.starts_with(&format!("{path}.")))
    };
    let unused: Vec<_> = there
        .iter()
        .filter(|path| *path != ".Values" && !is_used(path))
        .collect();
    assert!(unused.is_empty(), "nothing uses {unused:?}");
}
