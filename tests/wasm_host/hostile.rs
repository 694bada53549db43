//! Header maps that no honest client sends, and maps that no honest host hands over.

use crate::fixture::{ALL, BASIC, CURIOUS, artefact, exchange, ok, serving};
use crate::harness::{Pairs, Vm, pairs, serialise};
use crate::random::Random;

const MAPS: u64 = 9_000;
const CORRUPT: u64 = 9_000;

/// Names that a policy looks at, so that hostile values reach the code that reads them.
const TELLING: [&str; 18] = [
    ":authority",
    ":path",
    ":method",
    ":status",
    "host",
    "cookie",
    "authorization",
    "x-user-id",
    "x-geo-country",
    "x-employee",
    "x-deployment-variant",
    "x-deployment-rollout",
    "x-deployment-cluster",
    "x-deployment-override",
    "x-feature-flags",
    "baggage",
    "accept",
    "",
];
/// Values that are nearly what a policy looks for.
const NEARLY: [&str; 22] = [
    "shop.example.com:443",
    "[::1]:80",
    "/checkout/?uid=&uid=%",
    "/checkout?pilot=%ff%",
    "GET",
    "uid=\"a\"; uid; =; ;;",
    "Bearer a.b",
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    "Bearer eyJhbGciOiJub25lIn0.W10.",
    "Bearer .....",
    "de",
    "zz",
    "é",
    "200",
    "99999999999",
    "v1.checkout.canary.99999999999.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "canary_id=0123456789abcdef0123456789abcdef; deployment-override=v1....",
    "/checkout?__variant=v1.&__variant&a=__variant",
    "user=1,deployment-variant=checkout:canary;p=1,,deployment-variant",
    "text/html;q=0.9,*/*",
    "OPTIONS",
    "",
];

#[test]
fn no_header_map_traps_the_filter_and_every_stream_goes_on() {
    let Some(artefact) = artefact() else { return };
    let mut random = Random(0x00CA_11AB);
    for policy in [BASIC, CURIOUS, ALL] {
        let mut vm = serving(&artefact, policy);
        for case in 0..MAPS / 3 {
            let request = hostile_map(&mut random);
            let response = hostile_map(&mut random);
            survive(&mut vm, request, response, case);
        }
    }
}

#[test]
fn no_corrupt_serialisation_of_a_map_traps_the_filter() {
    let Some(artefact) = artefact() else { return };
    let mut random = Random(0x0BAD_F00D);
    for policy in [BASIC, CURIOUS, ALL] {
        let mut vm = serving(&artefact, policy);
        for case in 0..CORRUPT / 3 {
            let map = small_map(&mut random);
            vm.host().raw_map = Some(corrupted(serialise(&map), &mut random));
            survive(&mut vm, map, ok(), case);
        }
    }
}

#[test]
fn an_edge_removes_the_stamps_of_a_map_that_it_cannot_read_and_an_inner_proxy_leaves_them() {
    let Some(artefact) = artefact() else { return };
    let inner = BASIC.replacen('{', r#"{"role": "inner","#, 1);
    for (policy, left) in [(BASIC, false), (&*inner, true)] {
        let mut vm = serving(&artefact, policy);
        for raw in [&b""[..], b"\x01\0\0", b"\x02\0\0\0\x01\0\0\0\x01\0\0\0a\0b\0"] {
            vm.host().raw_map = Some(raw.to_vec());
            let stamped = pairs(&[(":path", "/"), ("x-deployment-variant", "canary")]);
            exchange(&mut vm, stamped, ok()).unwrap();
            assert_eq!(vm.host().request_header("x-deployment-variant").is_some(), left, "{raw:?}");
        }
    }
}

#[test]
fn hostile_streams_leave_no_memory_behind() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, CURIOUS);
    let mut pages = [0; 3];
    for round in &mut pages {
        let mut random = Random(7);
        for case in 0..500 {
            let map = hostile_map(&mut random);
            let raw = corrupted(serialise(&map), &mut random);
            vm.host().raw_map = random.one_in(2).then_some(raw);
            survive(&mut vm, map, ok(), case);
        }
        *round = vm.pages();
    }
    assert_eq!(pages[1], pages[2], "the same streams again need more memory: {pages:?}");
}

fn survive(vm: &mut Vm, request: Pairs, response: Pairs, case: u64) {
    if let Err(what) = exchange(vm, request, response) {
        panic!("case {case}: {what}");
    }
}

fn hostile_map(random: &mut Random) -> Pairs {
    if random.one_in(40) {
        let count = random.below(1025);
        return (0..count).map(|_| hostile_pair(random, 40)).collect();
    }
    let mut map = small_map(random);
    if random.one_in(20) {
        let at = random.below(map.len());
        let length = [65_535, 65_536, 50_000][random.below(3)];
        map[at].1 = if random.one_in(2) { random.bytes(length) } else { vec![b'%'; length] };
    }
    map
}

fn small_map(random: &mut Random) -> Pairs {
    let count = 1 + random.below(24);
    (0..count).map(|_| hostile_pair(random, 300)).collect()
}

fn hostile_pair(random: &mut Random, longest: usize) -> (Vec<u8>, Vec<u8>) {
    let name = match random.below(4) {
        0 => random_bytes(random, 30),
        _ => random.pick(&TELLING).as_bytes().to_vec(),
    };
    let value = match random.below(4) {
        0 => random_bytes(random, longest),
        1 => near_miss(random),
        _ => random.pick(&NEARLY).as_bytes().to_vec(),
    };
    (name, value)
}

fn random_bytes(random: &mut Random, longest: usize) -> Vec<u8> {
    let length = random.below(longest);
    random.bytes(length)
}

/// A nearly right value with one byte changed.
fn near_miss(random: &mut Random) -> Vec<u8> {
    let mut value = random.pick(&NEARLY).as_bytes().to_vec();
    if !value.is_empty() {
        let at = random.below(value.len());
        value[at] = random.next().to_le_bytes()[0];
    }
    value
}

/// Cut off, overwritten, or with a length that lies.
fn corrupted(mut map: Vec<u8>, random: &mut Random) -> Vec<u8> {
    match random.below(5) {
        0 => map.truncate(random.below(map.len() + 1)),
        1 => lie(&mut map, 0, random),
        2 => {
            let words = (map.len() / 4).max(1);
            let word = random.below(words.min(32));
            lie(&mut map, word * 4, random);
        }
        3 => map = random_bytes(random, 600),
        _ => {
            let at = random.below(map.len() + 1);
            if let Some(byte) = map.get_mut(at) {
                *byte = random.next().to_le_bytes()[0];
            }
        }
    }
    map
}

fn lie(map: &mut [u8], at: usize, random: &mut Random) {
    let small = u32::from(random.next().to_le_bytes()[0]);
    let lies = [0, 1, small, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF7, u32::MAX];
    let lie = lies[random.below(lies.len())].to_le_bytes();
    if let Some(word) = map.get_mut(at..at + 4) {
        word.copy_from_slice(&lie);
    }
}
