//! The page's server, asked by a client that sends just what it is told to.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

struct Running {
    address: SocketAddr,
    shutdown: CancellationToken,
    _outside: tempfile::TempDir,
}

impl Running {
    async fn start(listen: &str) -> Running {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("page");
        std::fs::create_dir_all(folder.join("art")).unwrap();
        for (file, text) in [
            ("secret.txt", "secret"),
            ("page/index.html", "<p>hello"),
            ("page/game.js", "let x"),
            ("page/art/rabbit.svg", "<svg/>"),
            ("page/main.py", "secret"),
            ("page/.hidden.txt", "secret"),
        ] {
            std::fs::write(outside.path().join(file), text).unwrap();
        }
        let link = folder.join("link.txt");
        std::os::unix::fs::symlink(outside.path().join("secret.txt"), link).unwrap();
        let listener = TcpListener::bind(listen).await.unwrap();
        let page = GamePage::build(
            listener,
            &folder,
            serde_json::json!({ "websocket_port": 10243 }),
        )
        .unwrap();
        let address = page.served.address;
        let shutdown = CancellationToken::new();
        tokio::spawn(page.serve(shutdown.clone()));
        Running {
            address,
            shutdown,
            _outside: outside,
        }
    }

    async fn get(&self, path: &str) -> String {
        self.get_as(path, &self.address.to_string()).await
    }

    async fn get_as(&self, path: &str, host: &str) -> String {
        let at = SocketAddr::from(([127, 0, 0, 1], self.address.port()));
        let mut socket = TcpStream::connect(at).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn files_come_with_their_type_and_are_not_kept() {
    let page = Running::start("127.0.0.1:0").await;
    for (path, content_type, text) in [
        ("/", "text/html; charset=utf-8", "<p>hello"),
        ("/index.html?x=1", "text/html; charset=utf-8", "<p>hello"),
        ("/game.js", "text/javascript; charset=utf-8", "let x"),
        ("/art/rabbit.svg", "image/svg+xml", "<svg/>"),
        (
            "/api/config",
            "application/json",
            r#"{"websocket_port":10243}"#,
        ),
    ] {
        let answer = page.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        assert!(
            answer.contains(&format!("content-type: {content_type}\r\n")),
            "{path}: {answer}"
        );
        assert!(
            answer.contains("cache-control: no-store\r\n"),
            "{path}: {answer}"
        );
        assert!(answer.ends_with(text), "{path}: {answer}");
    }
}

#[tokio::test]
async fn nothing_else_is_served() {
    let page = Running::start("127.0.0.1:0").await;
    for path in [
        "/none.js",
        "/art",
        "/art/",
        "/main.py",
        "/.hidden.txt",
        "/link.txt",
        "/../secret.txt",
        "/art/../../secret.txt",
        "/%2e%2e/secret.txt",
        "//etc/passwd",
        "/./../secret.txt",
    ] {
        let answer = page.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(
            !answer.contains("secret\n") && !answer.contains("root:"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn on_loopback_it_answers_to_loopback_names_alone() {
    let page = Running::start("127.0.0.1:0").await;
    let port = page.address.port();
    for host in ["localhost", "127.0.0.1"] {
        let answer = page.get_as("/", &format!("{host}:{port}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    for host in [
        format!("evil.example:{port}"),
        "127.0.0.1".into(),
        "localhost:1".into(),
    ] {
        let answer = page.get_as("/", &host).await;
        assert!(answer.starts_with("HTTP/1.1 421"), "{host}: {answer}");
    }
    // Whoever opens it to others names machines as the others do.
    let open = Running::start("0.0.0.0:0").await;
    let answer = open.get_as("/", "game.example").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn the_page_ends_when_it_is_told_to() {
    let page = Running::start("127.0.0.1:0").await;
    page.shutdown.cancel();
    let gone = async {
        while TcpStream::connect(page.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.unwrap();
}
