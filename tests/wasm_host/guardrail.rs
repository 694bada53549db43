//! The guardrail's rounds in one VM: it trips when it is due, and nothing that is shared, and no
//! clock, makes it trip or trap.

use crate::fixture::{GUARDED, artefact, browser, exchange, failed, ok, serving};
use crate::harness::Vm;
use crate::random::Random;

const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400 * SECOND;

#[test]
fn a_canary_that_fails_trips_once_and_its_users_get_the_baseline() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, GUARDED);
    for second in 0..20 {
        serve(&mut vm, second, |side| side == b"canary");
        pass(&mut vm, SECOND);
    }
    assert_eq!(breaches(&mut vm), 1);
    let told: Vec<_> = vm.host().log.iter().filter(|(_, line)| line.contains("guardrail breach")).collect();
    assert!(matches!(told.as_slice(), [(3, line)] if line.contains("variant=canary")), "{told:?}");
    let sides: Vec<_> = (0..50).map(|user| side(&mut vm, user)).collect();
    assert!(sides.iter().all(|side| side == b"stable"));
}

#[test]
fn where_both_sides_are_alike_clocks_and_pauses_trip_nothing() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, GUARDED);
    for step in [0, SECOND, DAY, 60 * SECOND, 3_600 * SECOND, SECOND / 2] {
        for round in 0..10 {
            serve(&mut vm, round, |_| round % 2 == 0);
            pass(&mut vm, step);
        }
        // And back by a day.
        vm.host().now_ns = vm.host().now_ns.saturating_sub(DAY);
        pass(&mut vm, 0);
    }
    assert_eq!(breaches(&mut vm), 0, "{:?}", vm.host().log);
}

#[test]
fn whatever_is_shared_no_round_traps_and_requests_go_on() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, GUARDED);
    serve(&mut vm, 0, |_| true);
    pass(&mut vm, SECOND);
    let keys: Vec<_> = vm.host().shared.keys().cloned().collect();
    assert!(keys.len() > 4, "{keys:?}");
    let mut random = Random(0x6A_4D);
    for round in 0..400 {
        for key in &keys {
            let (mut value, version) = vm.host().shared[key].clone();
            match random.below(4) {
                0 => value.truncate(random.below(value.len() + 1)),
                1 => {
                    let length = random.below(3_000);
                    value = random.bytes(length);
                }
                2 if !value.is_empty() => {
                    let at = random.below(value.len());
                    value[at] ^= random.next().to_le_bytes()[0];
                }
                _ => {}
            }
            vm.host().shared.insert(key.clone(), (value, version + 1));
        }
        serve(&mut vm, round, |_| round % 3 == 0);
        pass(&mut vm, SECOND);
    }
}

/// Sixty users, for whom requests fail on some sides.
fn serve(vm: &mut Vm, round: u32, fails: impl Fn(&[u8]) -> bool) {
    for user in round * 60..(round + 1) * 60 {
        let answer = if fails(&side(vm, user)) { failed() } else { ok() };
        exchange(vm, browser(&format!("user-{user}")), answer).unwrap();
    }
}

fn side(vm: &mut Vm, user: u32) -> Vec<u8> {
    let (id, _) = vm.request(browser(&format!("user-{user}"))).unwrap();
    let side = vm.host().request_header("x-deployment-variant").map(<[u8]>::to_vec).unwrap_or_default();
    vm.response(id, ok()).unwrap();
    vm.end(id).unwrap();
    side
}

fn pass(vm: &mut Vm, nanos: u64) {
    vm.host().now_ns = vm.host().now_ns.saturating_add(nanos);
    let root = vm.root();
    vm.tick(root).unwrap();
}

fn breaches(vm: &mut Vm) -> u64 {
    let metrics = vm.host().metrics.iter();
    metrics
        .filter(|(name, _)| name.ends_with("canary_guardrail_breaches_total"))
        .map(|(_, metric)| metric.value)
        .sum()
}
