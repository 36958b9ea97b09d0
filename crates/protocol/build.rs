//! Generates the protobuf types and services from `proto/`, with no protoc.

use std::{env, error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let files =
        ["registry", "link", "session"].map(|name| root.join(format!("redrabbit/v1/{name}.proto")));
    let descriptors = protox::compile(files, [&root])?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(descriptors)?;

    // The link once more, with a codec that hands the bytes of a batch through
    // as they are: brokers never build the messages that they forward.
    let open = tonic_build::manual::Method::builder()
        .name("open")
        .route_name("Open")
        .input_type("::bytes::Bytes")
        .output_type("::bytes::Bytes")
        .codec_path("crate::link::BatchCodec")
        .client_streaming()
        .server_streaming()
        .build();
    let link = tonic_build::manual::Service::builder()
        .name("Link")
        .package("redrabbit.v1")
        .method(open)
        .build();
    tonic_build::manual::Builder::new().compile(&[link]);
    Ok(())
}
