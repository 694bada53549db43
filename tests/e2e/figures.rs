//! What is counted beside requests: exact to one, whatever mix of outcomes comes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

use canary_core::code_class::CodeClass;
use canary_lab::{Load, Request, wait_until};
use serde_json::json;

use crate::scene::{
    Core, Head, PATIENCE, Scene, Upstream, WORKERS, bootstrap, envoy_with, one_variant, rendered, rollout,
    routed_to, user,
};

/// Fewer than the thousand after which a worker takes samples, whichever of them gets them all.
const REQUESTS: usize = 960;

/// One kind of exchange: what the client asks and the upstream answers, and what comes of it.
struct Kind {
    method: &'static str,
    path: &'static str,
    grpc: bool,
    status: u16,
    /// Response headers, `name: value`.
    headers: &'static str,
    /// A trailer, `name: value`.
    trailer: &'static str,
    /// The first attempt fails in a way that Envoy retries.
    flaky: bool,
    class: CodeClass,
    events: &'static [&'static str],
    report: Option<bool>,
}

const OK: Kind = Kind {
    method: "GET",
    path: "/",
    grpc: false,
    status: 200,
    headers: "",
    trailer: "",
    flaky: false,
    class: CodeClass::Success,
    events: &[],
    report: None,
};

const GRPC: Kind = Kind { method: "POST", path: "/rpc", grpc: true, ..OK };

const KINDS: [Kind; 16] = [
    OK,
    OK,
    Kind { status: 503, class: CodeClass::ServerError, ..OK },
    Kind { status: 404, class: CodeClass::ClientError, ..OK },
    Kind { status: 302, class: CodeClass::Redirection, ..OK },
    Kind { method: "POST", path: "/order", status: 201, events: &["purchase"], ..OK },
    Kind { method: "POST", path: "/order", status: 500, class: CodeClass::ServerError, ..OK },
    Kind { headers: "x-canary-event: signup, unheard-of", events: &["signup"], ..OK },
    Kind {
        method: "POST",
        path: "/order/2",
        headers: "x-canary-event: signup",
        events: &["purchase", "signup"],
        ..OK
    },
    Kind {
        headers: "endpoint-load-metrics: TEXT cpu_utilization=0.25,mem_utilization=0.5",
        report: Some(true),
        ..OK
    },
    Kind {
        headers: "endpoint-load-metrics: JSON {\"cpu_utilization\": \"high\"}",
        report: Some(false),
        ..OK
    },
    Kind { flaky: true, ..OK },
    Kind { trailer: "grpc-status: 0", ..GRPC },
    Kind { trailer: "grpc-status: 13", class: CodeClass::ServerError, ..GRPC },
    Kind { headers: "grpc-status: 14", class: CodeClass::ServerError, ..GRPC },
    Kind { trailer: "grpc-status: 5", class: CodeClass::ClientError, ..GRPC },
];

/// What the clients say of where they are, and what stats make of it.
const GEOS: [(Option<&str>, &str); 5] = [
    (Some("DE"), "DE"),
    (Some("fr"), "FR"),
    (Some("US"), "other"),
    (Some("no place"), "other"),
    (None, "other"),
];

