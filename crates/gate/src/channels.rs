//! Channels: names that scenes give to sets of sessions, to speak to all of
//! them at once.

use std::{collections::HashMap, sync::Arc};

use dashmap::{DashMap, mapref::entry::Entry};
use protocol::Login;

use crate::handle::Handle;

/// A session is in no more channels than this.
pub(crate) const CHANNELS_OF_A_SESSION: usize = 64;
/// A channel's name is no longer.
pub(crate) const LONGEST_NAME: usize = 128;

/// Who of this gate is in which channel. A channel is there as long as somebody
/// is in it.
///
/// Channels are independent of each other, so the map is sharded by name. Under
/// a guard of it only send queues are locked.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    members: DashMap<Arc<str>, HashMap<Login, Arc<Handle>>>,
}

impl Channels {
    /// A session joins.
    pub(crate) fn join(&self, channel: &Arc<str>, login: Login, handle: &Arc<Handle>) {
        self.members
            .entry(Arc::clone(channel))
            .or_default()
            .insert(login, Arc::clone(handle));
    }

    /// A session leaves.
    pub(crate) fn leave(&self, channel: &Arc<str>, login: Login) {
        if let Entry::Occupied(mut members) = self.members.entry(Arc::clone(channel)) {
            members.get_mut().remove(&login);
            if members.get().is_empty() {
                members.remove();
            }
        }
    }

    /// Shows every member to `visit`, which must not come back to the channels.
    pub(crate) fn for_each(&self, channel: &str, mut visit: impl FnMut(&Arc<Handle>)) {
        if let Some(members) = self.members.get(channel) {
            for handle in members.values() {
                visit(handle);
            }
        }
    }

    /// How many channels there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::handle;

    #[test]
    fn channel_is_there_as_long_as_somebody_is_in_it() {
        let channels = Channels::default();
        let channel: Arc<str> = "room".into();
        let handle = handle();
        channels.join(&channel, Login(1), &handle);
        channels.join(&channel, Login(1), &handle);
        channels.join(&channel, Login(2), &handle);
        let count = || {
            let mut count = 0;
            channels.for_each("room", |_| count += 1);
            count
        };
        assert_eq!(count(), 2);
        channels.leave(&channel, Login(1));
        assert_eq!((count(), channels.len()), (1, 1));
        channels.leave(&channel, Login(2));
        channels.leave(&channel, Login(2));
        assert_eq!((count(), channels.len()), (0, 0));
    }
}
