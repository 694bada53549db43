//! The host that a request names, as hosts are compared: lower case, without port.

/// Longer names than DNS allows match no host in a policy.
const MAX_HOST: usize = 255;

/// Room for one folded host, so that folding needs no heap.
pub(crate) type HostBuffer = [u8; MAX_HOST];

/// The host that `:authority` names, as it is written; empty where there is no usable one.
pub(crate) fn host(authority: &[u8]) -> &[u8] {
    let host = without_port(authority);
    if host.len() <= MAX_HOST { host } else { &[] }
}

/// A host in lower case, at the beginning of a buffer.
pub(crate) fn fold_host(host: &[u8]) -> HostBuffer {
    let mut buffer = [0; MAX_HOST];
    for (to, from) in buffer.iter_mut().zip(host) {
        *to = from.to_ascii_lowercase();
    }
    buffer
}

/// Cuts `:port`, but no part of an IPv6 address in brackets.
pub(crate) fn without_port(authority: &[u8]) -> &[u8] {
    match authority.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if authority.get(at) == Some(&b':') => authority.get(..at).unwrap_or_default(),
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(authority: &str) -> String {
        let host = host(authority.as_bytes());
        String::from_utf8(fold_host(host)[..host.len()].to_vec()).unwrap()
    }

    #[test]
    fn hosts_are_compared_without_port_and_case() {
        assert_eq!(fold("Shop.Example.COM:8443"), "shop.example.com");
        assert_eq!(fold("shop.example.com"), "shop.example.com");
        assert_eq!(fold("[2001:DB8::1]:443"), "[2001:db8::1]");
        assert_eq!(fold("[::1]"), "[::1]");
        assert_eq!(fold(""), "");
    }

    #[test]
    fn a_host_longer_than_dns_allows_is_no_host() {
        assert_eq!(fold(&"a".repeat(256)), "");
        assert_eq!(fold(&"a".repeat(255)).len(), 255);
    }
}
