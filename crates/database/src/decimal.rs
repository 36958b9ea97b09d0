//! Exact numbers as PostgreSQL has them on the wire, and as text.
//!
//! On the wire: the count of digits to the base 10,000, the exponent of the first,
//! the sign, how many decimal places are shown, then the digits.

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

/// The text of a number, or why it has none.
pub(crate) fn from_wire(bytes: &[u8]) -> Result<String, &'static str> {
    const SHORT: &str = "a number ends too early";
    let word = |at: usize| {
        let bytes = bytes.get(at * 2..at * 2 + 2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    };
    let count = usize::from(word(0).ok_or(SHORT)?);
    let weight = i32::from(word(1).ok_or(SHORT)? as i16);
    let sign = word(2).ok_or(SHORT)?;
    let scale = usize::from(word(3).ok_or(SHORT)? & 0x3FFF);
    match sign {
        NOT_A_NUMBER => return Ok("NaN".to_owned()),
        INFINITY => return Ok("Infinity".to_owned()),
        MINUS_INFINITY => return Ok("-Infinity".to_owned()),
        POSITIVE | NEGATIVE => {}
        _ => return Err("a number has an unknown sign"),
    }
    if bytes.len() < 8 + count * 2 {
        return Err(SHORT);
    }
    let group = |exponent: i32| {
        let at = usize::try_from(weight - exponent).ok();
        at.filter(|at| *at < count)
            .and_then(|at| word(4 + at))
            .unwrap_or(0)
    };
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    text.push_str(&group(weight.max(0)).to_string());
    for exponent in (0..weight.max(0)).rev() {
        text.push_str(&format!("{:04}", group(exponent)));
    }
    if scale > 0 {
        text.push('.');
        let whole = text.len();
        let mut exponent = -1;
        while text.len() - whole < scale {
            text.push_str(&format!("{:04}", group(exponent)));
            exponent -= 1;
        }
        text.truncate(whole + scale);
    }
    Ok(text)
}

/// A text such as `-12.50` or `1E+3`, for the wire; none if it is no number, or one
/// that PostgreSQL does not have.
pub(crate) fn to_wire(text: &str) -> Option<Vec<u8>> {
    let special = match text {
        "NaN" | "sNaN" | "-NaN" => Some(NOT_A_NUMBER),
        "Infinity" | "inf" => Some(INFINITY),
        "-Infinity" | "-inf" => Some(MINUS_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        return Some(wire(&[], 0, sign, 0));
    }
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (NEGATIVE, &text[1..]),
        b'+' => (POSITIVE, &text[1..]),
        _ => (POSITIVE, text),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) || digits.len() > 147_455 {
        return None;
    }
    // How many digits stand before the point.
    let point = i32::try_from(whole.len()).ok()?.checked_add(exponent)?;
    if !(-16_383..=131_072).contains(&point) {
        // Zero has no digits, wherever its point is.
        return digits
            .iter()
            .all(|d| *d == b'0')
            .then(|| wire(&[], 0, sign, 0));
    }
    let scale = (digits.len() as i32 - point).max(0);
    let scale = u16::try_from(scale).ok().filter(|scale| *scale <= 16_383)?;
    // Groups of four digits, aligned at the point.
    let weight = (point - 1).div_euclid(4);
    let lead = (weight + 1) * 4 - point;
    let mut aligned = vec![b'0'; usize::try_from(lead).ok()?];
    aligned.extend(digits);
    aligned.resize(aligned.len().next_multiple_of(4), b'0');
    let groups: Vec<u16> = aligned
        .chunks(4)
        .map(|four| {
            four.iter()
                .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        })
        .collect();
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    let end = groups
        .iter()
        .rposition(|group| *group != 0)
        .map_or(zeros, |last| last + 1);
    let weight = weight - i32::try_from(zeros).ok()?;
    Some(wire(
        groups.get(zeros..end)?,
        i16::try_from(weight).ok()?,
        sign,
        scale,
    ))
}

fn wire(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
    let head = [groups.len() as u16, weight as u16, sign, scale];
    let words = head.iter().chain(groups);
    words.flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_come_back_as_they_went() {
        for text in [
            "0",
            "0.00",
            "1",
            "-1",
            "10000",
            "9999",
            "12345678",
            "0.0001",
            "-0.00012",
            "12.50",
            "100000000",
            "10000.0001",
            "0.000000000001",
            "99999999999999999999.99",
            "NaN",
            "Infinity",
            "-Infinity",
        ] {
            let wire = to_wire(text).unwrap();
            assert_eq!(from_wire(&wire).unwrap(), text);
        }
        for (text, plain) in [
            ("1E+3", "1000"),
            ("1.5e-3", "0.0015"),
            ("+5", "5"),
            (".5", "0.5"),
        ] {
            assert_eq!(from_wire(&to_wire(text).unwrap()).unwrap(), plain);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", "-", "x", "1.2.3", "1e", "1e999999", "1e-99999", "é", "1_0",
        ] {
            assert_eq!(to_wire(text), None, "{text}");
        }
        assert!(from_wire(&[]).is_err());
        assert!(from_wire(&[0, 9, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(from_wire(&[0, 0, 0, 0, 1, 1, 0, 0]).is_err());
    }

    proptest! {
        #[test]
        fn every_number_comes_back(text in "-?[1-9][0-9]{0,40}(\\.[0-9]{1,40})?") {
            prop_assert_eq!(from_wire(&to_wire(&text).unwrap()).unwrap(), text);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = from_wire(&bytes);
        }
    }
}
