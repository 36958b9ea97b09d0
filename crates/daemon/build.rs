//! Finds out which commit is being built.
//!
//! Debug builds do not ask: each commit would build this crate, and every
//! daemon on top of it, anew.

use std::{env, path::Path, process::Command};

fn main() {
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    println!("cargo:rerun-if-changed=build.rs");
    let version = match commit().filter(|_| is_release) {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    };
    println!("cargo:rustc-env=REDRABBIT_BUILD_VERSION={version}");
    // The log of HEAD grows with every commit and every checkout.
    let log = Path::new("../../.git/logs/HEAD");
    if is_release && log.exists() {
        println!("cargo:rerun-if-changed={}", log.display());
    }
}

fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
