//! One gateway: a process of its own, on an address that stays its own while it does not run.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail, ensure};
use tokio::net::TcpSocket;
use upsert_core::crash_point::VARIABLE;

use crate::proxy::bound;
use crate::world::PATIENCE;

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Whether it is ready is asked at least so often before it is given up, each time longer than the gateway itself takes to
/// find its store away.
const QUESTIONS: u32 = 6;
const SIGABRT: i32 = 6;

/// One gateway. It is killed when this is dropped.
pub struct Process {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    /// Bound and never listening: the port is this one's while no gateway runs, too.
    _port: TcpSocket,
    client: reqwest::Client,
    patience: Duration,
    child: Option<Child>,
}

impl Process {
    /// One whose configuration is to be in this folder; it is not started. `patience`: how long it may take to get ready.
    ///
    /// # Errors
    /// A port cannot be had.
    pub fn new(program: &Path, folder: &Path, client: reqwest::Client, patience: Duration) -> anyhow::Result<Self> {
        let port = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            address: port.local_addr()?,
            _port: port,
            client,
            patience,
            child: None,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the gateway and waits until it is ready.
    ///
    /// # Errors
    /// It ends, or does not get ready; its last words are told.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        match self.start_aimed(None).await? {
            None => Ok(()),
            Some(status) => Err(self.ended_with(status)),
        }
    }

    /// Starts the gateway so that it dies at a crash point, named as `point@time`. Gives its end where it died before it
    /// was ready.
    ///
    /// # Errors
    /// It does not get ready; what it answered and its last words are told.
    pub async fn start_aimed(&mut self, aim: Option<&str>) -> anyhow::Result<Option<ExitStatus>> {
        self.spawn(aim)?;
        self.until_ready().await
    }

    async fn until_ready(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let (began, mut asked) = (Instant::now(), 0_u32);
        loop {
            if let Some(status) = self.ended()? {
                self.child = None;
                return Ok(Some(status));
            }
            let answer = match self.ask_whether_ready().await {
                Ok(()) => return Ok(None),
                Err(answer) => answer,
            };
            asked += 1;
            ensure!(
                began.elapsed() < self.patience,
                "the gateway runs and is not ready after {:?} and {asked} questions, the last of which got {answer}; the \
                 end of its log:\n{}",
                began.elapsed(),
                self.last_words()
            );
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Asks once, and not for ever: one question that nobody answers says little. Gives what came instead of a yes.
    async fn ask_whether_ready(&self) -> Result<(), String> {
        let question = self.client.get(format!("http://{}/readyz", self.address));
        let answer = question.timeout(self.patience / QUESTIONS).send().await;
        let answer = answer.map_err(|error| format!("no answer: {:#}", anyhow::Error::new(error)))?;
        if answer.status() == 200 {
            return Ok(());
        }
        let status = answer.status();
        Err(format!("{status}: {}", answer.text().await.unwrap_or_default()))
    }

    /// Starts the gateway and kills it so soon after that it may not have got ready.
    ///
    /// # Errors
    /// It cannot be started, or ends by itself.
    pub async fn start_and_kill(&mut self, after: Duration) -> anyhow::Result<()> {
        self.spawn(None)?;
        tokio::time::sleep(after).await;
        self.kill()
    }

    fn spawn(&mut self, aim: Option<&str>) -> anyhow::Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log())?;
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("UPSERT_") {
                command.env_remove(name);
            }
        }
        if let Some(aim) = aim {
            command.env(VARIABLE, aim);
        }
        command.args(["serve", "--log", "json", "--config"]).arg(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().context("the gateway cannot be started")?);
        Ok(())
    }

    /// How the gateway ended, if it has.
    ///
    /// # Errors
    /// The system cannot tell.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// Waits until the gateway has died at the point that it was aimed at; false if it still lives after `patience`.
    ///
    /// # Errors
    /// It ended in another way.
    pub async fn dies_within(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                self.child = None;
                self.expect_a_point(status)?;
                return Ok(true);
            }
            if began.elapsed() >= patience {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// That it ended as at a crash point, and not for another reason.
    ///
    /// # Errors
    /// It did not; its last words are told.
    pub fn expect_a_point(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.signal() == Some(SIGABRT) {
            return Ok(());
        }
        Err(self.ended_with(status))
    }

    fn ended_with(&self, status: ExitStatus) -> anyhow::Error {
        anyhow!(
            "the gateway ended with {status}; the end of its log:\n{}",
            self.last_words()
        )
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// It has ended by itself.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else {
            bail!("no gateway runs");
        };
        if let Some(status) = child.try_wait()? {
            return Err(self.ended_with(status).context("nobody had killed it yet"));
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Stops it where it is, until [`Process::thaw`]. Nothing happens where none runs.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| signal(child, "STOP"))
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// The signal cannot be sent.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.child.as_ref().map_or(Ok(()), |child| signal(child, "CONT"))
    }

    /// Starts it and does not wait for anything.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn begin(&mut self) -> anyhow::Result<()> {
        self.spawn(None)
    }

    /// Waits until one that was begun is ready.
    ///
    /// # Errors
    /// It ends, or does not get ready; its last words are told.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        match self.until_ready().await? {
            None => Ok(()),
            Some(status) => Err(self.ended_with(status)),
        }
    }

    /// SIGHUP: it reads its configuration anew.
    ///
    /// # Errors
    /// No gateway runs, or the signal cannot be sent.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        signal(self.child.as_ref().context("no gateway runs")?, "HUP")
    }

    /// SIGTERM; the exit code.
    ///
    /// # Errors
    /// It does not end.
    pub async fn terminate(&mut self) -> anyhow::Result<Option<i32>> {
        self.tell_to_end()?;
        self.until_ended().await
    }

    /// SIGTERM.
    ///
    /// # Errors
    /// No gateway runs, or the signal cannot be sent.
    pub fn tell_to_end(&self) -> anyhow::Result<()> {
        signal(self.child.as_ref().context("no gateway runs")?, "TERM")
    }

    /// Waits until one that was told to end has; the exit code.
    ///
    /// # Errors
    /// It does not end.
    pub async fn until_ended(&mut self) -> anyhow::Result<Option<i32>> {
        let Some(mut child) = self.child.take() else {
            bail!("no gateway runs");
        };
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code());
            }
            if began.elapsed() > PATIENCE {
                child.kill()?;
                bail!("the gateway does not end:\n{}", self.last_words());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Lines of the log that are worse than a warning.
    ///
    /// # Errors
    /// There is no log.
    pub fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = fs::read_to_string(self.log())?;
        let errors = log.lines().filter(|line| line.contains("\"ERROR\""));
        Ok(errors.map(str::to_owned).collect())
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let mut lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.reverse();
        lines.join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended, which is what was wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(child: &Child, name: &str) -> anyhow::Result<()> {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()?;
    ensure!(sent.success(), "the signal could not be sent");
    Ok(())
}