pub(crate) fn every_counter_equals_what_was_sent() {
    let policy = policy();
    let core = Core::new(&policy);
    let upstream = Upstream::answering(answer);
    let scene = Scene::boot(
        envoy_with(retrying(&routed_to(&bootstrap(), upstream.port()))).ecds(rendered(&policy).to_string()),
    );

    let number_of = |request: u64| usize::try_from(request).unwrap();
    let kind = |request: usize| &KINDS[request % KINDS.len()];
    // Everyone comes several times, now from here and now from there.
    let users = users_apart(&core, REQUESTS.div_ceil(3));
    let user_of = |request: usize| users[request / 3];
    let geo = |request: usize| GEOS[request % GEOS.len()];
    let tally = Load::over(scene.lab.clients(6).unwrap()).requests(REQUESTS.try_into().unwrap()).run(
        |request| {
            let request = number_of(request);
            let kind = kind(request);
            let sent = Request::new(kind.method, kind.path)
                .header("x-user-id", user(user_of(request)))
                .header("x-kind", (request % KINDS.len()).to_string());
            let sent = if kind.grpc { sent.header("content-type", "application/grpc") } else { sent };
            geo(request).0.map_or(sent.clone(), |geo| sent.header("x-geo-country", geo))
        },
        |request, response| {
            assert_eq!(response.status, kind(number_of(request)).status);
            for kept in ["x-canary-event", "endpoint-load-metrics"] {
                assert_eq!(response.header(kept), None, "{kept} is not for clients");
            }
        },
    );
    assert_eq!(tally.failures, Vec::<String>::new());
    let aborted = 7;
    abort(&scene, users[0], aborted);

    let mut expected = Counts::default();
    for request in 0..REQUESTS {
        let side = core.side(user_of(request));
        let (kind, (_, geo)) = (kind(request), geo(request));
        expected.add("canary_requests_total", side, &[], 1);
        expected.add("canary_responses_total", side, &[("code_class", kind.class.as_str())], 1);
        expected.add("canary_geo_requests_total", side, &[("geo", geo)], 1);
        if kind.class == CodeClass::ServerError {
            expected.add("canary_geo_errors_total", side, &[("geo", geo)], 1);
        }
        for event in kind.events {
            expected.add("canary_events_total", side, &[("event", event)], 1);
        }
        if kind.report == Some(false) {
            expected.add("canary_load_report_errors_total", side, &[], 1);
        }
        if kind.flaky {
            expected.add("canary_retried_total", side, &[], 1);
        }
    }
    let side = core.side(users[0]);
    expected.add("canary_requests_total", side, &[], aborted);
    expected.add("canary_responses_total", side, &[("code_class", "none")], aborted);
    expected.add("canary_geo_requests_total", side, &[("geo", "other")], aborted);
    for side in ["stable", "canary"] {
        let of_side = |metric: &str| expected.sum(metric, side);
        let checked = of_side("canary_requests_total");
        expected.add("canary_route_checks_total", side, &[], checked);
        let drawn = users.iter().filter(|user| core.side(**user) == side).count();
        expected.add("canary_observed_requests_total", side, &[], drawn.try_into().unwrap());
    }
    expected.assert_are_all_of(&scene);
    // Whole ones, what is left over stays with each worker.
    let users = u64::try_from(users.len()).unwrap();
    for (side, share) in [("stable", 60), ("canary", 40)] {
        let due = users * share / 100;
        let is = scene.stats().canary("canary_expected_requests_total", &[("variant", side)]);
        assert!((due - WORKERS..=due).contains(&is), "{side}: {is}, due {due}");
    }
    histograms_have(&scene, &expected, aborted);
}

/// So many users, no two of whom are one to the check of the split.
fn users_apart(core: &Core, count: usize) -> Vec<usize> {
    let mut bits = BTreeSet::new();
    let bit = |number: &usize| core.user(*number).point.unwrap().get() % (1 << 15);
    (0..).filter(|number| bits.insert(bit(number))).take(count).collect()
}

