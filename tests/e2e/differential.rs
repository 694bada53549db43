//! Envoy against the core: random requests under the example policies and one more.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use canary_core::decide::Reason;
use canary_lab::{Load, Request};
use canaryctl::explain::{self, Header};
use serde_json::Value;

use crate::scene::{
    Answer, Core, Line, Scene, bootstrap, echoing, envoy_with, flags, rendered, repository, text,
};

/// Requests under each policy.
const REQUESTS: usize = 1_000;

/// Of these, how many `canaryctl explain` is asked about.
const EXPLAINED: usize = 6;

/// Where the tag begins that tells requests apart in the access log; a port, since a policy
/// compares hosts without.
const FIRST_PORT: usize = 10_000;

/// The address of every client here.
const SOURCE: &str = "127.0.0.1";

/// A request in parts.
struct Case {
    method: &'static str,
    host: String,
    path: &'static str,
    headers: Vec<(&'static str, Vec<u8>)>,
}

/// Small and the same everywhere: `SplitMix64`.
struct Random(u64);

pub(crate) fn envoy_decides_as_the_core_under_the_example_policies() {
    let mut reasons = BTreeMap::<_, usize>::new();
    run(REQUESTS, |policy, case, line| {
        let decision = policy.core.decide(&case.explained());
        let expected = decision.rollout.map(|_| decision.to_string());
        assert_eq!(line.get("decision"), expected.as_deref(), "{case}");
        *reasons.entry(decision.reason.as_str()).or_default() += 1;
        Expected {
            rollout: decision.rollout.map(|rollout| rollout.name.to_string()),
            variant: decision.variant.map(|variant| variant.name.to_string()),
            flags: flags(&decision),
        }
    });
    let often = [Reason::Split, Reason::TargetingMatch, Reason::Anonymous, Reason::Excluded, Reason::Default];
    for reason in often {
        assert!(reasons.get(reason.as_str()) > Some(&100), "{reasons:?}");
    }
}

pub(crate) fn canaryctl_explains_what_envoy_does() {
    let canaryctl = canaryctl().expect("looked for before");
    run(EXPLAINED, |policy, case, line| {
        let output = Command::new(&canaryctl)
            .arg("explain")
            .arg(repository(&policy.path))
            .args([
                "--format",
                "json",
                "--source",
                SOURCE,
                "--method",
                case.method,
                "--path",
                case.path,
                "--host",
                &case.host,
            ])
            .args(case.headers.iter().flat_map(|(name, value)| {
                let header = [name.as_bytes(), b": ", value].concat();
                [OsStr::new("--header").to_owned(), OsStr::from_bytes(&header).to_owned()]
            }))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{case}: {stderr}");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |key: &str| told[key].as_str().map(str::to_owned);
        let dash = |key: &str| text(key).unwrap_or_else(|| "-".to_owned());
        let logged = text("rollout").map(|rollout| {
            let bucket = told["bucket"].as_u64().map_or_else(|| "-".to_owned(), |bucket| bucket.to_string());
            let (variant, reason, rule) = (dash("variant"), dash("reason"), dash("rule"));
            format!("rollout={rollout} variant={variant} reason={reason} rule={rule} bucket={bucket}")
        });
        assert_eq!(line.get("decision"), logged.as_deref(), "{case}: {told}");
        let flags = told["flags"].as_array().into_iter().flatten().map(|flag| flag.as_str().unwrap());
        let flags = flags.collect::<Vec<_>>().join(",");
        Expected {
            rollout: text("rollout"),
            variant: text("variant"),
            flags: Some(flags).filter(|flags| !flags.is_empty()),
        }
    });
}

/// An example policy.
struct Example {
    path: String,
    core: Core,
}

/// The stamps that must have reached the upstream.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    rollout: Option<String>,
    variant: Option<String>,
    flags: Option<String>,
}

