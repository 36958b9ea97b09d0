//! Which database, and how it is reached.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Which database, and how it is reached.
///
/// | text | database |
/// |---|---|
/// | `sqlite://world.db` | a file, from the script's folder; made if it is not there |
/// | `sqlite:///var/lib/game/world.db` | a file; `?mode=ro` behind it: only to be read |
/// | `sqlite::memory:` | one in memory, gone with its last user |
/// | `mysql://user:password@host:3306/name` | MySQL or MariaDB; so is `mariadb://` |
/// | `mysql://host:3306/user/password/name` | the same, as the first RedRabbit wrote it |
/// | `postgres://user:password@host:5432/name` | PostgreSQL; so is `postgresql://` |
///
/// Without a port it is the database's own. What has a meaning in a URL (`@ / : ? %`)
/// is written percent-encoded in a user or password, `%40` for `@`; in the other form
/// it stands as it is. `?tls=off`, `preferred` (the default, with no check of whose
/// certificate it is), `required`, `verify-ca` or `verify-full` says how the
/// connection is encrypted, `&tls_ca=/path/ca.pem` whom to trust.
///
/// As text it has no password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    pub(crate) target: Target,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Sqlite(File),
    MySql(Server),
    Postgres(Server),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct File {
    /// None is in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) read_only: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Password,
    pub(crate) database: String,
    pub(crate) tls: Tls,
    pub(crate) tls_ca: Option<PathBuf>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tls {
    Off,
    Preferred,
    Required,
    VerifyCa,
    VerifyFull,
}

/// What nobody may see.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Password(String);

impl Password {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Why a text is no URL of a database. It quotes nothing of the text, which may hold
/// a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It begins with none of the names of databases.
    #[error(
        "a database's URL begins with sqlite://, mysql://, mariadb:// or postgres://, as in \
         mysql://user:password@host:3306/name"
    )]
    Scheme,
    /// There is no file.
    #[error("no file: write sqlite://path/of/file.db or sqlite::memory:")]
    NoFile,
    /// There is no host.
    #[error("no host: write {0}://user:password@host:port/name")]
    NoHost(&'static str),
    /// There is no user.
    #[error("no user: write {0}://user:password@host:port/name")]
    NoUser(&'static str),
    /// There is no database.
    #[error("no database: write {0}://user:password@host:port/name")]
    NoDatabase(&'static str),
    /// The port is no number of a port.
    #[error(
        "the port is no number from 1 to 65535: write {0}://user:password@host:port/name, with \
         %40 for @, %2F for / and %3A for : in the password"
    )]
    Port(&'static str),
    /// There is more than there may be.
    #[error(
        "cannot be read: write {0}://user:password@host:port/name, with %40 for @, %2F for / and \
         %3A for : in the password"
    )]
    Shape(&'static str),
    /// A percent sign that begins no encoded character.
    #[error("a % has no two hexadecimal digits behind it: write %25 for a % in the password")]
    Percent,
    /// Something behind a question mark that is not known.
    #[error(
        "an option behind ? is not known: there are tls=off|preferred|required|verify-ca|verify-full \
         and tls_ca=PATH for servers, and mode=ro|rwc for sqlite; write %3F for ? in a password"
    )]
    Option,
}

