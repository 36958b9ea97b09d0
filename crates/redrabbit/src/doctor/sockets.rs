//! Whose a listening port is.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::ffi::OsStrExt,
};

use super::processes;

/// The processes that listen where `address` would, as far as the system shows us: those
/// of other users only to root.
pub(super) fn holders(address: SocketAddr) -> Vec<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    let inodes: Vec<u64> = tables
        .iter()
        .flat_map(|table| table.lines())
        .filter_map(listener)
        .filter(|(held, _)| clash(*held, address))
        .map(|(_, inode)| inode)
        .collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let links: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let holds = |pid: &u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"));
        let files = files.into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| {
            let target = target.as_os_str().as_bytes();
            links.iter().any(|link| link.as_bytes() == target)
        })
    };
    processes::pids().into_iter().filter(holds).collect()
}

/// Whether one listener keeps the other from its place.
fn clash(held: SocketAddr, wanted: SocketAddr) -> bool {
    let is_any = |ip: IpAddr| ip.is_unspecified();
    let same = held.ip() == wanted.ip() || is_any(held.ip()) || is_any(wanted.ip());
    held.port() == wanted.port() && same
}

/// Where a line of /proc/net/tcp listens, and the number of its socket.
fn listener(line: &str) -> Option<(SocketAddr, u64)> {
    const LISTENS: &str = "0A";
    let words: Vec<&str> = line.split_whitespace().collect();
    if *words.get(3)? != LISTENS {
        return None;
    }
    let (ip, port) = words.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((
        SocketAddr::new(address(ip)?, port),
        words.get(9)?.parse().ok()?,
    ))
}

/// Words of four bytes, each in the order of this machine.
fn address(digits: &str) -> Option<IpAddr> {
    let words = digits.as_bytes().chunks(8).map(|word| {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let words: Vec<[u8; 4]> = words.collect::<Option<_>>()?;
    match words.as_slice() {
        [word] => Some(Ipv4Addr::from(*word).into()),
        [_, _, _, _] => {
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            // An address of the old protocol in the new one's clothes is the old one.
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_that_this_process_holds_is_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(holders(address), [std::process::id()]);
        let any = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
        assert_eq!(holders(any), [std::process::id()]);
        drop(listener);
        assert!(holders(address).is_empty());
    }

    #[test]
    fn lines_of_the_system_are_read() {
        let line = "   0: 0100007F:2801 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x";
        let expected = ("127.0.0.1:10241".parse().unwrap(), 4711);
        if cfg!(target_endian = "little") {
            assert_eq!(listener(line), Some(expected));
        }
        assert_eq!(listener(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("  sl  local_address rem_address   st"), None);
        assert_eq!(listener(""), None);
    }
}
