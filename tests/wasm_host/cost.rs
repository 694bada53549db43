//! What a request costs in host calls and VM entries.

use std::collections::BTreeMap;

use crate::fixture::{BASIC, artefact, browser, exchange, ok, serving};
use crate::harness::Vm;

const REQUESTS: u64 = 1_000;

/// The calls that hand data back: the host re-enters the VM to allocate for them.
const HAND_BACK: [&str; 5] = [
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_get_buffer_bytes",
];

#[test]
fn a_basic_request_reads_the_map_the_status_and_the_attempts_and_one_in_64_its_cluster() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, BASIC);
    let calls = calls_of_requests(&mut vm);
    print_table(&mut vm, &calls);
    let count = |name| calls.get(name).copied().unwrap_or(0);
    assert_eq!(count("proxy_get_header_map_pairs"), REQUESTS);
    assert_eq!(count("proxy_get_header_map_value"), REQUESTS, "the status");
    let clusters = count("proxy_get_property") - REQUESTS;
    assert!((REQUESTS / 64..=REQUESTS / 64 + 1).contains(&clusters), "{clusters}");
    assert_eq!(count("clock_time_get"), 2 * REQUESTS);
    assert_eq!(count("proxy_record_metric"), REQUESTS, "the duration");
    for other in
        ["proxy_define_metric", "proxy_get_metric", "proxy_increment_metric", "proxy_get_shared_data"]
    {
        assert!(count(other) < 10, "{other} is no call of the request path: {}", count(other));
    }
}

#[test]
fn a_stream_costs_six_entries_into_the_vm_and_one_for_each_call_that_hands_data_back() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, BASIC);
    let calls = calls_of_requests(&mut vm);
    let handed_back: u64 = HAND_BACK.iter().filter_map(|name| calls.get(name)).sum();
    let entries: u64 = vm.host().entries.values().sum();
    assert_eq!(entries, 6 * REQUESTS + handed_back, "{:?}", vm.host().entries);
}

#[test]
fn a_policy_without_filter_state_spends_no_call_on_it() {
    let Some(artefact) = artefact() else { return };
    let policy = BASIC.replacen("\"identity\"", "\"stamp\": {\"filter_state\": false}, \"identity\"", 1);
    let mut vm = serving(&artefact, &policy);
    let calls = calls_of_requests(&mut vm);
    assert_eq!(calls.get("proxy_set_property"), None, "{calls:?}");
}

#[test]
fn counters_reach_the_host_on_a_tick_and_when_the_plugin_ends() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, BASIC);
    let root = vm.root();
    let period = vm.host().tick_ms.get(&root).copied();
    assert!(period.is_some_and(|ms| (1..=250).contains(&ms)), "tick period: {period:?}");
    calls_of_requests(&mut vm);
    vm.tick(root).unwrap();
    assert_eq!(requests_counted(&mut vm), REQUESTS);
    calls_of_requests(&mut vm);
    vm.end_root(root).unwrap();
    assert_eq!(requests_counted(&mut vm), REQUESTS);
}

/// Serves many users and returns the host calls by name; the first thousand, whose cluster is
/// always asked for, are not counted.
fn calls_of_requests(vm: &mut Vm) -> BTreeMap<&'static str, u64> {
    for _ in 0..1_000 {
        exchange(vm, browser("warm-up"), ok()).unwrap();
    }
    let root = vm.root();
    vm.tick(root).unwrap();
    let counted = requests_counted(vm);
    assert!(counted > 0, "the warm-up request is not counted: {:?}", vm.host().metrics);
    for metric in vm.host().metrics.values_mut() {
        metric.value = 0;
    }
    vm.host().forget_counts();
    for user in 0..REQUESTS {
        exchange(vm, browser(&format!("user-{user}")), ok()).unwrap();
    }
    let mut by_name = BTreeMap::new();
    for ((_, import), count) in &vm.host().calls {
        *by_name.entry(*import).or_default() += count;
    }
    by_name
}

fn requests_counted(vm: &mut Vm) -> u64 {
    let metrics = vm.host().metrics.iter();
    metrics.filter(|(name, _)| name.ends_with("canary_requests_total")).map(|(_, m)| m.value).sum()
}

fn print_table(vm: &mut Vm, calls: &BTreeMap<&'static str, u64>) {
    println!("per request, basic policy ({REQUESTS} users)");
    for (name, count) in calls {
        println!("  {name:<34} {:>8.3}", per_request(*count));
    }
    for (name, count) in vm.host().entries.clone() {
        println!("  entry {name:<28} {:>8.3}", per_request(count));
    }
}

#[allow(clippy::cast_precision_loss, reason = "small counts, for people")]
fn per_request(count: u64) -> f64 {
    count as f64 / REQUESTS as f64
}
