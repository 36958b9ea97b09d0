//! What comes before the protocol: TLS, the pages of browsers, load balancers.

use std::{fs, future::poll_fn, path::Path, task::Poll, time::Duration};

use client::{Address, Client, ClientError, Event, Session, Trust};
use metrics_exporter_prometheus::PrometheusBuilder;
use protocol::{
    tls::{CertificateFiles, PublicTls},
    v1::CloseReason,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::coop::{has_budget_remaining, poll_proceed},
};
use tokio_tungstenite::{
    client_async,
    tungstenite::{self, client::IntoClientRequest, http::HeaderValue},
};
use topology::Limits;

use super::{Fixture, config, cuts::network, eventually, limits, reason_on, scene::ECHO, soon};

/// An authority, and certificates that it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Authority(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Writes a certificate for this machine, the key first, and each in one go.
    fn sign_into(&self, files: &CertificateFiles) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]);
        let certificate = params.unwrap().signed_by(&key, &self.0).unwrap();
        replace(&files.key, &key.serialize_pem());
        replace(&files.certificate, &certificate.pem());
    }

    fn trust(&self) -> Trust {
        Trust::authorities(self.0.pem().as_bytes()).unwrap()
    }
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// A gate that speaks TLS, and who has signed for it.
struct Secure {
    fixture: Fixture,
    authority: Authority,
    files: CertificateFiles,
    _folder: tempfile::TempDir,
}

impl Secure {
    async fn with(limits: Limits) -> Secure {
        let folder = tempfile::tempdir().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("game.pem"),
            key: folder.path().join("game.key"),
        };
        let authority = Authority::new("the first");
        authority.sign_into(&files);
        let tls = PublicTls::load(files.clone()).unwrap();
        Secure {
            fixture: Fixture::configured(config(limits), Some(tls)).await,
            authority,
            files,
            _folder: folder,
        }
    }

    fn tls(&self, authority: &Authority) -> Address {
        let url = format!("tls://{}", self.fixture.tcp());
        url.parse::<Address>().unwrap().trusting(authority.trust())
    }

    fn wss(&self) -> Address {
        let port = self.fixture.gate.websocket_address().unwrap().port();
        let url = format!("wss://localhost:{port}/play");
        let address: Address = url.parse().unwrap();
        address.trusting(self.authority.trust())
    }
}

async fn echoes(client: &mut Client) {
    // More than a record of TLS, and many small ones at once.
    for bytes in [0, 1, 60_000] {
        let body = vec![7; bytes];
        client.send(ECHO, &body).await.unwrap();
        assert_eq!(soon(client.recv()).await.unwrap().body, body);
    }
    for number in 0..50u8 {
        client.send(ECHO, &[number]).await.unwrap();
    }
    for number in 0..50u8 {
        assert_eq!(soon(client.recv()).await.unwrap().body, [number].as_slice());
    }
}

#[tokio::test]
async fn clients_speak_tls_over_tcp_and_websocket_and_are_told_why_they_are_closed() {
    let secure = Secure::with(limits()).await;
    for address in [secure.tls(&secure.authority), secure.wss()] {
        let mut client = soon(Client::connect(&address)).await.unwrap();
        soon(client.login("ok:alice")).await.unwrap();
        echoes(&mut client).await;
        let login = secure.fixture.scene.login_of("alice");
        secure
            .fixture
            .scene
            .close(login, CloseReason::ClosedByScene);
        match soon(client.recv()).await {
            Err(ClientError::Closed { reason }) => assert_eq!(reason, "closed_by_scene"),
            other => panic!("{other:?}"),
        }
        secure.fixture.deserted().await;
    }
}

