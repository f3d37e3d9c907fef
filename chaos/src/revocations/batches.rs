//! A batch that stays open: a line every while, and what comes back, each with its time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use upsert_core::{Clock as _, SystemClock};

use super::judge::is_late;
use crate::world::PATIENCE;

/// From one line to the next.
const PAUSE: Duration = Duration::from_millis(60);

/// What a batch sent and got.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Log {
    /// By whose key.
    pub(in super::super) key: String,
    /// When each line was sent, from the first one.
    pub(in super::super) sent: Vec<Timestamp>,
    /// The answers: the line, and whether it was taken.
    pub(in super::super) answers: Vec<(usize, bool)>,
    /// When the answer ended.
    pub(in super::super) ended: Option<Timestamp>,
}

pub(in super::super) struct Batch {
    log: Arc<Mutex<Log>>,
    writing: JoinHandle<()>,
    reading: JoinHandle<()>,
}

impl Batch {
    /// Opens one, and waits for its first answer.
    pub(in super::super) async fn open(address: SocketAddr, key: &str, merchant: &str) -> anyhow::Result<Self> {
        let log = Arc::new(Mutex::new(Log {
            key: key.to_owned(),
            ..Log::default()
        }));
        let mut socket = TcpStream::connect(address).await?;
        let head = format!(
            "POST /v1/customers/batch HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\nmerchant-id: {merchant}\r\n\
             content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await?;
        let (reader, mut writer) = socket.into_split();
        let (writes, own_key) = (log.clone(), key.to_owned());
        let writing = Handle::current().spawn(async move {
            loop {
                let number = writes.lock().sent.len() + 1;
                let line =
                    format!("{{\"reference\":\"{own_key}-{number}\",\"email\":\"{own_key}.{number}@x.example\",\"given_name\":\"A\",\"family_name\":\"B\"}}\n");
                let chunk = format!("{:x}\r\n{line}\r\n", line.len());
                writes.lock().sent.push(SystemClock.now());
                if writer.write_all(chunk.as_bytes()).await.is_err() {
                    return;
                }
                sleep(PAUSE).await;
            }
        });
        let reads = log.clone();
        let reading = Handle::current().spawn(async move {
            read(reader, &reads).await;
            reads.lock().ended = Some(SystemClock.now());
        });
        let batch = Self { log, writing, reading };
        timeout(PATIENCE, batch.is_answered())
            .await
            .context("a batch is not answered")??;
        Ok(batch)
    }

    async fn is_answered(&self) -> anyhow::Result<()> {
        while self.log.lock().answers.is_empty() {
            let ended = self.log.lock().ended;
            ensure!(ended.is_none(), "a batch ended before its first answer");
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// The client goes.
    pub(in super::super) async fn hang_up(self) -> Log {
        self.writing.abort();
        self.reading.abort();
        let _aborted_or_done = (self.writing.await, self.reading.await);
        self.log.lock().clone()
    }
}

/// Until the answer ends: lines are looked for in it as they come, between the sizes of chunks.
async fn read(mut reader: OwnedReadHalf, log: &Mutex<Log>) {
    let (mut rest, mut some) = (String::new(), vec![0; 16 * 1_024]);
    loop {
        match reader.read(&mut some).await {
            Ok(count) if count > 0 => rest.push_str(&String::from_utf8_lossy(&some[..count])),
            _ => return,
        }
        while let Some(end) = rest.find('\n') {
            let line: String = rest.drain(..=end).collect();
            let Ok(Json::Object(answer)) = serde_json::from_str::<Json>(line.trim()) else {
                // The last chunk has no bytes.
                if line.trim() == "0" {
                    return;
                }
                continue;
            };
            let number = answer.get("line").and_then(Json::as_u64).unwrap_or_default();
            let is_taken = answer.contains_key("upsert_id");
            log.lock()
                .answers
                .push((usize::try_from(number).unwrap_or_default(), is_taken));
        }
    }
}

impl Log {
    /// What of it is against that its key was revoked at this moment.
    pub(in super::super) fn findings(&self, revoked_at: Timestamp) -> Vec<String> {
        let mut findings = Vec::new();
        if self.ended.is_none_or(|ended| is_late(ended, revoked_at)) {
            findings.push(format!(
                "the batch of {} stayed open: it ended at {:?}",
                self.key, self.ended
            ));
        }
        for (line, is_taken) in &self.answers {
            let sent = line.checked_sub(1).and_then(|index| self.sent.get(index));
            if *is_taken && sent.is_some_and(|sent| is_late(*sent, revoked_at)) {
                findings.push(format!("line {line} of {} was taken", self.key));
            }
        }
        findings
    }
}