/// Histograms hold a value for each response, and for each report that could be read.
fn histograms_have(scene: &Scene, expected: &Counts, aborted: u64) {
    let reports = u64::try_from(
        (0..REQUESTS).filter(|request| KINDS[request % KINDS.len()].report == Some(true)).count(),
    );
    let count = |text: &str, metric: &str| -> u64 {
        let lines = text.lines().filter_map(|line| line.strip_prefix(metric)?.strip_prefix("_count{"));
        lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
    };
    let answered =
        ["stable", "canary"].map(|side| expected.sum("canary_requests_total", side)).iter().sum::<u64>()
            - aborted;
    let wanted = [
        ("canary_request_duration_ms", answered),
        ("canary_cpu_utilization_permille", reports.unwrap()),
        ("canary_mem_utilization_permille", reports.unwrap()),
    ];
    // Envoy adds up histograms every few seconds.
    let text = wait_until(PATIENCE, "the histograms", || {
        let text = scene.admin().prometheus()?;
        Ok(wanted.iter().all(|(metric, value)| count(&text, metric) >= *value).then_some(text))
    });
    let text = text.unwrap_or_else(|error| panic!("{error}: {wanted:?}"));
    for (metric, value) in wanted {
        assert_eq!(count(&text, metric), value, "{metric}");
    }
    for (metric, le) in [("cpu", "250"), ("mem", "500")] {
        let bucket = |le: &str| format!("le=\"{le}\"");
        let lines = text
            .lines()
            .filter(|line| line.starts_with(&format!("canary_{metric}_utilization_permille_bucket")));
        let full = lines.filter(|line| line.contains(&bucket(le)) && !line.ends_with(" 0")).count();
        assert_eq!(full, 2, "{metric} is at {le} permille on both sides");
    }
}

/// Clients that go away before there is an answer.
fn abort(scene: &Scene, number: usize, clients: u64) {
    let hanging: Vec<_> = (0..clients)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", scene.lab.ports().main())).unwrap();
            let request = Request::get("/hang").header("x-user-id", user(number)).header("x-kind", "hang");
            stream.write_all(&request.bytes()).unwrap();
            stream
        })
        .collect();
    scene.wait_for("the streams to be open", |stats| {
        (stats.canary("canary_active_streams", &[]) >= clients).then_some(())
    });
    drop(hanging);
}

pub(crate) fn a_websocket_is_an_active_stream_until_it_ends() {
    let upstream = Upstream::answering(|_| {
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n".to_owned()
    });
    let bootstrap = routed_to(&bootstrap(), upstream.port()).replacen(
        "stat_prefix: main\n",
        "stat_prefix: main\n          upgrade_configs: [{upgrade_type: websocket}]\n",
        1,
    );
    let scene = Scene::boot(envoy_with(bootstrap).ecds(rendered(&one_variant(100.0)).to_string()));
    let canary = [("rollout", "checkout"), ("variant", "canary")];
    let open = |scene: &Scene| scene.stats().canary("canary_active_streams", &canary);
    let mut sockets: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", scene.lab.ports().main())).unwrap();
            let request = Request::get("/").header("x-user-id", "alice").header("upgrade", "websocket");
            let request = request
                .header("connection", "upgrade")
                .header("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw==");
            stream.write_all(&request.header("sec-websocket-version", "13").bytes()).unwrap();
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 101");
            stream
        })
        .collect();
    scene.wait_for_exactly("canary_active_streams", &canary, 3);
    sockets.pop();
    wait_until(PATIENCE, "one to end", || Ok((open(&scene) == 2).then_some(()))).unwrap();
    sockets.clear();
    wait_until(PATIENCE, "all to end", || Ok((open(&scene) == 0).then_some(()))).unwrap();
    scene.wait_for_exactly("canary_responses_total", &[("variant", "canary"), ("code_class", "1xx")], 3);
}

