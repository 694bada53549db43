//! The proxy rolls a bad canary back by itself, and for nothing else.

#![allow(clippy::disallowed_methods, reason = "how soon a rollback is seen is measured")]

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use canary_lab::{Load, Request, Response, Tally, wait_until};
use serde_json::{Value, json};

use crate::scene::{
    Answer, Core, Head, PATIENCE, Scene, Upstream, bootstrap, envoy_with, rendered, rendered_for_new_vms,
    rollout, user,
};

const USERS: u64 = 5_000;

const BREACHES: &str = "canary_guardrail_breaches_total";

pub(crate) fn a_canary_that_fails_half_its_requests_is_rolled_back_within_three_seconds() {
    for workers in [2, 4] {
        let policy = watched(&json!({"errors": {}}));
        let upstream = failing_in_every_second_round(503);
        let scene = scene(&policy, &bootstrap_with_canary(&upstream), workers);
        let (fiftieth, last) = (AtomicU64::new(u64::MAX), AtomicU64::new(0));
        let canaries = AtomicU64::new(0);
        let start = Instant::now();
        let tally = under_load(
            &scene,
            get,
            |answer| {
                if answer.stamp.as_deref() == Some("stable") {
                    assert_eq!(answer.status, 200, "stable sees no error");
                    return;
                }
                let now = u64::try_from(start.elapsed().as_millis()).unwrap();
                last.fetch_max(now, Ordering::Relaxed);
                if canaries.fetch_add(1, Ordering::Relaxed) == 49 {
                    fiftieth.store(now, Ordering::Relaxed);
                }
            },
            || {
                breaches(&scene, 1);
                requests_pass(&scene, 2_000);
            },
        );
        let (fiftieth, last) = (fiftieth.into_inner(), last.into_inner());
        let per_second = u128::from(tally.sent()) * 1_000 / tally.elapsed.as_millis();
        println!(
            "{workers} workers, {per_second} requests a second: rolled back {} ms after the 50th of {} requests of the canary",
            last - fiftieth.min(last),
            canaries.into_inner()
        );
        // Three seconds at 500 requests a second; a machine that is too busy for those has longer.
        let limit = 3_000 * 500 / u64::try_from(per_second).unwrap().min(500);
        assert!(last - fiftieth.min(last) <= limit, "{fiftieth} ms, {last} ms, at most {limit}");
        let told = scene.logged("guardrail breach");
        assert!(
            told.len() == 1 && told[0].contains("variant=canary") && told[0].contains(" users, "),
            "{told:?}"
        );
        scene.wait_for_exactly("canary_rolled_back", &[("variant", "canary")], 1);
        assert_eq!(scene.stats().canary("canary_weight_ppm", &[("variant", "stable")]), 1_000_000);
        scene.wait_for("its state", |stats| (stats.canary("canary_guardrail_state", &[]) == 4).then_some(()));
        assert!(scene.stats().canary("canary_decisions_total", &[("reason", "ROLLED_BACK")]) > 0);
        assert_eq!(scene.stats().canary(BREACHES, &[]), 1, "one trip");
    }
}

pub(crate) fn a_rollback_survives_edits_and_new_vms_and_ends_by_a_resume_or_a_release() {
    let guardrail = json!({"errors": {}});
    let policy = watched(&guardrail);
    let canary = user_on(&Core::new(&policy), "canary");
    let upstream = failing_in_every_second_round(503);
    let scene = scene(&policy, &bootstrap_with_canary(&upstream), 2);
    let side = || scene.lab.client().send(&get(canary)).unwrap().header("x-deployment-variant");
    let serves = |wanted: &str, what: &str| {
        for _ in 0..20 {
            assert_eq!(side().as_deref(), Some(wanted), "{what}");
        }
    };
    let comes_to = |wanted: &str| {
        let all = || (0..20).all(|_| side().as_deref() == Some(wanted));
        wait_until(PATIENCE, wanted, || Ok(all().then_some(()))).unwrap();
    };
    trips(&scene, 1);
    comes_to("stable");
    // Another team's rollout comes, and this one is edited.
    let mut edited: Value = serde_json::from_str(&policy).unwrap();
    let mut other = edited["rollouts"][0].clone();
    other["name"] = "search".into();
    other["match"] = json!({"path_prefixes": ["/search"]});
    edited["rollouts"].as_array_mut().unwrap().insert(0, other);
    edited["rollouts"][1]["description"] = "edited".into();
    scene.load(&edited.to_string());
    serves("stable", "edited");
    scene.push_until("canary_policy_loads_total", &rendered_for_new_vms(&policy));
    serves("stable", "new VMs");
    // An operator lets it begin anew, and it trips again.
    let mut resumed: Value = serde_json::from_str(&policy).unwrap();
    resumed["state"] = json!({"checkout": {"resume": "2026-11-23T16:00:00Z"}});
    scene.load(&resumed.to_string());
    comes_to("canary");
    assert_eq!(scene.logged("guardrail begins anew").len(), 1);
    trips(&scene, 2);
    comes_to("stable");
    // The release of the next version draws anew, and nothing is held against it.
    let next = rollout(100.0, &json!({"release": "v2", "guardrail": guardrail}));
    scene.load(&next.to_string());
    serves("canary", "the next release");
}

