//! What a load balancer says before its clients do.

use std::{
    net::IpAddr,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The longest header that is taken.
const LIMIT: usize = 16 + 4096;

/// A header is read to its end and not a byte further, or refused; and a client that is
/// said to be somewhere is where the header says.
pub fn check(bytes: &[u8]) {
    let mut rest = bytes;
    let read = {
        let mut reading = pin!(gate::read_proxy_header(&mut rest));
        // All that there is has come: it never waits.
        match reading
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(read) => read,
            Poll::Pending => panic!("it waits for more than there is"),
        }
    };
    let taken = bytes.len() - rest.len();
    assert!(taken <= LIMIT);
    let Ok(client) = read else {
        return;
    };
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    assert_eq!(taken, 16 + length);
    match client {
        Some(IpAddr::V4(ip)) => assert_eq!(ip.octets(), bytes[16..20]),
        Some(IpAddr::V6(ip)) => assert_eq!(ip.octets(), bytes[16..32]),
        None => assert!(bytes[12] == 0x20 || matches!(bytes[13] >> 4, 0 | 3)),
    }
}
