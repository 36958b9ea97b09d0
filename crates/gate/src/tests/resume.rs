//! Clients that lose their connection and come back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::test_runner::{Config, TestRunner};
use protocol::{
    client::{
        CMD_ACK, CMD_VERIFY, FLAG_CLOSED, FLAG_RESUME, Frame, FrameDecoder, encode_frame,
        resume::{
            Received, ResumeOffer, ResumeToken, Sent, decode_count, encode_ack, encode_resume,
        },
    },
    v1::CloseReason,
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use topology::Limits;

use super::{
    Fixture, eventually, limits, next_frame, reason_on,
    scene::{ECHO, HANG, Told},
    soon,
};

/// A client that keeps what it needs to come back, and its socket while it has one.
struct Roamer {
    socket: Option<(TcpStream, BytesMut)>,
    token: ResumeToken,
    sent: Sent,
    received: Received,
    heard: Vec<Bytes>,
}

impl Roamer {
    async fn login(fixture: &Fixture, name: &str) -> Roamer {
        let mut socket = fixture.socket().await;
        let key = encode_frame(0, FLAG_RESUME, format!("ok:{name}").as_bytes());
        socket.write_all(&key).await.unwrap();
        let mut buffer = BytesMut::new();
        let answer = next_frame(&mut socket, &mut buffer).await;
        assert_eq!((answer.cmd, answer.flags), (CMD_VERIFY, FLAG_RESUME));
        let offer = ResumeOffer::decode(answer.body).unwrap();
        Roamer {
            socket: Some((socket, buffer)),
            token: offer.token,
            sent: Sent::default(),
            received: Received::default(),
            heard: Vec::new(),
        }
    }

    /// The message is kept, and written if there is a socket.
    async fn send(&mut self, cmd: u16, body: &[u8]) {
        self.sent.push(encode_frame(cmd, 0, body));
        self.write().await;
    }

    async fn write(&mut self) {
        while let Some(frame) = self.socket.as_ref().and_then(|_| self.sent.next_out()) {
            let (socket, _) = self.socket.as_mut().unwrap();
            // One that is cut takes no more.
            let _ = socket.write_all(&frame).await;
        }
    }

    fn hear(&mut self, frame: Frame) {
        if frame.cmd == CMD_ACK {
            let count = decode_count(&frame.body).unwrap();
            return self.sent.acknowledge(count).unwrap();
        }
        self.received.take(frame.body.len());
        self.heard.push(frame.body);
    }

    /// Hears so many messages.
    async fn recv(&mut self, messages: usize) {
        let until = self.heard.len() + messages;
        while self.heard.len() < until {
            let (socket, buffer) = self.socket.as_mut().unwrap();
            let frame = next_frame(socket, buffer).await;
            self.hear(frame);
        }
    }

    /// Loses its connection, without a word.
    async fn lose(&mut self, fixture: &Fixture) {
        self.socket = None;
        eventually("the gate has seen it", || fixture.away() == 1).await;
    }

    /// Comes back, and sends what has not come.
    async fn resume(&mut self, fixture: &Fixture) {
        let answer = self.knock(fixture, self.received.count()).await;
        assert_eq!((answer.cmd, answer.flags), (CMD_ACK, FLAG_RESUME));
        let count = decode_count(&answer.body).unwrap();
        self.sent.resume(count).unwrap();
        self.write().await;
    }

    /// What it is told when it comes back.
    async fn knock(&mut self, fixture: &Fixture, received: u64) -> Frame {
        let mut socket = fixture.socket().await;
        let first = encode_resume(self.token, received);
        socket.write_all(&first).await.unwrap();
        let mut buffer = BytesMut::new();
        let answer = next_frame(&mut socket, &mut buffer).await;
        self.socket = Some((socket, buffer));
        answer
    }

    /// Why it does not get its session.
    async fn refusal(&mut self, fixture: &Fixture, received: u64) -> String {
        let answer = self.knock(fixture, received).await;
        assert_eq!((answer.cmd, answer.flags), (CMD_VERIFY, FLAG_CLOSED));
        String::from_utf8(answer.body.into()).unwrap()
    }
}

impl Fixture {
    /// How many sessions may be gone on with.
    fn away(&self) -> usize {
        self.gate.shared().resumables.away()
    }
}

fn words(heard: &[Bytes]) -> Vec<&str> {
    heard
        .iter()
        .map(|body| std::str::from_utf8(body).unwrap())
        .collect()
}

#[tokio::test]
async fn what_was_sent_meanwhile_comes_when_the_client_is_back_and_the_scene_notices_nothing() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    ann.send(ECHO, b"one").await;
    ann.recv(1).await;
    ann.lose(&fixture).await;
    for word in ["two", "three"] {
        fixture.scene.deliver(&[login], 5, word);
    }
    ann.send(ECHO, b"four").await;
    ann.resume(&fixture).await;
    ann.recv(3).await;
    assert_eq!(words(&ann.heard), ["one", "two", "three", "four"]);
    let told = fixture.scene.told();
    let offline = told.iter().any(|told| matches!(told, Told::Offline(_)));
    assert!(!offline, "{told:?}");
    assert_eq!((fixture.gate.sessions(), fixture.away()), (1, 0));
}

