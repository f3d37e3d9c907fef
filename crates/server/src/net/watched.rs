//! The stream of a connection, which tells what comes and what goes.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::net::connection::Phase;
use crate::net::connections::Guest;
use crate::net::queue::{Queue, Ticket};

/// Read of somebody without a key at a time.
const PORTION: usize = 8 * 1024;

/// How much of an answer the system keeps for somebody with a key who does not read it.
const SEND_BUFFER: usize = 128 * 1024;

/// A TCP stream that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: TcpStream,
    guest: Guest,
    queue: Rc<Queue>,
    /// Whose turn it is: whoever waits has a place in the queue.
    turn: Turn,
    /// What came of somebody without a key beyond what may be handed on.
    held: Vec<u8>,
    /// Whether the system keeps as much of an answer as for somebody with a key.
    is_wide: bool,
}

#[derive(Debug)]
enum Turn {
    /// Its own: what came may be read.
    Own,
    Waiting(Ticket),
    Over,
}

impl Watched {
    /// Of somebody new, whose turn it is.
    pub(crate) fn new(stream: TcpStream, guest: Guest, queue: Rc<Queue>) -> Self {
        Self {
            stream,
            guest,
            queue,
            turn: Turn::Own,
            held: Vec::new(),
            is_wide: false,
        }
    }

    /// Whose it is.
    pub(crate) fn guest(&self) -> Guest {
        self.guest.clone()
    }

    /// As much as may be handed on now.
    fn read_of_stranger(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.guest.connection.may_read(context));
        ready!(self.guest.poll_room(context));
        ready!(self.poll_turn(context))?;
        if self.held.is_empty() {
            let mut portion = [0; PORTION];
            let mut came = ReadBuf::new(&mut portion[..PORTION.min(buffer.remaining())]);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut came))?;
            let came = came.filled();
            let (now, later) = came.split_at(self.guest.connection.portion(came));
            buffer.put_slice(now);
            self.held = later.to_vec();
        } else {
            let next = self.held.len().min(buffer.remaining());
            let portion = self.guest.connection.portion(&self.held[..next]);
            self.hand_on(buffer, portion);
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for the turn of a stranger of whom something is there to be read. What is being answered has had it.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.guest.connection.phase() == Phase::Answering {
            return Poll::Ready(Ok(()));
        }
        if self.held.is_empty() {
            ready!(self.stream.poll_read_ready(context))?;
        }
        loop {
            match &mut self.turn {
                Turn::Own => {
                    self.turn = Turn::Over;
                    return Poll::Ready(Ok(()));
                }
                Turn::Waiting(ticket) => {
                    ready!(ticket.poll_called(context));
                    self.turn = Turn::Own;
                }
                Turn::Over => self.turn = Turn::Waiting(self.queue.later()),
            }
        }
    }

    /// So much, at the most, of what is held.
    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>, most: usize) {
        let portion = self.held.len().min(buffer.remaining()).min(most);
        buffer.put_slice(&self.held[..portion]);
        self.held.drain(..portion);
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }

    fn widen(&mut self) {
        if !self.is_wide && self.guest.connection.is_known() {
            self.is_wide = true;
            let _ = SockRef::from(&self.stream).set_send_buffer_size(SEND_BUFFER);
        }
    }

    fn told(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.guest.stalls(),
            Poll::Ready(Ok(bytes)) => self.guest.connection.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = if !this.guest.connection.is_known() {
            this.read_of_stranger(context, buffer)
        } else if this.held.is_empty() {
            Pin::new(&mut this.stream).poll_read(context, buffer)
        } else {
            this.hand_on(buffer, usize::MAX);
            Poll::Ready(Ok(()))
        };
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            this.guest.received(bytes);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.widen();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.told(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.widen();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, bytes);
        this.told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// actix flushes when it has handed on all that it has.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.guest.flows();
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Otherwise the system would keep, for whoever does not take it, what was written last. It does the same itself where it
        // holds what was not read; so do we.
        if self.guest.connection.is_reset() || !self.held.is_empty() {
            let _ = self.stream.set_zero_linger();
        }
    }
}
