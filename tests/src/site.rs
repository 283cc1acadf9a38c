//! A site that proves its name: a certificate of the test's own, and clients that trust it and nothing else.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::poll::{BOUND, within};

/// The versions of TLS that are in use.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// A certificate and its key, as files that a gateway can read. They are gone with the value.
#[derive(Debug)]
pub struct Site {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl Site {
    /// A new certificate for `localhost`, signed by itself.
    ///
    /// # Panics
    /// When there is no room for it.
    #[must_use]
    pub fn new() -> Site {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = TempDir::new().expect("a temporary directory");
        let files = [("cert.pem", pair.cert.pem()), ("key.pem", pair.signing_key.serialize_pem())];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file in our own directory");
        }
        Site { folder, certificate: pair.cert.der().clone() }
    }

    /// Where `cert.pem` and `key.pem` are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The setting `tls` of a listener that is this site.
    #[must_use]
    pub fn setting(&self) -> String {
        let folder = self.folder().display();
        format!("tls: {{ certificate: {folder}/cert.pem, key: {folder}/key.pem }}")
    }

    /// What a client needs that offers these versions of TLS and these protocols in them (ALPN). It remembers sessions.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("our own certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that are known")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// Opens a connection as a browser would that speaks this protocol alone.
    ///
    /// # Panics
    /// As [`connect`] does.
    pub async fn connect(&self, address: SocketAddr, protocol: &str) -> TlsStream<TcpStream> {
        connect(address, self.client(&VERSIONS, &[protocol])).await
    }
}

impl Default for Site {
    fn default() -> Site {
        Site::new()
    }
}

/// Opens a connection with this client, and shakes hands.
///
/// # Panics
/// When nobody listens there, or the handshake fails.
pub async fn connect(address: SocketAddr, client: Arc<ClientConfig>) -> TlsStream<TcpStream> {
    let socket = within("a connection", BOUND, TcpStream::connect(address)).await;
    let socket = socket.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    // Pieces that a test writes apart must leave apart.
    socket.set_nodelay(true).unwrap_or_else(|error| panic!("the connection to {address} is gone: {error}"));
    let name = ServerName::try_from("localhost").expect("a name");
    let handshake = within("a handshake", BOUND, TlsConnector::from(client).connect(name, socket)).await;
    handshake.unwrap_or_else(|error| panic!("{address} does not shake hands: {error}"))
}