#[tokio::test]
async fn time_that_runs_out_is_the_end_and_the_token_s_too() {
    let fixture = Fixture::with(Limits {
        resume_time: Duration::from_millis(100),
        ..limits()
    })
    .await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    ann.socket = None;
    soon(fixture.scene.offline(login)).await;
    fixture.deserted().await;
    assert_eq!(ann.refusal(&fixture, 0).await, "resume_refused");
    assert_eq!(fixture.gate.shared().resumables.len(), 0);
}

#[tokio::test]
async fn client_that_says_goodbye_is_not_waited_for() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    let (socket, _) = ann.socket.as_mut().unwrap();
    let goodbye = encode_frame(CMD_ACK, FLAG_CLOSED, b"");
    socket.write_all(&goodbye).await.unwrap();
    soon(fixture.scene.offline(login)).await;
    fixture.deserted().await;
}

#[tokio::test]
async fn client_that_did_not_ask_is_not_waited_for_and_has_65534_for_itself() {
    let fixture = Fixture::start().await;
    let mut client = fixture.logged_in("ann").await;
    client.send(CMD_ACK, b"its own").await.unwrap();
    let frames = || fixture.scene.frames_of("ann");
    eventually("it is the game's", || frames() == ["its own"]).await;
    drop(client);
    fixture.deserted().await;
}

#[tokio::test]
async fn gate_that_does_not_offer_it_says_nothing_of_it() {
    let fixture = Fixture::with(Limits {
        resume_time: Duration::ZERO,
        ..limits()
    })
    .await;
    let mut socket = fixture.socket().await;
    let key = encode_frame(0, FLAG_RESUME, b"ok:ann");
    socket.write_all(&key).await.unwrap();
    let answer = next_frame(&mut socket, &mut BytesMut::new()).await;
    assert_eq!((answer.cmd, answer.flags), (CMD_VERIFY, 0));
    drop(socket);
    fixture.deserted().await;
}

#[tokio::test]
async fn token_that_nobody_was_given_is_refused() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    ann.lose(&fixture).await;
    let right = std::mem::replace(&mut ann.token, ResumeToken(*b"a token of its o"));
    assert_eq!(ann.refusal(&fixture, 0).await, "resume_refused");
    ann.token = right;
    ann.resume(&fixture).await;
}

#[tokio::test]
async fn count_from_the_future_is_a_protocol_error_and_the_session_waits_on() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    ann.send(ECHO, b"one").await;
    ann.recv(1).await;
    ann.lose(&fixture).await;
    assert_eq!(ann.refusal(&fixture, 2).await, "protocol_error");
    assert_eq!(fixture.away(), 1);
    ann.resume(&fixture).await;
    ann.send(ECHO, b"two").await;
    ann.recv(1).await;
    let (socket, _) = ann.socket.as_mut().unwrap();
    socket.write_all(&encode_ack(3)).await.unwrap();
    assert_eq!(reason_on(socket).await, "protocol_error");
    fixture.deserted().await;
}

#[tokio::test]
async fn newer_of_two_connections_with_one_token_has_the_session() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    // The gate has not seen yet that the first is lost.
    let (mut first, _) = ann.socket.take().unwrap();
    ann.resume(&fixture).await;
    assert_eq!(reason_on(&mut first).await, "replaced");
    fixture.scene.deliver(&[login], 5, "here");
    ann.recv(1).await;
    assert_eq!(words(&ann.heard), ["here"]);
    assert_eq!(fixture.gate.shared().connections.len(), 1);
}

