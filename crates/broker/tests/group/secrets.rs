//! The group's secret is replaced while nodes come, go and stay.

use protocol::{
    Secret,
    v1::{Hello, join_response::Response},
};
use tonic::Code;

use crate::harness::{Group, hello};

fn with_secret(name: &str, secret: &str) -> Hello {
    Hello {
        secret: secret.into(),
        ..hello(name)
    }
}

#[tokio::test(start_paused = true)]
async fn nodes_join_by_the_old_and_the_new_secret_and_by_no_other() {
    let group = Group::start(7);
    group.registry.set_secret(Secret::new("second"));
    for (index, secret) in ["open sesame", "second"].into_iter().enumerate() {
        let name = format!("svc@{index}");
        group.welcomed(with_secret(&name, secret)).await.unwrap();
        assert!(group.registry.list(secret).is_ok());
    }
    for wrong in ["", "third", "open"] {
        let refused = group.welcomed(with_secret("svc@9", wrong)).await;
        assert_eq!(refused.err().unwrap().code(), Code::Unauthenticated);
    }
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    let refused = group.welcomed(with_secret("svc@9", "open sesame")).await;
    assert_eq!(refused.err().unwrap().code(), Code::Unauthenticated);
    group
        .welcomed(with_secret("svc@9", "second"))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_member_is_given_a_token_that_a_broker_knows_which_knows_the_new_secret_alone() {
    let group = Group::start(7);
    let mut member = group.member("svc@0").await;
    let (id, before) = (member.id(), member.welcome.token.clone());
    group.registry.set_secret(Secret::new("second"));
    let Some(Response::Renewal(renewal)) = member.stream.next().await.unwrap() else {
        panic!("no other token");
    };
    assert_ne!(renewal.token, before);
    for token in [&before, &renewal.token] {
        assert_eq!(group.links.authenticate(token), Some(id));
    }
    let other = broker::Links::new("GroupA".parse().unwrap(), Secret::new("second"), 1 << 20);
    assert_eq!(other.authenticate(&renewal.token), Some(id));
    // The same secret again is no change.
    group.registry.set_secret(Secret::new("second"));
    assert_eq!(member.take_what_waits(), 0);
}
