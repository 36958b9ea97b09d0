//! What the processes of a group take: CPU time of each, and memory.

use std::{fs, process, time::Duration};

use anyhow::{Context, Result};

use crate::cpu;

/// The kinds of processes that a message passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The gate, or the one process that a peer is made of.
    Gate,
    /// The master, or a slave.
    Broker,
    Scene,
}

/// Which process is what.
#[derive(Clone, Debug)]
pub(crate) struct Processes(pub(crate) Vec<(Part, u32)>);

/// CPU time so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) gate: Duration,
    pub(crate) broker: Duration,
    pub(crate) scene: Duration,
    /// This tool's own, which is the clients'.
    pub(crate) load: Duration,
}

/// CPU microseconds for each message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Each {
    pub(crate) gate: f64,
    pub(crate) broker: f64,
    pub(crate) scene: f64,
    pub(crate) load: f64,
}

impl Processes {
    /// What they have taken so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let mut usage = Usage {
            load: cpu::of_threads(process::id())?,
            ..Usage::default()
        };
        for (part, pid) in &self.0 {
            *match part {
                Part::Gate => &mut usage.gate,
                Part::Broker => &mut usage.broker,
                Part::Scene => &mut usage.scene,
            } += cpu::of_threads(*pid)?;
        }
        Ok(usage)
    }

    /// Bytes of the gate's that are in memory.
    pub(crate) fn resident(&self, part: Part) -> Result<u64> {
        let of_part = self.0.iter().filter(|(own, _)| *own == part);
        of_part.map(|(_, pid)| resident(*pid)).sum()
    }
}

impl Usage {
    /// What each of so many messages took since `before`.
    pub(crate) fn each(self, before: Usage, messages: u64) -> Each {
        let each = |now: Duration, before: Duration| {
            now.saturating_sub(before).as_secs_f64() * 1e6 / messages.max(1) as f64
        };
        Each {
            gate: each(self.gate, before.gate),
            broker: each(self.broker, before.broker),
            scene: each(self.scene, before.scene),
            load: each(self.load, before.load),
        }
    }
}

impl Each {
    /// Of all processes but the load.
    pub(crate) fn servers(&self) -> f64 {
        self.gate + self.broker + self.scene
    }
}

/// Without what the kernel keeps for its sockets, which is no process's.
fn resident(pid: u32) -> Result<u64> {
    let file = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.with_context(|| format!("{file} has no VmRSS"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_takes_time() {
        let own = Processes(vec![(Part::Scene, process::id())]);
        let before = own.usage().unwrap();
        assert!(own.resident(Part::Scene).unwrap() > 1 << 20);
        assert_eq!(own.resident(Part::Gate).unwrap(), 0);
        let each = own.usage().unwrap().each(before, 1);
        assert!(each.servers() >= each.scene && each.gate == 0.0);
    }
}
