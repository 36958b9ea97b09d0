use tests::{Brokers, Load, Said, Signal, Traffic, eventually};

use super::{PAUSE, seconds};

#[tokio::test]
async fn a_node_that_is_frozen_past_its_lease_comes_back_as_another_and_harms_nobody() {
    let brokers = Brokers::start(2).await;
    let mut traffic = Traffic::start(&brokers, Load::default()).await;
    traffic.add_apart(&brokers, "frozen@0", &[]).await;
    traffic.flows().await;
    let name = "frozen@0".parse().unwrap();
    let others = |traffic: &Traffic| -> Vec<_> {
        let members = traffic.members().iter();
        members.map(|one| one.node().resolve(&name)).collect()
    };
    let first = traffic.apart()[0].ids()[0];
    assert!(
        others(&traffic)
            .iter()
            .all(|id| id.unwrap().as_u64() == first)
    );

    traffic.apart()[0].signal(Signal::STOP);
    eventually("its lease has run out", async || {
        others(&traffic).iter().all(Option::is_none).then_some(())
    })
    .await;
    let ids = traffic.ids();
    traffic.flows().await;
    traffic.take_stalls();
    seconds(0.5).await;
    traffic.apart()[0].signal(Signal::CONT);
    eventually("it has joined again", async || {
        let all = others(&traffic);
        (all.iter().all(Option::is_some)).then_some(())
    })
    .await;
    let second = *traffic.apart()[0].ids().last().unwrap();
    assert_ne!(first, second);
    let said = traffic.apart()[0].said();
    assert!(matches!(
        said[..],
        [Said::Joined(one), Said::Lost, Said::Joined(other)] if (one, other) == (first, second)
    ));
    seconds(0.5).await;
    traffic.flows().await;
    // Nobody else has noticed.
    assert_eq!(traffic.ids(), ids);
    let pause = traffic.take_longest();
    println!("the longest call of the others took {pause:?}");
    assert!(pause < PAUSE, "{pause:?}");
    let report = traffic.stop().await;
    println!("{report}");
    report.is_exact();
    // Only what was under way to the node that was frozen, or by it, has ended
    // with it, and says so.
    let kinds: Vec<_> = report.calls.keys().map(String::as_str).collect();
    let expected = ["deadline_exceeded", "ok", "unavailable"];
    assert!(
        kinds.iter().all(|kind| expected.contains(kind)),
        "{kinds:?}"
    );
    // Four calls of each of four pairs in either direction.
    assert!(report.failed() <= 2 * 4 * 4, "{report}");
    assert!(report.failed() > 0);
}
