//! The key to the script: made anew at each start, known to whoever can read
//! the terminal that the demo was started in.

use subtle::ConstantTimeEq;

/// 256 random bits, as text.
pub(super) struct Token(String);

impl Token {
    pub(super) fn random() -> Token {
        let bytes: [u8; 32] = rand::random();
        Token(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The text, for the printed address alone.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether an `Authorization` header carries this token. Takes the same
    /// time wherever a wrong one differs.
    pub(super) fn admits(&self, authorization: &[u8]) -> bool {
        authorization
            .strip_prefix(b"Bearer ")
            .is_some_and(|given| given.ct_eq(self.0.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_admits_itself_alone() {
        let token = Token::random();
        let header = format!("Bearer {}", token.expose());
        assert!(token.admits(header.as_bytes()));
        assert!(!token.admits(token.expose().as_bytes()));
        assert!(!token.admits(&header.as_bytes()[..header.len() - 1]));
        assert!(!token.admits(format!("Bearer {}", Token::random().expose()).as_bytes()));
        assert!(!token.admits(b"Bearer "));
        assert!(!token.admits(b""));
    }
}
