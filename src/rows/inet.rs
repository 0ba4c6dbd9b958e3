//! Addresses of a network, of version 4 or 6.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::draw::{Key, mix};

/// A network: the fixed part of its addresses, and which bits are free.
#[derive(Debug, Clone, Copy)]
pub(super) enum Network {
    V4 { base: u32, free: u32 },
    V6 { base: u128, free: u128 },
}

impl Network {
    /// Reads `10.0.0.0/8`; without a prefix it is a single address.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no network like `10.0.0.0/8`");
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let network = match address.parse::<IpAddr>().map_err(|_| wrong())? {
            IpAddr::V4(address) => {
                let length: u32 = length.unwrap_or(32);
                let free = (length <= 32).then(|| u32::MAX.checked_shr(length).unwrap_or(0));
                Self::V4 { base: address.to_bits(), free: free.ok_or_else(wrong)? }
            }
            IpAddr::V6(address) => {
                let length = length.unwrap_or(128);
                let free = (length <= 128).then(|| u128::MAX.checked_shr(length).unwrap_or(0));
                Self::V6 { base: address.to_bits(), free: free.ok_or_else(wrong)? }
            }
        };
        Ok(network)
    }

    /// Appends the address of a row.
    pub(super) fn write(&self, key: Key, row: u64, out: &mut Vec<u8>) {
        let word = mix(key, row, 0);
        let written = match self {
            Self::V4 { base, free } => {
                let host = (word >> 32) as u32;
                write!(out, "{}", Ipv4Addr::from_bits(base & !free | host & free))
            }
            Self::V6 { base, free } => {
                let host = u128::from(word) << 64 | u128::from(mix(key, row, 1));
                write!(out, "{}", Ipv6Addr::from_bits(base & !free | host & free))
            }
        };
        written.expect("a vector takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_their_network() {
        let many = |text: &str| -> Vec<IpAddr> {
            let network = Network::new(text).expect("a network");
            let address = |row| {
                let mut out = Vec::new();
                network.write([3, 5], row, &mut out);
                String::from_utf8(out).expect("ASCII").parse().expect("an address")
            };
            (1..=1000).map(address).collect()
        };
        assert!(
            many("10.1.2.3/8").iter().all(|a| matches!(a, IpAddr::V4(a) if a.octets()[0] == 10))
        );
        let all = many("0.0.0.0/0");
        let low = all.iter().filter(|a| matches!(a, IpAddr::V4(a) if a.octets()[0] < 128)).count();
        assert!(low.abs_diff(500) < 80, "{low}");
        assert!(many("192.168.7.9").iter().all(|a| a.to_string() == "192.168.7.9"));
        assert!(many("2001:db8::/32").iter().all(|a| a.to_string().starts_with("2001:db8:")));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "::/129", "::1/x"] {
            assert!(Network::new(text).is_err(), "{text}");
        }
    }
}
