//! What a registry does not take.

use futures_util::StreamExt;
use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::{
    link::LocalBroker,
    tls::PeerNames,
    v1::{Held, Hello, JoinRequest, LeastLoadedRequest, Role},
};
use tokio::sync::mpsc;
use tonic::Code;

use crate::harness::{Group, hello};

#[tokio::test(start_paused = true)]
async fn what_cannot_be_held_is_refused_in_its_own_words_and_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let group = Group::start(7);
    let node = group.member("svc@0").await;
    let other = group.member("svc@1").await;
    let returning = node.returning();
    let held = returning.held.clone().unwrap();
    let mut forged = held.token.to_vec();
    forged[20] ^= 1;
    let cases = [
        (
            Held {
                token: forged.into(),
                ..held.clone()
            },
            "token",
            "held_token",
        ),
        (
            Held {
                token: other.welcome.token.clone(),
                ..held.clone()
            },
            "token",
            "held_token",
        ),
        (
            Held {
                token: Default::default(),
                ..held.clone()
            },
            "token",
            "held_token",
        ),
        (
            Held {
                revision: 1 << 40,
                ..held.clone()
            },
            "has seen revision",
            "future_revision",
        ),
        (
            Held { epoch: 8, ..held },
            "comes from epoch 8",
            "future_epoch",
        ),
    ];
    for (held, words, _) in &cases {
        let hello = Hello {
            held: Some(held.clone()),
            ..returning.clone()
        };
        let refused = group.welcomed(hello).await.map(|_| ()).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(words), "{refused}");
    }
    // Nobody else felt it.
    let back = group.welcomed(returning).await.unwrap();
    assert_eq!(back.id(), node.id());
    let page = recorder.handle().render();
    for reason in ["held_token", "future_revision", "future_epoch"] {
        let times = cases
            .iter()
            .filter(|(_, _, label)| *label == reason)
            .count();
        let line = format!("redrabbit_registry_refused_total{{reason=\"{reason}\"}} {times}");
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
    assert!(page.contains("redrabbit_registry_members 2"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn every_other_refusal_has_its_own_words_and_its_own_count() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let group = Group::start(7);
    let _holder = group.member("svc@0").await;
    let base = hello("svc@1");
    let cases = [
        (
            Hello {
                secret: "guess".into(),
                ..base.clone()
            },
            Code::Unauthenticated,
            "secret",
        ),
        (
            Hello {
                name: "nobody".into(),
                ..base.clone()
            },
            Code::InvalidArgument,
            "name",
        ),
        (
            Hello {
                role: Role::Master.into(),
                ..base.clone()
            },
            Code::InvalidArgument,
            "role",
        ),
        (
            Hello {
                role: Role::Slave.into(),
                ..base.clone()
            },
            Code::InvalidArgument,
            "address",
        ),
        (
            Hello {
                role: Role::Gate.into(),
                ..base.clone()
            },
            Code::InvalidArgument,
            "called",
        ),
        (
            Hello {
                methods: vec!["m".repeat(1 << 20)],
                ..base
            },
            Code::InvalidArgument,
            "size",
        ),
        (hello("svc@0"), Code::AlreadyExists, "name_taken"),
    ];
    let mut texts = Vec::new();
    for (hello, code, _) in &cases {
        let refused = group.welcomed(hello.clone()).await.map(|_| ()).unwrap_err();
        assert_eq!(refused.code(), *code, "{refused}");
        texts.push(refused.message().to_owned());
    }
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), cases.len());
    let (requests, requests_rx) = mpsc::channel(1);
    requests.try_send(JoinRequest { request: None }).unwrap();
    let first = group.broker.join(requests_rx).next().await.unwrap();
    assert_eq!(first.unwrap_err().code(), Code::InvalidArgument);
    let page = recorder.handle().render();
    for reason in cases.map(|(_, _, reason)| reason).iter().chain(&["hello"]) {
        let line = format!("redrabbit_registry_refused_total{{reason=\"{reason}\"}} 1");
        assert!(page.contains(&line), "{line} is not in\n{page}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_member_may_ask_who_carries_least() {
    let group = Group::start(7);
    let node = group.member("svc@0").await;
    let ask_as = |peer: Option<&PeerNames>, role: Role, token: &[u8]| {
        group
            .registry
            .least_loaded(
                peer,
                &LeastLoadedRequest {
                    role: role.into(),
                    token: token.to_vec().into(),
                },
            )
            .map_err(|status| status.code())
    };
    let ask = |role, token: &[u8]| ask_as(None, role, token);
    let token = node.welcome.token.clone();
    assert_eq!(ask(Role::Service, b"guess"), Err(Code::Unauthenticated));
    assert_eq!(ask(Role::Unspecified, &token), Err(Code::InvalidArgument));
    assert_eq!(ask(Role::Service, &token), Err(Code::NotFound));
    let stranger = group.links.token(protocol::NodeId::new(7, 99));
    assert_eq!(ask(Role::Service, &stranger), Err(Code::FailedPrecondition));
    for (own, code) in [
        ("0.svc.GroupA", Code::NotFound),
        ("1.svc.GroupA", Code::Unauthenticated),
    ] {
        let peer = PeerNames([own.to_owned()].into());
        assert_eq!(ask_as(Some(&peer), Role::Service, &token), Err(code));
    }
    let rebuilding = Group::run(8, true);
    let back = rebuilding.welcomed(node.returning()).await.unwrap();
    let request = LeastLoadedRequest {
        role: Role::Service.into(),
        token: back.welcome.token,
    };
    let asked = rebuilding.registry.least_loaded(None, &request);
    assert_eq!(asked.unwrap_err().code(), Code::Unavailable);
}