pub(crate) fn what_goes_elsewhere_than_the_variant_says_is_counted() {
    let elsewhere = |changes: &[(&str, &str)]| {
        let whole = changes.iter().fold(bootstrap(), |whole, (from, to)| {
            assert!(whole.contains(from), "{from}");
            whole.replacen(from, to, 1)
        });
        let scene = Scene::boot(envoy_with(whole).ecds(rendered(&one_variant(50.0)).to_string()));
        let core = Core::new(&one_variant(50.0));
        for number in 0..40 {
            scene.ask(&Request::get("/").header("x-user-id", user(number)));
        }
        let sides =
            ["stable", "canary"].map(|side| (0..40).filter(|number| core.side(*number) == side).count());
        for (side, count) in ["stable", "canary"].into_iter().zip(sides) {
            let count = count.try_into().unwrap();
            scene.wait_for_exactly("canary_route_checks_total", &[("variant", side)], count);
            let misrouted = if side == "canary" { count } else { 0 };
            assert_eq!(
                scene.stats().canary("canary_misrouted_total", &[("variant", side)]),
                misrouted,
                "{side}: {changes:?}"
            );
        }
    };
    // A route that does not match what is stamped: the next one takes the canary's users.
    elsewhere(&[("string_match: {exact: canary}", "string_match: {exact: canray}")]);
    // No route at all for them.
    elsewhere(&[
        ("string_match: {exact: canary}", "string_match: {exact: canray}"),
        (
            "match: {prefix: /}\n                route: {cluster: checkout-v1}",
            "match: {prefix: /, headers: [{name: x-deployment-variant, string_match: {exact: stable}}]}\n                route: {cluster: checkout-v1}",
        ),
    ]);
    // A route to a cluster that does not exist.
    elsewhere(&[
        ("            name: main\n", "            name: main\n            validate_clusters: false\n"),
        ("route: {cluster: checkout-v2}", "route: {cluster: nowhere}"),
    ]);
}

pub(crate) fn absurd_geos_events_and_loads_make_no_series_and_take_no_memory() {
    let upstream = Upstream::answering(|head| {
        let number = head.first("x-number").unwrap();
        format!(
            "HTTP/1.1 200 OK\r\nx-canary-event: e{number},signup-{number}\r\n\
             endpoint-load-metrics: TEXT cpu_utilization=0.{number},named_metrics.m{number}=1\r\ncontent-length: 0\r\n\r\n"
        )
    });
    let scene = Scene::boot(
        envoy_with(routed_to(&bootstrap(), upstream.port())).ecds(rendered(&policy()).to_string()),
    );
    // `ABSURD=1000000` for the million that is promised.
    let requests = std::env::var("ABSURD").map_or(12_000, |count| count.parse().unwrap());
    let send = |from: u64, to: u64| {
        let tally = Load::over(scene.lab.clients(4).unwrap()).requests(to - from).run(
            |request| {
                let number = (from + request).to_string();
                Request::get("/")
                    .header("x-user-id", &number)
                    .header("x-number", &number)
                    .header("x-geo-country", format!("G{number}"))
            },
            |_, response| assert_eq!(response.status, 200),
        );
        tally.all_ok().unwrap();
        upstream.take();
        scene.wait_for_exactly("canary_requests_total", &[], to);
        scene.wait_for_exactly("canary_responses_total", &[], to);
    };
    let series = || -> BTreeSet<String> {
        scene
            .stats()
            .iter()
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.starts_with("wasmcustom"))
            .collect()
    };
    send(0, 4_000);
    let (named, memory) = (series(), scene.lab.usage().unwrap().rss);
    send(4_000, requests);
    assert_eq!(series(), named);
    let grown = scene.lab.usage().unwrap().rss.saturating_sub(memory);
    assert!(grown < 8 << 20, "{grown} bytes more for {requests} requests");
    assert_eq!(scene.stats().canary("canary_events_total", &[]), 0);
    assert_eq!(scene.stats().canary("canary_geo_requests_total", &[("geo", "other")]), requests);
}

/// Five places, two of which the policy names; two events; load reports.
fn policy() -> String {
    let mut policy = rollout(
        40.0,
        &json!({
            "bucket_by": ["identity"],
            "load_reports": true,
            "events": [
                {"name": "purchase", "when": {"methods": ["POST"], "path_prefixes": ["/order"], "status": ["2xx"]}},
                {"name": "signup", "response_header": "x-canary-event"},
            ],
        }),
    );
    policy["geo"] = json!([{"header": "x-geo-country"}]);
    policy["segments"] = json!({"told-apart": {"geo": ["DE", "FR"]}});
    policy.to_string()
}

