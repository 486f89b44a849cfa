//! Which Pods are refused: those whose address would be passed over in silence.

use super::Violation;
use crate::{Pod, pod::pod_ip};

/// A violation when `status.podIP` is given and is no IP address; host names are not looked up.
#[must_use]
pub fn validate(pod: &Pod) -> Vec<Violation> {
    let given = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    match given {
        Some(given) if pod_ip(pod).is_none() => {
            vec![Violation::new("status.podIP", format!("invalid address {given:?}: expected an IPv4 or IPv6 address"))]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_be_one() {
        for (status, expected) in [
            ("{}", None),
            ("{podIP: 127.0.0.2}", None),
            ("{podIP: 'fd00::1'}", None),
            ("{podIP: localhost}", Some("status.podIP")),
            ("{podIP: '127.0.0.1:8000'}", Some("status.podIP")),
        ] {
            let pod: Pod = serde_saphyr::from_str(&format!("status: {status}")).unwrap();
            let found = validate(&pod);
            let field = found.first().map(|violation| violation.field.as_str());
            assert_eq!(field, expected, "{status}");
        }
    }
}
