//! The member of W3C baggage that carries a decision along a call graph:
//! `deployment-variant=<rollout>:<variant>`.

const KEY: &[u8] = b"deployment-variant";

/// The variant of a rollout in a `baggage` header, where it has one.
pub(crate) fn variant<'a>(header: &'a [u8], rollout: &str) -> Option<&'a [u8]> {
    members(header).find_map(|member| variant_of(member, rollout))
}

/// A `baggage` header with the members that `keep` takes, and ours behind them; empty where
/// nothing is left.
pub(crate) fn written(header: &[u8], ours: Option<(&str, &str)>, keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut written = members(header).filter(|member| keep(member)).collect::<Vec<_>>().join(&b","[..]);
    if let Some((rollout, variant)) = ours {
        if !written.is_empty() {
            written.push(b',');
        }
        for part in [KEY, b"=", rollout.as_bytes(), b":", variant.as_bytes()] {
            written.extend_from_slice(part);
        }
    }
    written
}

/// Whether a header has a member of this kind.
pub(crate) fn has(header: &[u8], kind: impl Fn(&[u8]) -> bool) -> bool {
    members(header).any(kind)
}

/// Whether a member carries a decision, of whatever rollout.
pub(crate) fn is_ours(member: &[u8]) -> bool {
    value(member).is_some()
}

/// Whether a member carries a decision of this rollout.
pub(crate) fn is_of(member: &[u8], rollout: &str) -> bool {
    variant_of(member, rollout).is_some()
}

fn variant_of<'a>(member: &'a [u8], rollout: &str) -> Option<&'a [u8]> {
    value(member)?.strip_prefix(rollout.as_bytes())?.strip_prefix(b":")
}

/// The value of a member of ours, without properties.
fn value(member: &[u8]) -> Option<&[u8]> {
    let equals = member.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (member.get(..equals)?, member.get(equals + 1..)?);
    let value = value.split(|byte| *byte == b';').next()?;
    (key.trim_ascii() == KEY).then(|| value.trim_ascii())
}

fn members(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    header.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn the_variant_of_a_rollout_is_found_among_other_members() {
        let header = b"user=1, deployment-variant = checkout:canary ;p=1,deployment-variant=search:b";
        assert_eq!(variant(header, "checkout"), Some(&b"canary"[..]));
        assert_eq!(variant(header, "search"), Some(&b"b"[..]));
        assert_eq!(variant(header, "check"), None);
        assert_eq!(variant(b"x-deployment-variant=checkout:canary", "checkout"), None);
    }

    #[test]
    fn members_of_others_are_kept_and_ours_is_replaced() {
        let header = b"user=1;p=2 , deployment-variant=checkout:canary,deployment-variant=search:b,,";
        let ours = Some(("checkout", "stable"));
        assert_eq!(
            text(&written(header, ours, |member| !is_ours(member))),
            "user=1;p=2,deployment-variant=checkout:stable"
        );
        assert_eq!(
            text(&written(header, ours, |member| !is_of(member, "checkout"))),
            "user=1;p=2,deployment-variant=search:b,deployment-variant=checkout:stable"
        );
        assert_eq!(text(&written(b"deployment-variant=x:y", None, |member| !is_ours(member))), "");
        assert_eq!(text(&written(b"", ours, |_| true)), "deployment-variant=checkout:stable");
    }
}