/// What the upstream answers to a kind of request.
fn answer(head: &Head) -> String {
    let kind = head.first("x-kind").unwrap();
    let Some(kind) = kind.parse::<usize>().ok().map(|kind| &KINDS[kind]) else {
        loop {
            std::thread::park();
        }
    };
    if kind.flaky && head.first("x-envoy-attempt-count") == Some("1") {
        return "HTTP/1.1 599 Again\r\ncontent-length: 0\r\n\r\n".to_owned();
    }
    let headers = if kind.headers.is_empty() { String::new() } else { format!("{}\r\n", kind.headers) };
    let format = if kind.grpc { "content-type: application/grpc\r\n" } else { "" };
    let begin = format!("HTTP/1.1 {} Fine\r\n{format}{headers}", kind.status);
    if kind.trailer.is_empty() {
        format!("{begin}content-length: 0\r\n\r\n")
    } else {
        format!("{begin}transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n{}\r\n\r\n", kind.trailer)
    }
}

/// A bootstrap that retries a 599, tells upstreams which attempt it is, and passes trailers.
fn retrying(bootstrap: &str) -> String {
    let retry =
        "retry_policy: {retry_on: retriable-status-codes, retriable_status_codes: [599], num_retries: 2}";
    let cluster = "connect_timeout: 1s
    circuit_breakers: {thresholds: [{max_retries: 100}]}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http_protocol_options: {enable_trailers: true}}";
    let attempts = "- name: checkout\n              include_request_attempt_count: true\n";
    bootstrap
        .replacen("- name: checkout\n", attempts, 1)
        .replace("{cluster: checkout-v1}", &format!("{{cluster: checkout-v1, {retry}}}"))
        .replace("{cluster: checkout-v2}", &format!("{{cluster: checkout-v2, {retry}}}"))
        .replace("connect_timeout: 1s", cluster)
}

/// Counts by metric, side and further labels.
#[derive(Default)]
struct Counts(BTreeMap<(String, BTreeMap<String, String>), u64>);

impl Counts {
    fn add(&mut self, metric: &str, side: &str, labels: &[(&str, &str)], by: u64) {
        let side = [("rollout", "checkout"), ("variant", side)];
        let labels = labels.iter().chain(&side);
        let labels = labels.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        *self.0.entry((metric.to_owned(), labels)).or_default() += by;
    }

    fn sum(&self, metric: &str, side: &str) -> u64 {
        let of =
            |labels: &BTreeMap<String, String>| labels.get("variant").is_some_and(|variant| variant == side);
        self.0
            .iter()
            .filter(|((other, labels), _)| other == metric && of(labels))
            .map(|(_, count)| count)
            .sum()
    }

    /// Waits until Envoy has them all, and finds that it has nothing else of these metrics.
    fn assert_are_all_of(&self, scene: &Scene) {
        let metrics: BTreeSet<_> = self.0.keys().map(|(metric, _)| metric.as_str()).collect();
        let counted = || {
            let stats = scene.stats();
            let series = metrics.iter().flat_map(|metric| stats.series(metric).collect::<Vec<_>>());
            let series = series.filter(|series| series.value > 0);
            series.map(|series| ((series.metric, series.labels), series.value)).collect::<BTreeMap<_, _>>()
        };
        let all: u64 = self.0.values().sum();
        let there =
            wait_until(PATIENCE, "all counts", || Ok((counted().values().sum::<u64>() >= all).then_some(())));
        let is = counted();
        for (key, value) in &self.0 {
            assert_eq!(is.get(key), Some(value), "{key:?}");
        }
        there.unwrap();
        let more: Vec<_> = is.keys().filter(|key| !self.0.contains_key(*key)).collect();
        assert_eq!(more, Vec::<&(String, BTreeMap<String, String>)>::new(), "nothing beside these");
    }
}