impl Url {
    /// Reads a URL; the path of an SQLite file counts from `folder`.
    ///
    /// # Errors
    /// [`UrlError`]: says what to write, and repeats nothing of the text.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        let target = if is("sqlite") {
            Target::Sqlite(file(rest, folder)?)
        } else if is("mysql") || is("mariadb") {
            let rest = rest.strip_prefix("//").ok_or(UrlError::Shape("mysql"))?;
            Target::MySql(server(rest, "mysql", 3306)?)
        } else if is("postgres") || is("postgresql") {
            let rest = rest.strip_prefix("//").ok_or(UrlError::Shape("postgres"))?;
            Target::Postgres(server(rest, "postgres", 5432)?)
        } else {
            return Err(UrlError::Scheme);
        };
        Ok(Url { target })
    }

    /// Whether it is SQLite in memory, which is there as long as one connection is.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(&self.target, Target::Sqlite(file) if file.path.is_none())
    }

    pub(crate) fn password(&self) -> &str {
        match &self.target {
            Target::Sqlite(_) => "",
            Target::MySql(server) | Target::Postgres(server) => server.password.expose(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, server) = match &self.target {
            Target::Sqlite(File { path: None, .. }) => return f.write_str("sqlite::memory:"),
            Target::Sqlite(File {
                path: Some(path), ..
            }) => return write!(f, "sqlite://{}", path.display()),
            Target::MySql(server) => ("mysql", server),
            Target::Postgres(server) => ("postgres", server),
        };
        let Server {
            host,
            port,
            user,
            database,
            ..
        } = server;
        write!(f, "{scheme}://{user}@{host}:{port}/{database}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

fn file(rest: &str, folder: &Path) -> Result<File, UrlError> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    if rest == ":memory:" {
        return Ok(File {
            path: None,
            read_only: false,
        });
    }
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    let read_only = match options {
        "mode=ro" => true,
        "" | "mode=rw" | "mode=rwc" => false,
        _ => return Err(UrlError::Option),
    };
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return Err(UrlError::NoFile);
    }
    Ok(File {
        path: Some(folder.join(path)),
        read_only,
    })
}

fn server(rest: &str, scheme: &'static str, port: u16) -> Result<Server, UrlError> {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Some((login, place)) = authority.rsplit_once('@') else {
        return older(rest, scheme, port);
    };
    let (path, options) = path.split_once('?').unwrap_or((path, ""));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if user.is_empty() {
        return Err(UrlError::NoUser(scheme));
    }
    if path.contains(['/', '@']) {
        return Err(UrlError::Shape(scheme));
    }
    if path.is_empty() {
        return Err(UrlError::NoDatabase(scheme));
    }
    let (host, port) = place_of(place, scheme, port)?;
    let mut server = Server {
        host,
        port,
        user: decode(user)?,
        password: Password(decode(password)?),
        database: decode(path)?,
        tls: Tls::Preferred,
        tls_ca: None,
    };
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("tls", "off")) => server.tls = Tls::Off,
            Some(("tls", "preferred")) => server.tls = Tls::Preferred,
            Some(("tls", "required")) => server.tls = Tls::Required,
            Some(("tls", "verify-ca")) => server.tls = Tls::VerifyCa,
            Some(("tls", "verify-full")) => server.tls = Tls::VerifyFull,
            Some(("tls_ca", path)) if !path.is_empty() => {
                server.tls_ca = Some(decode(path)?.into());
            }
            _ => return Err(UrlError::Option),
        }
    }
    Ok(server)
}

/// `host:port/user/password/name`: nothing is encoded in it, and the password may
/// have slashes.
fn older(rest: &str, scheme: &'static str, port: u16) -> Result<Server, UrlError> {
    let mut parts: Vec<&str> = rest.split('/').collect();
    if parts.len() < 4 {
        return Err(UrlError::NoUser(scheme));
    }
    let database = parts.pop().unwrap_or_default();
    let password = parts.split_off(2).join("/");
    let (host, port) = place_of(parts[0], scheme, port)?;
    if parts[1].is_empty() {
        return Err(UrlError::NoUser(scheme));
    }
    if database.is_empty() {
        return Err(UrlError::NoDatabase(scheme));
    }
    if database.contains('@') {
        // It is the usual form, with a slash in the password.
        return Err(UrlError::Shape(scheme));
    }
    Ok(Server {
        host,
        port,
        user: parts[1].to_owned(),
        password: Password(password),
        database: database.to_owned(),
        tls: Tls::Preferred,
        tls_ca: None,
    })
}

/// `host`, `host:port`, `[::1]:port`.
fn place_of(text: &str, scheme: &'static str, port: u16) -> Result<(String, u16), UrlError> {
    let (host, given) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (
            host,
            Some(rest.strip_prefix(':').ok_or(UrlError::Shape(scheme))?),
        ),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::NoHost(scheme));
    }
    let port = match given {
        None => port,
        Some(given) => given
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or(UrlError::Port(scheme))?,
    };
    Ok((host.to_owned(), port))
}

