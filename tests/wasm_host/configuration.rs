//! Any bytes as a configuration: the update is accepted, and traffic flows.

use crate::fixture::{ALL, BASIC, CURIOUS, artefact, browser, exchange, host, ok, serving};
use crate::harness::{Host, Vm};
use crate::random::Random;

const CASES: usize = 1_500;

#[test]
fn any_bytes_are_accepted_and_the_last_good_policy_goes_on() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, BASIC);
    let mut random = Random(0xC0FF_EE00);
    for case in 0..CASES {
        let policy = arbitrary(&mut random);
        let old = vm.new_root().unwrap();
        let accepted = vm.configure(&policy).unwrap_or_else(|trap| fail(case, &policy, &trap));
        assert!(accepted, "case {case} is refused: {}", String::from_utf8_lossy(&policy));
        vm.end_root(old).unwrap();
        exchange(&mut vm, browser("alice"), ok()).unwrap();
        vm.host().log.clear();
    }
}

#[test]
fn a_bad_policy_leaves_the_good_one_serving_also_in_a_vm_built_anew() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, BASIC);
    exchange(&mut vm, browser("alice"), ok()).unwrap();
    let before = variant(&mut vm);
    assert!(before.is_some(), "the basic policy decides for alice");
    let world = vm.host().clone();
    let mut anew = Vm::start(&artefact, world).unwrap();
    for vm in [&mut vm, &mut anew] {
        assert!(vm.configure("{\"version\": 1, \"nonsense\": []}").unwrap());
        exchange(vm, browser("alice"), ok()).unwrap();
        assert_eq!(variant(vm), before);
        assert!(vm.host().log.iter().any(|(level, _)| *level == 4), "the problem is logged");
    }
}

#[test]
fn many_bad_policies_do_not_flood_the_log_and_it_is_told_how_much_was_left_out() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, BASIC);
    for number in 0..5 {
        let unknown: Vec<_> = (0..900).map(|field| format!(", \"no{number}-{field}\": 0")).collect();
        let old = vm.new_root().unwrap();
        assert!(vm.configure(format!("{{\"version\": 1{}}}", unknown.concat())).unwrap());
        vm.end_root(old).unwrap();
    }
    let lines = vm.host().log.len();
    assert!((1_400..=1_501).contains(&lines), "{lines}");
    let root = vm.root();
    for _ in 0..100 {
        vm.tick(root).unwrap();
    }
    let told: Vec<_> = vm.host().log.iter().filter(|(_, line)| line.contains("left out")).collect();
    assert!(matches!(told.as_slice(), [(3, line)] if line.contains(" count=3")), "{told:?}");
}

#[test]
fn under_strict_a_bad_policy_is_refused_and_a_good_one_is_accepted() {
    let Some(artefact) = artefact() else { return };
    let strict = Host { environ: vec!["CANARY_STRICT=1".to_owned()], ..host() };
    let mut vm = Vm::start(&artefact, strict).unwrap();
    for (policy, accepted) in [(BASIC, true), ("{", false), ("[]", false), (CURIOUS, true)] {
        vm.new_root().unwrap();
        assert_eq!(vm.configure(policy).unwrap(), accepted, "{policy}");
    }
    let mut random = Random(0x57_81C7);
    for case in 0..CASES / 3 {
        let policy = arbitrary(&mut random);
        let old = vm.new_root().unwrap();
        vm.configure(&policy).unwrap_or_else(|trap| fail(case, &policy, &trap));
        vm.end_root(old).unwrap();
    }
}

fn variant(vm: &mut Vm) -> Option<Vec<u8>> {
    vm.host().request_header("x-deployment-variant").map(<[u8]>::to_vec)
}

/// Noise, a broken good policy, or JSON that is extreme in one way.
fn arbitrary(random: &mut Random) -> Vec<u8> {
    match random.below(8) {
        0 => {
            let length = random.below(400);
            random.bytes(length)
        }
        1 => extreme(random),
        _ => mutated(random),
    }
}

fn mutated(random: &mut Random) -> Vec<u8> {
    let mut policy = random.pick(&[BASIC, CURIOUS, ALL]).as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(policy.len());
        match random.below(4) {
            0 => policy.truncate(at.max(1)),
            1 => policy[at] = random.next().to_le_bytes()[0],
            2 => drop(policy.remove(at)),
            _ => {
                let token = random.pick(&["null", "-1", "1e999", "{}", "[", "\"\"", "\\ud800", "0.00001"]);
                policy.splice(at..at, token.bytes());
            }
        }
        if policy.is_empty() {
            break;
        }
    }
    policy
}

fn extreme(random: &mut Random) -> Vec<u8> {
    let many = 1 + random.below(3_000);
    let text = match random.below(7) {
        0 => "[".repeat(many * 30),
        1 => "{\"a\":".repeat(many * 10),
        2 => format!("{{\"version\": 1, \"rollouts\": [{}{{}}]}}", "{},".repeat(many)),
        3 => format!("{{\"version\": 1{}}}", "0".repeat(many)),
        4 => format!("{{\"version\": 1, \"revision\": \"{}\"}}", "é".repeat(many)),
        5 => BASIC.replacen('5', &"9".repeat(many), 1),
        _ => format!("\u{feff}{BASIC}"),
    };
    text.into_bytes()
}

fn fail(case: usize, policy: &[u8], trap: &dyn std::fmt::Display) -> bool {
    panic!("case {case}: {trap}\n{}", String::from_utf8_lossy(policy))
}