pub(crate) fn a_canary_whose_grpc_calls_fail_in_their_trailers_is_rolled_back() {
    let upstream = Upstream::answering(|head| grpc(if in_every_second_round(head) { "13" } else { "0" }));
    let stable = Upstream::answering(|_| grpc("0"));
    let bootstrap = bootstrap_with(&stable, &upstream).replace("connect_timeout: 1s", TRAILERS);
    let scene = scene(&watched(&json!({"errors": {}})), &bootstrap, 2);
    let call = |number| {
        Request::new("POST", "/")
            .header("content-type", "application/grpc")
            .header("x-user-id", user_of(number))
            .header("x-number", number.to_string())
    };
    under_load(&scene, call, |_| {}, || breaches(&scene, 1));
}

pub(crate) fn a_canary_whose_errors_are_hidden_by_retries_is_rolled_back() {
    // One in ten fails at its first attempt.
    let upstream = Upstream::answering(|head| {
        let number: u64 = head.first("x-number").unwrap().parse().unwrap();
        let fails = number.is_multiple_of(10) && head.first("x-envoy-attempt-count") == Some("1");
        plain(if fails { 503 } else { 200 })
    });
    let retry = "route: {cluster: checkout-v2, retry_policy: {retry_on: 5xx, num_retries: 2}}";
    let bootstrap = bootstrap_with_canary(&upstream)
        .replace("route: {cluster: checkout-v2}", retry)
        .replacen(
            "- name: checkout\n",
            "- name: checkout\n              include_request_attempt_count: true\n",
            1,
        )
        .replace(
            "connect_timeout: 1s",
            "connect_timeout: 1s\n    circuit_breakers: {thresholds: [{max_retries: 100}]}",
        );
    let scene = scene(&watched(&json!({"errors": {}})), &bootstrap, 2);
    let all_well = |answer: &Answer| assert_eq!(answer.status, 200, "users notice nothing");
    under_load(&scene, get, all_well, || breaches(&scene, 1));
}

pub(crate) fn a_canary_that_hangs_is_rolled_back() {
    let upstream = Upstream::answering(|_| {
        loop {
            std::thread::park();
        }
    });
    let policy = watched(&json!({"latency": {}}));
    let core = Core::new(&policy);
    let scene = scene(&policy, &bootstrap_with_canary(&upstream), 2);
    let [stable, canary] = ["stable", "canary"].map(|side| {
        let numbers = (0..USERS).filter(|number| core.side(usize::try_from(*number).unwrap()) == side);
        numbers.collect::<Vec<_>>()
    });
    let pick = |of: &[u64], number: u64| of[usize::try_from(number).unwrap() % of.len()];
    let ask = |number| get(pick(&stable, number));
    under_load(
        &scene,
        ask,
        |_| {},
        || {
            let give_up = Instant::now() + PATIENCE;
            let mut number = 0;
            // Users of the canary wait for a while, and go.
            while scene.stats().canary(BREACHES, &[]) == 0 {
                assert!(Instant::now() < give_up, "no breach:\n{}", scene.filter_stats());
                let waiting: Vec<_> = (0..20)
                    .map(|_| {
                        number += 1;
                        let mut stream = TcpStream::connect(("127.0.0.1", scene.lab.ports().main())).unwrap();
                        stream.write_all(&get(pick(&canary, number)).bytes()).unwrap();
                        stream
                    })
                    .collect();
                scene.wait_for("their streams", |stats| {
                    (stats.canary("canary_active_streams", &[("variant", "canary")]) >= 20).then_some(())
                });
                std::thread::sleep(Duration::from_millis(200));
                drop(waiting);
            }
        },
    );
    assert!(scene.logged("guardrail breach")[0].contains("is slower"));
}

