//! What the tests share: an Envoy with the deployable bootstrap and a policy, and its users.

mod access_log;
mod oracle;
mod policies;
mod traffic;
mod upstream;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use canary_lab::{Admin, EnvoyBuilder, Lab, Stats, wait_until};
use canaryctl::render::{Options, ecds};
use serde_json::{Value, json};

pub(crate) use self::access_log::Line;
pub(crate) use self::oracle::{Core, flags};
pub(crate) use self::policies::{NO_ROLLOUTS, one_variant, parsed, rollout, three_variants, with_state};
pub(crate) use self::traffic::{Answer, assert_share, user};
pub(crate) use self::upstream::{Head, Upstream};

/// Longer than anything takes that is not broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Envoy's worker threads in every scene.
pub(crate) const WORKERS: u64 = 2;

/// How many VMs read each policy that is pushed: one on trial, main's, and each worker's.
pub(crate) const VMS: u64 = 2 + WORKERS;

/// A running Envoy; a test that fails prints the end of its log.
pub(crate) struct Scene {
    pub(crate) lab: Lab,
}

/// What is not there to run these tests with.
pub(crate) fn missing() -> Option<String> {
    let missing: Vec<_> =
        ["ENVOY", "CANARY_WASM"].into_iter().filter(|name| std::env::var_os(name).is_none()).collect();
    (!missing.is_empty()).then(|| missing.join(" and "))
}

/// A path in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A text file of the repository.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The bootstrap as it is deployed.
pub(crate) fn bootstrap() -> String {
    text("envoy/envoy.yaml")
}

/// The bootstrap without what stands between two of its marks.
pub(crate) fn bootstrap_without(part: &str) -> String {
    let whole = bootstrap();
    let (before, rest) = whole.split_once(&format!("# BEGIN {part}\n")).expect("the BEGIN mark");
    let (_, after) = rest.split_once(&format!("# END {part}\n")).expect("the END mark");
    format!("{before}\n{after}")
}

/// A bootstrap with this port behind both clusters.
pub(crate) fn routed_to(bootstrap: &str, port: u16) -> String {
    let (before, clusters) = bootstrap.split_once("\n  clusters:\n").expect("clusters");
    let to = format!("port_value: {port}");
    let clusters = clusters.replace("port_value: 10001", &to).replace("port_value: 10002", &to);
    format!("{before}\n  clusters:\n{clusters}")
}

/// A bootstrap whose upstreams echo one more request header, as `x-echo-<name>`.
pub(crate) fn echoing(bootstrap: &str, name: &str, header: &str) -> String {
    const ECHO: &str = "response_headers_to_add: &upstream_echo\n";
    let (before, after) = bootstrap.split_once(ECHO).expect("the upstreams' echo");
    let echo = format!("- header: {{key: x-echo-{name}, value: \"%REQ({header})%\"}}\n");
    format!("{before}{ECHO}            {echo}{after}")
}

/// An Envoy with this bootstrap and the built filter.
pub(crate) fn envoy_with(bootstrap: String) -> EnvoyBuilder {
    let path = |name| PathBuf::from(std::env::var_os(name).expect("looked for before"));
    let workers = u32::try_from(WORKERS).unwrap();
    EnvoyBuilder::new(path("ENVOY"), bootstrap).wasm(path("CANARY_WASM")).concurrency(workers)
}

/// An Envoy with the bootstrap as it is deployed.
pub(crate) fn envoy() -> EnvoyBuilder {
    envoy_with(bootstrap())
}

/// A policy, good or bad, as a discovery response.
pub(crate) fn rendered(policy: &str) -> Value {
    ecds(policy, &Options::default())
}

/// Where the plugin's configuration stands in a discovery response.
pub(crate) fn plugin(response: &mut Value) -> &mut Value {
    &mut response["resources"][0]["typed_config"]["config"]
}

/// As [`rendered`], and no VM of before can be used for it. Another environment would do in
/// Envoy 1.40, but not in 1.36.
pub(crate) fn rendered_for_new_vms(policy: &str) -> Value {
    let mut response = rendered(policy);
    plugin(&mut response)["vm_config"]["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "new VMs"});
    response
}

impl Scene {
    /// Boots it.
    pub(crate) fn boot(builder: EnvoyBuilder) -> Self {
        Self { lab: builder.start().unwrap_or_else(|error| panic!("{error:#}")) }
    }

    /// The deployed bootstrap with this policy, as `make run` has it.
    pub(crate) fn serving(policy: &str) -> Self {
        Self::boot(envoy().ecds(rendered(policy).to_string()))
    }

    /// Envoy's admin interface.
    pub(crate) fn admin(&self) -> Admin {
        self.lab.admin()
    }

    /// Envoy's stats now.
    pub(crate) fn stats(&self) -> Stats {
        self.admin().stats().unwrap()
    }

    /// Waits for something that Envoy's stats tell.
    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn(&Stats) -> Option<T>) -> T {
        let found = wait_until(PATIENCE, what, || Ok(look(&self.admin().stats()?)));
        found.unwrap_or_else(|error| panic!("{error}; the filter's stats:\n{}", self.filter_stats()))
    }

    /// Waits until a metric of the filter is at least this much, and checks that it is no more.
    pub(crate) fn wait_for_exactly(&self, metric: &str, labels: &[(&str, &str)], value: u64) {
        let is = self.wait_for(&format!("{metric} {labels:?} to be {value}"), |stats| {
            let is = stats.canary(metric, labels);
            (is >= value).then_some(is)
        });
        assert_eq!(is, value, "{metric} {labels:?}");
    }

    /// Pushes a good policy and waits until every VM has it. Its text must be a new one: Envoy
    /// remembers how a plugin's trial went, so an old one is read by a VM less.
    pub(crate) fn load(&self, policy: &str) {
        self.push_until("canary_policy_loads_total", &rendered(policy));
    }

    /// Pushes a bad policy and waits until every VM has seen it.
    pub(crate) fn load_bad(&self, policy: &str) {
        self.push_until("canary_policy_errors_total", &rendered(policy));
    }

    /// Pushes a discovery response and waits until every VM has counted it under this metric.
    pub(crate) fn push_until(&self, metric: &str, response: &Value) {
        let target = self.stats().canary(metric, &[]) + VMS;
        self.lab.push(&response.to_string()).unwrap();
        self.wait_for(&format!("{metric} to rise to {target}"), |stats| {
            (stats.canary(metric, &[]) >= target).then_some(())
        });
    }

    /// The filter's lines in Envoy's log that contain this.
    pub(crate) fn logged(&self, what: &str) -> Vec<String> {
        let log = self.lab.envoy_log().unwrap();
        let lines = log.lines().filter(|line| line.contains("wasm log") && line.contains(what));
        lines.map(str::to_owned).collect()
    }

    /// The filter's stats, as text for a message.
    pub(crate) fn filter_stats(&self) -> String {
        let stats = self.stats();
        let lines = stats.iter().filter(|(name, _)| name.starts_with("wasm"));
        lines.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.lab.envoy_log().unwrap_or_default();
            let telling = |line: &&str| !line.contains("[info][main]") && !line.contains("Deprecated field");
            let lines: Vec<_> = log.lines().filter(telling).collect();
            let last = &lines[lines.len().saturating_sub(25)..];
            eprintln!("Envoy's log ends with:\n{}", last.join("\n"));
        }
    }
}
