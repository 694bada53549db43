//! A weight is changed by renaming a file.

#![allow(clippy::disallowed_methods, reason = "how soon a change is seen is measured")]

use std::time::{Duration, Instant};

use canary_lab::{Client, Request, wait_until};

use crate::scene::{Answer, Core, PATIENCE, Scene, one_variant, rendered, user};

const USERS: usize = 400;

pub(crate) fn a_renamed_file_changes_the_share_within_a_second() {
    let weights = [5.0, 20.0, 50.0, 80.0, 25.0, 10.0];
    let scene = Scene::serving(&one_variant(weights[0]));
    let mut clients = scene.lab.clients(4).unwrap();
    let mut before = Core::new(&one_variant(weights[0]));
    assert_eq!(scene.sides(USERS), before.sides(USERS));
    let mut took = Vec::new();
    for pair in weights.windows(2) {
        let policy = one_variant(pair[1]);
        let after = Core::new(&policy);
        let mover = (0..USERS).find(|number| before.side(*number) != after.side(*number)).unwrap();
        let start = Instant::now();
        scene.lab.push(&rendered(&policy).to_string()).unwrap();
        for client in &mut clients {
            wait_until(PATIENCE, "a worker to follow", || {
                Ok((side(client, mover) == after.side(mover)).then_some(()))
            })
            .unwrap();
        }
        took.push(start.elapsed());
        // All of them, and nobody against the ramp's direction.
        assert_eq!(scene.sides(USERS), after.sides(USERS), "{pair:?}");
        let joined = if pair[1] > pair[0] { "canary" } else { "stable" };
        let joining = (0..USERS).filter(|number| before.side(*number) != after.side(*number));
        assert!(joining.into_iter().all(|number| after.side(number) == joined), "{pair:?}");
        before = after;
    }
    // The median: another test may have had the machine for a moment.
    took.sort_unstable();
    assert!(took[took.len() / 2] <= Duration::from_secs(1), "{took:?}");
}

fn side(client: &mut Client, number: usize) -> String {
    let request = Request::get("/").header("x-user-id", user(number));
    Answer::of(&client.send(&request).unwrap()).side().unwrap()
}
