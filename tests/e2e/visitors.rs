//! `anonymous: {"cookie": …}`: those without identity stay where they were.

use std::collections::BTreeSet;

use canary_lab::{Request, Response};
use serde_json::json;

use crate::scene::{
    Answer, Scene, Upstream, assert_share, bootstrap, envoy_with, rendered, rollout, routed_to,
};

const COOKIE: &str = "canary_id";
const VISITORS: usize = 2_000;

fn policy(weight: f64) -> String {
    rollout(weight, &json!({"anonymous": {"cookie": {}}})).to_string()
}

fn page() -> Request {
    Request::get("/").header("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
}

fn returning(id: &str) -> Request {
    page().header("cookie", format!("theme=dark; {COOKIE}={id}"))
}

fn side(response: &Response) -> String {
    Answer::of(response).side().unwrap()
}

/// All cookies that a response sets.
fn cookies(response: &Response) -> Vec<String> {
    let set = response.headers.iter().filter(|(name, _)| name == "set-cookie");
    set.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).collect()
}

/// The id that a response gives, whose cookie must be as documented.
fn issued(response: &Response) -> String {
    let cookies = cookies(response);
    let [cookie] = &*cookies else { panic!("{cookies:?}") };
    let id = cookie.strip_prefix(COOKIE).and_then(|rest| {
        rest.strip_prefix('=')?.strip_suffix("; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax")
    });
    let id = id.unwrap_or_else(|| panic!("{cookie}"));
    assert!(id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    assert_eq!(response.header("cache-control").as_deref(), Some("private"));
    id.to_owned()
}

pub(crate) fn a_visitor_who_brings_the_cookie_back_stays_on_one_side() {
    let scene = Scene::serving(&policy(50.0));
    let mut clients = scene.lab.clients(4).unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        let first = clients[0].send(&page()).unwrap();
        let request = returning(&issued(&first));
        for client in &mut clients {
            let again = client.send(&request).unwrap();
            assert_eq!(side(&again), side(&first));
            assert!(cookies(&again).is_empty() && again.header("cache-control").is_none());
        }
        seen.insert(side(&first));
    }
    assert_eq!(seen.len(), 2, "40 visitors and all on one side: {seen:?}");
}

pub(crate) fn a_cookie_is_issued_with_pages_to_those_who_have_none_that_is_good() {
    let scene = Scene::serving(&policy(50.0));
    let mut client = scene.lab.client();
    for accept in [None, Some("*/*"), Some("application/json"), Some("text/htmlx, image/png")] {
        let get = Request::get("/").header("x-any", "1");
        let response = client.send(&accept.iter().fold(get, |get, accept| get.header("accept", accept)));
        let response = response.unwrap();
        assert!(cookies(&response).is_empty(), "{accept:?}");
        assert_eq!(side(&response), "stable", "{accept:?}");
    }
    let known = client.send(&page().header("x-user-id", "alice")).unwrap();
    assert!(cookies(&known).is_empty(), "who has an identity needs no cookie");
    let mut ids = BTreeSet::new();
    for malformed in ["", "1", "null", &"A".repeat(32), &"0".repeat(31), &"g".repeat(32), &"0".repeat(33)] {
        ids.insert(issued(&client.send(&returning(malformed)).unwrap()));
    }
    assert_eq!(ids.len(), 7, "ids are drawn for each: {ids:?}");
}

pub(crate) fn new_visitors_are_shared_by_weight() {
    let scene = Scene::serving(&policy(30.0));
    let responses = scene.responses(VISITORS, |_| page());
    let ids: BTreeSet<_> = responses.iter().map(issued).collect();
    assert_eq!(ids.len(), VISITORS, "no id is given twice, by whichever worker");
    let on_canary = responses.iter().filter(|response| side(response) == "canary").count();
    assert_share(on_canary, VISITORS, 0.3);
    let split = u64::try_from(VISITORS).unwrap();
    scene.wait_for_exactly("canary_decisions_total", &[("reason", "SPLIT")], split);
}

pub(crate) fn what_the_upstream_says_of_cookies_and_caches_survives() {
    const SESSION: &str = "session=1; Path=/; HttpOnly";
    for (given, wanted) in [
        (&["public, max-age=60, s-maxage=600"][..], "private, max-age=60"),
        (&["max-age=60", "public"], "private, max-age=60"),
        (&["no-store"], "no-store"),
    ] {
        let mut headers = vec![("set-cookie", SESSION), ("set-cookie", "b=2")];
        headers.extend(given.iter().map(|value| ("cache-control", *value)));
        let upstream = Upstream::start(&headers);
        let bootstrap = routed_to(&bootstrap(), upstream.port());
        let scene = Scene::boot(envoy_with(bootstrap).ecds(rendered(&policy(50.0)).to_string()));
        let cache_control = |response: &Response| {
            let values = response.headers.iter().filter(|(name, _)| name == "cache-control");
            values.map(|(_, value)| String::from_utf8(value.clone()).unwrap()).collect::<Vec<_>>()
        };
        let first = scene.lab.client().send(&page()).unwrap();
        let set = cookies(&first);
        assert_eq!(set[..2], [SESSION, "b=2"]);
        assert!(set.len() == 3 && set[2].starts_with(COOKIE), "{set:?}");
        assert_eq!(cache_control(&first), [wanted]);

        // Where nothing is issued, nothing changes.
        let id = set[2].split(['=', ';']).nth(1).unwrap();
        let again = scene.lab.client().send(&returning(id)).unwrap();
        assert_eq!(cookies(&again), [SESSION, "b=2"]);
        // Envoy itself makes one header of several, without a blank.
        assert_eq!(cache_control(&again).concat().replace(", ", ","), given.join(",").replace(", ", ","));
    }
}