#[tokio::test]
async fn message_of_a_task_that_has_had_its_turn_goes_through_tls() {
    let secure = Secure::with(limits()).await;
    let address = secure.tls(&secure.authority);
    let mut client = soon(Client::connect(&address)).await.unwrap();
    soon(client.login("ok:alice")).await.unwrap();
    // From a task that has used up its budget sockets take nothing until its next turn.
    poll_fn(|cx| {
        while has_budget_remaining() {
            if let Poll::Ready(step) = poll_proceed(cx) {
                step.made_progress();
            }
        }
        Poll::Ready(())
    })
    .await;
    client.send(ECHO, b"still here").await.unwrap();
    assert_eq!(&soon(client.recv()).await.unwrap().body[..], b"still here");
}

#[tokio::test]
async fn session_comes_back_through_tls() {
    let secure = Secure::with(limits()).await;
    let network = network(secure.fixture.tcp(), vec![(6_000, usize::MAX)]).await;
    let address: Address = format!("tls://{network}").parse().unwrap();
    let address = address.trusting(secure.authority.trust());
    let mut session = soon(Session::login_at(address, "ok:alice")).await.unwrap();
    let (mut heard, mut others) = (0, Vec::new());
    for number in 0..100u8 {
        session.send(ECHO, &[number; 100]).await.unwrap();
    }
    while heard < 100 {
        match soon(session.recv()).await.unwrap() {
            Event::Message(frame) => {
                assert_eq!(frame.body, vec![heard; 100]);
                heard += 1;
            }
            event => others.push(event),
        }
    }
    assert_eq!(others, [Event::Away, Event::Back]);
}

#[tokio::test]
async fn certificate_that_is_replaced_is_shown_to_those_who_come_then() {
    let secure = Secure::with(limits()).await;
    let before = secure.tls(&secure.authority);
    let mut client = soon(Client::connect(&before)).await.unwrap();
    soon(client.login("ok:alice")).await.unwrap();
    // What is of no use changes nothing.
    replace(&secure.files.certificate, "no certificate");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    soon(Client::connect(&before)).await.unwrap();
    let second = Authority::new("the second");
    second.sign_into(&secure.files);
    let after = secure.tls(&second);
    let mut newcomer = loop {
        match soon(Client::connect(&after)).await {
            Ok(client) => break client,
            Err(ClientError::Tls(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}"),
        }
    };
    soon(newcomer.login("ok:bob")).await.unwrap();
    // And who was there notices nothing.
    echoes(&mut client).await;
}

#[test]
fn who_speaks_no_tls_or_believes_another_authority_does_not_get_in_and_it_is_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let rendered = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let secure = Secure::with(limits()).await;
            let stranger = secure.tls(&Authority::new("nobody's"));
            let refused = soon(Client::connect(&stranger)).await;
            assert!(matches!(refused, Err(ClientError::Tls(_))), "{refused:?}");
            let mut plain = secure.fixture.client().await;
            let refused = soon(plain.login("ok:alice")).await;
            assert!(refused.is_err(), "{refused:?}");
            secure.fixture.deserted().await;
            assert!(secure.fixture.scene.told().is_empty());
        });
    });
    let rendered = rendered.render();
    let counted = "redrabbit_gate_closed_total{reason=\"tls_failed\"} 2";
    assert!(rendered.contains(counted), "{rendered}");
}

#[tokio::test]
async fn handshake_that_stalls_costs_nothing_but_itself() {
    let secure = Secure::with(Limits {
        verify_timeout: Duration::from_millis(800),
        unverified_per_gate: 20,
        ..limits()
    })
    .await;
    // More of them than the gate keeps: the oldest have to go, and nobody else.
    let mut stalled = Vec::new();
    for _ in 0..50 {
        let mut socket = secure.fixture.socket().await;
        socket.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        stalled.push(socket);
    }
    let address = secure.tls(&secure.authority);
    let mut client = soon(Client::connect(&address)).await.unwrap();
    soon(client.login("ok:alice")).await.unwrap();
    echoes(&mut client).await;
    eventually("those who stall are gone", || {
        secure.fixture.gate.shared().connections.len() == 1
    })
    .await;
    echoes(&mut client).await;
}

