//! `canaryctl hash-ids`: identities that need not stand in a policy.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use anyhow::{Context, Result};
use canary_core::bucket::Salt;
use serde_json::Value;

use crate::Outcome;
use crate::cli::{Format, HashIdsArgs};
use crate::streams::Streams;

pub(crate) fn run(args: &HashIdsArgs, streams: &mut Streams) -> Result<Outcome> {
    let salt = Salt::new(&args.segment);
    let mut hashes = Vec::new();
    for line in BufReader::new(open(&args.ids)?).split(b'\n') {
        let line = line.with_context(|| format!("reading {}", args.ids.display()))?;
        let id = line.strip_suffix(b"\r").unwrap_or(&line);
        if id.is_empty() {
            continue;
        }
        let hash = format!("{:016x}", salt.key().last(id).get());
        match args.format {
            Format::Text => streams.say(hash)?,
            Format::Json => hashes.push(Value::from(hash)),
        }
    }
    if args.format == Format::Json {
        streams.say(Value::from(hashes))?;
    }
    Ok(Outcome::Good)
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(stdin().lock()));
    }
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(file))
}
