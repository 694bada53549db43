//! Load reports in the form of ORCA (Open Request Cost Aggregation): what an upstream says of
//! its own load in the response header `endpoint-load-metrics`.
//!
//! The value is `JSON {"cpu_utilization": 0.3, …}` or `TEXT cpu_utilization=0.3,…`, with the
//! field names of `xds.data.orca.v3.OrcaLoadReport`. The binary form is not read.

use serde_json::{Map, Value};

/// The header.
pub const HEADER: &str = "endpoint-load-metrics";

/// A longer report is not read.
const MAX_LEN: usize = 4_096;

/// A hundred times what a host has: no measurement, and no value to average with others.
const MAX_UTILIZATION: f64 = 100.0;

/// What a report says, in parts per thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The CPU's share in use; above 1000 where it is overcommitted.
    pub cpu: Option<u32>,
    /// The memory's share in use.
    pub memory: Option<u32>,
}

/// A report that cannot be read, or says what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl LoadReport {
    /// Reads a header's value.
    ///
    /// # Errors
    /// [`Malformed`] where it is not one of the two forms, too long, or has a value that is no
    /// share of anything.
    pub fn parse(value: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= MAX_LEN).ok_or(Malformed)?;
        let (form, report) = text.trim().split_once(' ').ok_or(Malformed)?;
        let fields: Fields = match form {
            "JSON" => serde_json::from_str(report).map_err(|_| Malformed)?,
            "TEXT" => report.split(',').map(pair).collect::<Result<_, _>>()?,
            _ => return Err(Malformed),
        };
        Ok(Self { cpu: permille(&fields, "cpu_utilization")?, memory: permille(&fields, "mem_utilization")? })
    }
}

/// What a report says, by name; a report may say more than is read.
type Fields = Map<String, Value>;

/// A pair of the text form. Its numbers are written as those of JSON are.
fn pair(pair: &str) -> Result<(String, Value), Malformed> {
    let (key, value) = pair.split_once('=').ok_or(Malformed)?;
    Ok((key.trim().to_owned(), serde_json::from_str(value).map_err(|_| Malformed)?))
}

fn permille(fields: &Fields, name: &str) -> Result<Option<u32>, Malformed> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100,000 by the test before"
    )]
    let permille = |share: f64| (share * 1e3).round() as u32;
    let Some(share) = fields.get(name) else { return Ok(None) };
    let share = share.as_f64().filter(|share| (0.0..=MAX_UTILIZATION).contains(share));
    share.map(permille).map(Some).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu_memory(value: &str) -> Result<(Option<u32>, Option<u32>), Malformed> {
        LoadReport::parse(value.as_bytes()).map(|report| (report.cpu, report.memory))
    }

    #[test]
    fn both_forms_say_the_same() {
        let both = Ok((Some(300), Some(845)));
        let json = r#"JSON {"cpu_utilization": 0.3, "mem_utilization": 0.8454, "rps_fractional": 12,
            "named_metrics": {"queue": 7.5}}"#;
        assert_eq!(cpu_memory(json), both);
        assert_eq!(
            cpu_memory("TEXT cpu_utilization=0.3, mem_utilization=0.8454, named_metrics.queue=7.5"),
            both
        );
    }

    #[test]
    fn what_a_report_leaves_out_is_not_known() {
        assert_eq!(cpu_memory("JSON {}"), Ok((None, None)));
        assert_eq!(cpu_memory("TEXT cpu_utilization=1.5"), Ok((Some(1_500), None)));
    }

    #[test]
    fn what_cannot_be_is_malformed() {
        let long = format!("TEXT cpu_utilization=0.{}", "1".repeat(5_000));
        for value in [
            "",
            "JSON",
            "JSON ",
            "TEXT",
            "TEXT ",
            "BIN CQAAAAAAAPA/",
            "0.5",
            "cpu_utilization=0.5",
            "JSON {\"cpu_utilization\": \"high\"}",
            "JSON {\"cpu_utilization\": 1e999}",
            "JSON [1]",
            "JSON {\"mem_utilization\": -0.1}",
            "TEXT cpu_utilization=NaN",
            "TEXT cpu_utilization=inf",
            "TEXT cpu_utilization=100.1",
            "TEXT cpu_utilization",
            "TEXT cpu_utilization=0x1",
            &long,
        ] {
            assert_eq!(cpu_memory(value), Err(Malformed), "{value}");
        }
        assert_eq!(LoadReport::parse(b"TEXT cpu_utilization=\xff"), Err(Malformed));
    }
}
