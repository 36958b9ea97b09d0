//! What goes wrong in a group of a random seed.

use std::time::Duration;

use crate::{
    faults::{Fault, SILENT},
    wires::{Cut, Way},
    world::World,
};

impl World {
    /// Makes something go wrong. Says when the last of it is right again.
    pub(crate) fn plan_fault(&mut self, at: Duration) -> Duration {
        let node = self.random.index(self.nodes.len());
        let broker = self.random.index(self.brokers.len());
        let slaves = 1..self.brokers.len();
        let slave = self.random.pick(&slaves.collect::<Vec<_>>());
        let ms = |world: &mut World, range| Duration::from_millis(world.random.of(range));
        let (fault, time) = match (self.random.of(0..11), slave) {
            (0, Some(broker)) => (Fault::Kill { broker }, SILENT),
            (1 | 2, _) => {
                let time = ms(self, 50..10_000);
                (Fault::Freeze { broker, time }, time + SILENT)
            }
            (3, _) => (Fault::AddSlave, Duration::from_secs(1)),
            (4, Some(broker)) => (Fault::Drain { broker }, Duration::from_secs(2)),
            (5 | 6, _) => {
                let time = ms(self, 20..3000);
                let fault = Fault::LinkDown { node, broker, time };
                (fault, time + SILENT)
            }
            (7 | 8, _) => {
                let time = ms(self, 100..4000);
                let up = self.random.percent(50);
                let cut = match self.random.percent(50) {
                    true => Cut::Holds,
                    false => Cut::Loses,
                };
                let way = Way { node, broker, up };
                (Fault::Cut { way, cut, time }, time)
            }
            (9, _) => {
                let time = ms(self, 50..2500);
                (Fault::Stall { node, time }, time)
            }
            (_, Some(broker)) => {
                let time = ms(self, 10..800);
                self.soon(
                    at + time,
                    Fault::View {
                        node,
                        broker,
                        ready: true,
                    },
                );
                let ready = false;
                (
                    Fault::View {
                        node,
                        broker,
                        ready,
                    },
                    time,
                )
            }
            _ => (Fault::Kill { broker: 0 }, 2 * SILENT),
        };
        self.soon(at, fault);
        at + time
    }
}