/// Shakes hands as a browser on a page there would.
async fn browse(fixture: &Fixture, origin: Option<&'static str>) -> Result<(), u16> {
    let address = fixture.gate.websocket_address().unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    let mut request = fixture.url().into_client_request().unwrap();
    if let Some(origin) = origin {
        let origin = HeaderValue::from_static(origin);
        request.headers_mut().insert("origin", origin);
    }
    match soon(client_async(request, socket)).await {
        Ok(_) => Ok(()),
        Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn browser_comes_from_a_page_that_is_listed_and_who_is_none_says_nothing() {
    let fixture = Fixture::start().await;
    assert_eq!(browse(&fixture, Some("https://evil.example")).await, Ok(()));
    let mut listed = config(limits());
    listed.origins = vec!["https://game.example".to_owned()];
    fixture.gate.reconfigure(&listed);
    assert_eq!(browse(&fixture, Some("https://game.example")).await, Ok(()));
    assert_eq!(browse(&fixture, None).await, Ok(()));
    for stranger in ["https://evil.example", "null", "http://game.example"] {
        assert_eq!(browse(&fixture, Some(stranger)).await, Err(403));
    }
}

/// What a load balancer sends before a client's own bytes.
fn proxy_header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client);
    header.extend([127, 0, 0, 1, 0x30, 0x39, 0x28, 2]);
    header
}

/// Logs in as behind a load balancer.
async fn forwarded(fixture: &Fixture, name: &str, client: [u8; 4]) -> TcpStream {
    let mut socket = fixture.socket().await;
    let key = protocol::client::encode_frame(0, 0, format!("ok:{name}").as_bytes());
    let bytes = [proxy_header(client), key.to_vec()].concat();
    // In two pieces, as networks like to have it.
    socket.write_all(&bytes[..9]).await.unwrap();
    socket.flush().await.unwrap();
    socket.write_all(&bytes[9..]).await.unwrap();
    socket
}

fn behind_a_balancer(limits: Limits) -> crate::GateConfig {
    let mut config = config(limits);
    config.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    config
}

#[tokio::test]
async fn client_behind_a_listed_load_balancer_has_its_own_address() {
    let limits = Limits {
        connections_per_address: 1,
        ..limits()
    };
    let fixture = Fixture::configured(behind_a_balancer(limits), None).await;
    let _first = forwarded(&fixture, "alice", [192, 0, 2, 7]).await;
    eventually("alice is verified", || {
        let requests = fixture.scene.requests.lock().unwrap();
        requests.iter().any(|request| request.ip == "192.0.2.7")
    })
    .await;
    // And it counts for that address, and not for the load balancer's.
    let mut second = forwarded(&fixture, "bob", [192, 0, 2, 7]).await;
    assert_eq!(reason_on(&mut second).await, "address_full");
    let _third = forwarded(&fixture, "carol", [192, 0, 2, 8]).await;
    eventually("carol is verified", || {
        let requests = fixture.scene.requests.lock().unwrap();
        requests.iter().any(|request| request.ip == "192.0.2.8")
    })
    .await;
}

#[tokio::test]
async fn nobody_else_is_believed_and_a_load_balancer_that_says_nothing_is_closed() {
    let fixture = Fixture::start().await;
    let mut stranger = forwarded(&fixture, "alice", [192, 0, 2, 7]).await;
    assert_eq!(reason_on(&mut stranger).await, "frame_too_large");
    fixture.gate.reconfigure(&behind_a_balancer(limits()));
    let mut silent = fixture.socket().await;
    let key = protocol::client::encode_frame(0, 0, b"ok:alice, who is not behind one");
    silent.write_all(&key).await.unwrap();
    let mut rest = Vec::new();
    // A reset is as good as an end.
    let _ = soon(silent.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    assert!(fixture.scene.requests.lock().unwrap().is_empty());
    fixture.deserted().await;
}
