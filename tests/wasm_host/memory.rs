//! Serving costs no memory that stays.

use crate::fixture::{ALL, BASIC, CURIOUS, FIGURES, GUARDED, artefact, browser, exchange, ok, serving};
use crate::harness::Vm;

#[test]
fn after_warm_up_twenty_thousand_users_add_no_page() {
    let Some(artefact) = artefact() else { return };
    for policy in [BASIC, FIGURES, GUARDED, CURIOUS, ALL] {
        let mut vm = serving(&artefact, policy);
        serve(&mut vm, 0..2_000);
        let warm = vm.pages();
        serve(&mut vm, 2_000..22_000);
        assert_eq!(vm.pages(), warm, "pages of 64 KiB");
        println!("{warm} pages of 64 KiB, {} fuel a request", vm.fuel_used() / 22_000);
    }
}

#[test]
fn after_warm_up_two_hundred_updates_add_no_page() {
    let Some(artefact) = artefact() else { return };
    let mut vm = serving(&artefact, CURIOUS);
    let mut warm = 0;
    for update in 0..220 {
        let old = vm.new_root().unwrap();
        assert!(vm.configure(CURIOUS.replace("\"7\"", &format!("\"{update}\""))).unwrap());
        vm.end_root(old).unwrap();
        serve(&mut vm, update * 10..update * 10 + 10);
        if update == 20 {
            warm = vm.pages();
        }
    }
    assert_eq!(vm.pages(), warm, "pages of 64 KiB");
}

fn serve(vm: &mut Vm, users: std::ops::Range<u32>) {
    for user in users {
        exchange(vm, browser(&format!("user-{user}")), ok()).unwrap();
        if user % 500 == 0 {
            vm.tick(vm.root()).unwrap();
        }
    }
}