#[tokio::test]
async fn newer_login_ends_the_token_of_the_one_before() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    ann.lose(&fixture).await;
    fixture.scene.close(login, CloseReason::Replaced);
    fixture.deserted().await;
    assert_eq!(ann.refusal(&fixture, 0).await, "resume_refused");
}

#[tokio::test]
async fn client_that_never_acknowledges_may_come_back_as_long_as_it_misses_nothing_old() {
    let fixture = Fixture::with(Limits {
        resume_bytes: 1_000,
        ..limits()
    })
    .await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    for number in 0..100u8 {
        fixture.scene.deliver(&[login], 5, vec![number; 92]);
    }
    ann.recv(100).await;
    ann.lose(&fixture).await;
    assert_eq!(ann.refusal(&fixture, 50).await, "resume_refused");
    ann.resume(&fixture).await;
    fixture.scene.deliver(&[login], 5, "more");
    ann.recv(1).await;
}

#[tokio::test]
async fn more_than_may_wait_for_a_client_that_is_away_is_its_end() {
    let fixture = Fixture::with(Limits {
        send_queue_frames: 10,
        ..limits()
    })
    .await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let login = fixture.scene.login_of("ann");
    ann.lose(&fixture).await;
    for _ in 0..11 {
        fixture.scene.deliver(&[login], 5, "more");
    }
    soon(fixture.scene.offline(login)).await;
    assert_eq!(ann.refusal(&fixture, 0).await, "resume_refused");
    fixture.deserted().await;
}

#[tokio::test]
async fn gate_that_goes_does_not_wait_for_those_who_are_away() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    ann.lose(&fixture).await;
    let grace = Duration::from_secs(60);
    soon(fixture.gate.drain(grace, std::future::pending())).await;
}

#[tokio::test]
async fn each_side_says_how_much_has_come_and_the_other_keeps_no_more() {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    for number in 0..64u8 {
        ann.send(HANG, &[number]).await;
        if number % 16 == 15 {
            let login = fixture.scene.login_of("ann");
            let sent = usize::from(number) + 1;
            let come = || fixture.scene.frames_of("ann").len() == sent;
            eventually("they have come", come).await;
            fixture.scene.finish(login, 16);
        }
    }
    let login = fixture.scene.login_of("ann");
    fixture.scene.deliver(&[login], 5, "last");
    ann.recv(1).await;
    assert_eq!(ann.sent.kept(), (0, 0));
}

/// Wherever the connection is cut, in whatever direction, however often: everything
/// arrives once and in order, both ways.
#[test]
fn nothing_is_lost_or_repeated_wherever_a_connection_is_cut() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 40,
        ..Config::default()
    });
    let cuts = proptest::collection::vec((0usize..8, 0usize..200, 0usize..200), 1..8);
    let played = runner.run(&cuts, |cuts| {
        runtime.block_on(play(&cuts));
        Ok(())
    });
    played.unwrap();
}

/// Each connection sends some messages, of which so many bytes arrive, hears so many
/// bytes of what comes, and is gone.
async fn play(cuts: &[(usize, usize, usize)]) {
    let fixture = Fixture::start().await;
    let mut ann = Roamer::login(&fixture, "ann").await;
    let mut number = 0u32;
    for &(messages, out, back) in cuts {
        for _ in 0..messages {
            number += 1;
            let body = number.to_string();
            ann.sent.push(encode_frame(ECHO, 0, body.as_bytes()));
        }
        let bytes: Vec<u8> = std::iter::from_fn(|| ann.sent.next_out())
            .flatten()
            .collect();
        let (mut socket, mut buffer) = ann.socket.take().unwrap();
        let out = out.min(bytes.len());
        socket.write_all(&bytes[..out]).await.unwrap();
        // As much as comes without waiting for it, and no more than that.
        while buffer.len() < back && socket.try_read_buf(&mut buffer).is_ok_and(|read| read > 0) {}
        buffer.truncate(back);
        while let Ok(Some(frame)) = FrameDecoder::new(1 << 20).decode(&mut buffer) {
            ann.hear(frame);
        }
        drop(socket);
        ann.resume(&fixture).await;
    }
    ann.recv(number as usize - ann.heard.len()).await;
    let expected: Vec<String> = (1..=number).map(|number| number.to_string()).collect();
    assert_eq!(words(&ann.heard), expected);
}
