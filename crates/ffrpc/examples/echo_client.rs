//! Looks a service up by its name and calls it.
//!
//!     cargo run -p ffrpc --example echo_client -- 127.0.0.1:10241 hello

use std::{env, error::Error, time::Duration};

use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::Secret;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let master = arguments.next().unwrap_or("127.0.0.1:10241".into());
    let text = arguments.next().unwrap_or("hello".into());
    let config = NodeConfig {
        name: format!("client@{}", std::process::id()).parse()?,
        uplink: Uplink::Remote(master.parse()?),
        secret: Secret::new(env::var("REDRABBIT_SECRET").unwrap_or_default()),
        ..NodeConfig::default()
    };
    let node = Node::join(config, Services::new());
    node.ready().await;

    let echo = node.find(&"echo@0".parse()?)?;
    let wait = Duration::from_secs(1);
    let answer = node.call_within(echo, "echo", text.into(), wait).await?;
    println!("{}", String::from_utf8_lossy(&answer));
    node.leave().await;
    Ok(())
}
