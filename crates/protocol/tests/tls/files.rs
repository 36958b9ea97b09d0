//! A node's own files, right and wrong.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use protocol::tls::{Tls, TlsFiles};
use rcgen::{CertificateParams, KeyPair};

use super::*;

#[test]
fn own_files_that_are_wrong_are_named_with_what_to_do() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.files(SCENE);
    let folder = authority.folder.path();
    let garbled = folder.join("garbled.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&garbled, text).unwrap();
    let missing = PathBuf::from("/nowhere/scene.pem");
    let end = SystemTime::now() - 3 * DAY - Duration::from_secs(60);
    let expired = authority.files_until("scene@1", end);
    let foreign = other.files(SCENE);
    let nameless = folder.join("nameless.pem");
    let nameless_key = folder.join("nameless.key");
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::default();
    let certificate = params.signed_by(&key, &authority.issuer).unwrap();
    fs::write(&nameless, certificate.pem()).unwrap();
    fs::write(&nameless_key, key.serialize_pem()).unwrap();

    let (a, c, k) = (&good.authority, &good.certificate, &good.key);
    let cases: [(&PathBuf, &PathBuf, &PathBuf, &PathBuf, &str); 12] = [
        (&missing, c, k, &missing, "cannot be read: No such file"),
        (a, c, &missing, &missing, "cannot be read: No such file"),
        (
            k,
            c,
            k,
            k,
            "holds no certificate: expected PEM text, `-----",
        ),
        (
            a,
            k,
            k,
            k,
            "holds no certificate: expected PEM text, `-----",
        ),
        (
            a,
            c,
            c,
            c,
            "holds no private key: expected PEM text, `-----",
        ),
        (
            &garbled,
            c,
            k,
            &garbled,
            "holds a certificate that cannot be parsed",
        ),
        (
            a,
            &garbled,
            k,
            &garbled,
            "is of no use: it cannot be parsed",
        ),
        (
            a,
            a,
            k,
            a,
            "is of no use: it is an authority's (basicConstraints",
        ),
        (
            a,
            c,
            &expired.key,
            &expired.key,
            "is not the key of the certificate `",
        ),
        (
            a,
            &expired.certificate,
            &expired.key,
            &expired.certificate,
            "is of no use: it expired 3 days ago; have the",
        ),
        (
            a,
            &foreign.certificate,
            &foreign.key,
            &foreign.certificate,
            "is not signed by the authority in `",
        ),
        (
            a,
            &nameless,
            &nameless_key,
            &nameless,
            "names no node: have it signed with a DNS subjectAltName",
        ),
    ];
    for (authority, certificate, key, path, problem) in cases {
        let files = TlsFiles {
            authority: authority.clone(),
            certificate: certificate.clone(),
            key: key.clone(),
        };
        told(&Tls::load(files).unwrap_err(), path, problem);
    }
    let tls = Tls::load(good.clone()).unwrap();
    let error = tls.require(&group(), &name("scene@1")).unwrap_err();
    let problem = "is the certificate of 0.scene.GroupA, not of `1.scene.GroupA`: give";
    told(&error, c, problem);
    tls.require(&group(), &name(SCENE)).unwrap();
}

fn told(error: &dyn Error, path: &Path, problem: &str) {
    eprintln!("{error}");
    let expected = format!("`{}` {problem}", path.display());
    let error = error.to_string();
    assert!(error.starts_with(&expected), "{error}\nis not\n{expected}");
}

#[test]
fn no_key_is_in_the_debug_output() {
    let files = Authority::new().tls(SCENE);
    let debug = format!("{files:?} {files:#?}");
    assert!(debug.contains("scene@0.key"), "{debug}");
    assert!(!debug.contains("PRIVATE") && debug.len() < 1_000, "{debug}");
}

/// The module's documentation, run as it stands.
#[tokio::test]
async fn the_documented_commands_make_certificates_that_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = include_str!("../../src/tls/mod.rs")
        .lines()
        .map(|line| line.trim_start_matches("//!").trim_start().to_owned() + "\n")
        .collect();
    let commands: Vec<&str> = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [authority, scene] = commands[..] else {
        panic!("two commands are documented, found {commands:?}");
    };
    let master = scene
        .replace("0.scene", "0.master")
        .replace("scene-0", "master-0");
    for command in [authority, scene, &master] {
        let shell = Command::new("sh")
            .args(["-ec", command])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(shell.status.success(), "{command}{shell:?}");
    }
    let tls = |node: &str| {
        Tls::load(TlsFiles {
            authority: folder.path().join("authority.pem"),
            certificate: folder.path().join(format!("{node}.pem")),
            key: folder.path().join(format!("{node}.key")),
        })
        .unwrap()
    };
    let scene = tls("scene-0");
    scene.require(&group(), &name(SCENE)).unwrap();
    let address = serve(&tls("master-0")).await;
    let channel = connect(&scene, address).await.unwrap();
    list(channel, SCENE).await.unwrap();
}
