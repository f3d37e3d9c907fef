//! A world whose gateway does not do as it should says why. The gateway is a script here.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to stop")]
#![allow(clippy::disallowed_methods, reason = "a test has tasks of its own")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use upsert_chaos::world::{World, WorldOptions};

const RUNS: &str = "echo waiting for nobody >&2\nexec sleep 60";

fn world(script: &str, patience: Duration) -> (World, TempDir) {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("gateway.sh");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = WorldOptions::new(1, &program, folder.path());
    options.patience = patience;
    (World::new(options).unwrap(), folder)
}

async fn why_not(world: &mut World) -> String {
    format!("{:#}", world.start().await.unwrap_err())
}

/// Answers each connection in its turn, the last answer again and again; none: never.
async fn answer(listener: TcpListener, answers: Vec<Option<&'static str>>) {
    let mut unanswered: Vec<TcpStream> = Vec::new();
    for number in 0.. {
        let (mut stream, _) = listener.accept().await.unwrap();
        let Some(answer) = answers[answers.len().min(number + 1) - 1] else {
            unanswered.push(stream);
            continue;
        };
        let _some_of_the_question = stream.read(&mut [0; 1024]).await.unwrap();
        let length = "connection: close\r\ncontent-length: 2\r\n\r\n{}";
        let text = format!("HTTP/1.1 {answer}\r\n{length}");
        stream.write_all(text.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_gateway_that_runs_and_does_not_get_ready_is_told_of_with_what_it_answered_and_its_last_words() {
    let (mut world, _folder) = world(RUNS, Duration::from_millis(600));
    let silent = why_not(&mut world).await;
    for word in [
        "runs and is not ready after",
        "questions",
        "no answer",
        "refused",
        "waiting for nobody",
    ] {
        assert!(silent.contains(word), "{word}: {silent}");
    }
    let listener = TcpListener::bind(world.address()).await.unwrap();
    tokio::spawn(answer(listener, vec![Some("503 Service Unavailable")]));
    let refused = why_not(&mut world).await;
    assert!(refused.contains("got 503 Service Unavailable: {}"), "{refused}");
}

#[tokio::test]
async fn a_gateway_that_ends_while_it_starts_is_told_of_with_its_status_and_its_last_words() {
    let (mut world, _folder) = world("echo no room >&2\nexit 3", Duration::from_secs(20));
    let ended = why_not(&mut world).await;
    assert!(ended.contains("exit status: 3") && ended.contains("no room"), "{ended}");
}

#[tokio::test]
async fn one_question_that_nobody_answers_does_not_use_up_the_patience() {
    let (mut world, _folder) = world(RUNS, Duration::from_secs(6));
    let listener = TcpListener::bind(world.address()).await.unwrap();
    tokio::spawn(answer(listener, vec![None, Some("200 OK")]));
    world.start().await.unwrap();
}

#[tokio::test]
async fn the_port_is_nobody_elses_before_a_gateway_runs_and_after_it_has_died() {
    let (mut world, _folder) = world(RUNS, Duration::from_secs(6));
    let is_somebody_elses = |world: &World| TcpSocket::new_v4().unwrap().bind(world.address()).is_ok();
    assert!(!is_somebody_elses(&world));
    let listener = TcpListener::bind(world.address()).await.unwrap();
    let gateway = tokio::spawn(answer(listener, vec![Some("200 OK")]));
    world.start().await.unwrap();
    gateway.abort();
    gateway.await.unwrap_err();
    world.gateway().kill().unwrap();
    assert!(!is_somebody_elses(&world));
}
