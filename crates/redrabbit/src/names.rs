//! Names and words of others in a sentence.

/// "GroupA and GroupB", "GroupA, GroupB and GroupC".
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A terminal obeys what it is shown, and what nodes and scripts say may be anything.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_comes_after_an_and() {
        assert_eq!(listed(["A"]), "A");
        assert_eq!(listed(["A", "B"]), "A and B");
        assert_eq!(listed(["A", "B", "C"]), "A, B and C");
    }
}
