//! The documents are true: policies in them are valid, commands print what stands there,
//! and links lead somewhere.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use canary_core::policy::Policy;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every document of the repository that git would track.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !name.starts_with('.') && !["target", "dist"].contains(&name) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    assert!(found.iter().any(|path| path.ends_with("README.md")) && found.len() > 5);
    found
}

/// The fenced blocks of a document with this language.
fn blocks(document: &Path, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(document).unwrap();
    let parts = text.split("\n```").collect::<Vec<_>>();
    // Every second part is inside a fence.
    let inside = parts.iter().skip(1).step_by(2);
    let blocks = inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'));
    blocks.map(str::to_owned).collect()
}

/// A command line split as a shell would, as far as the documents need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words
}

#[test]
fn policies_in_documents_are_valid() {
    let mut checked = 0;
    for document in documents() {
        for block in blocks(&document, "json").iter().filter(|block| block.contains("\"version\"")) {
            if let Err(problems) = Policy::parse(block.as_bytes()) {
                panic!("{}:\n{block}\n{problems}", document.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn commands_in_documents_print_what_stands_there() {
    let mut checked = 0;
    for document in documents() {
        for block in blocks(&document, "console") {
            for command in format!("\n{block}").split("\n$ ").skip(1) {
                let (line, expected) = command.split_once('\n').unwrap_or((command, ""));
                let Some(arguments) = line.strip_prefix("canaryctl ") else { continue };
                let output = Command::new(env!("CARGO_BIN_EXE_canaryctl"))
                    .args(words(arguments))
                    .current_dir(root())
                    .output()
                    .unwrap();
                let printed = [output.stdout, output.stderr].concat();
                let printed = String::from_utf8(printed).unwrap();
                assert_eq!(printed.trim_end(), expected.trim_end(), "{}: {line}", document.display());
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
}

#[test]
fn links_in_documents_lead_somewhere() {
    for document in documents() {
        let text = std::fs::read_to_string(&document).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("http") && !target.starts_with('#')) {
            let path = document.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(path.exists(), "{}: {target}", document.display());
        }
    }
}
