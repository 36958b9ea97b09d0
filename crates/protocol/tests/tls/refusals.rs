//! Peers that are refused: each with words of its own at the end that
//! connects, and counted at the other.

use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};

use protocol::tls::Tls;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::timeout,
};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Endpoint, Server};

use super::*;

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let address = serve(&Authority::new().tls(MASTER)).await;
    let other = Authority::new();
    assert_eq!(
        refused(&other.tls(SCENE), address).await,
        format!(
            "the certificate that {address} shows for master@0 is refused here: \
             it is not signed by the authority in `{}`",
            other.folder.path().join("authority.pem").display()
        )
    );
    counted(&recorder, "refused_by_peer", 1).await;
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused_and_told_so() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    // It knows the server's authority, but is not signed by it.
    let other = Authority::new();
    let files = other.files(SCENE);
    let both = format!("{}{}", authority.certificate, other.certificate);
    fs::write(&files.authority, both).unwrap();
    let scene = Tls::load(files.clone()).unwrap();
    assert_eq!(
        refused(&scene, address).await,
        format!(
            "master@0 at {address} refuses this node's certificate `{}`: \
             it is not signed by the authority that is known there",
            files.certificate.display()
        )
    );
    counted(&recorder, "unknown_authority", 1).await;
}

#[tokio::test]
async fn an_expired_server_is_refused() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.mayfly(MASTER)).await;
    let error = disconnected(&authority.tls(SCENE), address).await;
    let expected =
        format!("the certificate that {address} shows for master@0 is refused here: it expired ");
    assert!(error.starts_with(&expected), "{error}");
    counted(&recorder, "refused_by_peer", 2).await;
}

#[tokio::test]
async fn an_expired_client_is_refused_and_told_so() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    assert_eq!(
        disconnected(&authority.mayfly(SCENE), address).await,
        format!(
            "master@0 at {address} refuses this node's certificate `{}`: \
             it has expired, or is not valid yet, by the clock there",
            authority.folder.path().join("scene@0.pem").display()
        )
    );
    counted(&recorder, "expired", 2).await;
}

#[tokio::test]
async fn another_node_of_the_group_is_not_taken_for_the_server() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls("scene@5")).await;
    assert_eq!(
        refused(&authority.tls(SCENE), address).await,
        format!(
            "the certificate that {address} shows for master@0 is refused here: \
             it is for 5.scene.GroupA, not for 0.master.GroupA"
        )
    );
    counted(&recorder, "refused_by_peer", 1).await;
}

#[tokio::test]
async fn a_server_whose_name_differs_in_case_is_refused() {
    let authority = Authority::new();
    let address = serve(&authority.tls("Master@0")).await;
    let error = refused(&authority.tls(SCENE), address).await;
    assert!(
        error.ends_with("it is for 0.Master.GroupA, not for 0.master.GroupA"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    let socket = TcpStream::connect(address).await.unwrap();
    let server = ServerName::try_from("0.master.GroupA").unwrap();
    let mut stream = authority.stranger().connect(server, socket).await.unwrap();
    let error = timeout(DEADLINE, stream.read_u8()).await.unwrap();
    assert_eq!(
        error.unwrap_err().to_string(),
        "received fatal alert: CertificateRequired"
    );
    counted(&recorder, "no_certificate", 1).await;
}

#[tokio::test]
async fn a_client_without_tls_is_told_to_turn_it_on() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let address = serve(&Authority::new().tls(MASTER)).await;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let error = match endpoint.connect().await {
        Ok(channel) => chain(&list(channel, SCENE).await.unwrap_err()),
        Err(error) => chain(&error),
    };
    eprintln!("{error}");
    assert!(
        error.contains("this port speaks TLS only: turn TLS on in this node's topology too"),
        "{error}"
    );
    counted(&recorder, "plaintext", 1).await;
}

#[tokio::test]
async fn a_server_without_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Server::builder()
        .add_service(RegistryServer::new(Master))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(serving);
    assert_eq!(
        refused(&Authority::new().tls(SCENE), address).await,
        format!(
            "no TLS connection to master@0 at {address}: \
             what it sends is not TLS; is TLS turned on in its topology too?"
        )
    );
}

#[tokio::test]
async fn where_nobody_listens_the_error_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refused(&Authority::new().tls(SCENE), address).await;
    let expected = format!("master@0 cannot be reached at {address}: Connection refused");
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let error = refused(&Authority::new().tls(SCENE), address).await;
    let expected = "it did not finish the handshake within 4 s";
    assert!(error.ends_with(expected), "{error}");
}

#[tokio::test]
async fn garbage_gets_an_alert_and_disturbs_nobody() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    let garbage = [
        &b"\0\0\0\0\0\0\0\0"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 70_000],
    ];
    for garbage in garbage {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        let end = timeout(DEADLINE, socket.read_to_end(&mut answer)).await;
        let _end_or_reset = end.unwrap();
        // A fatal alert.
        assert_eq!(answer.get(..3), Some(&[0x15, 3, 3][..]), "{answer:?}");
    }
    counted(&recorder, "not_tls", 3).await;
    let channel = connect(&authority.tls(SCENE), address).await.unwrap();
    list(channel, SCENE).await.unwrap();
}

#[tokio::test]
async fn peers_that_never_finish_a_handshake_block_nobody_and_are_let_go() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    let mut silent = Vec::new();
    for at in 0..200 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        if at % 2 == 0 {
            // The head of a ClientHello that never comes.
            socket.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
        }
        silent.push(socket);
    }
    let started = Instant::now();
    let channel = connect(&authority.tls(SCENE), address).await.unwrap();
    list(channel, SCENE).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "it had to wait");
    for mut socket in silent {
        let end = timeout(DEADLINE, socket.read(&mut [0])).await.unwrap();
        assert!(matches!(end, Ok(0) | Err(_)));
    }
    counted(&recorder, "timeout", 200).await;
}

#[tokio::test]
async fn more_silent_peers_than_there_is_room_for_lose_their_places_to_newcomers() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let authority = Authority::new();
    let address = serve(&authority.tls(MASTER)).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let started = Instant::now();
    let channel = connect(&authority.tls(SCENE), address).await.unwrap();
    list(channel, SCENE).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(3), "it had to wait");
    let page = recorder.handle().render();
    assert!(page.contains("reason=\"crowded_out\""), "{page}");
    drop(silent);
}

#[tokio::test]
async fn a_client_of_an_older_tls_is_refused() {
    let recorder = counting();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let address = serve(&Authority::new().tls(MASTER)).await;
    let openssl = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &address.to_string()])
        .stdin(std::process::Stdio::null())
        .output();
    let output = timeout(DEADLINE, openssl).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("alert protocol version"), "{output:?}");
    counted(&recorder, "incompatible", 1).await;
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
