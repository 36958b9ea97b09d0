//! Files that change while nodes run.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use protocol::tls::Tls;
use tokio::time::sleep;

use super::*;

#[tokio::test]
async fn a_server_takes_a_new_certificate_and_authority_while_it_runs() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = old.files(MASTER);
    let address = serve(&Tls::load(files.clone()).unwrap()).await;
    let (old_scene, new_scene) = (old.detached(SCENE), new.tls(SCENE));
    let channel = connect(&old_scene, address).await.unwrap();
    refused(&new_scene, address).await;

    new.sign(MASTER, SystemTime::now() + DAY, &files);
    fs::write(&files.authority, &new.certificate).unwrap();

    let new_channel = connected(&new_scene, address).await;
    list(new_channel, SCENE).await.unwrap();
    // The connection of the old days stays, and there are no more of them.
    list(channel, SCENE).await.unwrap();
    let error = refused(&old_scene, address).await;
    assert!(error.contains("not signed by the authority in"), "{error}");
}

#[tokio::test]
async fn a_client_takes_a_new_certificate_and_authority_while_it_runs() {
    let (old, new) = (Authority::new(), Authority::new());
    let address = serve(&new.tls(MASTER)).await;
    let files = old.files(SCENE);
    let scene = Tls::load(files.clone()).unwrap();
    refused(&scene, address).await;
    new.sign(SCENE, SystemTime::now() + DAY, &files);
    fs::write(&files.authority, &new.certificate).unwrap();
    connected(&scene, address).await;
}

#[tokio::test]
async fn a_broken_new_file_keeps_the_old_ones_until_it_is_whole() {
    let _recorder = counting();
    let (authority, next) = (Authority::new(), Authority::new());
    let files = authority.files(MASTER);
    let master = Tls::load(files.clone()).unwrap();
    master.require(&group(), &name(MASTER)).unwrap();
    let address = serve(&master).await;
    let scene = authority.detached(SCENE);

    let good = fs::read(&files.certificate).unwrap();
    let other_key = fs::read(authority.files("gate@3").key).unwrap();
    let broken = |file: &PathBuf, content: &[u8]| (file.clone(), content.to_vec());
    for (file, content) in [
        broken(&files.certificate, b"-----BEGIN CERT"),
        broken(&files.certificate, &good[..good.len() / 2]),
        broken(&files.authority, b""),
        broken(&files.key, &other_key),
    ] {
        let before = fs::read(&file).unwrap();
        fs::write(&file, content).unwrap();
        still_serves(&scene, address).await;
        fs::write(&file, before).unwrap();
    }
    // A whole certificate, but another node's.
    authority.sign("gate@3", SystemTime::now() + DAY, &files);
    still_serves(&scene, address).await;
    fs::remove_file(&files.key).unwrap();
    still_serves(&scene, address).await;

    next.sign(MASTER, SystemTime::now() + DAY, &files);
    fs::write(&files.authority, &next.certificate).unwrap();
    connected(&next.tls(SCENE), address).await;
}

/// For longer than a server's glances at its files are apart.
async fn still_serves(tls: &Tls, address: SocketAddr) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1_300) {
        let channel = connect(tls, address).await.unwrap();
        list(channel, SCENE).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
}

/// In a process of its own, as each test is: what others have loaded would count, too.
#[tokio::test]
async fn the_first_end_is_known_and_that_of_a_new_certificate_a_second_later() {
    let seconds = |end: SystemTime| {
        end.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let authority = Authority::new();
    let (soon, later) = (SystemTime::now() + DAY, SystemTime::now() + 3 * DAY);
    let files = authority.files_until(SCENE, soon);
    let scene = Tls::load(files.clone()).unwrap();
    assert_eq!(scene.ends().certificate, Some(seconds(soon)));
    // Made without an end in mind: two thousand years.
    assert!(scene.ends().authority > Some(60_000_000_000));
    let other = Tls::load(authority.files_until(MASTER, later)).unwrap();
    let first = || protocol::tls::earliest_end();
    let deadline = Instant::now() + DEADLINE;
    let until = async |wanted| {
        while first() != wanted {
            assert!(Instant::now() < deadline, "{:?} is not {wanted:?}", first());
            sleep(Duration::from_millis(20)).await;
        }
    };
    until(Some(seconds(soon))).await;
    let renewed = SystemTime::now() + 2 * DAY;
    authority.sign(SCENE, renewed, &files);
    until(Some(seconds(renewed))).await;
    drop(scene);
    until(Some(seconds(later))).await;
    drop(other);
    until(None).await;
}
