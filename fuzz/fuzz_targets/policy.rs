//! Any bytes as a policy: a policy or problems, never a panic; problems are one line each,
//! and one that is good is good again.
#![no_main]

use canary_core::policy::Policy;
use canary_core::rollback::NOTHING;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Policy::parse(bytes) {
        Ok(policy) => {
            let again = Policy::parse(bytes).expect("the same text");
            assert_eq!(policy.digest, again.digest);
            for rollout in &policy.rollouts {
                let sum: u32 = rollout.effective_weights(0, &NOTHING).map(|(_, ppm)| ppm).sum();
                assert_eq!(sum, 1_000_000);
            }
            let _ = policy.trusts();
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            // Over a mebibyte of text they are only counted, in one line more.
            assert!(problems.to_string().lines().count() <= problems.len());
        }
    }
});
