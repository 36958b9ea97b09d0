//! What is sent: from the command line, a file, or the standard input.

use std::{
    fs::File,
    io::{self, Read, stdin},
    path::Path,
};

use bytes::Bytes;
use protocol::envelope::MAX_BODY_BYTES;

use super::{CallArgs, CallFailure};

/// The bytes of the body.
///
/// # Errors
/// They cannot be had, are too many, or are not what they are said to be.
pub(super) fn read(args: &CallArgs) -> Result<Bytes, CallFailure> {
    let given = match (&args.body, &args.body_file) {
        (Some(text), _) => text.clone().into_bytes(),
        (None, Some(path)) => read_file(path).map_err(|source| CallFailure::BodyFile {
            path: path.display().to_string(),
            source,
        })?,
        (None, None) => Vec::new(),
    };
    let body = if args.hex {
        from_hex(&given)?
    } else if args.json_body {
        check_json(&given)?;
        given
    } else {
        given
    };
    match body.len() {
        0..=MAX_BODY_BYTES => Ok(body.into()),
        _ => Err(CallFailure::TooLarge {
            limit: MAX_BODY_BYTES,
        }),
    }
}

/// No more than is needed to see that it is too much: hexadecimal digits and the spaces
/// between them are several bytes for one.
const MOST: u64 = 4 * MAX_BODY_BYTES as u64;

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path == Path::new("-") {
        true => stdin().lock().take(MOST).read_to_end(&mut bytes)?,
        false => File::open(path)?.take(MOST).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn from_hex(text: &[u8]) -> Result<Vec<u8>, CallFailure> {
    let wrong = |why: String| CallFailure::Body {
        form: "hexadecimal",
        why,
    };
    let mut digits = Vec::with_capacity(text.len());
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = char::from(*byte).to_digit(16);
        let found = || format!("{:?} is no digit of it", char::from(*byte));
        digits.push(digit.ok_or_else(|| wrong(found()))? as u8);
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(wrong(format!(
            "{} digits make no whole bytes",
            digits.len()
        )));
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

fn check_json(text: &[u8]) -> Result<(), CallFailure> {
    let read: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(text);
    read.map(|_| ()).map_err(|error| CallFailure::Body {
        form: "JSON",
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_bytes() {
        assert_eq!(from_hex(b"00 fF\n10").unwrap(), [0, 255, 16]);
        assert_eq!(from_hex(b"").unwrap(), [0_u8; 0]);
        let said = |text| from_hex(text).unwrap_err().to_string();
        assert_eq!(
            said(b"0g"),
            "the body is not hexadecimal: 'g' is no digit of it"
        );
        assert_eq!(
            said(b"123"),
            "the body is not hexadecimal: 3 digits make no whole bytes"
        );
    }

    #[test]
    fn what_is_said_to_be_json_has_to_be() {
        check_json(b" {\"a\": [1, 2]} ").unwrap();
        for wrong in [&b""[..], b"{", b"{} {}", b"\xff"] {
            let said = check_json(wrong).unwrap_err().to_string();
            assert!(said.starts_with("the body is not JSON: "), "{said}");
        }
    }
}
