//! The addresses of special purpose, by IANA's registries: whatever is not among them is of the public internet.
//!
//! | registry | |
//! |---|---|
//! | IPv4 Special-Purpose Address Registry | <https://www.iana.org/assignments/iana-ipv4-special-registry/> |
//! | IPv4 Multicast Address Space Registry | <https://www.iana.org/assignments/multicast-addresses/> |
//! | Internet Protocol Version 6 Address Space | <https://www.iana.org/assignments/ipv6-address-space/> |
//! | IPv6 Special-Purpose Address Registry | <https://www.iana.org/assignments/iana-ipv6-special-registry/> |
//!
//! The standard library has the same question (`IpAddr::is_global`), which is not stable. Where the registries call an
//! address globally reachable that leads on to another one (NAT64, 6to4, Teredo), it is not public here: what it leads to
//! may be anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is not public of IPv4, each with the length of its prefix.
const V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // "this network", RFC 791
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private use, RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers (CGNAT), RFC 6598
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback, RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, RFC 3927; clouds serve their metadata there
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private use, RFC 1918
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // IETF protocol assignments, RFC 6890
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation, RFC 5737
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, ended by RFC 7526
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private use, RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking, RFC 2544
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation, RFC 5737
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation, RFC 5737
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast, RFC 5771
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, RFC 1112, and the limited broadcast, RFC 8190
];

/// Where all global unicast of IPv6 is, RFC 4291. Outside of it are loopback, link-local, unique local (`fc00::/7`), NAT64
/// (`64:ff9b::/96`, `64:ff9b:1::/48`), discard-only (`100::/64`), segment routing (`5f00::/16`) and multicast (`ff00::/8`).
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What is not public within that.
const V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // IETF protocol assignments: Teredo, ORCHID and others, RFC 2928
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32), // documentation, RFC 3849
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which carries an address of IPv4, RFC 3056
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation, RFC 9637
];

fn in_v4(address: Ipv4Addr, (base, bits): (Ipv4Addr, u32)) -> bool {
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(address) & mask == u32::from(base)
}

fn in_v6(address: Ipv6Addr, (base, bits): (Ipv6Addr, u32)) -> bool {
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    u128::from(address) & mask == u128::from(base)
}

/// Whether an address is of the public internet. One of IPv4 that is written as one of IPv6 (`::ffff:10.0.0.1`) counts as
/// what it is.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !V4.iter().any(|special| in_v4(address, *special)),
        IpAddr::V6(address) => in_v6(address, GLOBAL_UNICAST) && !V6.iter().any(|special| in_v6(address, *special)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last address of each special network are not public; those beside it are, unless they are
    /// special by another row.
    #[test]
    fn a_network_is_special_from_its_first_address_to_its_last() {
        let special = [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
            ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ];
        let read = |text: &str| text.parse::<IpAddr>().expect(text);
        for (first, last) in special {
            assert!(!is_public(read(first)) && !is_public(read(last)), "{first} to {last}");
        }
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7:ffff::1",
            "2001:db9::1",
            "2001:4860:4860::8888",
            "2003::1",
            "3ffe::1",
            "2606:4700:4700::1111",
        ] {
            assert!(is_public(read(public)), "{public}");
        }
    }

    #[test]
    fn an_address_in_another_s_clothes_is_not_public() {
        for (address, what) in [
            ("::ffff:127.0.0.1", "mapped loopback"),
            ("::ffff:169.254.169.254", "mapped metadata"),
            ("::127.0.0.1", "compatible"),
            ("64:ff9b::a00:1", "NAT64 of 10.0.0.1"),
            ("64:ff9b::808:808", "NAT64 of a public address"),
            ("64:ff9b:1::a00:1", "local NAT64"),
            ("2002:7f00:1::", "6to4 of loopback"),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo"),
            ("fd00:ec2::254", "metadata by IPv6"),
            ("fe80::1", "link-local"),
            ("fec0::1", "site-local"),
            ("100::1", "discard"),
            ("5f00::1", "segment routing"),
            ("ff02::1", "multicast"),
            ("::1", "loopback"),
        ] {
            assert!(!is_public(address.parse().expect(address)), "{what}: {address}");
        }
        assert!(is_public("::ffff:8.8.8.8".parse().expect("an address")));
    }
}
