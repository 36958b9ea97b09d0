use ffrpc::{Node, Services};
use protocol::v1::{Hello, JoinRequest, Role, join_request, registry_client::RegistryClient};
use tests::{Brokers, Load, MASTER, Traffic, eventually};
use tonic::Code;

use super::seconds;

#[tokio::test]
async fn a_name_that_is_claimed_twice_stays_with_its_holder_who_notices_nothing() {
    let brokers = Brokers::start(1).await;
    let traffic = Traffic::start(&brokers, Load::default()).await;
    let ids = traffic.ids();

    let hello = Hello {
        name: "traffic@0".to_owned(),
        role: Role::Service.into(),
        incarnation: 7,
        ..Hello::default()
    };
    let request = JoinRequest {
        request: Some(join_request::Request::Hello(hello)),
    };
    let master = format!("http://{}", brokers.master());
    let mut registry = RegistryClient::connect(master).await.unwrap();
    let answer = registry.join(futures_util::stream::iter([request])).await;
    let refusal = answer.err().unwrap();
    assert_eq!(refusal.code(), Code::AlreadyExists);
    println!("refused: {}", refusal.message());
    let holder = ids[0].unwrap().to_string();
    assert!(refusal.message().contains(&holder), "{refusal}");

    // A node tries again and again.
    let refused = "redrabbit_registry_refused_total{reason=\"name_taken\"}";
    let before = brokers.metric(MASTER, refused).await;
    let second = Node::join(brokers.config("traffic@0"), Services::new());
    eventually("the second is refused, and tries again", async || {
        (brokers.metric(MASTER, refused).await >= before + 2).then_some(())
    })
    .await;
    assert_eq!(second.id(), None);
    seconds(0.5).await;
    traffic.flows().await;
    assert_eq!(traffic.ids(), ids);
    traffic.stop().await.is_whole();

    // The name is free as soon as its holder leaves.
    eventually("the second is let in", async || second.id()).await;
}
