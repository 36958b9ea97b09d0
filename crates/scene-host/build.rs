//! Tells the crate which Python it is linked with, so that it starts as that
//! one whatever comes first on the path.

fn main() {
    let executable = pyo3_build_config::get().executable();
    println!(
        "cargo:rustc-env=SCENE_PYTHON={}",
        executable.unwrap_or_default()
    );
}
