//! Requests that say nothing of who sent them.

use canary_lab::Request;

use crate::scene::{Answer, Scene, one_variant};

pub(crate) fn at_100_percent_those_without_identity_follow() {
    let scene = Scene::serving(&one_variant(100.0));
    for answer in anonymous(&scene) {
        assert_eq!(answer.side().as_deref(), Ok("canary"));
    }
    assert!(scene.sides(50).iter().all(|side| side == "canary"));
    let told = scene.access_log(40, "path", |path| path == "/anonymous");
    assert!(told.iter().all(|line| {
        line.get("decision") == Some("rollout=checkout variant=canary reason=ANONYMOUS rule=- bucket=-")
    }));
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "ANONYMOUS")], 40);
}

pub(crate) fn below_100_percent_those_without_identity_stay_on_stable() {
    let scene = Scene::serving(&one_variant(99.9999));
    for answer in anonymous(&scene) {
        assert_eq!(answer.side().as_deref(), Ok("stable"));
    }
    assert!(scene.sides(50).iter().all(|side| side == "canary"));
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "ANONYMOUS")], 40);
}

/// 40 answers to nobody: without the header, and with an empty one.
fn anonymous(scene: &Scene) -> Vec<Answer> {
    let mut client = scene.lab.client();
    let none = Request::get("/anonymous");
    let empty = Request::get("/anonymous").header("x-user-id", "");
    let requests = [none, empty];
    (0..40).map(|number| Answer::of(&client.send(&requests[number % 2]).unwrap())).collect()
}
