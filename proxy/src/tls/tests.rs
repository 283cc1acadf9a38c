use rcgen::{CertifiedKey, generate_simple_self_signed};

use super::{Chain, ChainError, Greeter, Identity, KeyError};

/// A certificate and its key, in PEM.
fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

#[test]
fn a_chain_is_one_certificate_or_more() {
    let ((first, key), (second, _)) = (pair(), pair());
    assert_eq!(Chain::from_pem(&first).unwrap().0.len(), 1);
    let text = format!("Subject: CN = localhost\n{first}\nIssuer:\n{second}{key}");
    assert_eq!(Chain::from_pem(&text).unwrap().0.len(), 2);
}

#[test]
fn what_is_no_chain_is_told() {
    let (certificate, key) = pair();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cut = certificate.lines().take(3).collect::<Vec<_>>().join("\n");
    for (text, expected) in [
        (String::new(), ChainError::Missing),
        ("certificate".to_owned(), ChainError::Missing),
        (key, ChainError::Missing),
        (broken.to_owned(), ChainError::Broken(1)),
        (format!("{certificate}{broken}"), ChainError::Broken(2)),
        (cut, ChainError::Broken(1)),
    ] {
        assert_eq!(Chain::from_pem(&text), Err(expected), "{text}");
    }
}

#[test]
fn an_identity_is_a_chain_with_its_key() {
    let (certificate, key) = pair();
    let identity = Identity::from_pem(Chain::from_pem(&certificate).unwrap(), &key).unwrap();
    assert!(Greeter::new(&identity).is_ok());
    assert!(!format!("{identity:?}").contains(&key[40..60]), "a key is not shown");
    // Both may be in one file.
    let both = format!("{key}{certificate}");
    assert_eq!(Identity::from_pem(Chain::from_pem(&both).unwrap(), &both).unwrap(), identity);
}

#[test]
fn what_is_not_the_key_is_told() {
    let (certificate, key) = pair();
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let with_passphrase = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let foreign = pair().1;
    for (text, expected) in [
        ("", KeyError::Missing),
        (&certificate, KeyError::Missing),
        (&with_passphrase, KeyError::Missing),
        (broken, KeyError::Kind),
        (&foreign, KeyError::Foreign),
    ] {
        let chain = Chain::from_pem(&certificate).unwrap();
        assert_eq!(Identity::from_pem(chain, text), Err(expected), "{text}");
    }
}
