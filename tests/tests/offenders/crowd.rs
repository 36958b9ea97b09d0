//! A thousand offenders of every kind beside a hundred who play.

mod offender;
mod player;

use std::time::Duration;

use tests::{ECHO, Group, Runs, resident_bytes};

use self::{offender::Offenders, player::Players};

const PLAYERS: usize = 100;
const OFFENDERS: usize = 1000;

/// Short enough for all kinds of ends to be seen.
const LIMITS: &str = "[limits]\nverify_timeout = \"2s\"\nidle_timeout = \"3s\"\n\
    rate_patience = \"1s\"\nunverified_per_gate = 400\n\
    frames_per_second = 20\nframe_burst = 20\n";

/// How often it measures, how long without offenders and how long with them.
/// More of it with `REDRABBIT_ROUNDS`.
fn rounds() -> (usize, [Duration; 2]) {
    let (rounds, seconds) = match std::env::var("REDRABBIT_ROUNDS") {
        Ok(rounds) => (rounds.parse().unwrap(), [10, 10]),
        Err(_) => (2, [2, 6]),
    };
    (rounds, seconds.map(Duration::from_secs))
}

#[tokio::test]
async fn a_thousand_offenders_disturb_none_of_a_hundred_players() {
    let mut group = Group::with(Runs::Apart, ECHO, LIMITS).await;
    let gate = group.roles().process("gate").id();
    let players = Players::join(&group, PLAYERS).await;
    let before = resident_bytes(gate) >> 20;
    let offenders = Offenders::gather(&group, OFFENDERS);
    let (rounds, lengths) = rounds();
    let mut most = 0;
    for round in 1..=rounds {
        let quiet = players.measure(lengths[0]).await;
        offenders.begin();
        let offended = players.measure(lengths[1]).await;
        most = most.max(resident_bytes(gate) >> 20);
        offenders.rest();
        for (of, length, who) in [
            (&quiet, lengths[0], "alone"),
            (&offended, lengths[1], "offended"),
        ] {
            let [half, p99] = [0.5, 0.99].map(|quantile| of.microseconds(quantile) / 1000.0);
            println!(
                "round {round}, {who}: p50 {half:.2} ms, p99 {p99:.2} ms of {}",
                of.total()
            );
            // Whoever plays goes on doing so. How fast is for people to read: a
            // machine that does something else besides is slow by itself.
            let expected = PLAYERS as f64 * length.as_secs_f64() * player::A_SECOND;
            assert!(
                of.total() as f64 > 0.1 * expected,
                "{} < {expected}",
                of.total()
            );
        }
        let [quiet, offended] = [quiet, offended].map(|of| of.microseconds(0.99) / 1000.0);
        println!("  p99 is {:.2} times as long", offended / quiet);
    }
    println!("{}", offenders.end());
    println!("the gate had {before} MiB, and at most {most} MiB");
    assert!(most < before + 128, "{before} MiB have become {most}");
    players.leave();
}
