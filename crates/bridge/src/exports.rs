//! What one group may call in another.
//!
//! Decisions without I/O. Nothing is allowed that no export names, and the methods
//! by which daemons speak to each other are allowed by none.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use prost::Message;
use protocol::{
    GroupName,
    method::is_internal,
    v1::{self, CmdRange},
};

use crate::cmd::read_cmd;

/// What the exports of a group allow one other group.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    /// What allows several groups something is there once.
    grants: Vec<Arc<Grant>>,
    directory: bool,
}

/// How many bytes of exports are taken of a master. Each call is held against them, and
/// the calls of every other group wait for that.
const MAX_BYTES: usize = 256 << 10;

/// The grants that allow a method, at one node or another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted<'a> {
    grants: &'a [Arc<Grant>],
    asked: Asked<'a>,
    /// At every node.
    everywhere: bool,
}

/// One export.
#[derive(Debug)]
struct Grant {
    services: Services,
    cmds: Vec<CmdRange>,
    methods: Vec<Methods>,
}

/// Which nodes may be called.
#[derive(Debug)]
enum Services {
    All,
    /// Names, and the parts of names before the `@`.
    Called(Vec<String>),
}

#[derive(Debug)]
enum Methods {
    /// The one of this name.
    Whole(String),
    /// All that begin so.
    Family(String),
}

#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    method: &'a str,
    cmd: Option<u32>,
}

impl Grants {
    /// What `exports` allow each of `groups`, in their order. Of more than there may be,
    /// nothing.
    ///
    /// # Errors
    /// How many bytes there are, and how many there may be.
    pub(crate) fn of_groups(
        exports: &v1::Exports,
        groups: &[GroupName],
    ) -> Result<Vec<Grants>, (usize, usize)> {
        let bytes = exports.encoded_len();
        if bytes > MAX_BYTES {
            return Err((bytes, MAX_BYTES));
        }
        let mut all: Vec<Grants> = groups.iter().map(|_| Grants::default()).collect();
        for export in &exports.exports {
            let grant = Arc::new(Grant::new(export));
            for (grants, group) in all.iter_mut().zip(groups) {
                let mut names = export.groups.iter();
                if names.any(|name| name == "*" || name == group.as_str()) {
                    grants.directory |= export.directory;
                    grants.grants.push(Arc::clone(&grant));
                }
            }
        }
        Ok(all)
    }

    /// What allows `method`; `None` where nothing does, whoever is called.
    pub(crate) fn of<'a>(&'a self, method: &'a str) -> Option<Granted<'a>> {
        if is_internal(method) {
            return None;
        }
        let asked = Asked {
            method,
            cmd: read_cmd(method),
        };
        let mut fitting = self.grants.iter().filter(|grant| grant.has(asked));
        let first = fitting.next()?;
        Some(Granted {
            grants: &self.grants,
            asked,
            everywhere: first.everywhere() || fitting.any(|grant| grant.everywhere()),
        })
    }

    /// Whether the directory may be read.
    pub(crate) fn directory(&self) -> bool {
        self.directory
    }
}

impl Granted<'_> {
    /// Whether the method may be called at the node of this name.
    pub(crate) fn at(&self, node: &str) -> bool {
        let mut grants = self.grants.iter();
        self.everywhere || grants.any(|grant| grant.is_for(node) && grant.has(self.asked))
    }
}

impl Grant {
    fn new(export: &v1::Export) -> Self {
        let all = export.services.iter().any(|service| service == "*");
        Grant {
            services: match all {
                true => Services::All,
                false => Services::Called(export.services.clone()),
            },
            cmds: export.cmds.clone(),
            methods: export
                .methods
                .iter()
                .map(|name| Methods::new(name))
                .collect(),
        }
    }

    fn everywhere(&self) -> bool {
        matches!(self.services, Services::All)
    }

    fn is_for(&self, node: &str) -> bool {
        match &self.services {
            Services::All => true,
            Services::Called(names) => {
                let role = node.split_once('@').map(|(role, _)| role);
                names
                    .iter()
                    .any(|name| name == node || Some(name.as_str()) == role)
            }
        }
    }

    fn has(&self, asked: Asked<'_>) -> bool {
        let in_range = |cmd: u32| {
            let mut ranges = self.cmds.iter();
            ranges.any(|range| (range.first..=range.last).contains(&cmd))
        };
        asked.cmd.is_some_and(in_range)
            || self
                .methods
                .iter()
                .any(|methods| methods.have(asked.method))
    }
}

impl Methods {
    fn new(name: &str) -> Self {
        match name.strip_suffix('*') {
            Some(prefix) => Methods::Family(prefix.to_owned()),
            None => Methods::Whole(name.to_owned()),
        }
    }

    fn have(&self, method: &str) -> bool {
        match self {
            Methods::Whole(name) => name == method,
            Methods::Family(prefix) => method.starts_with(prefix),
        }
    }
}
