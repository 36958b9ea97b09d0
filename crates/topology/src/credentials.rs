//! What proves who may join, out of the settings: the secret and the files of TLS.
//! A group's file has them once, a bridge's for every group that it joins.

use std::fs;

use vocabulary::Secret;

use crate::{
    file::unreadable,
    findings::Findings,
    layer::KeyPath,
    mistake::{Place, Problem},
    security::Security,
    settings::Settings,
    tls,
};

/// What the section `at` says about it; nothing where something is wrong with it, which
/// is then noted.
pub(crate) fn read(settings: &Settings, at: &KeyPath, findings: &mut Findings) -> Option<Security> {
    // Both are looked at before a `?` may end this.
    let (secret, tls) = (
        secret(settings, at, findings),
        tls::files(settings, at, findings),
    );
    Some(Security {
        secret: secret?,
        allow_plaintext: settings.switch(&at.child("allow_plaintext"))?,
        tls,
    })
}

fn secret(settings: &Settings, at: &KeyPath, findings: &mut Findings) -> Option<Secret> {
    let secret = at.child("secret");
    let secret_file = at.child("secret_file");
    let Some(file) = settings.path(&secret_file) else {
        let secret = settings.text::<String>(&secret).unwrap_or_default();
        return Some(Secret::new(secret));
    };
    let place = settings.place(&secret_file)?;
    if let Some(other) = settings
        .text::<String>(&secret)
        .and(settings.place(&secret))
    {
        let found = format!("{secret} as well ({})", other.briefly());
        findings.note(
            Problem::Clash,
            place,
            &secret_file,
            found,
            "only one of the two",
        );
        return None;
    }
    if !settings.reads_credentials() {
        return Some(Secret::default());
    }
    // Neither the path nor the content is shown: the secret itself may have
    // been put in the place of the path.
    let found = match fs::read(&file).map(String::from_utf8) {
        Ok(Ok(text)) if !text.trim().is_empty() => {
            return Some(Secret::new(text.trim()));
        }
        Ok(Ok(_)) => "a file with nothing in it".to_owned(),
        Ok(Err(_)) => "a file that is not UTF-8 text".to_owned(),
        Err(error) => unreadable(&error),
    };
    findings.note(
        Problem::Unreadable,
        place,
        &secret_file,
        found,
        "a file with the secret in it",
    );
    None
}

/// Notes that somebody is reached beyond loopback, as `found` says, who is shown no
/// secret, or in words that others can read. `at` is the section of both, and `called`
/// what a message calls it; the mistake is at `path`.
pub(crate) fn check_exposure(
    settings: &Settings,
    at: &KeyPath,
    called: &str,
    (path, place, found): (&KeyPath, &Place, &str),
    findings: &mut Findings,
) {
    let key = |name| at.child(name);
    let safe = |path: &KeyPath| settings.has(path) || findings.touches(path);
    if !["secret", "secret_file"].map(key).iter().any(safe) {
        let found = format!("{found}, and no secret");
        let expected = format!("secret or secret_file {called}, or an address of loopback");
        findings.note(Problem::Exposed, place, path, found, expected);
    }
    let allowed = key("allow_plaintext");
    let is_allowed = settings.switch(&allowed) == Some(true) || findings.touches(&allowed);
    if !is_allowed && !tls::is_wanted(settings, at, findings) {
        let found = format!(
            "{found}, and no TLS: whoever sees the network in between can read all that nodes \
             say, the group's secret too"
        );
        let expected = format!(
            "authority, certificate and key {called}, or allow_plaintext = true there if nobody \
             else is on that network, or an address of loopback"
        );
        findings.note(Problem::Exposed, place, path, found, expected);
    }
}
