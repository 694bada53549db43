//! The demo as it is shipped: its policy, its bootstrap, its upstreams.

use std::collections::BTreeMap;
use std::sync::Mutex;

use canary_core::decide::{Ambient, decide};
use canary_lab::{Load, Request};
use canaryctl::explain::{self, Header};

use crate::scene::{Answer, Scene, parsed, text, user};

const COUNTRIES: [&str; 4] = ["DE", "US", "FR", "jp"];
const USERS: usize = 60;

pub(crate) fn the_demo_stamps_logs_and_counts_as_the_core_decides() {
    let policy = text("envoy/policies/demo.json");
    let scene = Scene::serving(&policy);
    let policy = parsed(&policy);
    let requests: Vec<_> =
        COUNTRIES.iter().flat_map(|country| (0..USERS).map(move |number| (*country, user(number)))).collect();
    let answers = Mutex::new(vec![Answer::default(); requests.len()]);
    let tally = Load::over(scene.lab.clients(3).unwrap()).requests(requests.len().try_into().unwrap()).run(
        |number| {
            let (country, user) = &requests[usize::try_from(number).unwrap()];
            let path = format!("/demo/{number}");
            Request::get(&path).header("x-user-id", user).header("x-geo-country", country)
        },
        |number, response| {
            answers.lock().unwrap()[usize::try_from(number).unwrap()] = Answer::of(response);
        },
    );
    tally.all_ok().unwrap();
    let answers = answers.into_inner().unwrap();

    let mut logged = BTreeMap::new();
    for line in scene.access_log(requests.len(), "path", |path| path.starts_with("/demo/")) {
        logged.insert(line.get("path").unwrap().to_owned(), line);
    }
    let mut counts = BTreeMap::<_, u64>::new();
    for (number, ((country, user), answer)) in requests.iter().zip(&answers).enumerate() {
        let request = explain::Request::new("GET", "127.0.0.1", "/")
            .with_header(Header::new("x-user-id", user.as_str()))
            .with_header(Header::new("x-geo-country", *country));
        let decision = decide(&policy, &request, Ambient::at(0));
        let variant = decision.variant.unwrap();
        let cluster = variant.cluster.as_deref();
        let who = format!("{user} from {country}");
        // Stamps: what reached the upstream, and what the client is told.
        assert_eq!(answer.side().unwrap(), *variant.name, "{who}");
        assert_eq!(answer.rollout.as_deref(), Some("checkout"), "{who}");
        assert_eq!(answer.cluster.as_deref(), cluster, "{who}");
        assert_eq!(answer.served_by.as_deref(), cluster, "{who}");
        // The access log: `rollout=checkout variant=… reason=… rule=… bucket=…`.
        let line = &logged[&format!("/demo/{number}")];
        assert_eq!(line.get("decision"), Some(decision.to_string().as_str()), "{who}");
        for (field, value) in decision.fields() {
            let field = field.strip_prefix("canary.").unwrap();
            assert_eq!(line.get(field), Some(&*value), "{who}: {field}");
        }
        assert_eq!(line.get("upstream_cluster"), cluster, "{who}");
        *counts.entry(("variant", variant.name.to_string())).or_default() += 1;
        *counts.entry(("reason", decision.reason.as_str().to_owned())).or_default() += 1;
    }
    assert!(counts.contains_key(&("variant", "canary".to_owned())), "nobody got the canary: {counts:?}");
    assert!(logged["/demo/0"].get("decision").unwrap().contains(" rule=dach bucket="));

    for ((label, value), count) in &counts {
        let metric = if *label == "reason" { "canary_decisions_total" } else { "canary_requests_total" };
        scene.wait_for_exactly(metric, &[("rollout", "checkout"), (label, value)], *count);
    }
    prometheus_has_labels(&scene, counts[&("variant", "canary".to_owned())]);
}

/// The shipped `stats_tags` make labels of what rides in a metric's name.
fn prometheus_has_labels(scene: &Scene, canary: u64) {
    scene.wait_for_exactly("canary_responses_total", &[("variant", "canary")], canary);
    scene.wait_for_exactly("canary_weight_ppm", &[("variant", "stable")], 900_000);
    let prometheus = scene.admin().prometheus().unwrap();
    let has = |metric: &str, labels: &[&str], value: u64| {
        let found = prometheus.lines().any(|line| {
            let named = line.strip_prefix(metric).and_then(|rest| rest.strip_prefix('{'));
            named.and_then(|rest| rest.rsplit_once("} ")).is_some_and(|(found, number)| {
                let mut found: Vec<_> = found.split(',').collect();
                found.sort_unstable();
                found == labels && number == value.to_string()
            })
        });
        assert!(found, "no {metric}{labels:?} {value} in:\n{prometheus}");
    };
    let (rollout, variant) = (r#"rollout="checkout""#, r#"variant="canary""#);
    has("canary_requests_total", &[rollout, variant], canary);
    has("canary_responses_total", &[r#"code_class="2xx""#, rollout, variant], canary);
    has("canary_weight_ppm", &[rollout, variant], 100_000);
    has("canary_rolled_back", &[rollout, variant], 0);
    let decisions = prometheus.lines().filter(|line| line.starts_with("canary_decisions_total{"));
    assert!(decisions.into_iter().any(|line| line.contains(r#"reason="SPLIT""#)), "{prometheus}");
}
