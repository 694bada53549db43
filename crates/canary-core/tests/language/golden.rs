//! The hash and the layout, to the last bit.

use canary_core::bucket::{Point, Salt};
use canary_core::split::{Split, VariantId, Weight};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/bucketing.json")).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn every_key_has_its_hash_and_its_bucket() {
    for case in vectors()["bucketing"].as_array().unwrap() {
        let fields: Vec<Vec<u8>> =
            case["fields_hex"].as_array().unwrap().iter().map(|f| unhex(f.as_str().unwrap())).collect();
        let (last, first) = fields.split_last().unwrap();
        let key = first.iter().fold(Salt::new(case["salt"].as_str().unwrap()).key(), |key, f| key.field(f));
        let point = key.last(last);
        assert_eq!(format!("{:016x}", point.get()), case["hash"].as_str().unwrap(), "{case}");
        assert_eq!(u64::from(point.bucket()), case["bucket"].as_u64().unwrap(), "{case}");
    }
}

#[test]
fn every_split_has_its_layout() {
    for case in vectors()["layout"].as_array().unwrap() {
        let ppm = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        let weights: Vec<Weight> = case["weights_ppm"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| Weight::from_percent(f64::from(ppm(w)) / 1e4).unwrap())
            .collect();
        let split = Split::try_new(&weights).unwrap();
        for segment in case["segments"].as_array().unwrap() {
            let (lo, hi) = (ppm(&segment[0]), ppm(&segment[1]));
            let owner = match segment[2].as_u64() {
                Some(index) => VariantId::variant(usize::try_from(index).unwrap()),
                None => VariantId::BASELINE,
            };
            let first = Point::start_of(lo).unwrap();
            let last = Point::start_of(hi).map_or(u64::MAX, |end| end.get() - 1);
            assert_eq!(split.owner(first), owner, "{case} at {lo}");
            assert_eq!(split.owner(Point::new(last)), owner, "{case} before {hi}");
        }
    }
}
