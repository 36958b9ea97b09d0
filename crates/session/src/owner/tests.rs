use super::*;

const ONE: NodeId = NodeId::new(1, 1);
const TWO: NodeId = NodeId::new(1, 2);

fn session(name: &str) -> SessionId {
    name.parse().unwrap()
}

/// With the gates `ONE` and `TWO`, and nobody in.
fn owner() -> Owner {
    let (mut owner, steps) = Owner::new(Login(0x12_3405));
    let gate = NodeId::BROKER;
    assert_eq!(steps, [Step::Fence { gate }]);
    owner.expect(ONE);
    owner.expect(TWO);
    assert_eq!(owner.report(ONE, Vec::new(), true), []);
    assert_eq!(owner.report(TWO, Vec::new(), true), []);
    assert_eq!(owner.fenced(gate), []);
    owner
}

/// Lets somebody in who is not here.
fn let_in(owner: &mut Owner, name: &str, gate: NodeId) -> Login {
    let (login, steps) = owner.claim(session(name), gate);
    assert_eq!(steps, [Step::Grant(login)]);
    login
}

fn logins(owner: &Owner) -> Vec<(Login, NodeId)> {
    let mut logins: Vec<_> = owner
        .granted()
        .map(|(_, login, gate)| (login, gate))
        .collect();
    logins.sort_unstable();
    logins
}

fn assert_empty(owner: &Owner) {
    assert!(owner.seats.is_empty() && owner.logins.is_empty());
    assert!(owner.claims.is_empty() && owner.fences.is_empty());
}

#[test]
fn numbers_rise_and_keep_the_bits_of_their_owner() {
    let mut owner = owner();
    let first = let_in(&mut owner, "ann", ONE);
    let second = let_in(&mut owner, "ben", ONE);
    assert_eq!((first, second), (Login(0x12_3505), Login(0x12_3605)));
}

#[test]
fn numbers_are_higher_than_any_that_a_gate_reports() {
    let mut owner = owner();
    owner.report(ONE, vec![(session("ann"), Login(0x99_9907))], true);
    assert_eq!(let_in(&mut owner, "ben", TWO), Login(0x99_9a05));
    // One that nobody can have given does not use up all numbers.
    owner.report(ONE, vec![(session("cyd"), Login(u64::MAX))], true);
    assert_eq!(let_in(&mut owner, "dot", TWO), Login(0x99_9b05));
    let (newer, steps) = owner.claim(session("cyd"), TWO);
    let (gate, login) = (ONE, Login(u64::MAX));
    assert_eq!(steps, [Step::Replace { gate, login }]);
    assert_eq!(owner.replaced(login), [Step::Grant(newer)]);
}

#[test]
fn nothing_is_granted_before_all_gates_have_reported() {
    let (mut owner, _) = Owner::new(Login(0));
    owner.expect(ONE);
    owner.expect(TWO);
    owner.report(ONE, Vec::new(), true);
    let (login, steps) = owner.claim(session("ann"), ONE);
    assert_eq!(steps, []);
    assert_eq!(owner.fenced(NodeId::BROKER), []);
    let part = vec![(session("ben"), Login(3))];
    assert_eq!(owner.report(TWO, part, false), []);
    assert_eq!(owner.waiting(), 1);
    assert_eq!(owner.report(TWO, Vec::new(), true), [Step::Grant(login)]);
}

#[test]
fn nothing_is_granted_before_the_past_is_over() {
    let (mut owner, _) = Owner::new(Login(0));
    owner.report(ONE, Vec::new(), true);
    let (login, steps) = owner.claim(session("ann"), ONE);
    assert_eq!(steps, []);
    assert_eq!(owner.fenced(NodeId::BROKER), [Step::Grant(login)]);
}

#[test]
fn a_report_that_comes_before_its_gate_is_expected_counts() {
    let (mut owner, _) = Owner::new(Login(0));
    owner.fenced(NodeId::BROKER);
    owner.report(ONE, vec![(session("ann"), Login(7))], true);
    owner.expect(ONE);
    let_in(&mut owner, "ben", ONE);
    assert_eq!(logins(&owner)[0], (Login(7), ONE));
}

