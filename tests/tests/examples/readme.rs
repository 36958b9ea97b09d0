//! What a README says: commands for a shell, and what is seen in terminals.

/// The README of an example.
pub(crate) struct Readme {
    text: String,
}

/// Somebody's terminal: a command, and what follows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) command: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// A line of a terminal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The player types this.
    Typed(String),
    /// This is printed, perhaps after other lines; `…` stands for anything.
    Printed(String),
}

impl Readme {
    pub(crate) fn new(text: &str) -> Readme {
        Readme {
            text: text.to_owned(),
        }
    }

    /// The words of the first command that starts with `target/release/redrabbit`
    /// and this subcommand, without these two.
    pub(crate) fn command(&self, subcommand: &str) -> Option<Vec<String>> {
        let start = format!("target/release/redrabbit {subcommand} ");
        let mut commands = self.blocks("sh").flat_map(str::lines).map(str::trim);
        commands
            .find_map(|line| line.strip_prefix(&start))
            .map(words)
    }

    /// The terminals, in their order.
    pub(crate) fn transcripts(&self) -> Vec<Transcript> {
        let transcript = |block: &str| {
            let mut lines = block.lines();
            let command = lines.next()?.strip_prefix("$ ")?;
            let line = |line: &str| match line.strip_prefix("> ") {
                Some(typed) => Line::Typed(typed.to_owned()),
                None => Line::Printed(line.to_owned()),
            };
            Some(Transcript {
                command: words(command),
                lines: lines.map(line).collect(),
            })
        };
        self.blocks("text").filter_map(transcript).collect()
    }

    fn blocks<'a>(&'a self, language: &str) -> impl Iterator<Item = &'a str> {
        let start = format!("```{language}\n");
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            let (_, after) = rest.split_once(start.as_str())?;
            let (block, after) = after.split_once("```").unwrap();
            rest = after;
            Some(block)
        })
    }
}

/// The words of a command; one in single quotes is one.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Whether a line is what was expected; `…` stands for anything.
pub(crate) fn matches(expected: &str, line: &str) -> bool {
    let Some((start, rest)) = expected.split_once('…') else {
        return expected == line;
    };
    let Some(line) = line.strip_prefix(start) else {
        return false;
    };
    (0..=line.len())
        .filter(|at| line.is_char_boundary(*at))
        .any(|at| matches(rest, &line[at..]))
}

#[test]
fn a_readme_is_read_as_people_read_it() {
    let readme = Readme::new(
        "```sh\ncargo build\ntarget/release/redrabbit up a.toml\n```\n\n\
         ```text\n$ python3 play.py '{\"a\": 1}' --x\nwelcome\n> 1 \"hi\"\n```\n",
    );
    assert_eq!(readme.command("up").unwrap(), ["a.toml"]);
    assert_eq!(readme.command("reload"), None);
    let [transcript] = &readme.transcripts()[..] else {
        panic!("one terminal");
    };
    assert_eq!(
        transcript.command,
        ["python3", "play.py", "{\"a\": 1}", "--x"]
    );
    let lines = [
        Line::Printed("welcome".into()),
        Line::Typed("1 \"hi\"".into()),
    ];
    assert_eq!(transcript.lines, lines);
}

#[test]
fn dots_stand_for_anything() {
    for (expected, line, is_match) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "a b", true),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
    ] {
        assert_eq!(matches(expected, line), is_match, "{expected} {line}");
    }
}
