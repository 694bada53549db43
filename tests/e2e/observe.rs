//! `observe`: a rollout that is rehearsed. It decides and counts; nobody notices.

use canary_lab::Request;
use serde_json::json;

use crate::scene::{
    Answer, Core, Scene, Upstream, bootstrap, bootstrap_without, envoy_with, rendered, rollout, routed_to,
    user,
};
use crate::spoof::{STAMPS, stamped};

const USERS: usize = 400;

/// With everything by which a rollout could show itself.
fn policy() -> String {
    let mut policy = rollout(
        30.0,
        &json!({
            "observe": true,
            "anonymous": {"cookie": {}},
            "flags": [{"name": "new_dashboard", "percent": 50}],
        }),
    );
    policy["stamp"] = json!({"baggage": true});
    policy.to_string()
}

pub(crate) fn an_observed_rollout_counts_and_logs_and_nobody_notices() {
    let policy = policy();
    let core = Core::new(&policy);
    let scene = Scene::serving(&policy);
    let request = |number| Request::get(&format!("/users/{number}")).header("x-user-id", user(number));
    let unnoticed = Answer { status: 200, served_by: Some("checkout-v1".to_owned()), ..Answer::default() };
    for answer in scene.answers(USERS, request) {
        assert_eq!(answer, unnoticed);
    }
    let decisions = scene.logged_decisions(USERS, 1);
    let expected: Vec<_> = (0..USERS).map(|number| core.user(number).to_string()).collect();
    assert_eq!(decisions, expected);
    for side in ["stable", "canary"] {
        let count = core.sides(USERS).iter().filter(|name| *name == side).count().try_into().unwrap();
        let labels = [("rollout", "checkout"), ("variant", side)];
        scene.wait_for_exactly("canary_requests_total", &labels, count);
        scene.wait_for_exactly("canary_responses_total", &labels, count);
    }
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "SPLIT")], USERS.try_into().unwrap());
    scene.wait_for_exactly("canary_weight_ppm", &[("variant", "canary")], 300_000);

    let page = scene.lab.client().send(&Request::get("/").header("accept", "text/html")).unwrap();
    assert_eq!((page.header("set-cookie"), page.header("cache-control")), (None, None));
}

pub(crate) fn an_observed_rollout_lets_no_stamps_of_a_client_through() {
    let core = Core::new(&policy());
    for bootstrap in [bootstrap(), bootstrap_without("stamps")] {
        let upstream = Upstream::start(&[]);
        let bootstrap = routed_to(&bootstrap, upstream.port());
        let scene = Scene::boot(envoy_with(bootstrap).ecds(rendered(&policy()).to_string()));
        for stamps in STAMPS {
            for side in ["stable", "canary"] {
                let request = Request::get("/")
                    .header("x-user-id", user(core.user_on(side)))
                    .header("x-feature-flags", "new_dashboard")
                    .header("baggage", "user=1,deployment-variant=checkout:canary");
                assert_eq!(scene.ask(&stamped(request, stamps)).stamp, None);
                let head = upstream.take_one();
                assert!(!head.contains("x-deployment") && !head.contains("x-feature-flags"), "{head:?}");
                assert_eq!(head.all("baggage"), ["user=1"]);
            }
        }
    }
}
