//! The access log, read back.

use canary_lab::wait_until;
use serde_json::Value;

use super::{PATIENCE, Scene};

/// One line of the access log.
#[derive(Clone, Debug)]
pub(crate) struct Line(Value);

impl Line {
    /// A field; `None` where the log has null.
    pub(crate) fn get(&self, field: &str) -> Option<&str> {
        let value = self.0.get(field).unwrap_or_else(|| panic!("no field {field}: {}", self.0));
        value.as_str()
    }
}

impl Scene {
    /// The lines whose field holds a text that `is` accepts, once there are so many; no line
    /// more may come.
    pub(crate) fn access_log(&self, lines: usize, field: &str, is: impl Fn(&str) -> bool) -> Vec<Line> {
        let found = wait_until(PATIENCE, &format!("{lines} lines in the access log"), || {
            let log = self.lab.access_log()?;
            // What has no line feed yet is still being written.
            let complete = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let parsed = complete.map(|line| Line(serde_json::from_str(line).expect("a line of JSON")));
            let found: Vec<_> = parsed.filter(|line| line.get(field).is_some_and(&is)).collect();
            Ok((found.len() >= lines).then_some(found))
        });
        let found = found.unwrap();
        assert_eq!(found.len(), lines);
        found
    }

    /// The decisions that were logged for the users 0, 1, … in the last of so many rounds of
    /// [`Scene::sides`].
    pub(crate) fn logged_decisions(&self, users: usize, rounds: usize) -> Vec<String> {
        const USERS: &str = "/users/";
        let mut decisions = vec![String::new(); users];
        for line in self.access_log(rounds * users, "path", |path| path.starts_with(USERS)) {
            let number = line.get("path").and_then(|path| path.strip_prefix(USERS)?.parse::<usize>().ok());
            line.get("decision").unwrap_or("null").clone_into(&mut decisions[number.unwrap()]);
        }
        decisions
    }
}
