//! Envoy's stats against what was sent: equal, not about equal.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;

use canary_lab::{Load, Request};

use crate::scene::{Answer, Core, Scene, VMS, one_variant, rendered_for_new_vms, user};

const REQUESTS: u64 = 1_500;

/// What the demo's upstream is asked to answer with; 200 where it is asked for nothing.
const CODES: [u16; 6] = [200, 503, 200, 404, 302, 200];

pub(crate) fn stats_equal_the_requests_sent() {
    let policy = one_variant(40.0);
    let core = Core::new(&policy);
    let scene = Scene::serving(&policy);
    let number_of = |request: u64| usize::try_from(request).unwrap();
    let status = |request: u64| CODES[number_of(request) % CODES.len()];
    // Every tenth comes without identity.
    let user_of = |request: u64| Some(number_of(request)).filter(|number| number % 10 != 9);
    let tally = Load::over(scene.lab.clients(4).unwrap()).requests(REQUESTS).run(
        |request| {
            let get = Request::get("/");
            let get = user_of(request).map_or(get.clone(), |number| get.header("x-user-id", user(number)));
            match status(request) {
                200 => get,
                other => get.header("x-envoy-fault-abort-request", other.to_string()),
            }
        },
        |request, response| assert_eq!(response.status, status(request)),
    );
    assert_eq!(tally.failures, Vec::<String>::new());

    let mut expected = BTreeMap::<(&str, Vec<(&str, String)>), u64>::new();
    for request in 0..REQUESTS {
        let (side, reason) = match user_of(request) {
            Some(number) => (core.side(number).to_owned(), "SPLIT"),
            None => ("stable".to_owned(), "ANONYMOUS"),
        };
        let class = format!("{}xx", status(request) / 100);
        let responses = vec![("variant", side.clone()), ("code_class", class)];
        *expected.entry(("canary_responses_total", responses)).or_default() += 1;
        *expected.entry(("canary_requests_total", vec![("variant", side)])).or_default() += 1;
        *expected.entry(("canary_decisions_total", vec![("reason", reason.to_owned())])).or_default() += 1;
    }
    assert_eq!(expected.len(), 12, "{expected:?}");
    for ((metric, labels), count) in &expected {
        let mut labels: Vec<_> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
        labels.push(("rollout", "checkout"));
        scene.wait_for_exactly(metric, &labels, *count);
    }
    for metric in ["canary_requests_total", "canary_responses_total", "canary_decisions_total"] {
        assert_eq!(scene.stats().canary(metric, &[]), REQUESTS, "{metric}: nothing beside these labels");
    }
}

pub(crate) fn a_client_that_goes_away_counts_as_no_response() {
    let scene = Scene::serving(&one_variant(100.0));
    let mut connection = TcpStream::connect(("127.0.0.1", scene.lab.ports().main())).unwrap();
    // The upstream would answer long after this test is over.
    let request =
        Request::get("/").header("x-user-id", "alice").header("x-envoy-fault-delay-request", "600000");
    connection.write_all(&request.bytes()).unwrap();
    let canary = [("rollout", "checkout"), ("variant", "canary")];
    scene.wait_for_exactly("canary_requests_total", &canary, 1);
    assert_eq!(scene.stats().canary("canary_responses_total", &[]), 0);

    drop(connection);

    let aborted = [canary[0], canary[1], ("code_class", "none")];
    scene.wait_for_exactly("canary_responses_total", &aborted, 1);
    assert_eq!(scene.stats().canary("canary_responses_total", &[]), 1);
}

pub(crate) fn counters_go_on_though_every_vm_is_replaced() {
    let policy = one_variant(100.0);
    let scene = Scene::serving(&policy);
    let get = Request::get("/").header("x-user-id", "alice");
    for _ in 0..5 {
        scene.ask(&get);
    }
    scene.wait_for_exactly("canary_responses_total", &[("variant", "canary")], 5);
    let loads = scene.stats().canary("canary_policy_loads_total", &[]);
    // As with a new version of the filter: nothing of the old VMs is left when all are there.
    scene.push_until("canary_policy_loads_total", &rendered_for_new_vms(&format!("{policy} ")));
    assert_eq!(scene.stats().canary("canary_policy_loads_total", &[]), loads + VMS);
    scene.wait_for("the old VMs to go", |stats| {
        (stats.get("wasm.envoy.wasm.runtime.v8.active")? <= VMS).then_some(())
    });
    assert_eq!(scene.stats().canary("canary_responses_total", &[("variant", "canary")]), 5);
    scene.ask(&get);
    scene.wait_for_exactly("canary_responses_total", &[("variant", "canary")], 6);
}

pub(crate) fn a_request_in_flight_is_counted_though_its_vm_is_replaced() {
    let scene = Scene::serving(&one_variant(100.0));
    let get = || Request::get("/").header("x-user-id", "alice");
    let canary = [("rollout", "checkout"), ("variant", "canary"), ("code_class", "2xx")];
    let mut client = scene.lab.client();
    std::thread::scope(|scope| {
        // Long enough for new VMs to be built and to answer meanwhile.
        let slow = get().header("x-envoy-fault-delay-request", "4000");
        let answer = scope.spawn(move || client.send(&slow).unwrap());
        scene.wait_for_exactly("canary_requests_total", &[], 1);
        let policy = format!("{} ", one_variant(100.0));
        scene.push_until("canary_policy_loads_total", &rendered_for_new_vms(&policy));
        // Envoy forgets a counter with the last VM that has it, so a new VM has to count first.
        assert_eq!(scene.ask(&get()).side().as_deref(), Ok("canary"));
        scene.wait_for_exactly("canary_responses_total", &canary, 1);
        assert!(!answer.is_finished(), "it should still be in flight");
        assert_eq!(Answer::of(&answer.join().unwrap()).side().as_deref(), Ok("canary"));
    });
    scene.wait_for_exactly("canary_responses_total", &canary, 2);
    scene.wait_for_exactly("canary_requests_total", &canary[..2], 2);
}
