//! Network addresses, and the addresses of Postgres itself (log positions, tuples), as Postgres writes them.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
use super::codec::tests::{check, written};
use super::reader::{Malformed, Reader, exactly};

/// Postgres' own number for IPv4; IPv6 is the next one.
const FAMILY_V4: u8 = 2;

/// `inet` and `cidr`: a host's full prefix is left out of `inet` and kept in `cidr`.
pub(super) fn inet(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let (family, prefix, is_cidr, length) =
        (reader.u8()?, reader.u8()?, reader.u8()?, reader.u8()?);
    let rest = reader.rest();
    let (address, full) = match (family, length) {
        (FAMILY_V4, 4) => {
            let octets: [u8; 4] = rest.try_into().map_err(|_| Malformed)?;
            (IpAddr::V4(Ipv4Addr::from(octets)), 32)
        }
        (3, 16) => {
            let octets: [u8; 16] = rest.try_into().map_err(|_| Malformed)?;
            (IpAddr::V6(Ipv6Addr::from(octets)), 128)
        }
        _ => return Err(Malformed),
    };
    let written = if prefix == full && is_cidr == 0 {
        write!(out, "\"{address}\"")
    } else {
        write!(out, "\"{address}/{prefix}\"")
    };
    written.map_err(|_| Malformed)
}

/// `macaddr` (six bytes) and `macaddr8` (eight).
pub(super) fn mac(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if !matches!(bytes.len(), 6 | 8) {
        return Err(Malformed);
    }
    for (place, byte) in bytes.iter().enumerate() {
        let before = if place == 0 { '"' } else { ':' };
        write!(out, "{before}{byte:02x}").map_err(|_| Malformed)?;
    }
    out.push(b'"');
    Ok(())
}

/// `pg_lsn`.
pub(super) fn log_position(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let value = exactly(bytes, Reader::u64)?;
    write!(out, "\"{:X}/{:X}\"", value >> 32, value & 0xFFFF_FFFF).map_err(|_| Malformed)
}

/// `tid`.
pub(super) fn tuple_id(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let (block, offset) = (reader.u32()?, reader.u16()?);
    reader.end()?;
    write!(out, "\"({block},{offset})\"").map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_postgres_writes_them() {
        check("inet_send", &[2, 32, 0, 4, 192, 168, 0, 1], "\"192.168.0.1\"");
        check("inet_send", &[2, 24, 0, 4, 192, 168, 0, 1], "\"192.168.0.1/24\"");
        check("cidr_send", &[2, 32, 1, 4, 10, 0, 0, 0], "\"10.0.0.0/32\"");
        let mut v6 = vec![3, 64, 0, 16, 0x20, 0x01, 0x0D, 0xB8];
        v6.resize(20, 0);
        check("inet_send", &v6, "\"2001:db8::/64\"");
        assert_eq!(written("inet_send", &[2, 32, 0, 16, 1, 2, 3, 4]), Err(Malformed));
    }

    #[test]
    fn hardware_addresses_and_addresses_of_postgres() {
        check("macaddr_send", &[8, 0, 0x2B, 1, 2, 0xFF], "\"08:00:2b:01:02:ff\"");
        check("pg_lsn_send", &0x16_B374_D848_u64.to_be_bytes(), "\"16/B374D848\"");
        check("tidsend", &[0, 0, 0, 7, 0, 2], "\"(7,2)\"");
    }
}
