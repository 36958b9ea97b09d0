//! Which group a command is about, and how to reach it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

/// The topology of whoever sits in a working copy.
const NEAR: &str = "configs/local.toml";
/// The topology of a machine.
const FAR: &str = "/etc/redrabbit/topology.toml";

/// The file that describes the group: the one that was given, or the nearest.
pub(crate) fn file(given: Option<&Path>) -> PathBuf {
    let nearest = || Path::new(if Path::new(NEAR).exists() { NEAR } else { FAR });
    given.unwrap_or_else(nearest).to_owned()
}

/// Whether this is the topology that the units of this machine read.
pub(crate) fn is_installed(file: &Path) -> bool {
    file == Path::new(FAR)
}

/// Who listens on every address is reached on loopback.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_reached_on_loopback() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:10241"), "127.0.0.1:10241");
        assert_eq!(reached("[::]:10241"), "[::1]:10241");
        assert_eq!(reached("10.0.0.1:10241"), "10.0.0.1:10241");
    }
}
