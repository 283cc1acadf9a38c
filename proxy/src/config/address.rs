//! Addresses: names of hosts, with and without a port.

use std::net::Ipv6Addr;

/// Whether a text is the name of a host without a port: a DNS name, an IPv4 address, or an IPv6
/// address in brackets. No dot at the end.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().is_ok();
    }
    // RFC 1035 section 2.3.4: 255 octets on the wire leave 253 to be written, 63 for a label.
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether a text is a host and a port from 1 to 65535.
pub(super) fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        is_host(host) && digits && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Underscores are not for host names, but container networks use them.
fn is_label(label: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(inside)
}