#[test]
fn an_older_login_is_replaced_before_a_newer_one_is_granted() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, steps) = owner.claim(session("ann"), TWO);
    let (gate, login) = (ONE, older);
    assert_eq!(steps, [Step::Replace { gate, login }]);
    assert_eq!(owner.replaced(older), [Step::Grant(newer)]);
    assert_eq!(logins(&owner), [(newer, TWO)]);
    assert_eq!(owner.replaced(older), []);
    assert_eq!(logins(&owner), [(newer, TWO)]);
}

#[test]
fn of_two_claims_in_a_row_the_first_is_superseded() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (middle, _) = owner.claim(session("ann"), TWO);
    let (newest, steps) = owner.claim(session("ann"), ONE);
    assert_eq!(
        steps,
        [Step::Supersede(middle)],
        "the holder is asked once only"
    );
    assert_eq!(owner.withdraw(middle), []);
    assert_eq!(owner.replaced(older), [Step::Grant(newest)]);
    assert_eq!(logins(&owner), [(newest, ONE)]);
}

#[test]
fn the_end_of_a_login_cannot_remove_a_newer_one() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, _) = owner.claim(session("ann"), ONE);
    owner.replaced(older);
    assert_eq!(owner.ended(ONE, older), []);
    assert_eq!(owner.ended(TWO, newer), [], "that is not its gate");
    assert_eq!(logins(&owner), [(newer, ONE)]);
    owner.ended(ONE, newer);
    assert_empty(&owner);
}

#[test]
fn a_login_that_ends_while_it_is_replaced_makes_room_at_once() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, _) = owner.claim(session("ann"), TWO);
    assert_eq!(owner.ended(ONE, older), [Step::Grant(newer)]);
    assert_eq!(owner.replaced(older), []);
    assert_eq!(logins(&owner), [(newer, TWO)]);
}

#[test]
fn a_claim_that_waits_can_be_withdrawn() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, _) = owner.claim(session("ann"), TWO);
    assert_eq!(owner.withdraw(newer), []);
    assert_eq!(logins(&owner), [(older, ONE)]);
    assert_eq!(owner.replaced(older), []);
    assert_empty(&owner);
}

#[test]
fn a_grant_that_nobody_waited_for_can_be_withdrawn() {
    let mut owner = owner();
    let first = let_in(&mut owner, "ann", ONE);
    let (second, _) = owner.claim(session("ann"), TWO);
    assert_eq!(owner.withdraw(first), [Step::Grant(second)]);
    assert_eq!(owner.withdraw(second), []);
    assert_empty(&owner);
}

#[test]
fn sessions_of_a_gate_that_is_gone_wait_until_no_scene_holds_them() {
    let mut owner = owner();
    let_in(&mut owner, "ann", ONE);
    let gate = ONE;
    assert_eq!(owner.gate_gone(ONE), [Step::Fence { gate }]);
    assert_eq!(owner.gate_gone(ONE), []);
    let_in(&mut owner, "ben", TWO);
    let (login, steps) = owner.claim(session("ann"), TWO);
    assert_eq!(steps, [], "nobody can be asked");
    assert_eq!(owner.fenced(ONE), [Step::Grant(login)]);
    assert_eq!(owner.fenced(ONE), []);
}

#[test]
fn a_gate_that_goes_while_it_replaces_is_waited_for_in_the_scenes() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, _) = owner.claim(session("ann"), TWO);
    let gate = ONE;
    assert_eq!(owner.gate_gone(ONE), [Step::Fence { gate }]);
    assert_eq!(owner.fenced(ONE), [Step::Grant(newer)]);
    assert_eq!(owner.replaced(older), []);
}

