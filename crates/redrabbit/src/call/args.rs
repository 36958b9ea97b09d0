//! The command line of `call`.

use std::{path::PathBuf, time::Duration};

use protocol::GroupName;

use crate::units;

/// The arguments of `call`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct CallArgs {
    /// A node (scene@0), all that are called so (scene: the one of them that carries
    /// least), or any: whoever offers it and carries least
    #[arg(value_name = "NODE_OR_SERVICE")]
    pub target: String,

    /// A method, such as echo, or the number of a script's service, such as 200
    #[arg(value_name = "METHOD|CMD")]
    pub method: String,

    /// What is sent, as it is; nothing unless given
    #[arg(value_name = "BODY", conflicts_with = "body_file")]
    pub body: Option<String>,

    /// Sends what this file holds; - is the standard input
    #[arg(long, value_name = "FILE")]
    pub body_file: Option<PathBuf>,

    /// The body is written as hexadecimal digits; spaces between them do not count
    #[arg(long, conflicts_with = "json_body")]
    pub hex: bool,

    /// The body has to be JSON, which is looked at before anything is sent
    #[arg(long)]
    pub json_body: bool,

    /// How long the answer may take, in ms, s or m; limits.call_timeout unless given
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub deadline: Option<Duration>,

    /// Calls in this other group, by way of a bridge
    #[arg(long, value_name = "NAME")]
    pub group: Option<GroupName>,

    /// The file that describes the group; configs/local.toml if it is there,
    /// else /etc/redrabbit/topology.toml
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,

    /// Overrides a key of the file; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// A file that holds the group's secret and nothing else, if the topology
    /// does not have it
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,

    /// Prints the answer as a JSON object, and errors as one on stderr
    #[arg(long)]
    pub json: bool,
}

const HELP: &str = "\
Examples:
  redrabbit call scene@0 200 '{\"name\": \"Ann\"}'
  redrabbit call scene 200 --json-body --body-file question.json
  redrabbit call echo@0 echo 'hello' --deadline 500ms
  redrabbit call scene@0 210 --hex '00 ff 10'
  redrabbit call any 200 --group GroupB        in another group, through a bridge
  redrabbit call scene@0 200 '{}' --json | jq .json

The body goes as it is written: what a script's @ffext.reg_service takes says whether
that is JSON, bytes, or a message of thrift or protobuf. An answer that is UTF-8 is
printed as text, any other as a table of bytes. Only what nodes and scripts offer can be
called, not the methods by which daemons speak to each other (redrabbit drain and reload
do that).

With --json the object has: node (who was called), method, milliseconds, bytes (the
answer's length), text (null if it is not UTF-8), json (its value; null if it is not
JSON), hex (null if it is text).

In a group that speaks TLS it joins as operator@0, and needs a certificate of that
name where the topology says that certificates are. Otherwise its name is
operator@ and a number.

Exit codes:
  0    the answer was printed
  1    the master was not reached, or refused
  64   the command line is wrong
  65   the message is too large, or is not what --hex or --json-body say
  68   nobody of that name is in the group
  69   whoever was called is not reached, or is about to end
  70   whoever was called answers with an error of its own
  75   there is no room for the call, here or there; try again later
  76   whoever was called has no such method
  77   the other group lets nobody here call that
  78   the topology file is wrong
  124  no answer came in time; it may have been done all the same";
