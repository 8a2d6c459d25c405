//! Networks of addresses, and which addresses are of the public internet.

mod special;

pub use special::is_public;

use std::net::IpAddr;

/// A network of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

fn masked(value: u128, bits: u8) -> u128 {
    if bits == 0 { 0 } else { value & (u128::MAX << (128 - u32::from(bits.min(128)))) }
}

impl Network {
    /// Reads a network; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be a network such as 192.0.2.0/24 or 2001:db8::/32, or one address".to_owned();
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, bits)| (a, Some(bits)));
        let base: IpAddr = address.parse().map_err(|_| wrong())?;
        let (value, most) = number(base);
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(wrong)?,
        };
        if masked(value, bits) != value {
            return Err(format!("has address bits beyond the first {bits}: write the first address of the network"));
        }
        Ok(Self { base, bits })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (base, other) = (number(self.base), number(address));
        base.1 == other.1 && masked(other.0, self.bits) == base.0
    }
}

impl std::str::FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).map_err(|wrong| format!("{text:?} {wrong}"))
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_hold_what_they_say() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).expect(network).contains(address.parse().expect(address))
        };
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            assert!(holds(network, inside), "{inside} in {network}");
            assert!(!holds(network, outside), "{outside} in {network}");
        }
        assert_eq!(Network::parse(" 192.0.2.7 ").map(|it| it.to_string()), Ok("192.0.2.7/32".to_owned()));
        for wrong in ["", "x", "192.0.2.0/33", "192.0.2.1/24", "2001:db8::1/64", "192.0.2.0/", "192.0.2.0/-1", "::/129"]
        {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
