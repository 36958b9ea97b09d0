//! A service of its own in a group: it says back what it is told.
//!
//!     cargo run -p ffrpc --example echo_service -- 127.0.0.1:10241

use std::{env, error::Error};

use ffrpc::{Node, NodeConfig, Services, Uplink};
use protocol::Secret;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let master = arguments.next().unwrap_or("127.0.0.1:10241".into());
    let name = arguments.next().unwrap_or("echo@0".into());
    let config = NodeConfig {
        name: name.parse()?,
        uplink: Uplink::Remote(master.parse()?),
        secret: Secret::new(env::var("REDRABBIT_SECRET").unwrap_or_default()),
        ..NodeConfig::default()
    };
    let services = Services::new().serve("echo", async |request| Ok(request.body));

    let node = Node::join(config, services);
    node.ready().await;
    println!("{name} is in the group, ctrl-c ends it");
    tokio::signal::ctrl_c().await?;
    node.leave().await;
    Ok(())
}
