//! TLS on the visitors' listeners: what a listener proves its name with, and how a connection begins.
//!
//! It knows certificates, keys and the handshake, and nothing of HTTP but the names of its versions (ALPN, RFC 7301).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// HTTP/2 by ALPN (RFC 9113 section 3.2).
pub const HTTP2: &[u8] = b"h2";

/// HTTP/1.1 by ALPN (RFC 7301 section 6).
const HTTP1: &[u8] = b"http/1.1";

/// A certificate, and behind it those that lead to a root. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(Vec<CertificateDer<'static>>);

/// What a listener proves its name with: a chain, and the key to its first certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    chain: Chain,
    key: Arc<PrivateKeyDer<'static>>,
}

/// Why a text is no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is none in it.
    #[error("a certificate in PEM (`-----BEGIN CERTIFICATE-----`)")]
    Missing,
    /// One in it, counted from 1, is not what X.509 says.
    #[error("certificates that can be read; number {0} cannot")]
    Broken(usize),
}

/// Why a text is not the key to a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is none in it, or one with a passphrase.
    #[error("a private key in PEM without a passphrase (`-----BEGIN PRIVATE KEY-----`)")]
    Missing,
    /// It is of a kind that TLS does not use, or broken.
    #[error("a key of ECDSA (P-256, P-384), Ed25519 or RSA (from 2048 bits)")]
    Kind,
    /// It is the key to something else.
    #[error("the key to the certificate; this one belongs to another")]
    Foreign,
}

impl Chain {
    /// Reads certificates in PEM, the listener's own first. What stands between them does not matter.
    ///
    /// # Errors
    ///
    /// See [`ChainError`].
    pub fn from_pem(text: &str) -> Result<Chain, ChainError> {
        let mut chain = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            let broken = ChainError::Broken(chain.len() + 1);
            let certificate = certificate.map_err(|_| broken.clone())?;
            ParsedCertificate::try_from(&certificate).map_err(|_| broken)?;
            chain.push(certificate);
        }
        if chain.is_empty() { Err(ChainError::Missing) } else { Ok(Chain(chain)) }
    }
}

impl Identity {
    /// Reads the key to a chain in PEM.
    ///
    /// # Errors
    ///
    /// See [`KeyError`].
    pub fn from_pem(chain: Chain, text: &str) -> Result<Identity, KeyError> {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::Missing)?;
        let identity = Identity { chain, key: Arc::new(key) };
        match identity.certified(&ring::default_provider()) {
            Ok(_) => Ok(identity),
            Err(rustls::Error::InconsistentKeys(_)) => Err(KeyError::Foreign),
            Err(_) => Err(KeyError::Kind),
        }
    }

    fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, rustls::Error> {
        CertifiedKey::from_der(self.chain.0.clone(), self.key.clone_key(), provider)
    }
}

/// What begins the connections of a listener with TLS.
#[derive(Clone)]
pub struct Greeter(TlsAcceptor);

impl Greeter {
    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. Visitors who come again take up where they were by tickets (RFC 8446 section
    /// 2.2; RFC 5077), whose keys nobody else has and which are changed every few hours. Nothing is taken before the handshake
    /// has ended (0-RTT), because it could be sent again by anybody.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub fn new(identity: &Identity) -> Result<Greeter, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let certified = identity.certified(&provider)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        config.ticketer = ring::Ticketer::new()?;
        Ok(Greeter(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands with a visitor.
    ///
    /// # Errors
    ///
    /// When what comes is not TLS, when there is nothing that both sides know, or when it takes longer than `patience`.
    pub async fn greet(&self, socket: TcpStream, patience: Duration) -> io::Result<TlsStream<TcpStream>> {
        timeout(patience, self.0.accept(socket)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests;
