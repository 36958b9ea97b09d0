//! What a broker says of its links, read from what they count in any case.

use std::sync::atomic::Ordering;

use protocol::{
    link::Traffic,
    v1::{LinkVitals, Vitals},
};

use crate::links::{Links, OpenLink, Outlet};

/// As many links are told of.
const MAX_LINKS: usize = 4_096;

impl Links {
    /// Adds what the broker has forwarded, what waits in its links, and what each of
    /// them has carried.
    pub fn tell(&self, vitals: &mut Vitals) {
        let messages = self.forwarded();
        let bytes = self.forwarded_bytes.load(Ordering::Relaxed);
        vitals.messages_in += messages;
        vitals.messages_out += messages;
        vitals.bytes_in += bytes;
        vitals.bytes_out += bytes;
        vitals.dropped += self.metrics.lost();
        for expected in &self.table {
            let Some(link) = &expected.link else { continue };
            let traffic = link.outlet.traffic();
            vitals.queued_messages += traffic.queued_messages;
            vitals.queued_bytes += traffic.queued_bytes;
            vitals.queue_fill = vitals.queue_fill.max(traffic.fill);
            if vitals.links.len() < MAX_LINKS {
                let node_id = expected.key().as_u64();
                vitals.links.push(link.vitals(node_id, traffic));
            }
        }
    }
}

impl Outlet {
    pub(crate) fn traffic(&self) -> Traffic {
        match self {
            Outlet::Stream(outbox) => outbox.traffic(),
            Outlet::Memory(queue) => queue.traffic(),
        }
    }
}

impl OpenLink {
    fn vitals(&self, node_id: u64, traffic: Traffic) -> LinkVitals {
        // What comes over memory is not counted by link.
        let (messages_in, bytes_in) = self.pulse.as_ref().map_or((0, 0), |pulse| pulse.counted());
        LinkVitals {
            node_id,
            messages_in,
            bytes_in,
            messages_out: traffic.messages,
            bytes_out: traffic.bytes,
            queued_bytes: traffic.queued_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use protocol::{Envelope, NodeId, Secret, envelope::EnvelopeKind};
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[test]
    fn a_broker_tells_what_it_forwarded_what_waits_and_what_was_lost() {
        let (one, two, nobody) = (NodeId::new(1, 1), NodeId::new(1, 2), NodeId::new(1, 9));
        let links = Links::new("GroupA".parse().unwrap(), Secret::default(), 1000);
        let open = |node| {
            links.expect(node);
            links.open_stream(node, &CancellationToken::new()).unwrap()
        };
        let (from, _to) = (open(one), open(two));
        let mut batch = BytesMut::new();
        for destination in [two, two, nobody] {
            Envelope::new(destination, one, EnvelopeKind::Notify).write(&mut batch);
        }
        let batch = batch.freeze();
        let count = links.forward_counted(one, &batch).unwrap();
        from.pulse.count(count, batch.len());

        let mut vitals = Vitals::default();
        links.tell(&mut vitals);
        assert_eq!((vitals.messages_in, vitals.messages_out), (2, 2));
        assert_eq!((vitals.queued_messages, vitals.dropped), (2, 1));
        assert!(vitals.queue_fill > 0.0 && vitals.queued_bytes > 0);
        vitals.links.sort_by_key(|link| link.node_id);
        let [first, second] = &vitals.links[..] else {
            panic!("{vitals:?}")
        };
        assert_eq!((first.messages_in, first.messages_out), (3, 0));
        assert_eq!(first.bytes_in, batch.len() as u64);
        assert_eq!((second.messages_in, second.messages_out), (0, 2));
        assert_eq!(second.queued_bytes, vitals.queued_bytes);
    }
}
