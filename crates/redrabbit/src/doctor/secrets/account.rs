//! The user as which the daemons run.

use std::fs;

/// A user and the groups that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    user: u32,
    groups: Vec<u32>,
}

/// Its name.
const NAME: &str = "redrabbit";

impl Account {
    /// That of the daemons, if this machine has it.
    pub(super) fn of_daemons() -> Option<Account> {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let groups = fs::read_to_string("/etc/group").unwrap_or_default();
        Account::read(&users, &groups)
    }

    fn read(users: &str, groups: &str) -> Option<Account> {
        let fields = |line: &'_ str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let user = users
            .lines()
            .map(fields)
            .find(|user| user.first().is_some_and(|name| name == NAME))?;
        let own: u32 = user.get(3)?.parse().ok()?;
        let others = groups.lines().map(fields).filter_map(|group| {
            let members = group.get(3)?;
            let is_in = members.split(',').any(|member| member == NAME);
            is_in.then(|| group.get(2)?.parse().ok()).flatten()
        });
        Some(Account {
            user: user.get(2)?.parse().ok()?,
            groups: std::iter::once(own).chain(others).collect(),
        })
    }

    /// Whether it may read a file of this owner and mode.
    pub(super) fn reads(&self, user: u32, group: u32, mode: u32) -> bool {
        let bit = if user == self.user {
            0o400
        } else if self.groups.contains(&group) {
            0o040
        } else {
            0o004
        };
        mode & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_by_its_owner_its_group_or_by_others() {
        let users = "root:x:0:0:root:/root:/bin/sh\nredrabbit:x:995:994::/var/lib/redrabbit:/\n";
        let groups = "root:x:0:\nssl-cert:x:110:www,redrabbit\nredrabbit:x:994:\n";
        let account = Account::read(users, groups).unwrap();
        assert_eq!(account.groups, [994, 110]);
        assert!(account.reads(0, 994, 0o640) && account.reads(0, 110, 0o640));
        assert!(account.reads(995, 0, 0o400) && !account.reads(995, 994, 0o040));
        assert!(!account.reads(0, 0, 0o600) && account.reads(0, 0, 0o604));
        assert_eq!(Account::read("root:x:0:0", groups), None);
    }
}
