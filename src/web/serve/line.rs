//! A connection that is closed in order, or cut off.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::seats::Seat;
use crate::time::Duration;

/// One whose place was given away is cut off: closed in order, what the other side has not read would stay in the kernel until that
/// has read it.
pub(super) struct Line {
    stream: TcpStream,
    seat: Arc<Seat>,
}

impl Line {
    pub const fn new(stream: TcpStream, seat: Arc<Seat>) -> Self {
        Self { stream, seat }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.seat.is_lost() {
            // Where it can't be cut off it is closed.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::seats::{Bounds, Seats};
    use super::*;

    /// What a reader gets of more than the kernel takes at a time, if it begins to read after the line was dropped; and how that ends.
    async fn read_late(give_away: bool) -> (usize, usize, io::Result<usize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut reader = TcpStream::connect(listener.local_addr().expect("its address")).await.expect("it listens");
        let seats = Arc::new(Seats::new(Bounds { connections: 1, weight: 0, quiet: Duration::from_secs(30) }));
        let seat = Arc::new(seats.take().expect("a free place"));
        let mut line = Line::new(listener.accept().await.expect("somebody connects").0, seat);
        let mut sent = 0;
        let fill = async {
            loop {
                sent += line.write(&[0; 1 << 16]).await.expect("it is open");
            }
        };
        tokio::select! {
            biased;
            () = fill => {}
            () = std::future::ready(()) => {}
        }
        let _next = give_away.then(|| seats.take().expect("the place of the quiet one"));
        drop(line);
        let (mut got, mut buffer) = (0, vec![0; 1 << 16]);
        loop {
            match reader.read(&mut buffer).await {
                Ok(read) if read > 0 => got += read,
                end => return (sent, got, end),
            }
        }
    }

    #[tokio::test]
    async fn who_lost_its_place_is_cut_off_with_what_it_has_not_read_and_others_are_closed_in_order() {
        let (sent, got, end) = read_late(false).await;
        assert_eq!((got, end.expect("closed in order")), (sent, 0));
        let (sent, got, end) = read_late(true).await;
        assert_eq!(end.expect_err("cut off").kind(), io::ErrorKind::ConnectionReset);
        assert!(got < sent, "all {sent} bytes were kept for a reader that had lost its place");
    }
}
