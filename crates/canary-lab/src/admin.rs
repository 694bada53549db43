//! Envoy's admin interface, the reading part of it.

use anyhow::{Context, Result, bail};

use crate::client::Client;
use crate::http::Request;
use crate::stats::Stats;

/// The admin interface of an Envoy on 127.0.0.1, whether a [`crate::Lab`] started it or not.
#[derive(Debug, Clone, Copy)]
pub struct Admin {
    port: u16,
}

impl Admin {
    /// The admin interface on this port.
    pub fn new(port: u16) -> Self {
        Self { port }
    }

    /// Whether Envoy takes traffic: its listeners are up and its first configuration is in.
    pub fn ready(self) -> bool {
        self.get("/ready").is_ok()
    }

    /// The body that a GET of this path answers with; anything but a 200 is an error.
    pub fn get(self, path: &str) -> Result<String> {
        self.send("GET", path)
    }

    /// The body that a POST to this path answers with; anything but a 200 is an error.
    pub fn post(self, path: &str) -> Result<String> {
        self.send("POST", path)
    }

    /// All counters and gauges.
    pub fn stats(self) -> Result<Stats> {
        Ok(Stats::parse(&self.get("/stats")?))
    }

    /// The stats as Prometheus scrapes them.
    pub fn prometheus(self) -> Result<String> {
        self.get("/stats/prometheus")
    }

    /// The configuration that Envoy holds, extension configs included.
    pub fn config_dump(self) -> Result<serde_json::Value> {
        serde_json::from_str(&self.get("/config_dump")?).context("config_dump")
    }

    fn send(self, method: &str, path: &str) -> Result<String> {
        // A connection per call: an idle one would keep Envoy from ending quickly.
        let request = Request::new(method, path).header("connection", "close");
        let response =
            Client::new(self.port).send(&request).with_context(|| format!("admin {method} {path}"))?;
        if response.status != 200 {
            bail!("admin {method} {path}: {} {}", response.status, response.text());
        }
        Ok(response.text())
    }
}
