//! Policies, good and bad in turn, are pushed while requests go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use canary_lab::{Load, Request, wait_until};

use crate::scene::{Answer, Core, PATIENCE, Scene, one_variant, user};

const USERS: usize = 500;
const PUSHES: usize = 24;
const REQUESTS: u64 = 5_000;

const LOW: f64 = 10.0;
const HIGH: f64 = 40.0;

/// Every way of being bad: a value, a text, a type, an unknown field, a reference, a name twice.
const BAD: [&str; 6] = [
    r#"{"version": 1, "rollouts": [{"name": "checkout", "baseline": {"name": "stable"}, "variants": [{"name": "canary", "weight": 120}]}]}"#,
    "no JSON at all",
    r#"{"version": "one"}"#,
    r#"{"version": 1, "rolouts": []}"#,
    r#"{"version": 1, "identity": [{"header": "x-user-id"}], "state": {"nobody": {"rolled_back": ["canary"]}}}"#,
    r#"{"version": 1, "version": 1}"#,
];

pub(crate) fn no_request_fails_and_nobody_moves_while_policies_are_pushed_under_load() {
    // Whoever is on the canary at the lowest weight stays, whoever is not at the highest too.
    let (low, high) = (Core::new(&one_variant(LOW)), Core::new(&one_variant(HIGH)));
    let may: Vec<[&str; 2]> = (0..USERS).map(|number| [low.side(number), high.side(number)]).collect();
    let scene = Scene::serving(&one_variant(LOW));
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let strange = Mutex::new(Vec::new());
    let load = Load::over(scene.lab.clients(4).unwrap()).until(&stop);
    let number_of = |request: u64| usize::try_from(request).unwrap() % USERS;
    let tally = std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            load.run(
                |request| Request::get("/").header("x-user-id", user(number_of(request))),
                |request, response| {
                    sent.fetch_add(1, Ordering::Relaxed);
                    let may = may[number_of(request)];
                    match Answer::of(response).side() {
                        Ok(side) if may.contains(&side.as_str()) => {}
                        other => strange.lock().unwrap().push((may, other)),
                    }
                },
            )
        });
        // Whatever happens here, the load must come to its end.
        let pushed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            push_all(&scene);
            wait_until(PATIENCE, "the last requests", || {
                Ok((sent.load(Ordering::Relaxed) >= REQUESTS).then_some(()))
            })
            .unwrap();
        }));
        stop.store(true, Ordering::Relaxed);
        let tally = load.join().unwrap();
        pushed.unwrap();
        tally
    });
    tally.all_ok().unwrap();
    assert!(tally.sent() >= REQUESTS);
    let strange = strange.into_inner().unwrap();
    assert!(strange.is_empty(), "{} answers, the first: {:?}", strange.len(), strange.first());
    assert_eq!(scene.sides(USERS), high.sides(USERS), "the last good policy serves in the end");
    let all = tally.sent() + u64::try_from(USERS).unwrap();
    for metric in ["canary_requests_total", "canary_responses_total", "canary_decisions_total"] {
        scene.wait_for_exactly(metric, &[("rollout", "checkout")], all);
    }
}

/// Good and bad in turn; the last good one has the highest weight.
fn push_all(scene: &Scene) {
    for push in 0..PUSHES {
        if push % 2 == 1 {
            // A comment of its own: Envoy passes over what it has already.
            scene.load_bad(&format!("{}{}", BAD[push / 2 % BAD.len()], " ".repeat(push)));
        } else {
            let weight = if push % 4 == 2 || push == 0 { HIGH } else { LOW };
            let weight = if push + 2 == PUSHES { HIGH } else { weight };
            scene.load(&format!("{}{}", one_variant(weight), " ".repeat(push)));
        }
    }
}
