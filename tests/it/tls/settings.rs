//! The setting `tls`: what is wrong with it is told with its place, beside everything else, and nothing is started.

use std::fs;
use std::path::Path;

use evergate_tests::{Client, Gateway, Origin, Reply, Site, complaint, evergate};

/// A configuration with one listener.
fn config(listen: &str) -> String {
    format!(
        "listen:\n- {{ address: 127.0.0.1:0, {listen} }}\n\
         admin: {{ address: 127.0.0.1:0 }}\n\
         upstreams: {{ demo: {{ builtin: demo }} }}\n"
    )
}

/// What both `check` and `run` say of it, in this folder.
fn told(folder: &Path, text: &str) -> String {
    fs::write(folder.join("config.yaml"), text).expect("a file in our own directory");
    let [checked, ran] = ["check", "run"].map(|command| evergate(&[command], folder));
    assert_eq!(complaint(&checked, 78), complaint(&ran, 78));
    assert_eq!(ran.stdout, "", "nothing listens");
    checked.stderr
}

#[test]
fn files_that_do_not_do_are_told() {
    let site = Site::new();
    let folder = site.folder();
    let other = Site::new();
    fs::copy(other.folder().join("key.pem"), folder.join("other.pem")).expect("a file in our own directory");
    fs::write(folder.join("empty.pem"), "").expect("a file in our own directory");
    fs::write(folder.join("cert.der"), [0x30, 0x82, 0xff, 0xfe]).expect("a file in our own directory");
    for (files, problem) in [
        (
            "certificate: missing.pem, key: key.pem",
            "certificate: found `missing.pem`, expected a file in PEM that can be read (No such file or directory",
        ),
        (
            "certificate: ., key: key.pem",
            "certificate: found `.`, expected a file in PEM that can be read (not a regular file)",
        ),
        (
            "certificate: cert.der, key: key.pem",
            "certificate: found `cert.der`, expected a file in PEM that can be read (invalid utf-8",
        ),
        (
            "certificate: empty.pem, key: key.pem",
            "certificate: found `empty.pem`, expected a file with a certificate in PEM",
        ),
        (
            "certificate: key.pem, key: key.pem",
            "certificate: found `key.pem`, expected a file with a certificate in PEM",
        ),
        ("certificate: cert.pem, key: cert.pem", "key: found `cert.pem`, expected a file with a private key in PEM"),
        (
            "certificate: cert.pem, key: other.pem",
            "key: found `other.pem`, expected a file with the key to the certificate",
        ),
        ("certificate: cert.pem", "key: found nothing, expected the name of a file"),
        ("key: key.pem", "certificate: found nothing, expected the name of a file"),
        ("certificate: cert.pem, key: [key.pem]", "key: found a list, expected the name of a file"),
        (
            "certificate: cert.pem, key: key.pem, alpn: h2",
            "alpn: found an unknown key, expected one of `certificate`, `key`",
        ),
    ] {
        let told = told(folder, &config(&format!("tls: {{ {files} }}")));
        assert!(told.contains(&format!("config.yaml:2: listen[0].tls.{problem}")), "{files}: {told}");
        assert!(told.contains("1 problem in config.yaml"), "{files}: {told}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let site = Site::new();
    let text = config("h2c: true, tls: { certificate: a.pem, key: b.pem }").replace("demo }", "demos }");
    let told = told(site.folder(), &text);
    for problem in [
        "listen[0].h2c: found `true`, expected `false`: with TLS, HTTP/2 is chosen in the handshake; there is listen[0].tls (line 2)",
        "listen[0].tls.certificate: found `a.pem`",
        "listen[0].tls.key: found `b.pem`",
        "upstreams.demo.builtin: found `demos`",
        "4 problems in config.yaml",
    ] {
        assert!(told.contains(problem), "{problem}: {told}");
    }
    let told = self::told(site.folder(), &config("tls: cert.pem"));
    assert!(
        told.contains("listen[0].tls: found `cert.pem`, expected a mapping with the keys `certificate`, `key`"),
        "{told}"
    );
}

/// Files are looked for where the configuration is, wherever the gateway is started; without HTTP/2 in clear text beside them.
#[tokio::test]
async fn files_are_as_seen_from_the_configurations_folder() {
    let (site, origin) = (Site::new(), Origin::start().await);
    let listen = "tls: { certificate: cert.pem, key: key.pem }, h2c: false";
    let file = site.folder().join("config.yaml");
    fs::write(&file, config(listen)).expect("a file in our own directory");
    let output = evergate(&["check", "--config", file.to_str().expect("UTF-8")], std::env::temp_dir());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    origin.on("/a", |_| Reply::ok("page"));
    let listen = format!("address: \"127.0.0.1:0\", {}", site.setting());
    let text = Gateway::simple_config(&origin, "").replacen("address: \"127.0.0.1:0\"", &listen, 1);
    let gateway = Gateway::start(&text).await;
    assert!(
        gateway.stdout().starts_with(&format!("listening on https://{}\n", gateway.address())),
        "{}",
        gateway.stdout()
    );
    let mut client = Client::over_tls(site.connect(gateway.address(), "http/1.1").await);
    assert_eq!(client.get("/a").await.text(), "page");
}