#[test]
fn what_a_gate_has_answered_before_it_went_counts() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, _) = owner.claim(session("ann"), TWO);
    owner.gate_gone(ONE);
    assert_eq!(owner.replaced(older), [Step::Grant(newer)]);
    assert_eq!(owner.fenced(ONE), []);
}

#[test]
fn claims_of_a_gate_that_is_gone_end_with_it() {
    let mut owner = owner();
    let older = let_in(&mut owner, "ann", ONE);
    let (newer, _) = owner.claim(session("ann"), TWO);
    assert_eq!(owner.gate_gone(TWO), [Step::Supersede(newer)]);
    // A script that has taken its time.
    let (late, steps) = owner.claim(session("ben"), TWO);
    assert_eq!(steps, [Step::Supersede(late)]);
    assert_eq!(owner.replaced(older), []);
    assert_empty(&owner);
}

#[test]
fn a_gate_that_goes_before_it_has_reported_holds_everybody_back() {
    let mut owner = owner();
    let gate = NodeId::new(1, 3);
    owner.expect(gate);
    owner.report(gate, vec![(session("ben"), Login(3))], false);
    let (login, steps) = owner.claim(session("ann"), ONE);
    assert_eq!(steps, []);
    assert_eq!(owner.gate_gone(gate), [Step::Fence { gate }]);
    assert_eq!(owner.report(gate, Vec::new(), true), [], "it is gone");
    owner.expect(gate);
    assert_eq!(owner.fenced(gate), [Step::Grant(login)]);
    owner.ended(ONE, login);
    assert_empty(&owner);
}

#[test]
fn of_two_reported_logins_of_a_session_the_lower_one_is_replaced() {
    for (first, second) in [(5, 6), (6, 5)] {
        let mut owner = owner();
        let (gate, login) = if first == 5 {
            (ONE, Login(5))
        } else {
            (TWO, Login(5))
        };
        assert_eq!(
            owner.report(ONE, vec![(session("ann"), Login(first))], true),
            []
        );
        let steps = owner.report(TWO, vec![(session("ann"), Login(second))], true);
        assert_eq!(steps, [Step::Replace { gate, login }]);
        let (newest, steps) = owner.claim(session("ann"), ONE);
        assert_eq!(steps.len(), 1, "the lower one is asked already");
        assert_eq!(owner.replaced(Login(5)), []);
        assert_eq!(owner.replaced(Login(6)), [Step::Grant(newest)]);
    }
}

#[test]
fn what_is_reported_again_changes_nothing() {
    let mut owner = owner();
    let held = || vec![(session("ann"), Login(7))];
    owner.report(ONE, held(), true);
    let newer = let_in(&mut owner, "ben", ONE);
    // It had not heard of the grant when it said that.
    assert_eq!(owner.report(ONE, held(), true), []);
    assert_eq!(owner.report(TWO, held(), true), []);
    assert_eq!(logins(&owner), [(Login(7), ONE), (newer, ONE)]);
    let (claim, _) = owner.claim(session("ann"), TWO);
    assert_eq!(owner.report(ONE, held(), true), [], "it is asked once only");
    assert_eq!(owner.replaced(Login(7)), [Step::Grant(claim)]);
}

#[test]
fn a_node_that_is_no_gate_is_waited_for_no_longer() {
    let (mut owner, _) = Owner::new(Login(0));
    owner.fenced(NodeId::BROKER);
    let (gate, stranger) = (NodeId::new(1, 1), NodeId::new(1, 2));
    owner.report(gate, Vec::new(), true);
    owner.expect(stranger);
    let (login, steps) = owner.claim("ann".parse().unwrap(), gate);
    assert_eq!((steps, owner.expected()), (Vec::new(), vec![stranger]));
    assert_eq!(owner.forget(stranger), [Step::Grant(login)]);
    assert_eq!(owner.expected(), []);
    // One that has reported is a gate, whatever is said of it.
    assert_eq!(owner.forget(gate), []);
    let (login, steps) = owner.claim("bob".parse().unwrap(), gate);
    assert_eq!(steps, [Step::Grant(login)]);
}
