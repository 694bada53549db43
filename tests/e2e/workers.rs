//! Each worker has a VM of its own, and they must agree.

use crate::scene::{Answer, Core, Scene, WORKERS, one_variant, user};

const USERS: usize = 500;

pub(crate) fn two_workers_agree_with_each_other_and_with_the_core() {
    let policy = one_variant(50.0);
    let core = Core::new(&policy);
    let scene = Scene::serving(&policy);
    // Connections until each worker has got one.
    let mut clients = scene.lab.clients(6).unwrap();
    for number in 0..USERS {
        for client in &mut clients {
            let answer = Answer::of(&client.get("/", &[("x-user-id", &user(number))]).unwrap());
            assert_eq!(answer.side().as_deref(), Ok(core.side(number)), "user {number}");
        }
    }
    let stats = scene.stats();
    let port = scene.lab.ports().main();
    for worker in 0..WORKERS {
        let name = format!("listener.127.0.0.1_{port}.worker_{worker}.downstream_cx_total");
        assert!(stats.get(&name) > Some(0), "{name}: {:?}", stats.get(&name));
    }
}
