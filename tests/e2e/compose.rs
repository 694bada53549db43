//! What docker-compose.yml makes of the bootstrap, booted without a container.

use std::process::Command;

use serde_json::Value;

use crate::scene::{Core, Scene, bootstrap, envoy_with, one_variant, rendered, repository, text};

/// Where the container's command writes, and what it starts.
const OUT: &str = "/tmp/envoy.yaml";

pub(crate) fn the_rewritten_bootstrap_of_the_container_serves() {
    let compose: Value = serde_saphyr::from_str(&text("docker-compose.yml")).unwrap();
    let service = &compose["services"]["envoy"];
    let rewritten = rewritten(service);

    let original = bootstrap();
    let changed: Vec<_> = original.lines().zip(rewritten.lines()).filter(|(old, new)| old != new).collect();
    assert_eq!(original.lines().count(), rewritten.lines().count());
    assert_eq!(changed.len(), 2, "the main listener and the admin interface: {changed:#?}");
    for (old, new) in changed {
        assert_eq!(new, old.replace("127.0.0.1", "0.0.0.0"));
    }
    // The container's ports are published on the host's loopback only.
    let ports: Vec<_> =
        service["ports"].as_array().unwrap().iter().map(|port| port.as_str().unwrap()).collect();
    assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{ports:?}");
    for port in ["10000", "9901"] {
        assert!(ports.iter().any(|published| published.ends_with(&format!(":{port}"))), "{ports:?}");
        assert!(rewritten.contains(&format!("address: 0.0.0.0, port_value: {port}}}")));
    }

    let policy = one_variant(50.0);
    let scene = Scene::boot(envoy_with(rewritten).ecds(rendered(&policy).to_string()));
    assert_eq!(scene.sides(200), Core::new(&policy).sides(200));
    // A rename into the mounted directory is seen.
    let policy = one_variant(90.0);
    scene.load(&policy);
    assert_eq!(scene.sides(200), Core::new(&policy).sides(200));
}

/// Runs the command of the container up to the start of Envoy, writing elsewhere.
fn rewritten(service: &Value) -> String {
    let command: Vec<_> =
        service["command"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
    let [shell, flags, script] = command[..] else { panic!("{command:?}") };
    assert!(!script.replace("$$", "").contains('$'), "compose would put a variable's value there");
    let start = format!("exec envoy -c {OUT}");
    let script = script.trim_end().strip_suffix(&start).expect("it ends by starting Envoy");
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("envoy.yaml");
    let status = Command::new(shell)
        .args([flags, &script.replace(OUT, out.to_str().unwrap())])
        .current_dir(repository(""))
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    std::fs::read_to_string(out).unwrap()
}