pub(crate) fn one_client_a_dead_baseline_and_the_clients_own_errors_trip_nothing() {
    let policy = watched(&json!({"errors": {"max_rate": 1.0, "window": "10s"}, "latency": {}}));
    let core = Core::new(&policy);
    let attacker = user_on(&core, "canary");
    // 400 for every fifth user on either side; the attacker's requests fail.
    let answer = move |head: &Head| {
        let id = head.first("x-user-id").unwrap().to_owned();
        let number: u64 = head.first("x-number").unwrap().parse().unwrap();
        plain(if id == user(usize::try_from(attacker).unwrap()) {
            503
        } else if number.is_multiple_of(5) {
            400
        } else {
            200
        })
    };
    let (stable, canary) = (Upstream::answering(|_| plain(200)), Upstream::answering(answer));
    let scene = scene(&policy, &bootstrap_with(&stable, &canary), 2);
    let attack = |number: u64| {
        if number.is_multiple_of(2) { get(number / 2) } else { get(attacker).header("x-attack", "1") }
    };
    under_load(
        &scene,
        attack,
        |_| {},
        || {
            let failed = [("variant", "canary"), ("code_class", "5xx")];
            wait_until(Duration::from_mins(2), "50,000 failures", || {
                Ok((scene.stats().canary("canary_responses_total", &failed) >= 50_000).then_some(()))
            })
            .unwrap();
        },
    );
    assert_eq!(scene.stats().canary(BREACHES, &[]), 0, "{:?}", scene.logged("guardrail"));

    // The baseline dies, and the canary is well.
    let dead = Upstream::answering(|_| plain(503));
    let well = Upstream::answering(|_| plain(200));
    let scene = self::scene(&policy, &bootstrap_with(&dead, &well), 2);
    under_load(&scene, get, |_| {}, || requests_pass(&scene, 20_000));
    assert_eq!(scene.stats().canary(BREACHES, &[]), 0, "{:?}", scene.logged("guardrail"));
}

// What the tests share

/// 10 % canary, watched.
fn watched(guardrail: &Value) -> String {
    rollout(10.0, &json!({"release": "v1", "guardrail": guardrail})).to_string()
}

/// The first user on a side.
fn user_on(core: &Core, side: &str) -> u64 {
    core.user_on(side).try_into().unwrap()
}

fn scene(policy: &str, bootstrap: &str, workers: u32) -> Scene {
    let envoy = envoy_with(bootstrap.to_owned()).concurrency(workers);
    Scene::boot(envoy.ecds(rendered(policy).to_string()))
}

/// The deployed bootstrap, with another upstream for the canary.
fn bootstrap_with_canary(canary: &Upstream) -> String {
    at_port(&bootstrap(), 10_002, canary)
}

/// The deployed bootstrap, with other upstreams for both sides.
fn bootstrap_with(stable: &Upstream, canary: &Upstream) -> String {
    at_port(&bootstrap_with_canary(canary), 10_001, stable)
}

fn at_port(bootstrap: &str, port: u16, upstream: &Upstream) -> String {
    let (before, clusters) = bootstrap.split_once("\n  clusters:\n").expect("clusters");
    let clusters =
        clusters.replace(&format!("port_value: {port}"), &format!("port_value: {}", upstream.port()));
    format!("{before}\n  clusters:\n{clusters}")
}

const TRAILERS: &str = "connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http_protocol_options: {enable_trailers: true}}";

fn failing_in_every_second_round(status: u16) -> Upstream {
    Upstream::answering(move |head| plain(if in_every_second_round(head) { status } else { 200 }))
}

/// Half of all requests, and each user's every second one.
fn in_every_second_round(head: &Head) -> bool {
    let number: u64 = head.first("x-number").unwrap().parse().unwrap();
    (number + number / USERS).is_multiple_of(2)
}

fn plain(status: u16) -> String {
    format!("HTTP/1.1 {status} Fine\r\ncontent-length: 0\r\n\r\n")
}

fn grpc(status: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\
         grpc-status: {status}\r\n\r\n"
    )
}

fn user_of(number: u64) -> String {
    user(usize::try_from(number % USERS).unwrap())
}

/// The requests 0, 1, … of all users in turn.
fn get(number: u64) -> Request {
    Request::get("/").header("x-user-id", user_of(number)).header("x-number", number.to_string())
}

/// Sends requests as fast as they are answered while something is waited for.
fn under_load(
    scene: &Scene,
    request: impl Fn(u64) -> Request + Sync,
    see: impl Fn(&Answer) + Sync,
    wait: impl FnOnce(),
) -> Tally {
    let stop = AtomicBool::new(false);
    let clients = scene.lab.clients(6).unwrap();
    let see = |_: u64, response: &Response| see(&Answer::of(response));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| Load::over(clients).until(&stop).run(&request, see));
        // Whatever comes of it, the load must end.
        let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(wait));
        stop.store(true, Ordering::Relaxed);
        let tally = load.join().unwrap();
        waited.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        assert_eq!(tally.failures, Vec::<String>::new());
        tally
    })
}

/// Lets the canary fail until it trips.
fn trips(scene: &Scene, times: u64) {
    under_load(
        scene,
        get,
        |_| {},
        || {
            breaches(scene, times);
            scene.wait_for_exactly(
                "canary_rolled_back",
                &[("rollout", "checkout"), ("variant", "canary")],
                1,
            );
        },
    );
}

fn breaches(scene: &Scene, times: u64) {
    scene.wait_for_exactly(BREACHES, &[("rollout", "checkout"), ("variant", "canary")], times);
}

fn requests_pass(scene: &Scene, requests: u64) {
    let before = scene.stats().canary("canary_requests_total", &[]);
    scene.wait_for("requests", |stats| {
        (stats.canary("canary_requests_total", &[]) >= before + requests).then_some(())
    });
}
