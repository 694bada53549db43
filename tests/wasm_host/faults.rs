//! A host call that fails never stops a stream, whichever it is and whatever it answers.

use std::collections::BTreeSet;

use crate::fixture::{
    ALL, CURIOUS, FIGURES, GUARDED, artefact, browser, call, exchange, failed, host, ok, telling,
};
use crate::harness::{Artefact, CONTINUE, Fault, Host, Pairs, Vm, pairs};

/// Every `WasmResult` but success, and one that does not exist.
const STATUSES: [u32; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 99];

/// Whoever lives in [`life`].
const USERS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

#[test]
fn whichever_host_call_fails_in_whichever_callback_no_trap_and_the_stream_goes_on() {
    let Some(artefact) = artefact() else { return };
    let made = calls_made(&artefact);
    let mut failures = Vec::new();
    let mut lives = 0;
    for (callback, import) in &made {
        for status in STATUSES {
            let fault = Fault { callback: Some(callback), import: Some(import), status };
            lives += 1;
            failures.extend(life_with(&artefact, fault).err());
        }
    }
    println!("{lives} lives: {} calls at their callbacks, {} answers", made.len(), STATUSES.len());
    assert!(failures.is_empty(), "{} lives fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_host_call_that_always_fails_and_a_callback_in_which_all_fail_stop_no_stream() {
    let Some(artefact) = artefact() else { return };
    let made = calls_made(&artefact);
    let callbacks: BTreeSet<_> = made.iter().map(|(callback, _)| (Some(*callback), None)).collect();
    let imports: BTreeSet<_> = made.iter().map(|(_, import)| (None, Some(*import))).collect();
    let everything = BTreeSet::from([(None, None)]);
    let mut failures = Vec::new();
    for (callback, import) in callbacks.into_iter().chain(imports).chain(everything) {
        for status in STATUSES {
            failures.extend(life_with(&artefact, Fault { callback, import, status }).err());
        }
    }
    assert!(failures.is_empty(), "{} lives fail:\n{}", failures.len(), failures.join("\n"));
}

/// The host calls of the filter's own that a whole life makes, with the callback that makes them.
fn calls_made(artefact: &Artefact) -> BTreeSet<(&'static str, &'static str)> {
    let mut vm = Vm::start(artefact, host()).unwrap();
    life(&mut vm).unwrap();
    let calls = vm.host().calls.keys().copied();
    calls.filter(|(_, import)| import.starts_with("proxy_") || *import == "clock_time_get").collect()
}

fn life_with(artefact: &Artefact, fault: Fault) -> Result<(), String> {
    let name = format!("{fault:?}");
    let faulty = Host { fault: Some(fault), ..host() };
    let mut vm = Vm::start(artefact, faulty).map_err(|trap| format!("{name}: {trap}"))?;
    life(&mut vm).map_err(|what| format!("{name}: {what}"))?;
    let told = vm.host().log.iter().find(|(_, line)| USERS.iter().any(|user| line.contains(user)));
    told.map_or(Ok(()), |(_, line)| Err(format!("{name}: a log line names a user: {line}")))?;
    vm.host().fault = None;
    recovered(&mut vm).map_err(|what| format!("{name}, afterwards: {what}"))
}

/// Everything that happens to a filter: good and bad configurations, requests of
/// every kind, ticks, an update under way, the end.
fn life(vm: &mut Vm) -> Result<(), String> {
    accept(vm, ALL)?;
    // No identity: an id is issued, and a token is refused.
    exchange(vm, visitor(), ok())?;
    accept(vm, FIGURES)?;
    exchange(vm, call("erin"), telling())?;
    accept(vm, GUARDED)?;
    exchange(vm, browser("frank"), failed())?;
    for _ in 0..2 {
        vm.host().now_ns += 1_000_000_000;
        vm.tick(vm.root())?;
    }
    for policy in ["", "{", CURIOUS] {
        accept(vm, policy)?;
    }
    exchange(vm, browser("alice"), ok())?;
    let stray = pairs(&[(":authority", "elsewhere"), (":path", "/"), ("x-deployment-variant", "x")]);
    exchange(vm, stray, ok())?;
    let anonymous = pairs(&[(":authority", "shop.example.com"), (":path", "/checkout")]);
    exchange(vm, anonymous, ok())?;
    aborted(vm)?;
    answered_before_it_came_here(vm)?;
    vm.tick(vm.root())?;
    let (in_flight, _) = vm.request(browser("bob"))?;
    let old = vm.new_root()?;
    accept(vm, CURIOUS)?;
    vm.end_root(old)?;
    let action = vm.response(in_flight, ok())?;
    vm.end(in_flight)?;
    exchange(vm, browser("carol"), ok())?;
    vm.tick(vm.root())?;
    if action == CONTINUE { Ok(()) } else { Err("the stream in flight is stopped".to_owned()) }
}

/// With the host well again, the next policy serves as if nothing had been.
fn recovered(vm: &mut Vm) -> Result<(), String> {
    let old = vm.new_root()?;
    accept(vm, CURIOUS)?;
    vm.end_root(old)?;
    exchange(vm, browser("alice"), ok())?;
    vm.tick(vm.root())?;
    let variant = vm.host().request_header("x-deployment-variant").map(<[u8]>::to_vec);
    match variant.as_deref() {
        Some(b"stable" | b"canary") => Ok(()),
        other => Err(format!("alice's stamp is {other:?}")),
    }
}

/// A page without identity, with a token that is nothing worth.
fn visitor() -> Pairs {
    pairs(&[
        (":authority", "shop.example.com"),
        (":path", "/checkout?__variant=v1.x"),
        (":method", "GET"),
        ("accept", "text/html"),
        ("cookie", "a=b; deployment-override=x"),
        ("baggage", "a=1"),
    ])
}

fn accept(vm: &mut Vm, policy: &str) -> Result<(), String> {
    match vm.configure(policy) {
        Ok(true) => Ok(()),
        Ok(false) => Err("on_configure returned false".to_owned()),
        Err(trap) => Err(trap.to_string()),
    }
}

/// The client goes away: no response callback.
fn aborted(vm: &mut Vm) -> Result<(), String> {
    let (id, _) = vm.request(browser("dave"))?;
    Ok(vm.end(id)?)
}

/// A filter ahead replied: no request callback.
fn answered_before_it_came_here(vm: &mut Vm) -> Result<(), String> {
    let id = vm.stream()?;
    vm.response(id, ok())?;
    vm.end(id)?;
    let unused = vm.stream()?;
    Ok(vm.end(unused)?)
}
