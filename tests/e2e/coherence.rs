//! Two Envoys in a row, of which the edge decides.

use canary_lab::Request;
use serde_json::{Value, json};

use crate::scene::{
    Answer, Core, NO_ROLLOUTS, Scene, Upstream, bootstrap, bootstrap_without, echoing, envoy_with, rendered,
    rollout, routed_to, user,
};

const USERS: usize = 300;

/// What the edge's clients must not be able to say.
const FROM_EDGE: &str = "x-from-edge";

/// 30 % get the canary.
fn edge_policy() -> String {
    let mut policy = rollout(30.0, &json!({}));
    policy["stamp"] = json!({"baggage": true});
    policy.to_string()
}

/// 60 % would get the canary, and others than at the edge.
fn inner_policy(trust_inbound: &Value) -> String {
    let mut policy = rollout(60.0, &json!({"salt": "inner", "trust_inbound": trust_inbound}));
    policy["stamp"] = json!({"baggage": true});
    policy["role"] = "inner".into();
    policy.to_string()
}

fn inner(trust_inbound: &Value) -> Scene {
    let bootstrap = echoing(&bootstrap_without("stamps"), "baggage", "BAGGAGE");
    Scene::boot(envoy_with(bootstrap).ecds(rendered(&inner_policy(trust_inbound)).to_string()))
}

/// An edge whose upstream is this port; what `routes` says is added to its routes.
fn edge(port: u16, routes: &str) -> Scene {
    const ROUTES: &str = "            name: main\n";
    let bootstrap = routed_to(&bootstrap(), port);
    assert!(bootstrap.contains(ROUTES));
    let bootstrap = bootstrap.replace(ROUTES, &format!("{ROUTES}            {routes}\n"));
    Scene::boot(envoy_with(bootstrap).ecds(rendered(&edge_policy()).to_string()))
}

/// What both proxies said of the users 0, 1, …: the inner one in the stamp that its upstream saw,
/// the edge in the response's.
fn sides(edge: &Scene) -> [Vec<String>; 2] {
    let answers = edge.answers(USERS, |number| Request::get("/").header("x-user-id", user(number)));
    let served = |answer: &Answer| answer.served_by.as_deref().unwrap().ends_with("v2");
    assert!(answers.iter().all(|answer| served(answer) == (answer.variant.as_deref() == Some("canary"))));
    let all = |side: fn(&Answer) -> &Option<String>| {
        answers.iter().map(|answer| side(answer).clone().unwrap()).collect()
    };
    [all(|answer| &answer.variant), all(|answer| &answer.stamp)]
}

fn counted(scene: &Scene, reason: &str, count: usize) {
    scene.wait_for_exactly("canary_decisions_total", &[("reason", reason)], count.try_into().unwrap());
}

pub(crate) fn an_inner_proxy_follows_the_edge_where_it_trusts_it() {
    let inner = inner(&json!({}));
    let edge = edge(inner.lab.ports().main(), "");
    let at_edge = Core::new(&edge_policy()).sides(USERS);
    assert_eq!(sides(&edge), [at_edge.clone(), at_edge.clone()]);
    counted(&inner, "INBOUND", USERS);

    // Where it does not, it decides anew.
    let mut policy: Value = serde_json::from_str(&inner_policy(&json!({}))).unwrap();
    policy["rollouts"][0].as_object_mut().unwrap().remove("trust_inbound");
    let policy = policy.to_string();
    inner.load(&policy);
    let at_inner = Core::new(&policy).sides(USERS);
    assert_ne!(at_inner, at_edge);
    assert_eq!(sides(&edge), [at_inner, at_edge]);
    counted(&inner, "SPLIT", USERS);
}

pub(crate) fn an_inner_proxy_follows_the_baggage_where_the_stamps_are_lost() {
    let trusted = json!({"header": {"name": FROM_EDGE, "equals": "1"}});
    let inner = inner(&trusted);
    let routes = format!(
        "request_headers_to_remove: [x-deployment-rollout, x-deployment-variant, x-deployment-cluster]\n            \
         request_headers_to_add: [{{header: {{key: {FROM_EDGE}, value: \"1\"}}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}]"
    );
    let edge = edge(inner.lab.ports().main(), &routes);
    let at_edge = Core::new(&edge_policy()).sides(USERS);
    assert_eq!(sides(&edge), [at_edge.clone(), at_edge.clone()]);
    counted(&inner, "INBOUND", USERS);

    // The same of someone else is worth nothing.
    let core = Core::new(&inner_policy(&trusted));
    for (number, side) in at_edge.iter().enumerate().take(20) {
        let direct = Request::get("/")
            .header("x-user-id", user(number))
            .header("baggage", format!("deployment-variant=checkout:{side}"));
        assert_eq!(inner.ask(&direct).side().as_deref(), Ok(core.side(number)));
    }
    counted(&inner, "INBOUND", USERS);
}

pub(crate) fn baggage_of_others_survives_and_a_clients_decision_does_not() {
    let inner = inner(&json!({}));
    let edge = edge(inner.lab.ports().main(), "");
    let core = Core::new(&edge_policy());
    for side in ["stable", "canary"] {
        let get = Request::get("/").header("x-user-id", user(core.user_on(side)));
        let ours = format!("deployment-variant=checkout:{side}");
        for (sent, arrives) in [
            ("", ours.clone()),
            ("user=1;p=2, account = 7", format!("user=1;p=2,account = 7,{ours}")),
            ("deployment-variant=checkout:canary", ours.clone()),
            (
                "a=1,deployment-variant=search:fast,deployment-variant=checkout:stable,b=2",
                format!("a=1,b=2,{ours}"),
            ),
        ] {
            let request = if sent.is_empty() { get.clone() } else { get.clone().header("baggage", sent) };
            let response = edge.lab.client().send(&request).unwrap();
            assert_eq!(response.header("x-echo-baggage"), Some(arrives), "{sent}");
            assert_eq!(Answer::of(&response).side().as_deref(), Ok(side), "{sent}");
        }
    }
}

pub(crate) fn baggage_in_several_headers_is_no_way_around_the_edge() {
    let upstream = Upstream::start(&[]);
    let edge = edge(upstream.port(), "");
    let stable = user(Core::new(&edge_policy()).user_on("stable"));
    let sent = ["a=1", "deployment-variant=checkout:canary,b=2"];
    // Where a rollout decides, and where none does.
    for (policy, wanted) in [
        (edge_policy() + " ", "a=1,b=2,deployment-variant=checkout:stable"),
        (NO_ROLLOUTS.replace("1,", "1, \"stamp\": {\"baggage\": true},"), "a=1,b=2"),
    ] {
        edge.load(&policy);
        for [first, second] in [sent, [sent[1], sent[0]]] {
            let get = Request::get("/").header("x-user-id", &stable);
            edge.ask(&get.header("baggage", first).header("baggage", second));
            let head = upstream.take_one();
            let mut members: Vec<_> = head.all("baggage").iter().flat_map(|all| all.split(',')).collect();
            members.sort_unstable();
            assert_eq!(members.join(","), wanted, "{first} and {second}");
        }
    }
}
