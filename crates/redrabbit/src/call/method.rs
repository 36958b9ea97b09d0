//! What is called: a method's name, or the number of a script's service.

use protocol::method::{SERVICE, is_internal};

use super::CallFailure;

/// The longest name of a method, as an envelope may have it.
const LONGEST: usize = 256;

/// The name of the method that `given` stands for: `200` is `service.200`.
///
/// # Errors
/// What nobody offers, or what is not for operators.
pub(super) fn read(given: &str) -> Result<String, CallFailure> {
    let wrong = |why: &'static str| CallFailure::Method {
        given: given.chars().take(64).collect(),
        why,
    };
    if !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit()) {
        let cmd: u16 = given
            .parse()
            .map_err(|_| wrong("services have numbers from 0 to 65535"))?;
        return Ok(format!("{SERVICE}{cmd}"));
    }
    if given.is_empty() || given.len() > LONGEST || given.contains(char::is_whitespace) {
        return Err(wrong("a method has a name of one word, such as echo"));
    }
    if given.chars().any(char::is_control) {
        return Err(wrong("a method has a name of one word, such as echo"));
    }
    match given {
        "node.drain" => Err(wrong("ask `redrabbit drain` for it")),
        "node.reload" => Err(wrong("ask `redrabbit reload` for it")),
        "bridge.nodes" => Err(wrong("ask `redrabbit nodes --group` for it")),
        _ if is_internal(given) => Err(wrong("by it daemons speak to each other, and nobody else")),
        _ => Ok(given.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_service_and_a_word_a_method() {
        assert_eq!(read("200").unwrap(), "service.200");
        assert_eq!(read("007").unwrap(), "service.7");
        assert_eq!(read("stat.count").unwrap(), "stat.count");
        assert_eq!(read("service.200").unwrap(), "service.200");
    }

    #[test]
    fn what_nobody_offers_is_refused_before_anything_is_sent() {
        let long = "x".repeat(257);
        for (given, why) in [
            ("65536", "numbers from 0 to 65535"),
            ("", "one word"),
            ("a b", "one word"),
            ("a\u{1b}[2J", "one word"),
            (&long, "one word"),
            ("node.drain", "`redrabbit drain`"),
            ("session.enter", "daemons speak to each other"),
        ] {
            let said = read(given).unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
        }
    }
}
