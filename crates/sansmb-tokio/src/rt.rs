//! [`Runtime`] for tokio.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use sansmb_async::Runtime;
use tokio::net::{TcpListener, TcpStream};

use crate::{TokioListener, TokioSocket};

/// The tokio runtime that the caller is in.
///
/// It holds nothing: as with tokio itself, its methods panic outside of a runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioRuntime;

/// A timer of tokio.
#[derive(Debug)]
pub struct TokioSleep(Pin<Box<tokio::time::Sleep>>);

impl Future for TokioSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Runtime for TokioRuntime {
    type Socket = TokioSocket;
    type Listener = TokioListener;
    type Sleep = TokioSleep;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<TokioSocket> {
        TokioSocket::new(TcpStream::connect(addr).await?)
    }

    async fn bind(&self, addr: SocketAddr) -> io::Result<TokioListener> {
        Ok(TokioListener::from(TcpListener::bind(addr).await?))
    }

    fn sleep(&self, duration: Duration) -> TokioSleep {
        TokioSleep(Box::pin(tokio::time::sleep(duration)))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }
}
