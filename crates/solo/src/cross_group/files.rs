//! The files of the example, as they are built in.

use std::{fs, io, net::Ipv4Addr, path::Path};

/// A file of the example with its text.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../scene-host/examples/cross-group/", $name)))),+]
    };
}

const FILES: [(&str, &str); 17] = files![
    "north.toml",
    "south.toml",
    "bridge.toml",
    "north.py",
    "south.py",
    "world.py",
    "life.py",
    "page/index.html",
    "page/page.css",
    "page/page.js",
    "page/pane.js",
    "page/bridge.js",
    "page/session.js",
    "page/redrabbit.js",
    "page/controls.js",
    "page/painter.js",
    "page/art.js",
];

/// Writes them into `folder`; the groups listen at `address`.
pub(super) fn write(folder: &Path, address: Ipv4Addr) -> io::Result<()> {
    fs::create_dir(folder.join("page"))?;
    fs::create_dir(folder.join("state"))?;
    for (name, text) in FILES {
        let text = if name.ends_with(".toml") {
            text.replace("127.0.0.1", &address.to_string())
        } else {
            text.to_owned()
        };
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}

/// A loopback address that nobody else is likely to use, where every port is free.
pub(super) fn own_address() -> Ipv4Addr {
    let [a, b, c] = rand::random();
    // 127.128.0.0 to 127.254.255.254.
    Ipv4Addr::new(127, 128 + a % 127, b, c.clamp(1, 254))
}

#[cfg(test)]
mod tests {
    use topology::Topology;

    use super::*;

    #[test]
    fn every_file_of_the_example_is_built_in() {
        let example = Path::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../scene-host/examples/cross-group"
        ));
        let mut there = Vec::new();
        for folder in ["", "page/"] {
            for entry in fs::read_dir(example.join(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let is_no_part =
                    name.starts_with("test_") || name.ends_with(".md") || name.ends_with(".png");
                if name.contains('.') && !is_no_part {
                    there.push(format!("{folder}{name}"));
                }
            }
        }
        there.sort();
        let mut built_in = FILES.map(|(name, _)| name.to_owned());
        built_in.sort();
        assert_eq!(there, built_in);
    }

    #[test]
    fn the_groups_are_where_the_page_looks_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        write(folder.path(), address).unwrap();
        for (name, file, port) in super::super::GROUPS {
            let topology = Topology::load(&folder.path().join(file), &[]).unwrap();
            assert_eq!(topology.group.as_str(), name);
            let gate = topology.gates.values().next().unwrap();
            assert_eq!(gate.websocket, Some((address, port).into()));
            let bridge = fs::read_to_string(folder.path().join("bridge.toml")).unwrap();
            let joined = format!("name = \"{name}\"\nmaster = \"{}\"", topology.master.listen);
            assert!(bridge.contains(&joined), "{bridge}");
        }
    }
}
