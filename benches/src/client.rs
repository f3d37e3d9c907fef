//! One keep-alive HTTP/1.1 connection, written for little: what the generator uses up, a test machine with two cores
//! takes from the vendor's simulator. It knows answers with a `Content-Length`, and takes anything else for an error.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 64;
const MAX_ANSWER: usize = 1024 * 1024;

/// A connection, with the buffers that it uses again and again.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    longest: usize,
}

/// An answer; the body is the connection's until the next call.
#[derive(Debug)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// Whether there is a `Retry-After`.
    pub says_when: bool,
    /// The whole body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            outgoing: Vec::with_capacity(2_048),
            incoming: Vec::with_capacity(8_192),
            longest: MAX_ANSWER,
        })
    }

    /// Takes answers of any length.
    #[must_use]
    pub fn unbounded(self) -> Self {
        let longest = usize::MAX;
        Self { longest, ..self }
    }

    /// Sends one request, whose `head` ends before the length (see [`head`]), and reads the answer whole.
    ///
    /// # Errors
    /// The connection broke, or the answer is none that this client knows.
    pub async fn call(&mut self, head: &str, body: &str) -> io::Result<Answer<'_>> {
        self.outgoing.clear();
        self.outgoing.extend_from_slice(head.as_bytes());
        self.outgoing
            .extend_from_slice(format!("{}\r\n\r\n", body.len()).as_bytes());
        self.outgoing.extend_from_slice(body.as_bytes());
        self.stream.write_all(&self.outgoing).await?;
        self.incoming.clear();
        loop {
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Err(broken("the connection was closed before the answer was whole"));
            }
            if let Some(parsed) = parse(&self.incoming)? {
                let body = self.incoming.get(parsed.start..).unwrap_or_default();
                return Ok(Answer {
                    status: parsed.status,
                    says_when: parsed.says_when,
                    body,
                });
            }
            if self.incoming.len() > self.longest {
                return Err(broken("the answer is too long"));
            }
        }
    }
}

/// Everything of a request before its length: method, path, host, the given headers.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    head.push_str("content-type: application/json\r\ncontent-length: ");
    head
}

#[derive(Debug, PartialEq)]
struct Parsed {
    status: u16,
    says_when: bool,
    start: usize,
}

/// None as long as something is missing.
fn parse(bytes: &[u8]) -> io::Result<Option<Parsed>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let state = response.parse(bytes).map_err(|_| broken("this is no HTTP answer"))?;
    let httparse::Status::Complete(start) = state else {
        return Ok(None);
    };
    let Some(status) = response.code else { return Ok(None) };
    let length = match status {
        204 => 0,
        _ => length(response.headers).ok_or_else(|| broken("the answer has no length"))?,
    };
    let says_when = response
        .headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("retry-after"));
    match bytes.len().cmp(&(start + length)) {
        std::cmp::Ordering::Less => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(Parsed {
            status,
            says_when,
            start,
        })),
        std::cmp::Ordering::Greater => Err(broken("there is more than one answer")),
    }
}

fn length(headers: &[httparse::Header<'_>]) -> Option<usize> {
    let header = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    std::str::from_utf8(header.value).ok()?.trim().parse().ok()
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_is_there_and_not_before() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]).unwrap(), None, "after {cut} bytes");
        }
        let parsed = parse(whole).unwrap().unwrap();
        assert_eq!((parsed.status, &whole[parsed.start..]), (201, b"{}".as_slice()));
    }

    #[test]
    fn what_cannot_be_measured_is_an_error_and_not_a_number() {
        for answer in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{}",
            "SSH-2.0-x\r\n\r\n",
        ] {
            assert!(parse(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
