//! The evidence, to the ninth decimal.

use canary_core::guardrail::e_process::{EPOCH, Outcomes, Process, RATIOS};
use serde_json::Value;

#[test]
fn every_sequence_has_its_evidence() {
    let vectors: Value = serde_json::from_str(include_str!("../vectors/guardrail.json")).unwrap();
    let ratios: Vec<f64> = vectors["grid"].as_array().unwrap().iter().map(|r| r.as_f64().unwrap()).collect();
    assert_eq!((ratios.as_slice(), vectors["epoch"].as_u64()), (&RATIOS[..], Some(EPOCH.into())));
    let mut looks = 0;
    for sequence in vectors["sequences"].as_array().unwrap() {
        let mut process = Process::default();
        let ticks = sequence["ticks"].as_array().unwrap().iter().zip(sequence["logE"].as_array().unwrap());
        for (tick, expected) in ticks {
            let [served, variant, others, baseline] = [0, 1, 2, 3].map(|i| tick[i].as_u64().unwrap() as u32);
            let share = f64::from(served) / f64::from(served + others);
            process.look(vectors["r0"].as_f64().unwrap(), [Outcomes { share, variant, baseline }]);
            let error = (process.log_e() - expected.as_f64().unwrap()).abs();
            assert!(error < 1e-9, "look {looks}: off by {error}");
            looks += 1;
        }
    }
    assert_eq!(looks, 800);
}
