//! Which build of the program this is.

/// The version of the program, with the commit in release builds:
/// `0.1.0 (1a2b3c4d5e6f)`.
pub const fn build_version() -> &'static str {
    env!("REDRABBIT_BUILD_VERSION")
}
