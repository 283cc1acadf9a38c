//! What else the framework asks of a connection.

use std::future::poll_fn;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType,
};

use super::{Transport, poll_read_buf};

#[async_trait]
impl Shutdown for Transport {
    async fn shutdown(&mut self) {
        self.finish_writing().await;
    }
}

impl UniqueID for Transport {
    fn id(&self) -> UniqueIDType {
        self.socket.tcp().as_raw_fd()
    }
}

impl Ssl for Transport {}

impl GetTimingDigest for Transport {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Transport {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Transport {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

/// The framework looks for the preface of HTTP/2 before it reads: what has been read already is what it sees.
#[async_trait]
impl Peek for Transport {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        while self.inbox.len() < buffer.len() {
            let read = poll_fn(|cx| poll_read_buf(&mut self.socket, cx, &mut self.inbox)).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        buffer.copy_from_slice(&self.inbox[..buffer.len()]);
        Ok(true)
    }
}
