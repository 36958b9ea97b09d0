//! The command of a service's method.

use protocol::method::SERVICE;

/// The number in `service.200`. A command has one name: no sign, no zeros before it.
pub(crate) fn read_cmd(method: &str) -> Option<u32> {
    let digits = method.strip_prefix(SERVICE)?;
    let canonical = match digits.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    canonical.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_one_name() {
        for (method, cmd) in [
            ("service.0", Some(0)),
            ("service.200", Some(200)),
            ("service.4294967295", Some(u32::MAX)),
            ("service.4294967296", None),
            ("service.+7", None),
            ("service.007", None),
            ("service.", None),
            ("service", None),
            ("echo", None),
        ] {
            assert_eq!(read_cmd(method), cmd, "{method}");
        }
    }
}