fn decode(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = rest.next().and_then(|byte| char::from(byte).to_digit(16));
            digit.and_then(|digit| u8::try_from(digit).ok())
        };
        let (high, low) = (digit(), digit());
        bytes.push(high.ok_or(UrlError::Percent)? << 4 | low.ok_or(UrlError::Percent)?);
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Percent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Url, UrlError> {
        Url::parse(text, Path::new("/srv/game"))
    }

    fn server(text: &str) -> Server {
        match parse(text).unwrap().target {
            Target::MySql(server) | Target::Postgres(server) => server,
            Target::Sqlite(_) => panic!("{text} is no server's"),
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let usual = parse("mysql://root:pa55@db.example:3307/game").unwrap();
        let older = parse("mysql://db.example:3307/root/pa55/game").unwrap();
        assert_eq!(usual, older);
        assert_eq!(usual.to_string(), "mysql://root@db.example:3307/game");
        assert_eq!(
            parse("mariadb://root:pa55@db.example:3307/game").unwrap(),
            usual
        );
    }

    #[test]
    fn odd_passwords_are_read() {
        assert_eq!(
            server("mysql://u:p%40%2F%3A%25@h/d").password.expose(),
            "p@/:%"
        );
        assert_eq!(server("mysql://u:a@b:c@h/d").password.expose(), "a@b:c");
        assert_eq!(
            server("mysql://h:1/u/a/b@%25/d").password.expose(),
            "a/b@%25"
        );
        assert_eq!(server("mysql://h:1/u//d").password.expose(), "");
        assert_eq!(server("postgres://u@h/d").password.expose(), "");
    }

    #[test]
    fn ports_hosts_and_options_are_read() {
        assert_eq!(server("postgres://u:p@h/d").port, 5432);
        assert_eq!(server("mysql://u:p@h/d").port, 3306);
        let server = server("postgresql://u:p@[::1]:6000/d?tls=verify-full&tls_ca=/etc/ca.pem");
        assert_eq!((server.host.as_str(), server.port), ("::1", 6000));
        assert!(server.tls == Tls::VerifyFull);
        assert_eq!(server.tls_ca, Some("/etc/ca.pem".into()));
    }

    #[test]
    fn files_count_from_the_folder() {
        let text = |url: &str| parse(url).unwrap().to_string();
        assert_eq!(text("sqlite://world.db"), "sqlite:///srv/game/world.db");
        assert_eq!(text("sqlite:world.db"), "sqlite:///srv/game/world.db");
        assert_eq!(text("sqlite:///tmp/w.db?mode=ro"), "sqlite:///tmp/w.db");
        assert_eq!(text("sqlite::memory:"), "sqlite::memory:");
        assert_eq!(text("sqlite://:memory:"), "sqlite::memory:");
    }

    #[test]
    fn what_cannot_be_read_says_what_to_write_and_no_password() {
        for url in [
            "s3cret",
            "oracle://root:s3cret@h/d",
            "mysql:s3cret",
            "mysql://root:s3cret",
            "mysql://root:s3cret/d",
            "mysql://root:s3cret@h",
            "mysql://root:s3cret@:3306/d",
            "mysql://:s3cret@h/d",
            "mysql://root:s3cret@h:s3cret/d",
            "mysql://root:s3cret@h:0/d",
            "mysql://root:s3cret@h:70000/d",
            "mysql://root:x/s3cret@h/d",
            "mysql://root:x/y/s3cret@h/d",
            "mysql://h:3306/root/s3cret/",
            "mysql://h:3306//s3cret/d",
            "mysql://root:%s3cret@h/d",
            "mysql://root:p@h/d?s3cret",
            "mysql://root:p@h/d/s3cret",
            "postgres://root:p@h/d?tls=s3cret",
            "postgres://",
            "sqlite://",
            "sqlite://s3cret/",
            "sqlite://f.db?s3cret",
        ] {
            let error = parse(url).expect_err(url);
            let text = format!("{error} {error:?}");
            assert!(!text.contains("s3cret"), "{url}: {text}");
            assert!(
                text.contains("write") || text.contains("as in mysql://"),
                "{url}: {text}"
            );
        }
    }

    #[test]
    fn a_password_is_in_no_text_of_a_url() {
        for url in ["mysql://root:s3cret@h/d", "mysql://h:1/root/s3cret/d"] {
            let url = parse(url).unwrap();
            assert!(!format!("{url} {url:?} {url:#?}").contains("s3cret"));
            assert_eq!(url.password(), "s3cret");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "(mysql|postgres|sqlite)?(://)?.{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn every_password_can_be_written(password in "\\PC{1,20}") {
            let encoded: String = password.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let server = server(&format!("mysql://u:{encoded}@h/d"));
            prop_assert_eq!(server.password.expose(), password);
        }
    }
}
