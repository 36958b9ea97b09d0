//! The programs that stand beside this one, or where a package puts them.

use std::{
    env, io,
    path::{Path, PathBuf},
};

/// Where a package puts the daemons, beside the `bin` that has this program.
const PACKAGED: &str = "lib/redrabbit";

/// A program is not where it should be. Whoever installed or built this one
/// has to add it.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// It is not in the folder.
    #[error("{program} is not in {folder}: build it with `{command}`")]
    Missing {
        /// The program.
        program: String,
        /// Where this program stands.
        folder: String,
        /// What puts it there.
        command: String,
    },
    /// It is not known where this program itself stands.
    #[error("cannot tell where this program is")]
    Unknown(#[source] io::Error),
}

/// The folder of the program that is running.
///
/// # Errors
/// When the system does not tell.
pub(crate) fn own_folder() -> Result<PathBuf, BinaryError> {
    let own = env::current_exe().map_err(BinaryError::Unknown)?;
    Ok(own
        .parent()
        .map_or_else(|| PathBuf::from("/"), Path::to_owned))
}

/// Finds `program` in `folder`, or in `../lib/redrabbit` as seen from there: the names
/// of the daemons are too common for `/usr/bin`, and a package puts them there.
///
/// # Errors
/// When it is not there, with how to build it: it is made by `package`.
pub(crate) fn find(folder: &Path, program: &str, package: &str) -> Result<PathBuf, BinaryError> {
    let packaged = folder.parent().map(|prefix| prefix.join(PACKAGED));
    let mut folders = [Some(folder.to_owned()), packaged].into_iter().flatten();
    if let Some(path) = folders.find_map(|folder| {
        let path = folder.join(program);
        path.is_file().then_some(path)
    }) {
        return Ok(path);
    }
    Err(BinaryError::Missing {
        program: program.to_owned(),
        folder: folder.display().to_string(),
        command: build_command(folder, package),
    })
}

/// cargo's folders are named by their profiles, except that of `dev`.
fn build_command(folder: &Path, package: &str) -> String {
    let is_release = folder.file_name().is_some_and(|name| name == "release");
    let profile = if is_release { " --release" } else { "" };
    format!("cargo build{profile} -p {package}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_how_to_build_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(folder.path(), "gate", "gate").unwrap_err().to_string();
        assert!(error.starts_with("gate is not in "), "{error}");
        assert!(
            error.ends_with("build it with `cargo build -p gate`"),
            "{error}"
        );
    }

    #[test]
    fn a_program_of_a_package_is_found_from_its_bin() {
        let prefix = tempfile::tempdir().unwrap();
        let (bin, packaged) = (prefix.path().join("bin"), prefix.path().join(PACKAGED));
        std::fs::create_dir_all(&packaged).unwrap();
        std::fs::write(packaged.join("gate"), "").unwrap();
        assert_eq!(find(&bin, "gate", "gate").unwrap(), packaged.join("gate"));
    }

    #[test]
    fn the_program_beside_this_one_comes_first() {
        let prefix = tempfile::tempdir().unwrap();
        let (bin, packaged) = (prefix.path().join("bin"), prefix.path().join(PACKAGED));
        for folder in [&bin, &packaged] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("gate"), "").unwrap();
        }
        assert_eq!(find(&bin, "gate", "gate").unwrap(), bin.join("gate"));
    }

    #[test]
    fn beside_a_release_build_a_release_build_is_missing() {
        let command = build_command(Path::new("/x/target/release"), "solo");
        assert_eq!(command, "cargo build --release -p solo");
    }
}
