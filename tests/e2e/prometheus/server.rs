//! A Prometheus with the shipped configuration and rules, their durations shortened.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use canary_lab::{Client, Port, Process, wait_until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{PATIENCE, text};

const CONFIGURATION: &str = "envoy/prometheus/prometheus.yml";

/// The shipped rules: where, and how the configuration names them.
const RULES: [(&str, &str); 2] = [
    ("envoy/prometheus/rules/recording.yml", "rules/recording.yml"),
    ("envoy/prometheus/rules/alerts.yml", "rules/alerts.yml"),
];

/// Windows, `for` and `offset` of the rules, and what they are here. A day stays one.
const DURATIONS: [(&str, &str); 5] =
    [("1m", "1s"), ("5m", "15s"), ("10m", "15s"), ("15m", "15s"), ("30m", "30s")];

/// How often it scrapes and evaluates: a window must hold four.
const INTERVAL: &str = "1s";

/// A query takes more than a look at Envoy's stats, and nothing changes within this time.
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// The labels of one time series, its name among them.
pub(super) type Labels = BTreeMap<String, String>;

/// A running Prometheus; dropping it ends the process. A test that fails prints what it knew.
pub(super) struct Prometheus {
    // The process first: it must be gone before its directory is.
    process: Process,
    port: Port,
    directory: TempDir,
}

/// The program: what `PROMETHEUS` names, or the one on the path.
pub(crate) fn binary() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PROMETHEUS") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("prometheus")).find(|file| file.is_file())
}

/// Every shipped rule.
pub(super) fn shipped() -> Vec<Value> {
    let files = RULES.map(|(file, _)| -> Value { serde_saphyr::from_str(&text(file)).unwrap() });
    let groups = files.iter().flat_map(|file| file["groups"].as_array().unwrap());
    let rules: Vec<_> = groups.flat_map(|group| group["rules"].as_array().unwrap()).cloned().collect();
    assert!(rules.len() > 20);
    rules
}

/// The names of all series that the shipped rules record.
pub(super) fn recorded() -> Vec<String> {
    shipped().iter().filter_map(|rule| Some(rule["record"].as_str()?.to_owned())).collect()
}

impl Prometheus {
    /// Starts it; it scrapes the Envoy with this admin port.
    pub(super) fn scraping(admin: u16) -> Self {
        Self::start(admin).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn start(admin: u16) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("canary-prometheus-").tempdir()?;
        let port = Port::free()?;
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("rules"))?;
        for (file, name) in RULES {
            fs::write(at(name), shortened(&text(file)))?;
        }
        // JSON is YAML.
        fs::write(at("prometheus.yml"), configuration(admin).to_string())?;
        let binary = binary().context("looked for before")?;
        let mut command = Command::new(binary);
        command
            .current_dir(directory.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address=127.0.0.1:{}", port.number()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(at("log"))?);
        let started = Self { process: Process::start(command)?, port, directory };
        wait_until(PATIENCE, "Prometheus to get ready", || {
            if let Some(status) = started.process.exit() {
                bail!("Prometheus ended at its start ({status})");
            }
            let ready = Client::new(started.port.number()).get("/-/ready", &[]);
            Ok(ready.is_ok_and(|response| response.status == 200).then_some(()))
        })
        .with_context(|| format!("its log:\n{}", started.log()))?;
        Ok(started)
    }

    /// What an instant query finds: the labels of each series.
    pub(super) fn query(&self, expression: &str) -> Result<Vec<Labels>> {
        let data = self.api(&format!("query?query={}", percent_encoded(expression)))?;
        let series = data["result"].as_array().context("no vector")?.iter();
        series.map(|one| Ok(serde_json::from_value(one["metric"].clone())?)).collect()
    }

    /// Waits until an instant query finds something.
    pub(super) fn wait_for(&self, deadline: Duration, what: &str, expression: &str) {
        let found = wait_until(deadline, what, || {
            let found = !self.query(expression)?.is_empty();
            if !found {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            Ok(found.then_some(()))
        });
        found.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// The alerts as they stand.
    pub(super) fn alerts(&self) -> Result<Vec<Value>> {
        let data = self.api("alerts")?;
        Ok(data["alerts"].as_array().context("no alerts")?.clone())
    }

    /// The rules with the last evaluation of each.
    pub(super) fn rules(&self) -> Result<Vec<Value>> {
        let data = self.api("rules")?;
        let groups = data["groups"].as_array().context("no groups")?.iter();
        Ok(groups.flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    fn api(&self, path: &str) -> Result<Value> {
        let path = format!("/api/v1/{path}");
        let response = Client::new(self.port.number()).get(&path, &[("connection", "close")])?;
        if response.status != 200 {
            bail!("{path}: {} {}", response.status, response.text());
        }
        Ok(serde_json::from_slice::<Value>(&response.body)?["data"].take())
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// What there is to know when a test has failed; must not fail itself.
    fn state(&self) -> Result<String> {
        let broken = |rule: &Value| rule["health"] != "ok";
        let rules: Vec<_> = self.rules()?.into_iter().filter(broken).collect();
        let recorded = r#"{__name__=~".*:canary_.*", __name__!~".*_bucket:.*"}"#;
        let recorded = self.api(&format!("query?query={}", percent_encoded(recorded)))?;
        let series = recorded["result"].as_array().context("no vector")?.iter();
        let series: Vec<_> = series.map(|one| format!("{} {}", one["metric"], one["value"][1])).collect();
        let alerts: Vec<_> = self.alerts()?.iter().map(Value::to_string).collect();
        Ok(format!(
            "recorded series:\n{}\nrules that are not well: {rules:#?}\nalerts:\n{}",
            series.join("\n"),
            alerts.join("\n")
        ))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let state = self.state().unwrap_or_else(|error| format!("{error:#}"));
            eprintln!("Prometheus: {state}\nits log ends with:\n{}", self.log());
        }
    }
}

/// The shipped configuration for this Envoy, without the Alertmanager that is not there.
fn configuration(admin: u16) -> Value {
    let mut configuration: Value = serde_saphyr::from_str(&text(CONFIGURATION)).unwrap();
    assert_eq!(configuration["rule_files"], json!(RULES.map(|(_, name)| name)));
    for interval in ["scrape_interval", "evaluation_interval"] {
        assert!(configuration["global"][interval].is_string(), "{interval}");
        configuration["global"][interval] = json!(INTERVAL);
    }
    let targets = &mut configuration["scrape_configs"][0]["static_configs"][0]["targets"];
    assert_eq!(*targets, json!(["127.0.0.1:9901"]));
    *targets = json!([format!("127.0.0.1:{admin}")]);
    configuration["alerting"].take();
    configuration
}

/// The rules with other durations: whole words, so that the names of series stay.
fn shortened(rules: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out = String::new();
    for piece in rules.split_inclusive(|c| !is_word(c)) {
        let word = piece.trim_end_matches(|c| !is_word(c));
        out += DURATIONS.iter().find(|(long, _)| *long == word).map_or(word, |(_, short)| short);
        out += piece.strip_prefix(word).unwrap_or_default();
    }
    out
}

fn percent_encoded(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}