/// Sends random requests under every example policy; `expect` sees each with its log line.
fn run(requests: usize, mut expect: impl FnMut(&Example, &Case, &Line) -> Expected) {
    let examples = examples();
    assert!(examples.len() >= 5, "{} policies", examples.len());
    let mut scene: Option<Scene> = None;
    for (nth, path) in examples.into_iter().enumerate() {
        let policy = text(&path);
        match &scene {
            None => {
                let bootstrap = echoing(&bootstrap(), "flags", "X-FEATURE-FLAGS");
                scene = Some(Scene::boot(envoy_with(bootstrap).ecds(rendered(&policy).to_string())));
            }
            Some(scene) => scene.load(&policy),
        }
        let scene = scene.as_ref().unwrap();
        let example = Example { core: Core::new(&policy), path };
        let mut random = Random(0x5eed + u64::try_from(nth).unwrap());
        let first = FIRST_PORT + nth * REQUESTS;
        let cases: Vec<_> = (first..first + requests).map(|port| Case::random(&mut random, port)).collect();
        let answers = Mutex::new(vec![Answer::default(); requests]);
        let tally = Load::over(scene.lab.clients(3).unwrap()).requests(requests.try_into().unwrap()).run(
            |number| cases[usize::try_from(number).unwrap()].sent(),
            |number, response| {
                answers.lock().unwrap()[usize::try_from(number).unwrap()] = Answer::of(response);
            },
        );
        tally.all_ok().unwrap();
        let mut lines = BTreeMap::new();
        for line in scene.access_log(requests, "authority", |host| port(host) >= first) {
            lines.insert(port(line.get("authority").unwrap()), line);
        }
        for ((case, answer), port) in cases.iter().zip(answers.into_inner().unwrap()).zip(first..) {
            let decided = expect(&example, case, &lines[&port]);
            let observed = decided.rollout.as_ref().is_some_and(|name| example.core.observes(name));
            let expected = if observed { Expected::default() } else { decided };
            assert_eq!(answer.stamp, expected.variant, "{}: {case}", example.path);
            let arrived = Expected { rollout: answer.rollout, variant: answer.variant, flags: answer.flags };
            assert_eq!(arrived, expected, "{}: {case}", example.path);
        }
    }
}

/// Every policy beside the README of the examples, and the one that is for this test.
fn examples() -> Vec<String> {
    let files = std::fs::read_dir(repository("envoy/policies")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<_> = names
        .filter(|name| !name.starts_with("README"))
        .map(|name| format!("envoy/policies/{name}"))
        .collect();
    paths.push("tests/e2e/everything.json".to_owned());
    paths.sort();
    paths
}

fn port(authority: &str) -> usize {
    authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_default()
}

/// The binary: `CANARYCTL`, or what has been built last beside this test.
pub(crate) fn canaryctl() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CANARYCTL") {
        return Some(path.into());
    }
    // <target>/<profile>/deps/<this test>
    let test = std::env::current_exe().ok()?;
    let target = test.ancestors().nth(3)?;
    let built = ["debug", "release"].map(|profile| target.join(profile).join("canaryctl"));
    let age = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    built.into_iter().filter(|path| path.is_file()).max_by_key(age)
}

impl Case {
    fn random(random: &mut Random, port: usize) -> Self {
        let mut headers = Vec::new();
        let mut header = |name, value: Option<Vec<u8>>| headers.extend(value.map(|value| (name, value)));
        let named = random.of(&["alice", "bob", "", "Ünïcode", "a b", "0"]);
        let known = format!("u{}", random.below(1_000_000));
        let user = if random.below(4) == 0 { named.to_owned() } else { known.clone() };
        header("x-user-id", (random.below(8) > 0).then(|| user.into_bytes()));
        let geo =
            random.of(&["DE", "at", "CH", "FR", "be", "NZ", "GB", "gb", "US", "JP", "XX", "T1", "?", ""]);
        header("x-geo-country", (random.below(6) > 0).then(|| geo.into()));
        let cookie = random.of(&["beta=on", "beta=off", "a=b; beta=on", "uid=", "theme=dark", "beta"]);
        let cookie = if random.below(3) == 0 { format!("{cookie}; uid={known}") } else { cookie.to_owned() };
        header("cookie", (random.below(2) > 0).then(|| cookie.into()));
        let employee = random.of(&["true", "false", "TRUE", ""]);
        header("x-employee", (random.below(5) == 0).then(|| employee.into()));
        let host = random.of(&[
            "shop.example.com",
            "SHOP.example.COM",
            "de.shop.example.com",
            "example.com",
            "shop.example.com.evil.org",
        ]);
        let path = random.of(&[
            "/",
            "/checkout",
            "/checkout/pay?step=2",
            "/checkout-admin",
            "/Checkout",
            "/cart/",
            "/cart?beta=1",
            "/orders",
            "/orders/17?beta",
            "/ordersx",
            "/admin?beta=on",
            "/catalog/books?x=beta",
        ]);
        let method = random.of(&["GET", "GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]);
        Self { method, host: format!("{host}:{port}"), path, headers }
    }

    /// As it goes over the wire.
    fn sent(&self) -> Request {
        let request = Request::new(self.method, self.path).host(&self.host);
        self.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
    }

    /// As the core reads it.
    fn explained(&self) -> explain::Request {
        let request = explain::Request::new(self.method, self.host.as_str(), self.path).with_source(SOURCE);
        let headers = self.headers.iter().map(|(name, value)| Header::new(name, value.trim_ascii()));
        headers.fold(request, explain::Request::with_header)
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.method, self.host, self.path)?;
        self.headers.iter().try_for_each(|(name, value)| write!(f, " {name}: {}", value.escape_ascii()))
    }
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        let index = self.below(u64::try_from(values.len()).unwrap());
        values[usize::try_from(index).unwrap()]
    }
}
