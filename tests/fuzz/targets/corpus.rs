//! Writes the corpus: `corpus FOLDER`. It is no target, and looks like one
//! because all of this crate is linked with the fuzzer.
#![no_main]

use std::{fs, path::Path, process::exit};

libfuzzer_sys::fuzz_target!(init: write(), |_bytes: &[u8]| {});

fn write() {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("corpus FOLDER");
        exit(64);
    };
    for (target, name, bytes) in fuzz::corpus::seeds() {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(name), bytes).expect("the file can be written");
    }
    exit(0);
}
