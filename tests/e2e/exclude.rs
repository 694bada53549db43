//! `exclude`: requests that are nobody's, and must not move any figure.

use canary_lab::Request;
use serde_json::json;

use crate::scene::{Scene, rollout};

pub(crate) fn excluded_requests_get_the_baseline_and_are_in_no_figure_of_a_variant() {
    let shadow = json!({"header": {"name": ":authority", "suffix": "-shadow"}});
    let mut policy = rollout(100.0, &json!({"exclude": shadow}));
    policy["exclude"] = json!({"path_prefixes": ["/healthz"]});
    let scene = Scene::serving(&policy.to_string());
    let get = |path: &str, host: &str| Request::get(path).host(host).header("x-user-id", "alice");
    let excluded = [
        get("/healthz", "shop.example.com"),
        get("/healthz/live?x=1", "shop.example.com"),
        get("/", "shop.example.com-shadow"),
        get("/healthz", "shop.example.com-shadow"),
        Request::get("/healthz"),
    ];
    for request in &excluded {
        assert_eq!(scene.ask(request).side().as_deref(), Ok("stable"));
    }
    let included = [
        get("/", "shop.example.com"),
        get("/healthzz", "shop.example.com"),
        get("/", "shop.example.com-shadow.example.com"),
    ];
    for request in &included {
        assert_eq!(scene.ask(request).side().as_deref(), Ok("canary"));
    }

    scene.wait_for_exactly("canary_decisions_total", &[("rollout", "checkout"), ("reason", "EXCLUDED")], 5);
    scene.wait_for_exactly("canary_decisions_total", &[], 8);
    // Counted on the same ticks, or later: what stands here now is all that comes.
    for metric in ["canary_requests_total", "canary_responses_total"] {
        scene.wait_for_exactly(metric, &[("variant", "canary")], 3);
        assert_eq!(scene.stats().canary(metric, &[]), 3, "{metric}");
    }
    let told = scene.access_log(5, "decision", |decision| decision.contains("reason=EXCLUDED"));
    let decision = "rollout=checkout variant=stable reason=EXCLUDED rule=- bucket=-";
    assert!(told.iter().all(|line| line.get("decision") == Some(decision)));
}
