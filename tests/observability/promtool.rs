//! The program that Prometheus ships to check what it is going to read.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is.
#[derive(Clone)]
pub(crate) struct Promtool(PathBuf);

impl Promtool {
    /// What `PROMTOOL` names, or the one on the path.
    pub(crate) fn find() -> Option<Self> {
        if let Some(named) = std::env::var_os("PROMTOOL") {
            return Some(Self(named.into()));
        }
        let path = std::env::var_os("PATH")?;
        let mut found = std::env::split_paths(&path).map(|folder| folder.join("promtool"));
        found.find(|file| file.is_file()).map(Self)
    }

    /// Runs it in the folder of `file`, with its name as the last argument: what it printed,
    /// as an error where it is not content.
    pub(crate) fn run(&self, arguments: &[&str], file: &Path) -> Result<String, String> {
        let output = Command::new(&self.0)
            .args(arguments)
            .arg(file.file_name().unwrap())
            .current_dir(file.parent().unwrap())
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.0.display()));
        let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(printed) } else { Err(printed) }
    }

    /// What it says of these rules.
    pub(crate) fn check_rules(&self, rules: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yml");
        std::fs::write(&file, rules).unwrap();
        self.run(&["check", "rules"], &file)
    }
}
