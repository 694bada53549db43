//! Users and what they are answered.

use std::sync::Mutex;

use canary_lab::{Load, Request, Response};

use super::Scene;

/// What a user is called.
pub(crate) fn user(number: usize) -> String {
    format!("user-{number}")
}

/// What came back, the upstream's echo of the stamps that reached it included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// Which upstream answered.
    pub(crate) served_by: Option<String>,
    /// The variant stamp that reached the upstream.
    pub(crate) variant: Option<String>,
    /// The rollout stamp that reached the upstream.
    pub(crate) rollout: Option<String>,
    /// The cluster stamp that reached the upstream.
    pub(crate) cluster: Option<String>,
    /// The variant stamp of the response.
    pub(crate) stamp: Option<String>,
}

impl Answer {
    /// Reads a response of the demo's upstreams.
    pub(crate) fn of(response: &Response) -> Self {
        Self {
            status: response.status,
            served_by: response.header("x-served-by"),
            variant: response.header("x-echo-variant"),
            rollout: response.header("x-echo-rollout"),
            cluster: response.header("x-echo-cluster"),
            stamp: response.header("x-deployment-variant"),
        }
    }

    /// Whether the baseline's upstream answered with a 200.
    pub(crate) fn is_stable(&self) -> bool {
        self.status == 200 && self.served_by.as_deref() == Some("checkout-v1")
    }

    /// The side that was stamped, once for the upstream and once for the client; what does not
    /// fit together is an error.
    pub(crate) fn side(&self) -> Result<String, String> {
        let canary = self.variant.as_deref() == Some("canary") && self.rollout.as_deref() == Some("checkout");
        let upstream = if canary { "checkout-v2" } else { "checkout-v1" };
        let fits =
            self.status == 200 && self.served_by.as_deref() == Some(upstream) && self.variant == self.stamp;
        match (&self.variant, fits) {
            (Some(variant), true) => Ok(variant.clone()),
            _ => Err(format!("{self:?}")),
        }
    }
}

impl Scene {
    /// Sends one request over a connection of its own.
    pub(crate) fn ask(&self, request: &Request) -> Answer {
        Answer::of(&self.lab.client().send(request).unwrap())
    }

    /// Sends one request of each of the users 0, 1, …, over connections to every worker, and
    /// returns their sides. The path is `/users/<number>`.
    pub(crate) fn sides(&self, users: usize) -> Vec<String> {
        let sides = Mutex::new(vec![Err("no answer".to_owned()); users]);
        let tally = Load::over(self.lab.clients(4).unwrap()).requests(users.try_into().unwrap()).run(
            |number| Request::get(&format!("/users/{number}")).header("x-user-id", format!("user-{number}")),
            |number, response| {
                let number = usize::try_from(number).unwrap();
                sides.lock().unwrap()[number] = Answer::of(response).side();
            },
        );
        tally.all_ok().unwrap();
        let sides = sides.into_inner().unwrap();
        sides.into_iter().map(|side| side.unwrap_or_else(|strange| panic!("{strange}"))).collect()
    }
}
