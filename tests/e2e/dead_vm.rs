//! The VM dies: what the bootstrap alone must still guarantee.

use canary_lab::{Request, wait_until};

use crate::scene::{Answer, PATIENCE, Scene, one_variant, plugin, rendered};
use crate::spoof::{STAMPS, stamped};

/// A filter that loads and traps on its first request.
const DEADLY: &str = r#"
    (module
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "_initialize"))
      (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
      (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
      (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1)
      (func (export "proxy_on_context_create") (param i32 i32))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)
      (func (export "proxy_on_done") (param i32) (result i32) i32.const 1)
      (func (export "proxy_on_delete") (param i32)))
"#;

pub(crate) fn a_dead_vm_serves_stable_whatever_a_client_stamps() {
    let scene = Scene::serving(&one_variant(100.0));
    assert!(scene.sides(20).iter().all(|side| side == "canary"));
    let mut clients = scene.lab.clients(4).unwrap();

    std::fs::write(scene.lab.directory().join("dist/deadly.wasm"), wat::parse_str(DEADLY).unwrap()).unwrap();
    let mut response = rendered("dead");
    plugin(&mut response)["vm_config"]["code"]["local"]["filename"] = "dist/deadly.wasm".into();
    scene.lab.push(&response.to_string()).unwrap();

    for client in &mut clients {
        // 200 from the first moment on, and no stamp once the other filter is in.
        wait_until(PATIENCE, "the deadly filter to arrive", || {
            let answer = Answer::of(&client.get("/", &[("x-user-id", "alice")])?);
            assert_eq!(answer.status, 200);
            Ok(answer.variant.is_none().then_some(()))
        })
        .unwrap();
        for stamps in STAMPS {
            let answer = Answer::of(&client.send(&stamped(Request::get("/"), stamps)).unwrap());
            assert!(answer.is_stable(), "{stamps:?}: {answer:?}");
            assert_eq!((answer.variant, answer.rollout, answer.cluster), (None, None, None), "{stamps:?}");
        }
    }
    let log = scene.lab.envoy_log().unwrap();
    assert!(log.contains("proxy_on_request_headers failed"), "the VM has not died:\n{log}");

    // A working filter brings it back.
    scene.load(&one_variant(100.0));
    assert!(scene.sides(20).iter().all(|side| side == "canary"));
}
